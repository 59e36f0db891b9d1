"""From settings to a specification: whose word counts for fees, where the money lies, which data come along."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lanner.backtest.config import DEFAULT_FEE
from lanner.backtest.config_file import make_config
from lanner.backtest.prepare import Prepared, prepare
from lanner.core.errors import ConfigError, LannerError, NotFoundError
from lanner.marketdata.synth import synthesize_bars, synthesize_funding
from lanner.model.enums import InstrumentKind
from lanner.model.instruments import Instrument
from lanner.sim.settings import LatencyKind, SlippageModel
from lanner.storage.catalog import Catalog
from lanner.storage.passport import Passport

SINCE = 1_704_067_200_000_000_000  # 2024-01-01
SPOT, PERP, OTHER = "BTC-USDT.BINANCE", "BTC-PERP.HYPERLIQUID", "ETH-USDT.OKX"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold bars of a spot without fees, of a perpetual with fees and funding, and of a spot elsewhere."""
    root = tmp_path_factory.mktemp("catalog")
    made = Catalog(root)
    made.save_instrument(Instrument.spot(SPOT, tick="0.1", lot="0.00001"))
    made.save_instrument(
        Instrument.perp(PERP, tick="0.1", lot="0.00001", maker="0.0001", taker="0.0004", max_leverage=20)
    )
    made.save_instrument(Instrument.spot(OTHER, tick="0.01", lot="0.0001"))
    for name, spec in ((SPOT, "1h"), (SPOT, "15m"), (PERP, "1h"), (OTHER, "1h")):
        frame = synthesize_bars(spec, since_ns=SINCE, days=4, seed=3)
        made.write("bars", name, spec, [frame], Passport(kind="bars", instrument_id=name, spec=spec))
    funding = synthesize_funding(since_ns=SINCE, days=4, seed=3)
    made.write("funding", PERP, "", [funding], Passport(kind="funding", instrument_id=PERP))
    return root


def made(catalog: Path, *data: str, **settings: Any) -> Prepared:
    values = {
        "strategy": "dual_ma",
        "data": list(data) or [f"{SPOT}@1h"],
        "catalog": str(catalog),
        **settings,
    }
    return prepare(make_config(values), run_id="r")


def fees(prepared: Prepared, name: str) -> tuple[Decimal, Decimal]:
    schedule = prepared.spec.instruments[name].fees
    return schedule.maker, schedule.taker


def test_fees_are_the_instruments_settings_then_the_runs_then_the_datas_then_assumed(catalog: Path) -> None:
    both = (f"{SPOT}@1h", f"{PERP}@1h")
    cash = {"BINANCE": {"USDT": 1}, "HYPERLIQUID": {"USDC": 1}}
    plain = made(catalog, *both, cash=cash, rates={"USDC": 1})
    assert fees(plain, SPOT) == (DEFAULT_FEE, DEFAULT_FEE)
    assert fees(plain, PERP) == (Decimal("0.0001"), Decimal("0.0004"))
    assert f"{SPOT}: fees are not known; assumed 0.001 maker, 0.001 taker" in plain.notes
    told = made(
        catalog, *both, cash=cash, rates={"USDC": 1}, fees=0.0007, instruments={PERP: {"maker": "-0.0002"}}
    )
    assert fees(told, SPOT) == (Decimal("0.0007"), Decimal("0.0007"))
    assert fees(told, PERP) == (Decimal("-0.0002"), Decimal("0.0007"))
    assert not [note for note in told.notes if "fees" in note]


def test_a_number_of_cash_lies_at_the_only_venue_in_the_settlement_currency(catalog: Path) -> None:
    prepared = made(catalog, cash=5000)
    assert prepared.spec.currency == "USDT"
    assert {name: venue.balances for name, venue in prepared.spec.venues.items()} == {
        "BINANCE": {"USDT": 5000}
    }
    assert made(catalog, f"{PERP}@1h").spec.venues["HYPERLIQUID"].balances == {"USDC": 10_000}


