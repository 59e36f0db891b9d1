"""What a check of a strategy is made of: findings, one watched run, and how two runs are told apart.

A *trial* is one backtest whose every command is written down as it leaves the engine. Checks play trials under
different circumstances and compare what the strategy decided, never what became of it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MethodType
from typing import TYPE_CHECKING, Any, Literal

from lanner.core.errors import ConfigError, LannerError, StrategyError
from lanner.engine.state_hash import StateHash
from lanner.model.commands import AmendOrder, Batch, CancelOrder, Command, SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.reports import Report
from lanner.strategy.errors import moment

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult
    from lanner.backtest.spec import BacktestSpec
    from lanner.engine.engine import Engine
    from lanner.model.instruments import Instrument
    from lanner.strategy.base import Strategy

Severity = Literal["error", "warning"]
Hook = Callable[["Engine", "Strategy"], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where it shows (``bar`` counts from 0, ``ts`` in UNIX ns) and what to do."""

    check: str
    severity: Severity
    what: str
    expected: str = ""
    found: str = ""
    fix: str = ""
    bar: int | None = None
    ts: int | None = None
    line: int | None = None
    evidence: dict[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return the parts as plain data, those that say nothing left out."""
        parts: dict[str, object] = {
            "check": self.check,
            "severity": self.severity,
            "what": self.what,
            "expected": self.expected or None,
            "found": self.found or None,
            "fix": self.fix or None,
            "bar": self.bar,
            "ts": self.ts,
            "time": None if self.ts is None else moment(self.ts),
            "line": self.line,
        }
        return {**parts, "evidence": self.evidence} if self.evidence else parts


@dataclass(frozen=True, slots=True)
class Decision:
    """One command on its way to a venue: when (UNIX ns), for what, and in words that hold all of it.

    ``side`` is +1 or −1 for a new order, 0 for a cancel or a change; ``qty`` is a new order's quantity.
    """

    ts: int
    instrument_id: str
    side: int
    text: str
    qty: float = 0.0

    def __str__(self) -> str:
        return f"{self.text} at {moment(self.ts)}"


@dataclass(slots=True)
class Trial:
    """What one run decided and what came of it; ``error`` is why it ended early, ``result`` is None then."""

    decisions: list[Decision]
    error: LannerError | None = None
    state_hash: str = ""
    result: BacktestResult | None = None

    def until(self, ts: int) -> list[Decision]:
        """Return the decisions up to a time, inclusive."""
        return [decision for decision in self.decisions if decision.ts <= ts]

    def signal_times(self) -> list[int]:
        """Return the times at which something was decided, each once."""
        return sorted({decision.ts for decision in self.decisions})


class Journal(StateHash):
    """An engine's fingerprint that also writes every command down."""

    __slots__ = ("decisions", "hash", "instruments")

    def __init__(self, inner: StateHash, instruments: dict[str, Instrument]) -> None:
        self.hash = inner
        self.instruments = instruments
        self.decisions: list[Decision] = []

    def add(self, message: Command | Report) -> None:
        """Digest one message and keep it when it is a command."""
        self.hash.add(message)
        for command in message.commands if isinstance(message, Batch) else (message,):
            if isinstance(command, SubmitOrder | CancelOrder | AmendOrder):
                self.decisions.append(_decision(command, self.instruments[command.instrument_id]))

    def add_text(self, text: str) -> None:
        """Digest a line of text."""
        self.hash.add_text(text)

    def hexdigest(self) -> str:
        """Return the fingerprint so far."""
        return self.hash.hexdigest()


def play(spec: BacktestSpec, *hooks: Hook) -> Trial:
    """Run a specification with one strategy and write down what it decides.

    ``hooks`` are called with the engine and the strategy when the run starts, before ``on_start``. An error of the
    strategy ends the trial and is part of it; what is wrong with the settings is raised.
    """
    from lanner.backtest.run import run_backtest

    strategy = spec.strategies[0].strategy
    journals: list[Journal] = []

    def install(engine: Engine, _strategy: Strategy) -> None:
        journals.append(Journal(engine.hash, dict(spec.instruments)))
        engine.hash = journals[0]

    on_first_start(strategy, [install, *hooks])
    try:
        result = run_backtest(spec)
    except StrategyError as error:
        return Trial(journals[0].decisions if journals else [], error)
    except LannerError as error:
        if not journals or isinstance(error, ConfigError):
            raise
        return Trial(journals[0].decisions, error)
    decisions = journals[0].decisions
    return Trial(decisions, None, result.state_hash, result)


def on_first_start(strategy: Strategy, hooks: Sequence[Hook]) -> None:
    """Let hooks see the engine and the strategy right before the strategy's own ``on_start``."""
    own = strategy.on_start

    def on_start(self: Strategy) -> None:
        engine: Engine = self.context.engine  # type: ignore[attr-defined]
        for hook in hooks:
            hook(engine, self)
        own()

    # an attribute of the instance, so that the class and what hangs on it stay the user's own
    vars(strategy)["on_start"] = MethodType(on_start, strategy)


def first_difference(
    one: Sequence[Decision], other: Sequence[Decision]
) -> tuple[Decision | None, Decision | None] | None:
    """Return the first pair of decisions that are not the same, None when all are; what lacks is None."""
    for left, right in zip(one, other, strict=False):
        if left != right:
            return left, right
    if len(one) == len(other):
        return None
    short = min(len(one), len(other))
    return (one[short], None) if len(one) > short else (None, other[short])


def differs(one: Trial, other: Trial) -> bool:
    """Tell whether two trials over the same data ended differently."""
    return (
        one.decisions != other.decisions
        or one.state_hash != other.state_hash
        or (one.error is None) != (other.error is None)
    )


def difference(one: Trial, other: Trial) -> tuple[int | None, str, str]:
    """Return where two trials part (UNIX ns) and what each did there, in words."""
    pair = first_difference(one.decisions, other.decisions)
    if pair is None:
        return None, _ending(one), _ending(other)
    times = [decision.ts for decision in pair if decision is not None]
    left, right = (_words(decision, trial) for decision, trial in zip(pair, (one, other), strict=True))
    return min(times), left, right


def _words(decision: Decision | None, trial: Trial) -> str:
    if decision is not None:
        return str(decision)
    return f"nothing: {one_line(trial.error)}" if trial.error is not None else "no further order"


def _ending(trial: Trial) -> str:
    if trial.error is not None:
        return one_line(trial.error)
    return f"{len(trial.decisions)} commands, state {trial.state_hash[:8]}"


def one_line(error: LannerError) -> str:
    """Return the last line of an error about user code that names the exception, shortened."""
    lines = [line.strip() for line in error.what.splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    end = next((at for at, line in enumerate(lines) if line.startswith("Last inputs")), len(lines))
    return lines[max(0, end - 1)][:160]


def _decision(command: SubmitOrder | CancelOrder | AmendOrder, instrument: Instrument) -> Decision:
    name = instrument.id
    if isinstance(command, CancelOrder):
        return Decision(command.ts, name, 0, f"cancel {command.order_id} {name}")
    if isinstance(command, AmendOrder):
        changes = _levels(command.px_ticks, command.stop_ticks, instrument)
        size = "" if command.lots is None else f" qty {instrument.qty_float(command.lots):g}"
        return Decision(command.ts, name, 0, f"amend {command.order_id} {name}{size}{changes}")
    side = Side(command.side)
    qty = instrument.qty_float(command.lots)
    words = [side.name, f"{qty:.10g}", name, OrderType(command.type).name]
    text = " ".join(words) + _levels(command.px_ticks, command.stop_ticks, instrument)
    if command.trail_frac is not None or command.trail_ticks is not None:
        text += f" trail {command.trail_frac or command.trail_ticks}"
    flags = [flag for flag in ("post_only", "reduce_only") if getattr(command, flag)]
    return Decision(command.ts, name, int(side), " ".join([text, *flags]), qty)


def _levels(px: int | None, stop: int | None, instrument: Instrument) -> str:
    limit = "" if px is None else f" px {instrument.px_float(px):.10g}"
    return limit if stop is None else f"{limit} stop {instrument.px_float(stop):.10g}"


@contextmanager
def settled_memory() -> Iterator[None]:
    """Keep what exists already out of the garbage collector's sight: every trial collects, and there are many."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def built(cls: type[Strategy], params: dict[str, Any]) -> Strategy:
    """Build a strategy; what its own code raises becomes a ``StrategyError`` or stays the ``LannerError`` it is."""
    from lanner.strategy.errors import strategy_error

    try:
        return cls(**params)
    except LannerError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's own constructor may raise anything
        probe = object.__new__(cls)
        probe.id = cls.name or cls.__name__
        raise strategy_error(error, probe, "while it was built", ()) from None


__all__ = [
    "Decision",
    "Finding",
    "Hook",
    "Journal",
    "Severity",
    "Trial",
    "built",
    "difference",
    "differs",
    "first_difference",
    "on_first_start",
    "one_line",
    "play",
    "settled_memory",
]
