"""Limit orders from arrays: filled where the market comes to them, withdrawn when their bars are over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lanner as ln
from lanner.core.errors import ConfigError
from lanner.research.market import Funding, Market
from tests.unit.research.test_vector import market

NAN = np.nan
HOUR_MS, START_MS = 3_600_000, 1_704_067_200_000
GRID = {"tick": "0.01", "lot": "0.001"}
SPOT: dict[str, Any] = {
    "instrument": "BTC-USDT.TEST", "timeframe": "1h", "fees": 0, "slippage": 0, "instruments": {"BTC-USDT.TEST": GRID},
}  # fmt: skip


def table(*rows: tuple[float, float, float, float]) -> pl.DataFrame:
    """Return bars of open, high, low, close."""
    columns = dict(zip(("open", "high", "low", "close"), np.array(rows, dtype=float).T, strict=True))
    return pl.DataFrame(
        {"timestamp": START_MS + HOUR_MS * np.arange(len(rows)), **columns, "volume": [9.0] * len(rows)}
    )


FALLING = table(
    (100, 101, 99, 100), (100, 101, 98, 99), (99, 100, 96, 97), (97, 98, 94, 95), (95, 99, 94, 98)
)


def filled(made: Any, column: int = 0) -> list[tuple[int, int, float, float, str]]:
    """Return the fills: bar, side, quantity, price, liquidity."""
    frame = made.fills(column)
    bars = (frame["ts"].to_numpy() - 1 - 1_000_000 * START_MS) // (1_000_000 * HOUR_MS)
    return list(zip(bars.tolist(), frame["side"], frame["qty"], frame["px"], frame["liquidity"], strict=True))


@pytest.mark.parametrize(
    ("good_for", "px", "expected"),
    [
        (1, 98.5, [(1, 1, 1.0, 98.5, "maker")]),
        (1, 96.5, []),
        (2, 96.5, [(2, 1, 1.0, 96.5, "maker")]),
        (2, 95.0, []),
        (0, 95.0, [(3, 1, 1.0, 95.0, "maker")]),
        (0, 90.0, []),
        (1, NAN, [(1, 1, 1.0, 100.0, "taker")]),
    ],
)
def test_a_limit_order_fills_in_its_bars_or_not_at_all(good_for: int, px: float, expected: list[Any]) -> None:
    qty = np.array([1.0, 0, 0, 0, 0])
    made = ln.from_orders(FALLING, qty, px=px, good_for=good_for, **SPOT)
    assert filled(made) == expected
    (status,) = made.orders()["status"]
    assert status == ("filled" if expected else "accepted" if good_for == 0 else "canceled")
    assert made.counts("fills").tolist() == [len(expected)]
    assert made.equity.shape == (5, 1)
    assert made.end_equity[0] == made.equity[-1, 0] == pytest.approx(float(made.result().end_equity))


def test_limit_and_market_orders_go_together_and_every_column_is_a_run_of_its_own() -> None:
    qty = np.array([2.0, 0, -1.0, 0, 0])
    px = np.array([[98.5, NAN], [NAN, NAN], [97.5, 105.0], [NAN, NAN], [NAN, NAN]])
    made = ln.from_orders(FALLING, qty, px=px, **SPOT)
    assert filled(made, 0) == [(1, 1, 2.0, 98.5, "maker"), (3, -1, 1.0, 97.5, "maker")]
    assert filled(made, 1) == [(1, 1, 2.0, 100.0, "taker")]
    assert made.labels == ["0", "1"]
    assert set(made.orders(0)["strategy_id"]) == {"orders"}
    assert made.counts("orders").tolist() == [2, 2]
    assert made.counts("trades").tolist() == [1, 0]
    assert made.result(0).code_hash != made.result(1).code_hash
    assert made.result(0).params == {"kind": "from_orders", "column": "0"}


def test_without_shorts_a_sale_ends_at_flat() -> None:
    name = "BTCUSDT-PERP.TEST"
    perp = SPOT | {"instrument": name, "funding": "assume-zero", "instruments": {name: GRID}}
    qty, px = np.array([1.0, -3.0, 0, 0, 0]), np.array([NAN, 98.5, NAN, NAN, NAN])
    assert filled(ln.from_orders(FALLING, qty, px=px, allow_short=False, **perp))[-1][1:3] == (-1, 1.0)
    assert filled(ln.from_orders(FALLING, qty, px=px, **perp))[-1][1:3] == (-1, 3.0)
    flat = ln.from_orders(FALLING, -np.abs(qty), px=px, allow_short=False, **perp)
    assert filled(flat) == []
    assert flat.counts("orders").tolist() == [0]


def test_an_entry_has_its_stop_and_target() -> None:
    qty = np.array([1.0, 0, 0, 0, 0])
    made = ln.from_orders(FALLING, qty, px=98.5, stop="2%", take="50%", **SPOT)
    assert [fill[:4] for fill in filled(made)] == [(1, 1, 1.0, 98.5), (2, -1, 1.0, 96.53)]
    assert made.trades()["exit_reason"].to_list() == ["stop"]


def test_several_instruments_pay_from_one_account_or_from_their_own() -> None:
    markets = {m.instrument.id: m for m in (market("BTC-USDT.TEST", 1), market("ETH-USDT.TEST", 2))}
    rows = len(next(iter(markets.values())))
    rng = np.random.default_rng(4)
    qty = {name: np.where(rng.random(rows) < 0.2, rng.choice([1.0, -1.0], rows), 0.0) for name in markets}
    px = {name: np.round(m.close * (1 - 0.002 * np.sign(qty[name])), 2) for name, m in markets.items()}
    together = ln.from_orders(markets, qty, px=px, capital=1_000_000)
    apart = ln.from_orders(markets, qty, px=px, capital=1_000_000, share_cash=False)
    assert len(apart) == 2
    assert len(together.fills()) > 10
    keys = ["instrument_id", "ts", "px", "qty"]
    alone = pl.concat([apart.fills(0), apart.fills(1)]).select(keys).sort(keys)
    assert together.fills().select(keys).sort(keys).equals(alone)
    assert np.allclose(together.equity[:, 0], apart.equity.sum(axis=1) - 1_000_000)


def test_the_same_as_a_strategy_that_sends_them() -> None:
    """Funding included: it is that of the market that was handed over."""
    rng = np.random.default_rng(9)
    rows = 300
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, rows))), 2)
    opened = np.append(100.0, close[:-1])
    ts = 1_000_000 * (START_MS + HOUR_MS * np.arange(1, rows + 1))
    columns = {
        "ts_open": ts - 1_000_000 * HOUR_MS, "open": opened, "high": np.maximum(opened, close) + 0.3,
        "low": np.minimum(opened, close) - 0.3, "close": close, "volume": np.full(rows, 50.0),
    }  # fmt: skip
    perp = ln.Instrument.perp("BTCUSDT-PERP.TEST", tick="0.01", lot="0.001", taker="0.0005", maker="0.0002")
    paid = Funding(
        np.arange(8, rows, 8),
        np.ones(len(range(8, rows, 8)), np.int64),
        np.full(len(range(8, rows, 8)), 1e-4),
    )
    whole = Market.from_arrays(perp, "1h", columns, ts, paid)
    qty = np.where(rng.random(rows) < 0.3, np.round(rng.normal(0, 3, rows), 3), NAN)
    px = np.where(rng.random(rows) < 0.7, np.round(close * (1 + rng.normal(0, 0.005, rows)), 2), NAN)

    class Sender(ln.Strategy):
        def on_start(self) -> None:
            self.bars("1h")
            self.at = -1

        def on_bar(self, bar: ln.Bar) -> None:
            self.at += 1
            self.cancel_all()
            amount = float(qty[self.at])
            if amount == amount:
                limit = None if px[self.at] != px[self.at] else float(px[self.at])
                (self.buy if amount > 0 else self.sell)(abs(amount), limit)

    made = ln.from_orders(whole, qty, px=px, slippage=2)
    plain = ln.backtest(
        Sender,
        pl.DataFrame({"timestamp": ts // 1_000_000 - HOUR_MS, **{k: v for k, v in columns.items() if k != "ts_open"}}),
        instrument="BTCUSDT-PERP.TEST", timeframe="1h", keep=False, slippage=2, funding="assume-zero",
        fees={"maker": "0.0002", "taker": "0.0005"},
    ).result  # fmt: skip
    ours = [(f.ts, f.side, f.qty, f.px, f.liquidity) for f in made.result().fills]
    assert ours == [(f.ts, f.side, f.qty, f.px, f.liquidity) for f in plain.fills]
    assert len(ours) > 40
    assert made.result().funding != 0


def test_a_run_with_limits_is_kept_and_found_again(own_home: Path) -> None:
    made = ln.from_orders(FALLING, np.array([1.0, 0, 0, 0, 0]), px=98.5, name="dips", **SPOT)
    folder = made.save()
    assert folder.parent == own_home / "runs"
    assert "given as arrays" in (folder / "report.html").read_text(encoding="utf-8")
    assert made.metrics()["total_trades"] == 0
    with pytest.raises(ConfigError, match="no ledger"):
        made.ledger()
    with pytest.raises(ConfigError, match="bar hit two"):
        made.counts("both_hit")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"px": 0.0}, "px is out of range"),
        ({"px": -1.0}, "px is out of range"),
        ({"px": np.ones(3)}, "px does not fit the data"),
        ({"px": 99.0, "trail": "2%"}, "a stop and a take that are the same"),
        ({"px": 99.0, "stop": np.full(5, 0.02)}, "a stop and a take that are the same"),
        ({"px": 99.0, "good_for": -1}, "good_for is wrong"),
        ({"px": np.ones((5, 2)), "qty": np.ones((5, 3))}, "different numbers of columns"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], text: str) -> None:
    qty = given.pop("qty", np.array([1.0, 0, 0, 0, 0]))
    with pytest.raises(ConfigError, match=text):
        ln.from_orders(FALLING, qty, **given, **SPOT)
