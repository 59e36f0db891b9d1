"""Array backtests: what they refuse, what their results hold, and how a run is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lanner as ln
from lanner.core.errors import ConfigError, LannerError
from lanner.research.market import Market
from lanner.storage.runs import RunStore

HOUR = 3_600_000_000_000
ROWS = 400


def market(name: str = "BTC-USDT.TEST", seed: int = 1, **more: Any) -> Market:
    rng = np.random.default_rng(seed)
    px = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, ROWS))), 2)
    opens = np.append(px[:1], px[:-1])
    ts = 1_704_067_200_000_000_000 + HOUR * np.arange(1, ROWS + 1)
    columns = {
        "ts_open": ts - HOUR,
        "open": opens,
        "high": np.maximum(opens, px),
        "low": np.minimum(opens, px),
        "close": px,
        "volume": np.full(ROWS, 100.0),
    }
    make = ln.Instrument.perp if "PERP" in name else ln.Instrument.spot
    return Market.from_arrays(make(name, tick="0.01", lot="0.001", **more), "1h", columns, ts)


def flags(seed: int = 2, columns: int = 0) -> np.ndarray:
    shape = (ROWS, columns) if columns else ROWS
    return np.random.default_rng(seed).random(shape) < 0.2


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        (np.ones(3, bool), r"entries does not fit the data; expected 400 rows.*found shape \(3,\)"),
        (np.full(ROWS, np.nan), "entries is no signal.*found nan at bar 0 of BTC-USDT.TEST"),
        (np.full(ROWS, 0.5), "found 0.5 at bar 0"),
        (np.array(["yes"] * ROWS), "entries holds no numbers"),
        ({"ETH-USDT.TEST": flags()}, "does not name the instruments of the data; expected BTC-USDT.TEST"),
    ],
)
def test_what_is_no_signal_is_refused_with_its_place(entries: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        ln.from_signals(market(), entries)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"size": 0}, "size is out of range"),
        ({"size_type": "shares"}, "expected fraction, units, value, weight, risk"),
        ({"size_type": "risk"}, "needs a stop"),
        ({"stop": "200%"}, "stop is no distance"),
        ({"stop": "1%", "stop_px": np.full(ROWS, 1.0)}, "both given"),
        ({"stop_px": np.full(ROWS, 1e6)}, "wrong side of the price"),
        ({"cooldown": -1}, "cooldown is wrong"),
        ({"fill": "now"}, "fill is wrong"),
        ({"accumulate": True, "stop": "1%"}, "bracket for each entry"),
        ({"short_entries": flags()}, "cannot be sold short"),
        ({"max_positions": 1, "share_cash": False}, "max_positions bounds"),
        ({"leverage": 3}, "no use on spot"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        ln.from_signals(market(), flags(), **settings)


def test_several_instruments_take_their_own_tables() -> None:
    both = [market(), market("ETH-USDT.TEST", 3)]
    with pytest.raises(ConfigError, match="one table for 2 instruments"):
        ln.from_signals(both, flags())
    with pytest.raises(LannerError, match="cannot share an account"):
        ln.from_weights([market(), market("ETHUSDT-PERP.TEST", 3)], 0.5)


def test_columns_are_runs_of_their_own() -> None:
    entries, exits = flags(2, 3), flags(3, 3)
    stops = np.array([[0.01, 0.02, np.nan]])
    many = ln.from_signals(market(), entries, exits, stop=stops)
    assert many.equity.shape == (ROWS, 3)
    assert many.labels == ["0", "1", "2"]
    for column, stop in enumerate(["1%", "2%", None]):
        one = ln.from_signals(market(), entries[:, column], exits[:, column], stop=stop)
        assert np.array_equal(one.equity[:, 0], many.equity[:, column])
        assert one.fills().drop("strategy_id").equals(many.fills(column).drop("strategy_id"))
    table = many.all_metrics(["sharpe", "total_return"])
    assert table["total_return"].to_list() == pytest.approx(many.total_return.tolist())


def test_an_order_by_risk_loses_its_share_at_the_stop() -> None:
    entries = np.zeros(ROWS, bool)
    entries[10] = True
    bars = market(seed=5)
    made = ln.from_signals(
        bars, entries, size=0.01, size_type="risk", stop="2%", fees=0, slippage=0, fill="same_close"
    )
    fill = made.fills().row(0, named=True)
    assert fill["qty"] * fill["px"] * 0.02 == pytest.approx(100.0, rel=1e-4)


def test_a_cool_down_keeps_out_for_its_bars() -> None:
    always = np.ones(ROWS, bool)
    leave = np.zeros(ROWS, bool)
    leave[20] = True
    made = ln.from_signals(market(), always & ~leave, leave, cooldown=5)
    trips = made.trades()
    # left at the open of bar 21; entries are decided again from the close of bar 26 and filled at the open of 27
    assert (trips["entry_ts"][1] - trips["exit_ts"][0]) // HOUR == 6


def test_a_run_is_kept_and_found_again(tmp_path: Path) -> None:
    made = ln.from_signals(market(), flags(), flags(4), stop="2%", name="mine")
    store = RunStore(tmp_path)
    folder = made.save(store=store)
    record = store.load("last")
    assert record.name == "mine"
    assert record.metrics["total_return"] == pytest.approx(float(made.total_return[0]))
    assert (folder / "report.html").stat().st_size > 10_000
    assert made.report(tmp_path / "own.html").is_file()
    assert any(row.name == "signals" and row.flatters for row in made.result().assumptions)


def test_the_same_arrays_have_the_same_hashes_and_others_do_not() -> None:
    one, same = (ln.from_signals(market(), flags(), flags(4)).result() for _ in range(2))
    other = ln.from_signals(market(), flags(9), flags(4)).result()
    assert (one.state_hash, one.data_hash, one.code_hash) == (same.state_hash, same.data_hash, same.code_hash)
    assert one.code_hash != other.code_hash
    assert one.data_hash == other.data_hash


@pytest.mark.parametrize("names", [("BTCUSDT-PERP.TEST",), ("BTCUSDT-PERP.TEST", "ETHUSDT-PERP.TEST")])
def test_twice_the_equity_is_a_weight_like_any_other(names: tuple[str, ...]) -> None:
    """Among int8 signals 2 means that nothing changes; a weight of 2.0 means twice the equity."""
    markets = [market(name, seed, max_leverage=5) for seed, name in enumerate(names, 1)]
    weights = np.full(ROWS, np.nan)
    weights[10], weights[200], weights[300] = 1.0, 2.0, 0.0
    result = ln.from_weights(markets, dict.fromkeys(names, weights), leverage=5, funding="assume-zero")
    orders = result.result().orders
    for name in names:
        assert [int(order.side) for order in orders if order.instrument_id == name] == [1, 1, -1]
