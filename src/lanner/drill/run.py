"""One run: a venue, an engine, faults, and in the end a comparison of everything."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lanner.backtest.config import RiskConfig
from lanner.core.errors import StrategyError
from lanner.drill.clock import virtual_time
from lanner.drill.engine import SESSION, Attach, Died, DrilledEngine
from lanner.drill.invariants import Books, Violation
from lanner.drill.loop import VirtualLoop
from lanner.drill.network import Network
from lanner.drill.paper_books import PaperBooks
from lanner.drill.scenario import Scenario
from lanner.live.build import Plan, build_engine, make_plan
from lanner.live.config import JournalConfig, LedgerConfig, RecoveryConfig, RetentionConfig, SessionConfig
from lanner.live.connect import Where, load_instruments
from lanner.live.heart import replay
from lanner.live.killswitch import KillReport
from lanner.live.paper import PaperVenues
from lanner.live.session import Session
from lanner.model.enums import OrderStatus
from lanner.net.status import LinkState
from lanner.risk.gate import TradingState
from lanner.simulator.config import ServeConfig
from lanner.simulator.exchange import Exchange
from lanner.simulator.money import from_atoms
from lanner.simulator.server import VenueServer
from lanner.storage.journal import read_journal
from lanner.venues.keys import Keys
from lanner.venues.link import Link
from lanner.venues.registry import endpoints_of, make_codec, product_spec

START_NS = 1_767_225_600_000_000_000
KEY_SEED = 7
TICK_S = 0.04
CALM_TICK_S = 0.25
LOOK_S = 1.0
MEND_S = 15.0
"""So long after the next comparison an order may work that has ended for us."""
CALM_NS = 2_000_000_000
"""What was on its way has arrived by then: so long nothing may have moved when both sides are compared."""
_MEMORY = Path("/dev/shm")
ACCOUNT = "test"
SETTLE_S = 240.0
"""So long engine and venue have to agree after the last fault."""
END_S = 60.0
"""So long a session may take to end."""
_PASSING = (OrderStatus.SUBMITTED, OrderStatus.PENDING_AMEND, OrderStatus.PENDING_CANCEL, OrderStatus.UNKNOWN)


class Outcome(msgspec.Struct, kw_only=True):
    """What came of one run. ``fingerprint`` is the same whenever the run is."""

    seed: int
    told: str
    violations: list[Violation] = []
    fingerprint: str = ""
    virtual_s: float = 0.0
    faults: dict[str, int] = {}
    orders: int = 0
    fills: int = 0
    forgotten: int = 0
    starts: int = 0


def play(scenario: Scenario, attach: Attach | None = None, make: type[Session] = Session) -> Outcome:
    """Play a scenario from beginning to end; ``attach`` and ``make`` as in ``DrilledEngine``."""
    outcome = Outcome(seed=scenario.seed, told=scenario.told())
    loop = VirtualLoop(START_NS, Network(scenario.latency_s))
    with (
        tempfile.TemporaryDirectory(prefix="lanner-drill-", dir=_memory()) as folder,
        _listening(outcome),
        virtual_time(loop),
    ):
        try:
            loop.run_until_complete(
                _Run(scenario, Path(folder) / SESSION, loop, outcome, attach, make).play()
            )
        except StrategyError as error:  # one finding: what else is found follows from it
            outcome.violations = [Violation("the strategy runs", str(error))]
        except Exception as error:  # noqa: BLE001 - a run that cannot be played to its end is a finding
            outcome.violations.append(Violation("the run ends", f"{type(error).__name__}: {error}"))
        finally:
            outcome.virtual_s = loop.time()
            _uncaught(loop, outcome)
            loop.close()
    return outcome


class _Run:
    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        loop: VirtualLoop,
        outcome: Outcome,
        attach: Attach | None,
        make: type[Session],
    ) -> None:
        self._attach = attach
        self._make = make
        self.scenario = scenario
        self.folder = folder
        self.loop = loop
        self.outcome = outcome
        self.halted = False
        self._seen: set[tuple[str, str]] = set()
        self._missed: dict[str, float] = {}
        self._pulled = False

    async def play(self) -> None:
        scenario = self.scenario
        venue = self.venue = VenueServer(self._venue_config(), note=self._noted, tick_s=TICK_S)
        ready = await venue.start()
        url = ready["dialects"][scenario.product]["http"]
        self._own_no_coins(venue.hosts[0].exchange)
        self.books = (PaperBooks if scenario.paper else Books)(venue.hosts[0].exchange, ACCOUNT)
        where = Where({scenario.product: url})
        plan = await self._plan(where)
        self.engine = DrilledEngine(
            plan, self.folder, where, _keys(venue), scenario, self._killed, self._attach, self._make
        )
        for name, params in scenario.faults:
            venue.faults.add(name, dict(params), venue.now_ns())
        running = self.loop.create_task(self.engine.run())
        await self._trade()
        await self._settle()
        self.engine.stop()
        await asyncio.wait((running,), timeout=END_S)
        if running.done():
            running.result()  # whatever ended the engine's supervisor is a finding
        else:
            running.cancel()
            await self.loop.bury(self.engine.side)
            self._add(Violation("a session ends when it is told to", f"it still runs {END_S:.0f} s later"))
        self._conclude(plan)
        await venue.stop()

    # -- the parts of a run --------------------------------------------------------------------------------

    def _venue_config(self) -> ServeConfig:
        scenario = self.scenario
        return ServeConfig(
            dialects=[scenario.product],
            markets=list(scenario.instruments),
            seed=scenario.seed,
            key_seed=KEY_SEED,
            rate=scenario.rate,
            vol=scenario.vol,
            history_s=0.0,
        )

    def _own_no_coins(self, exchange: Exchange) -> None:
        """Leave the account money only: what it sells on spot it must have bought."""
        for name in self.scenario.instruments:
            asset = name.partition("-")[0]
            atoms = exchange.accounts[ACCOUNT].balance(asset).total
            if "-PERP" not in name and atoms:
                exchange.deposit(ACCOUNT, asset, -from_atoms(atoms), self.venue.now_ns())

    async def _plan(self, where: Where) -> Plan:
        scenario = self.scenario
        config = SessionConfig(
            mode="paper" if scenario.paper else "live",
            strategy=scenario.strategy,
            params=scenario.params,
            instruments=list(scenario.instruments),
            timeframe=scenario.timeframe or None,
            url=dict(where.urls),
            seed=scenario.seed,
            risk=RiskConfig(stops=scenario.stops),
            journal=JournalConfig(sync="none", checkpoint_s=20.0),
            ledger=LedgerConfig(enabled=False),
            retention=_retention(scenario),
            recovery=RecoveryConfig(
                reconcile_s=scenario.reconcile_s, checkpoint_on_trade=False, max_checkpoints=2
            ),
        )
        spec = product_spec(scenario.product)
        link = Link(make_codec(scenario.product, endpoints_of(spec, url=where.url(scenario.product))))
        try:
            await link.open()
            return make_plan(config, await load_instruments(link))
        finally:
            await link.close()

    async def _trade(self) -> None:
        """Let the engine trade, looking at both sides all the time."""
        until = self.loop.time() + self.scenario.trade_s
        kill = self.scenario.kill_s
        kill_at = float("inf") if kill is None else self.loop.time() + kill
        while self.loop.time() < until:
            await asyncio.sleep(LOOK_S)
            self._look()
            if self.loop.time() >= kill_at and self.engine.alive is not None:
                kill_at = float("inf")
                self._pulled = True
                self.engine.kill()

    def _look(self) -> None:
        self._add(*self.books.doubled())
        session = self.engine.alive
        if session is None:
            return
        now, before, self._missed = self.loop.time(), self._missed, {}
        for one in self.books.missing(session):
            since = self._missed[one.detail] = before.get(one.detail, now)
            if now - since > self.scenario.reconcile_s + MEND_S:
                self._add(one)

    async def _settle(self) -> None:
        """End the faults, let nobody trade, and wait until both sides are quiet and agree."""
        venue, engine = self.venue, self.engine
        venue.faults.remove()
        venue.paused = True
        venue.tick_s = CALM_TICK_S
        engine.spare()
        ended = self.loop.time()
        unquiet = "no engine runs"
        paused: Session | None = None
        calm_ns = 0
        while self.loop.time() < ended + SETTLE_S:
            await asyncio.sleep(LOOK_S)
            self._look()
            if engine.refused:
                return
            session = engine.alive
            if session is None:
                continue
            if session is not paused:
                paused = session
                session.pause("the drill ends")
                calm_ns = self.loop.wall_ns() + CALM_NS
            unquiet = self._unquiet(session, calm_ns)
            if not unquiet:
                self._add(*self.books.compare(session))
                return
        self._add(Violation("it settles", f"{SETTLE_S:.0f} s after the last fault: {unquiet}"))
        if paused is not None:
            self._add(*self.books.compare(paused))

    def _unquiet(self, session: Session, since_ns: int) -> str:
        for status in session.link_statuses():
            if status.state is not LinkState.CONNECTED:
                return f"connection {status.name} is {status.state.name}"
        for order in session.engine.execution.orders.values():
            if order.status in _PASSING:
                return f"order {order.order_id} is {order.status.name}"
        gate = session.engine.execution.gate
        if gate.state is TradingState.REDUCING:
            return f"trading is {gate.state.name}: {gate.reason}"
        news_ns = self.books.last_news_ns(session)
        if self.loop.wall_ns() < news_ns + CALM_NS:
            return "orders still move"
        venues = session.venues
        if isinstance(venues, PaperVenues):
            return ""
        if getattr(venues, "reconciled_ns", 0) < max(since_ns, news_ns + CALM_NS):
            return "nothing was compared with the venue"
        return "; ".join(getattr(venues, "differences", ()))

    def _killed(self, _topic: str, report: KillReport) -> None:
        """Hold the kill switch to its word."""
        self.halted = True
        session = self.engine.last
        assert session is not None
        held = self.books.held(session)
        if report.flat and held:
            self._add(Violation("halted is flat, or an alarm", f"told to be flat, but {'; '.join(held)}"))
        if not report.flat and not report.left:
            self._add(Violation("halted is flat, or an alarm", "not flat, and nothing is told to be left"))

    # -- the end -------------------------------------------------------------------------------------------

    def _conclude(self, plan: Plan) -> None:
        engine, outcome = self.engine, self.outcome
        for text in engine.faults:
            self._add(Violation("only the venue ends a session", text))
        if engine.refused and not self._pulled and not engine.trips:
            self._add(Violation("a session can be continued", engine.refused))
        session = engine.last
        if session is not None:
            self._add(*self._replayed(plan, session))
            outcome.orders = session.engine.execution.retention.order_count
            outcome.forgotten = session.engine.execution.retention.forgotten
            outcome.fills = session.engine.execution.retention.fill_count
        outcome.starts = engine.starts
        counted = Counter(line.fault for line in self.venue.faults.lines)
        counted["crash"] = engine.crashes
        counted["kill"] = int(self._pulled and self.halted)
        counted["disk-full"] = engine.fulls
        counted["watchdog"] = engine.trips
        outcome.faults = {name: count for name, count in counted.items() if count}
        outcome.fingerprint = self._fingerprint(session)

    def _replayed(self, plan: Plan, session: Session) -> list[Violation]:
        again = build_engine(plan, session.id)
        told = replay(again, read_journal(session.folder / "journal"))
        found = [Violation("the journal replays", text) for text in told.differences[:3]]
        # one that its latch kept from starting has nothing to compare, one that died had no time to take it all
        ran = session.engine.started and session is not self.engine.died
        if ran and session.engine.hash.hexdigest() != again.hash.hexdigest() and not found:
            found.append(Violation("the journal replays", "to another fingerprint"))
        return found

    def _fingerprint(self, session: Session | None) -> str:
        digest = hashlib.blake2b(digest_size=12)
        digest.update(repr(round(self.loop.time(), 6)).encode())
        for line in self.venue.faults.lines:
            digest.update(f"{line.t_ns} {line.fault} {line.target} {line.n}\n".encode())
        for fill in self.books.account.fills:
            digest.update(f"{fill.trade_id} {fill.client_id} {fill.lots} {fill.ts_ns}\n".encode())
        if session is not None:
            digest.update(session.engine.hash.hexdigest().encode())
        return digest.hexdigest()

    def _add(self, *violations: Violation) -> None:
        for one in violations:
            key = (one.invariant, one.detail)
            if key not in self._seen and len(self.outcome.violations) < 20:
                self._seen.add(key)
                self.outcome.violations.append(one)

    def _noted(self, text: str) -> None:
        self._add(Violation("the venue works", text))


def _memory() -> str | None:
    """Return a folder in memory where there is one: a run writes a small file every virtual second."""
    return str(_MEMORY) if os.access(_MEMORY, os.W_OK) else None


def _retention(scenario: Scenario) -> RetentionConfig:
    if scenario.keeps is None:
        return RetentionConfig()
    ended_orders, min_age_s = scenario.keeps
    return RetentionConfig(ended_orders=ended_orders, min_age_s=min_age_s)


def _keys(venue: VenueServer) -> Keys:
    [one] = venue.credentials
    if one.api_secret:
        return Keys("hmac", one.api_secret, api_key=one.api_key)
    return Keys("wallet", one.agent_private_key, account=one.wallet_address)


def _uncaught(loop: VirtualLoop, outcome: Outcome) -> None:
    for context in loop.faults:
        error = context.get("exception")
        if not isinstance(error, Died):
            text = f"{context.get('message')}: {type(error).__name__}: {error}"
            outcome.violations.append(Violation("nothing is left uncaught", text))


class _Ear(logging.Handler):
    """Take what is logged as an error: in a drill nobody reads a log."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(logging.ERROR)
        self._outcome = outcome

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, Died):
            text = f"{record.getMessage()} {error!r}"
            self._outcome.violations.append(Violation("nothing is logged as an error", text))


@contextmanager
def _listening(outcome: Outcome) -> Iterator[None]:
    logger = logging.getLogger("lanner")
    ear = _Ear(outcome)
    before, logger.propagate = logger.propagate, False
    logger.addHandler(ear)
    try:
        yield
    finally:
        logger.removeHandler(ear)
        logger.propagate = before
