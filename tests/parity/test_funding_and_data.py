"""Funding on both sides of a comparison, and the comparison with data of the catalog."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lanner.core.errors import ConfigError, NotFoundError
from lanner.live.parity import compare_session
from lanner.live.parity.stored import wanted_data
from lanner.live.session import Session
from lanner.model.enums import OrderStatus
from lanner.model.market import Quote
from lanner.model.reports import FundingPaid
from lanner.storage.catalog import Catalog
from lanner.storage.journal import read_journal
from lanner.storage.passport import Passport
from lanner.storage.schema import SCHEMAS
from tests.integration.live.stage import START_NS, Stage, on_stage

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND

HOLD = '''
import lanner as ln


class Hold(ln.Strategy):
    """Buy at once and hold; sell a part every two seconds."""

    def on_start(self):
        self.quotes()
        self.set_timer("turn", every="1s")
        self.turns = 0

    def on_timer(self, timer):
        if self.price() != self.price():
            return
        self.turns += 1
        if self.turns == 1:
            self.buy(0.05)
        elif self.turns % 2 == 0 and self.turns < 8:
            self.sell(0.005)
'''


def hold(folder: Path, product: str, name: str, mode: str, start_ns: int, seconds: float) -> Session:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "hold.py"
    path.write_text(HOLD)
    found: list[Session] = []

    async def play(stage: Stage) -> None:
        plan = await stage.plan(path, [name], mode)
        found.append(await stage.trade(plan, f"hold-{mode}", seconds))

    on_stage(folder, product, play, start_ns=start_ns, vol=0.3)
    return found[0]


def paid(session: Session) -> list[Any]:
    return [report for report in session.engine.reports if isinstance(report, FundingPaid)]


@pytest.mark.parametrize(
    ("product", "name", "every"),
    [("binance-usdm", "BTCUSDT-PERP.BINANCE", 8 * HOUR), ("hyperliquid", "BTC-PERP.HYPERLIQUID", HOUR)],
)
@pytest.mark.parametrize("mode", ["paper", "live"])
def test_funding_is_paid_on_both_sides(
    mode: str, product: str, name: str, every: int, tmp_path: Path
) -> None:
    payday = START_NS + every
    session = hold(tmp_path, product, name, mode, payday - 15 * SECOND, 30.0)
    [one] = paid(session)
    assert one.amount != 0
    assert abs(one.ts_event - payday) < SECOND
    report = compare_session(session.folder)
    assert report.explained
    assert report.alone == []
    if mode == "paper":
        assert report.identical
    else:  # both know the same rate, but not the same mark to the tick
        assert abs(report.parts["funding"]) < abs(one.amount) / 100
    position = session.engine.portfolio.positions["Hold", name]
    assert position.funding == one.amount


def test_nobody_pays_who_holds_nothing_at_the_time(tmp_path: Path) -> None:
    payday = START_NS + 8 * HOUR
    session = hold(tmp_path, "binance-usdm", "BTCUSDT-PERP.BINANCE", "paper", payday + SECOND, 20.0)
    assert paid(session) == []


# -- data of the catalog -------------------------------------------------------------------------------------


def store(catalog: Catalog, session: Session, *, until: int | None = None, shift: float = 0.0) -> None:
    """Write a session's quotes into a catalog, as a recorder beside it would have."""
    rows = [r.message for r in read_journal(session.folder / "journal") if isinstance(r.message, Quote)]
    rows = [row for row in rows if until is None or row.ts_recv < until]
    known = {
        name: [getattr(row, name) + (shift if name.endswith("_px") else 0) for row in rows]
        for name in ("ts_event", "ts_recv", "bid_px", "bid_qty", "ask_px", "ask_qty")
    }
    frame = pl.DataFrame(known).select(
        pl.col(name).cast(dtype) if name in known else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMAS["quotes"].items()
    )
    name = next(iter(session.plan.instruments))
    catalog.write("quotes", name, "", [frame], Passport(kind="quotes", instrument_id=name, spec=""))


def test_a_session_beside_the_catalogs_data(tmp_path: Path) -> None:
    name = "BTC-USDT.BINANCE"
    session = hold(tmp_path, "binance-spot", name, "paper", START_NS, 12.0)
    assert [key.ref for key in wanted_data(session.plan)] == [f"{name}@quotes"]
    catalog = Catalog(tmp_path / "catalog")
    with pytest.raises(NotFoundError, match=r"BTC-USDT\.BINANCE@quotes"):
        compare_session(session.folder, catalog=catalog)
    store(catalog, session)
    same = compare_session(session.folder, catalog=catalog)
    assert (same.data, same.gap, same.alone) == ([f"{name}@quotes"], 0, [])
    other = Catalog(tmp_path / "other")
    store(other, session, shift=100.0)
    moved = compare_session(session.folder, catalog=other)
    assert [pair.backtest.status for pair in moved.pairs if pair.backtest] == [OrderStatus.FILLED] * 4
    filled = [pair.backtest_fills[0].px_ticks - pair.session_fills[0].px_ticks for pair in moved.pairs]
    assert set(filled) == {10_000}, "the fills are those of the catalog's prices"


def test_data_that_end_before_the_session_are_refused(tmp_path: Path) -> None:
    session = hold(tmp_path, "binance-spot", "BTC-USDT.BINANCE", "paper", START_NS, 25.0)
    catalog = Catalog(tmp_path / "catalog")
    store(catalog, session, until=START_NS + 8 * SECOND)
    with pytest.raises(ConfigError, match="does not cover"):
        compare_session(session.folder, catalog=catalog)


def test_the_command_compares_with_the_catalogs_data(own_home: Path, tmp_path: Path) -> None:
    session = hold(own_home / "sessions", "binance-spot", "BTC-USDT.BINANCE", "paper", START_NS, 12.0)

    def parity(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "lanner", "parity", session.id, "--data", "--json", *words]
        return subprocess.run(line, capture_output=True, text=True, timeout=60)

    missing = parity()
    assert missing.returncode == 2
    assert "BTC-USDT.BINANCE@quotes" in json.loads(missing.stdout)["message"]
    store(Catalog(tmp_path / "catalog"), session)
    found = parity("--catalog", str(tmp_path / "catalog"))
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert (told["data"], told["gap"]) == (["BTC-USDT.BINANCE@quotes"], 0)
