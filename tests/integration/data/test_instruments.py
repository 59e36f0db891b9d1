"""What venues say about instruments reaches the catalog, the imports after it and the backtests on them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lanner.backtest.config_file import make_config
from lanner.backtest.prepare import prepare
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.storage.catalog import Catalog
from lanner.storage.environment import default_catalog
from tests.integration.conftest import Run

START = 1_704_067_200_000


def symbol(name: str, base: str, quote: str, tick: str = "0.01000000", **more: Any) -> dict[str, Any]:
    return {
        "symbol": name,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": "0.00010000", "maxQty": "9000", "stepSize": "0.00010000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ],
        **more,
    }


def exchange_info(path: Path, *symbols: dict[str, Any]) -> Path:
    path.write_text(
        json.dumps({"timezone": "UTC", "rateLimits": [], "exchangeFilters": [], "symbols": symbols})
    )
    return path


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return exchange_info(
        tmp_path / "exchangeInfo.json",
        symbol("BTCUSDT", "BTC", "USDT"),
        symbol("BTCUAH", "BTC", "UAH", "1.00000000"),
    )


def bars(path: Path, first: float = 40000.0, step: float = 0.5) -> Path:
    rows = "".join(
        f"{START + i * 3_600_000},{first + i % 7 * step},{first + i % 7 * step + 1},{first + i % 7 * step - 1},"
        f"{first + i % 7 * step},12\n"
        for i in range(300)
    )
    path.write_text("timestamp,open,high,low,close,volume\n" + rows)
    return path


def settled(path: Path) -> Instrument:
    config = make_config({"strategy": "dual_ma", "data": str(path)})
    return prepare(config, run_id="x").spec.instruments["BTC-USDT.BINANCE"]


def stored(name: str) -> Instrument:
    found = Catalog(default_catalog()).instrument(name)
    assert found is not None
    return found


def test_binance_spot_tells_tick_lot_and_limits(told: Path, lanner: Run) -> None:
    code, out, _ = lanner("data", "instruments", str(told))
    assert code == 0
    assert "2 instruments: 2 are new, 0 changed, 0 as known" in out
    btc = stored("BTC-USDT.BINANCE")
    assert (btc.tick, btc.lot, btc.min_qty, btc.max_qty, btc.min_notional) == (
        Decimal("0.01"), Decimal("0.0001"), Decimal("0.0001"), Decimal(9000), Decimal(5),
    )  # fmt: skip
    assert (btc.base, btc.quote, btc.settle, btc.symbol) == ("BTC", "USDT", "USDT", "BTCUSDT")


def test_usd_m_perpetuals_are_told_apart_from_what_cannot_be_traded(tmp_path: Path, lanner: Run) -> None:
    path = exchange_info(
        tmp_path / "fapi.json",
        symbol("ETHUSDT", "ETH", "USDT", contractType="PERPETUAL", marginAsset="USDT"),
        symbol("ETHUSDT_250627", "ETH", "USDT", contractType="CURRENT_QUARTER", marginAsset="USDT"),
        symbol("ETHUSD_PERP", "ETH", "USD", contractType="PERPETUAL", contractSize=10, marginAsset="ETH"),
        {"symbol": "BROKEN", "baseAsset": "A", "quoteAsset": "B", "filters": []},
    )
    said = json.loads(lanner("data", "instruments", str(path), "--json")[1])
    assert said["instruments"] == ["ETHUSDT-PERP.BINANCE"]
    assert said["skipped"] == {
        "contracts that are no perpetuals": 1,
        "inverse contracts": 1,
        "without a usable tick or lot": 1,
    }
    assert not stored("ETHUSDT-PERP.BINANCE").is_spot


def test_data_imported_afterwards_uses_the_stored_instrument(told: Path, tmp_path: Path, lanner: Run) -> None:
    lanner("data", "instruments", str(told))
    lanner("data", "import", str(bars(tmp_path / "Binance_BTCUSDT_1h.csv")))
    described = json.loads(lanner("data", "describe", "BTC-USDT.BINANCE@1h", "--json")[1])
    assert (described["instrument"]["tick"], described["instrument"]["min_notional"]) == ("0.01", "5")
    assert "tick" not in described["inferred"]
    assert stored("BTC-USDT.BINANCE").lot == Decimal("0.0001")


def test_a_symbol_that_cannot_be_split_by_guessing_finds_its_stored_name(
    told: Path, tmp_path: Path, lanner: Run
) -> None:
    path = tmp_path / "klines.csv"
    rows = "".join(f"{START + i * 3_600_000},BTCUAH,100,101,99,100,12\n" for i in range(30))
    path.write_text("timestamp,symbol,open,high,low,close,volume\n" + rows)
    lanner("data", "instruments", str(told), "--venue", "LOCAL")
    said = json.loads(lanner("data", "import", str(path), "--json")[1])
    assert said["datasets"][0]["instrument_id"] == "BTC-UAH.LOCAL"


def test_prices_finer_than_the_venues_tick_are_told_and_change_nothing(
    told: Path, tmp_path: Path, lanner: Run
) -> None:
    lanner("data", "instruments", str(told))
    lanner("data", "import", str(bars(tmp_path / "Binance_BTCUSDT_1h.csv", step=0.0011)))
    described = json.loads(lanner("data", "describe", "BTC-USDT.BINANCE@1h", "--json")[1])
    assert any("finer than the venue's tick of 0.01" in text for text in described["problems"])
    assert stored("BTC-USDT.BINANCE").tick == Decimal("0.01")


def test_what_was_concluded_before_is_replaced_and_what_the_venue_does_not_say_stays(
    told: Path, tmp_path: Path, lanner: Run
) -> None:
    catalog = Catalog(default_catalog())
    fees = FeeSchedule(Decimal("0.0002"), Decimal("0.0004"))
    catalog.save_instrument(Instrument.spot("BTC-USDT.BINANCE", tick="0.5", lot="1", fees=fees))
    assert "1 are new, 1 changed" in lanner("data", "instruments", str(told))[1]
    btc = stored("BTC-USDT.BINANCE")
    assert (btc.tick, btc.fees) == (Decimal("0.01"), fees)
    assert "0 changed, 2 as known" in lanner("data", "instruments", str(told))[1]
    lanner("data", "import", str(bars(tmp_path / "Binance_BTCUSDT_1h.csv", step=0.0011)))
    assert stored("BTC-USDT.BINANCE").tick == Decimal("0.01")


def test_a_backtest_on_a_file_uses_what_the_venue_told(told: Path, tmp_path: Path, lanner: Run) -> None:
    path = bars(tmp_path / "Binance_BTCUSDT_1h.csv", step=25)
    words = ("backtest", "dual_ma", "--data", str(path), "--param", "fast=2", "--param", "slow=4", "--json")
    assert json.loads(lanner(*words)[1])["orders"] > 0
    before = settled(path)
    lanner("data", "instruments", str(told))
    assert json.loads(lanner(*words)[1])["orders"] > 0
    after = settled(path)
    assert (before.min_notional, after.min_notional) == (0, 5)
    assert before.tick > after.tick == Decimal("0.01")


def test_a_dry_run_shows_and_stores_nothing(told: Path, lanner: Run) -> None:
    code, out, _ = lanner("data", "instruments", str(told), "--dry-run")
    assert code == 0
    assert "BTC-UAH.BINANCE   spot     1  0.0001" in out
    assert Catalog(default_catalog()).instrument_ids() == []
    assert "No instrument" in lanner("data", "instruments")[2]


def test_the_stored_instruments_are_listed_by_part_of_their_name(told: Path, lanner: Run) -> None:
    lanner("data", "instruments", str(told))
    out = lanner("data", "instruments", "--symbol", "uah")[1]
    assert "BTC-UAH.BINANCE" in out
    assert "BTC-USDT.BINANCE" not in out
    listed = json.loads(lanner("data", "instruments", "--json")[1])["instruments"]
    assert [item["id"] for item in listed] == ["BTC-UAH.BINANCE", "BTC-USDT.BINANCE"]


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        ("{}", 1, "no list of instruments found"),
        ("nonsense", 1, "no list of instruments found"),
        ('{"symbols": [{"symbol": "A", "filters": []}]}', 1, "none of its instruments can be used"),
        (None, 2, "no such file"),
    ],
)
def test_what_is_no_list_of_instruments_is_refused(
    content: str | None, code: int, text: str, tmp_path: Path, lanner: Run
) -> None:
    path = tmp_path / "list.json"
    if content is not None:
        path.write_text(content)
    got, out, err = lanner("data", "instruments", str(path))
    assert (got, out) == (code, "")
    assert text in err


def test_a_symbol_that_is_not_in_the_list_is_not_found(told: Path, lanner: Run) -> None:
    code, _, err = lanner("data", "instruments", str(told), "--symbol", "DOGE")
    assert code == 2
    assert "no instrument with 'DOGE'" in err


def test_import_points_to_the_command_for_a_list_of_instruments(told: Path, lanner: Run) -> None:
    code, _, err = lanner("data", "import", str(told))
    assert code == 1
    assert "lanner data instruments exchangeInfo.json" in err


REAL = {
    "cryptofeed/BINANCE.0.gz": (1695, {}, "RUNE-EUR.BINANCE", "0.001", "0.1"),
    "bybit_v5_capture/instruments_linear.json.gz": (
        760,
        {"dated futures": 40},
        "BTCUSDT-PERP.BYBIT",
        "0.1",
        "0.001",
    ),
    "bybit_v5_capture/instruments_spot.json.gz": (557, {}, "BTC-USDT.BYBIT", "0.1", "0.000001"),
    "okx_v5_capture/instruments_SPOT.json.gz": (513, {}, "ETH-USDT.OKX", "0.01", "0.000001"),
    "okx_v5_capture/instruments_SWAP.json.gz": (
        126,
        {"inverse contracts": 200},
        "ETHUSDT-PERP.OKX",
        "0.01",
        "1",
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_real_answers_of_venues_are_read(name: str, shared_data: Path, lanner: Run) -> None:
    count, skipped, instrument_id, tick, lot = REAL[name]
    said = json.loads(lanner("data", "instruments", str(shared_data / "market" / name), "--json")[1])
    assert (len(said["instruments"]), said["new"], said["skipped"]) == (count, count, skipped)
    found = stored(instrument_id)
    assert (found.tick, found.lot) == (Decimal(tick), Decimal(lot))


def test_okx_contracts_have_their_size_as_multiplier(shared_data: Path, lanner: Run) -> None:
    lanner("data", "instruments", str(shared_data / "market/okx_v5_capture/instruments_SWAP.json.gz"))
    eth = stored("ETHUSDT-PERP.OKX")
    assert (eth.multiplier, eth.base, eth.quote, eth.settle) == (Decimal("0.1"), "ETH", "USDT", "USDT")
    assert eth.max_leverage == 125


def test_the_venues_own_frames_are_imported_under_its_own_list(
    shared_data: Path, tmp_path: Path, lanner: Run
) -> None:
    folder = shared_data / "market" / "cryptofeed"
    lanner("data", "instruments", str(folder / "BINANCE.0.gz"))
    lanner("data", "import", str(folder / "BINANCE.http.0.0.gz"), str(folder / "BINANCE.ws.1.0.gz"))
    described = json.loads(lanner("data", "describe", "NKN-USDT.BINANCE@book", "--json")[1])
    assert described["instrument"]["tick"] == "0.0001"
    assert described["instrument"]["symbol"] == "NKNUSDT"
    # orders that rest since before the tick was made coarser
    assert any(
        "steps of 0.00001, finer than the venue's tick of 0.0001" in text for text in described["problems"]
    )
