"""Which order features a strategy uses, by running it and by reading it, and what a venue makes of each."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.engine.state_hash import StateHash
from lanner.execution.abilities import Abilities, features_of_plan, trailing_exit, waits_for_trigger
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.features import (
    FEATURES,
    TIF_FEATURES,
    TYPE_FEATURES,
    Feature,
    Support,
    features_of,
    features_of_order,
)
from lanner.research.probes import Finding
from lanner.research.probes_stage import Outcome, Stage
from lanner.venues.rules import Refuser, impossible_for

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.execution.exits import ExitPlan
    from lanner.model.commands import Command
    from lanner.model.orders import Order
    from lanner.model.reports import Report
    from lanner.risk.checks import Denial
    from lanner.strategy.base import Strategy

_KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "post_only": (Feature.POST_ONLY,),
    "reduce_only": (Feature.REDUCE_ONLY,),
    "display_qty": (Feature.ICEBERG,),
    "expire": (Feature.GTD,),
    "trail": (Feature.TRAILING_STOP,),
    "stop": (Feature.BRACKET, Feature.STOP_MARKET),
    "take": (Feature.BRACKET, Feature.LIMIT),
}
"""Arguments of the verbs that place orders, and what they ask for."""
_VERBS = frozenset({"buy", "sell", "order", "target", "target_qty", "signal"})
_CALLS: Mapping[str, str] = {"oco": Feature.OCO, "batch": Feature.BATCH, "amend": Feature.AMEND}
_TABLES = {"stop_loss": (Feature.BRACKET, Feature.STOP_MARKET), "roi": (Feature.BRACKET, Feature.LIMIT)}
_ENUMS = {
    "OrderType": {kind.name: feature for kind, feature in TYPE_FEATURES.items()},
    "TimeInForce": {tif.name: feature for tif, feature in TIF_FEATURES.items()},
}


@dataclass(slots=True)
class FeatureUse:
    """One feature: how many commands of the run asked for it, the lines that name it, and each product's support."""

    feature: str
    commands: int = 0
    lines: list[int] = field(default_factory=list)
    support: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return it as plain data."""
        return {
            "feature": self.feature,
            "commands": self.commands,
            "lines": self.lines,
            "support": self.support,
        }


class _Tally(StateHash):
    """An engine's fingerprint that also counts what its commands ask for."""

    __slots__ = ("found", "hash")

    def __init__(self, inner: StateHash, found: Counter[str]) -> None:
        self.hash = inner
        self.found = found

    def add(self, message: Command | Report) -> None:
        """Digest one message; count it when it is a command."""
        self.hash.add(message)
        if isinstance(message, SubmitOrder | AmendOrder | CancelOrder | Batch):
            self.found.update(features_of(message))

    def add_text(self, text: str) -> None:
        """Digest a line of text."""
        self.hash.add_text(text)

    def hexdigest(self) -> str:
        """Return the fingerprint so far."""
        return self.hash.hexdigest()


class Asked(Abilities):
    """Stands where a session asks whether an order may leave, lets all of them, and notes what was asked."""

    __slots__ = ("found", "lacking", "refusals")

    def __init__(self, products: Iterable[str], found: Counter[str]) -> None:
        super().__init__()
        self.found = found
        self.refusals: Counter[tuple[str, str]] = Counter()
        self.lacking: dict[str, frozenset[str]] = dict.fromkeys(products, frozenset())

    def __bool__(self) -> bool:
        return True

    def check(self, order: Order, plan: ExitPlan | None = None) -> Denial | None:
        """Note what an order and its exits ask for, and which product refuses it for another reason."""
        asked = [*features_of_order(order), *(features_of_plan(plan) if plan else ())]
        self.found.update(asked)
        for product in self.lacking:
            lacking = impossible_for(product, order.instrument).intersection(asked)
            self.lacking[product] |= lacking
            if lacking:
                continue  # that is told by the feature
            trail = trailing_exit(order, plan) if plan else None
            reason = Refuser(product)(order) or (Refuser(product)(trail) if trail is not None else "")
            if reason:
                self.refusals[product, reason] += 1
        return None

    def check_amend(self, order: Order) -> Denial | None:
        """Note that an order is changed."""
        self.found[Feature.AMEND] += 1
        if waits_for_trigger(order):
            self.found[Feature.AMEND_TRIGGER] += 1
        return None

    def can_amend(self, order: Order) -> bool:
        """Let the exits of brackets be changed; where a venue cannot, they are replaced, which is no feature."""
        return True


