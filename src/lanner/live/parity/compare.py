"""Compare a session with the backtest of its data, and split the gap between them into what it is made of.

The value of an order is what its fills are worth at the last price, less their fees: the values of all orders, funding
and adjustments add up to the equity, so the differences of joined orders add up to the gap. All of it is exact decimal
arithmetic; what the parts leave over is shown as the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.engine.engine import Engine
from lanner.live.build import Plan, make_plan, plan_of
from lanner.live.config import SessionConfig
from lanner.live.parity.join import join_orders
from lanner.live.parity.runs import Run, Story, as_backtest, as_it_was, read_story
from lanner.live.parity.split import PARTS, ZERO, Pair, Splitter, mark_of
from lanner.live.parity.stored import check_stored, stored_records
from lanner.live.replaying import read_head
from lanner.model.reports import PositionAdjusted
from lanner.storage.journal import Record, read_journal
from lanner.storage.ledger.fold import control_in_words

if TYPE_CHECKING:
    from lanner.storage.catalog import Catalog

CENT = Decimal("0.005")


@dataclass(slots=True)
class ParityReport:
    """A session beside its backtest. Money is in ``currency``; every difference is session less backtest.

    ``data`` names the data sets of the catalog that were played; empty: the session's own data.
    """

    session: str
    mode: str
    strategies: list[str]
    instruments: list[str]
    currency: str
    started_ns: int
    ended_ns: int
    cash: Decimal
    session_equity: Decimal
    backtest_equity: Decimal
    parts: dict[str, Decimal]
    pairs: list[Pair]
    faithful: bool
    identical: bool
    messages: int
    changed: dict[str, Any]
    controls: list[tuple[int, str, str]]
    gaps: list[tuple[int, int, str]]
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)

    @property
    def gap(self) -> Decimal:
        """Return the equity of the session less that of the backtest."""
        return self.session_equity - self.backtest_equity

    @property
    def alone(self) -> list[Pair]:
        """Return the orders that exist on one side only."""
        return [pair for pair in self.pairs if pair.session is None or pair.backtest is None]

    @property
    def unexplained(self) -> list[Pair]:
        """Return the orders that differ without a reason."""
        return [pair for pair in self.pairs if not pair.note and _differs(pair)]

    @property
    def explained(self) -> bool:
        """Tell whether the gap has no rest, and no order differs without a reason."""
        return self.faithful and not self.unexplained and abs(self.parts["rest"]) < CENT


def compare_session(
    folder: Path, changes: Mapping[str, Any] | None = None, *, catalog: Catalog | None = None
) -> ParityReport:
    """Play a session's data through the backtest and compare. ``changes`` are settings of the backtest's side only.

    The settings are those of the session; other fees, delays or fill rules show what they would have made. ``catalog``
    plays the data that it has of the session's time in the place of what the session recorded.
    """
    head = read_head(folder)
    plan = plan_of(head)
    assumed = _changed(plan, changes or {})
    story = read_story(folder)
    was, replayed = as_it_was(plan, head.session, folder, story)
    since, until = story.first_ts, story.last_data_ts
    keys = [] if catalog is None else check_stored(plan, catalog, since, until)

    def records() -> Iterable[Record]:
        if catalog is None:
            return read_journal(folder / "journal")
        return stored_records(folder, catalog, keys, since, until)

    same = as_backtest(assumed, head.session, records(), story, controls=True)
    free = as_backtest(assumed, head.session, records(), story, controls=False) if story.controls else same
    with localcontext() as context:
        context.prec = 60
        pairs, parts = _split(was, same, free, story, live=plan.config.mode == "live")
        return ParityReport(
            session=head.session,
            mode=head.mode,
            strategies=list(was.engine.desks),
            instruments=list(plan.instruments),
            currency=plan.currency,
            started_ns=story.first_ts,
            ended_ns=story.last_ts,
            cash=plan.config.cash,
            session_equity=_equity(was.engine),
            backtest_equity=_equity(free.engine),
            parts=parts,
            pairs=pairs,
            faithful=replayed.faithful,
            identical=was.engine.hash.hexdigest() == free.engine.hash.hexdigest(),
            messages=story.data,
            changed=dict(changes or {}),
            data=[key.ref for key in keys],
            controls=[(ts, control.action, control_in_words(control)) for ts, control in story.controls],
            gaps=story.gaps,
            curves={"session": was.curve, "backtest": free.curve},
        )


def _changed(plan: Plan, changes: Mapping[str, Any]) -> Plan:
    if not changes:
        return plan
    from lanner.backtest.config_file import merge
    from lanner.backtest.mistakes import validate

    config: SessionConfig = validate(SessionConfig, merge(plan.config.to_plain(), changes))
    return make_plan(config, plan.instruments)


def _equity(engine: Engine) -> Decimal:
    portfolio = engine.portfolio
    return sum(portfolio.capital.values(), ZERO) + sum(
        (
            portfolio.exact_pnl(position) * portfolio.rate(position.instrument.settle)
            for position in portfolio.positions.values()
        ),
        ZERO,
    )


def _funding(engine: Engine) -> Decimal:
    portfolio = engine.portfolio
    return sum((p.funding * portfolio.rate(p.instrument.settle) for p in portfolio.positions.values()), ZERO)


def _given_up(engine: Engine) -> Decimal:
    """Return what it brought that lots left positions as fees, at the prices of then and not at the last one."""
    total = ZERO
    for position in engine.portfolio.positions.values():
        if position.coin_fees is not None:
            instrument = position.instrument
            worth = instrument.lot * instrument.multiplier * mark_of(engine, instrument.id)
            moved = position.money(position.coin_fees.units) - position.coin_fees.lots * worth
            total += moved * engine.portfolio.rate(instrument.settle)
    return total


def _split(
    was: Run, same: Run, free: Run, story: Story, *, live: bool
) -> tuple[list[Pair], dict[str, Decimal]]:
    """Return the joined orders with their parts, and the parts of the whole gap."""
    splitter = Splitter(was.engine, same.engine, story, live=live)
    joined = join_orders(was.engine.execution.orders.values(), same.engine.execution.orders.values())
    pairs = [splitter.pair(one) for one in joined]
    parts = {name: sum((pair.parts[name] for pair in pairs), ZERO) for name in PARTS}
    parts["funding"] += _funding(was.engine) - _funding(same.engine)
    parts["fees"] += _given_up(was.engine) - _given_up(same.engine)
    parts["manual_action"] += _adjusted(was.engine) + _equity(same.engine) - _equity(free.engine)
    told = sum(parts.values(), ZERO)
    parts["rest"] += _equity(was.engine) - _equity(free.engine) - told
    return pairs, parts


def _adjusted(engine: Engine) -> Decimal:
    """Return what the adjustments to the venue's positions are worth at the last price."""
    total = ZERO
    for report in engine.reports:
        if isinstance(report, PositionAdjusted):
            instrument = engine.cache.instrument(report.instrument_id)
            unit = instrument.lot * instrument.multiplier
            moved = mark_of(engine, instrument.id) - instrument.tick * report.px_ticks
            total += report.lots * unit * moved * engine.portfolio.rate(instrument.settle)
    return total


def _differs(pair: Pair) -> bool:
    a, b = pair.session, pair.backtest
    if a is None or b is None:
        return True
    return (a.lots, a.px_ticks, a.stop_ticks, a.cum_lots, a.notional, a.fees) != (
        b.lots, b.px_ticks, b.stop_ticks, b.cum_lots, b.notional, b.fees,
    )  # fmt: skip