def test_cash_by_currency_and_by_venue_lies_where_it_is_told(catalog: Path) -> None:
    prepared = made(catalog, cash={"USDT": 5000, "BTC": "0.5"}, rates={"BTC": 40_000})
    assert prepared.spec.venues["BINANCE"].balances == {"USDT": 5000, "BTC": Decimal("0.5")}
    assert prepared.spec.currency == "USDT"
    two = made(catalog, f"{SPOT}@1h", f"{OTHER}@1h", cash={"BINANCE": {"USDT": 1}, "OKX": {"USDT": 2}})
    assert [venue.balances for venue in two.spec.venues.values()] == [{"USDT": 1}, {"USDT": 2}]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": [f"{SPOT}@1h", f"{OTHER}@1h"]}, "cash does not say at which venue it lies"),
        (
            {"cash": {"BINANC": {"USDT": 1}}},
            r"cash names the venue 'BINANC', which is not in the data.*mean BINANCE",
        ),
        ({"leverage": 3}, f"leverage 3 has no use on spot: {SPOT}"),
        ({"detail": "1d"}, "no bars of 1d of BTC-USDT.BINANCE to decide fills with"),
        (
            {"data": [f"{SPOT}@15m"], "detail": "1h"},
            "detail 1h is not finer than the bars of BTC-USDT.BINANCE",
        ),
        (
            {"instruments": {"BTC-USDT.BINANC": {"tick": 1}}},
            "there are settings for BTC-USDT.BINANC, but no data",
        ),
        ({"since": "2025"}, "there is no data from 2025-01-01 to the end"),
        ({"until": "2023"}, "there is no data from the start to 2023-01-01"),
        ({"data": [SPOT]}, "BTC-USDT.BINANCE has several data sets"),
        ({"data": [f"{SPOT}@1h", f"{SPOT}@1h"]}, "the data set BTC-USDT.BINANCE@1h is given twice"),
        ({"data": ["BTC-USDT.BINANCE@4h"]}, "no data set 'BTC-USDT.BINANCE@4h'"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(catalog: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(LannerError, match=message) as caught:
        made(catalog, *settings.pop("data", []), **settings)
    assert isinstance(caught.value, ConfigError | NotFoundError)


def test_money_of_another_currency_needs_a_rate(catalog: Path) -> None:
    with pytest.raises(ConfigError, match="nothing says what BTC is worth in USDT"):
        made(catalog, cash={"USDT": 1, "BTC": 1})
    with pytest.raises(ConfigError, match="nothing says what USDT is worth in EUR"):
        made(catalog, currency="eur")
    assert made(catalog, currency="EUR", rates={"usdt": "0.9"}).spec.rates == {"USDT": Decimal("0.9")}


def test_funding_and_detail_bars_come_along_from_the_catalog(catalog: Path) -> None:
    kinds = [(s.kind, s.spec) for s in made(catalog, f"{PERP}@1h").spec.streams]
    assert kinds == [("bars", "1h"), ("funding", "")]
    assert [s.kind for s in made(catalog, f"{PERP}@1h", funding="assume-zero").spec.streams] == ["bars"]
    fine = made(catalog, detail="15m").spec
    assert [(s.kind, s.spec) for s in fine.streams] == [("bars", "1h"), ("bars", "15m")]


def test_instrument_settings_are_laid_over_what_the_catalog_knows(catalog: Path) -> None:
    prepared = made(catalog, instruments={SPOT: {"tick": "0.5", "min_notional": 10}})
    instrument = prepared.spec.instruments[SPOT]
    assert (instrument.tick, instrument.min_notional, instrument.lot) == (
        Decimal("0.5"),
        Decimal(10),
        Decimal("0.00001"),
    )
    turned = made(
        catalog, instruments={SPOT: {"kind": "perp", "max_leverage": 5}}, leverage=4, funding="assume-zero"
    )
    perp = turned.spec.instruments[SPOT]
    assert (perp.kind, perp.max_leverage, perp.settle) == (InstrumentKind.LINEAR_PERP, Decimal(5), "USDT")


def test_costs_and_delays_reach_the_venue(catalog: Path) -> None:
    prepared = made(
        catalog,
        slippage={"model": "ticks", "value": 2},
        latency={"entry": {"model": "normal", "ms": 25, "sigma_ms": "2.5"}, "cancel": 3},
        fills={"limit_on": "touch", "bar_participation": 0.1},
    )
    venue = prepared.spec.venues["BINANCE"]
    assert (venue.slippage.model, venue.slippage.value) == (SlippageModel.TICKS, Decimal(2))
    entry = venue.latency.entry
    assert (entry.kind, entry.mean_ns, entry.sigma_ns) == (LatencyKind.NORMAL, 25_000_000, 2_500_000)
    assert venue.latency.cancel is not None
    assert venue.latency.cancel.mean_ns == 3_000_000
    assert venue.latency.amend is None
    assert (venue.fills.limit_on, venue.fills.bar_participation) == ("touch", 0.1)


def test_a_strategy_keeps_its_timeframe_where_the_data_can_make_it(catalog: Path) -> None:
    def timeframe(*data: str, **settings: Any) -> str:
        return made(catalog, *data, **settings).spec.strategies[0].strategy.timeframe

    assert timeframe(f"{SPOT}@15m") == "15m"
    assert timeframe(f"{SPOT}@1h") == "1h"  # dual_ma's own is 15m
    assert timeframe(f"{SPOT}@1h", strategy="macd_divergence") == "4h"
    assert timeframe(f"{SPOT}@15m", timeframe="30m") == "30m"


def test_strategies_of_one_name_get_numbered_ids(catalog: Path) -> None:
    prepared = made(
        catalog,
        strategy=None,
        strategies=[{"strategy": "dual_ma"}, {"strategy": "dual_ma", "params": {"fast": 5}}],
    )
    assert [(e.strategy.id, e.allocation) for e in prepared.spec.strategies] == [
        ("dual_ma", 0.5),
        ("dual_ma-2", 0.5),
    ]
    assert prepared.spec.name == "dual_ma+dual_ma-2"


def test_the_source_hash_follows_the_strategys_text(catalog: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    text = "import lanner as ln\n\n\nclass Mine(ln.Strategy):\n    pass\n"
    file.write_text(text)
    first = made(catalog, strategy=str(file))
    assert first.sources == [file]
    file.write_text(text + "# more\n")
    assert made(catalog, strategy=str(file)).spec.source_hash != first.spec.source_hash
    assert made(catalog).sources == []