def features_run(stage: Stage, products: Iterable[str] = ()) -> tuple[Counter[str], Asked]:
    """Return how often each feature was asked for in one run of the strategy, and what products say to its orders."""
    sent: Counter[str] = Counter()
    asked = Asked(products, Counter())

    def watch(engine: Engine, _strategy: Strategy) -> None:
        engine.hash = _Tally(engine.hash, sent)
        engine.execution.abilities = asked

    stage.attempt(hooks=[watch])
    sent[Feature.AMEND] = 0  # the house's own changes of exits do not count
    return sent | asked.found, asked


def features_named(paths: Iterable[Path]) -> dict[str, list[int]]:
    """Return the features that source files name, with the lines that do."""
    found: dict[str, list[int]] = {}
    for path in paths:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, SyntaxError):
            continue
        for feature, line in _named(tree):
            lines = found.setdefault(feature, [])
            if line not in lines:
                lines.append(line)
    return found


def _named(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for feature in _of_call(node):
                yield feature, node.lineno
        elif isinstance(node, ast.Attribute):
            owner = (
                node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            )
            word = _ENUMS.get(owner, {}).get(node.attr)
            if word is not None:
                yield word, node.lineno
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not _is_off(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for feature in _TABLES.get(getattr(target, "id", ""), ()):
                    yield feature, node.lineno


def _of_call(node: ast.Call) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in _CALLS:
        yield _CALLS[name]
    if name not in _VERBS:
        return
    given = {keyword.arg for keyword in node.keywords if not _is_off(keyword.value)}
    for word, features in _KEYWORDS.items():
        if word in given:
            yield from features
    if "stop_px" in given:
        has_px = "px" in given or len(node.args) > 1
        yield Feature.STOP_LIMIT if has_px else Feature.STOP_MARKET


def _is_off(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value in (None, False))


def check_venue(stage: Stage, paths: Iterable[Path], tables: Mapping[str, Mapping[str, Support]]) -> Outcome:
    """Compare what a strategy uses with the capability tables of products; what is impossible is an error,
    or a warning where the run did not come to it."""
    (ran, asked), named = features_run(stage, tables), features_named(paths)
    outcome = Outcome("venue")
    for feature in FEATURES:
        if not ran[feature] and feature not in named:
            continue
        support = {
            product: "impossible" if feature in asked.lacking[product] else table[feature].name.lower()
            for product, table in tables.items()
        }
        use = FeatureUse(feature, ran[feature], named.get(feature, []), support)
        outcome.features.append(use)
        for product, word in support.items():
            if word == "impossible":
                outcome.findings.append(_impossible(use, product))
    outcome.findings += [
        _refused(product, reason, count) for (product, reason), count in sorted(asked.refusals.items())
    ]
    outcome.note = f"{len(outcome.features)} order features at {', '.join(tables)}"
    return outcome


def _refused(product: str, reason: str, count: int) -> Finding:
    return Finding(
        "venue",
        "error",
        f"{product}: {reason}",
        expected="orders that the venue takes as they are",
        found=f"{count} orders of the run",
        fix="Such an order is denied before it leaves; use another kind, or another venue (`lanner venues`).",
    )


def _impossible(use: FeatureUse, product: str) -> Finding:
    seen = [f"{use.commands} commands of the run"] if use.commands else []
    seen += [f"line {', '.join(map(str, use.lines))}"] if use.lines else []
    return Finding(
        "venue",
        "error" if use.commands else "warning",
        f"{product} has no {use.feature.replace('_', ' ')}",
        expected="order features that the venue has, or that Lanner does in its place",
        found="; ".join(seen),
        fix="Such an order is denied before it leaves; use another kind, or another venue (`lanner venues`).",
        line=use.lines[0] if use.lines else None,
    )
