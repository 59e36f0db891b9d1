"""Signal functions as array backtests: the event engine's orders, by name, from a file, in many columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lanner as ln
from lanner.core.errors import ConfigError
from lanner.research import combine_signals
from lanner.research.vector_strategy import SIGNALS
from tests.unit.research.sweeps import BRACKET, SIGNAL, WEIGHTED, write_bars

TOLD: dict[str, Any] = {"instrument": "BTC-USDT.TEST", "timeframe": "1h", "fees": 0.001}


def rows(made: Any) -> list[tuple[Any, ...]]:
    return [(fill.ts, fill.side, fill.qty, fill.px, fill.liquidity) for fill in made.fills]


@pytest.mark.parametrize("source", [SIGNAL, BRACKET, WEIGHTED], ids=["signal", "bracket", "weights"])
def test_the_orders_are_those_of_the_event_engine(tmp_path: Path, source: str) -> None:
    (tmp_path / "cross.py").write_text(source, encoding="utf-8")
    data = write_bars(tmp_path)
    made = ln.from_strategy(data, tmp_path / "cross.py", {"fast": [3, 8], "slow": 30}, **TOLD)
    assert len(made) == 2
    for column, fast in enumerate((3, 8)):
        fees = {"maker": 0.001, "taker": 0.001}
        one = ln.backtest(
            tmp_path / "cross.py",
            data,
            params={"fast": fast, "slow": 30},
            keep=False,
            **(TOLD | {"fees": fees}),
        ).result
        assert rows(made.result(column)) == rows(one)
        assert len(one.fills) > 10
        assert made.result(column).end_equity == one.end_equity


@pytest.mark.parametrize("name", sorted(SIGNALS))
def test_the_named_signals_trade_and_are_what_their_definition_says(tmp_path: Path, name: str) -> None:
    data = write_bars(tmp_path, drift=0.002)
    made = ln.from_strategy(data, name, **TOLD)
    assert made.name == SIGNALS[name].name
    assert made.counts("trades")[0] >= 3
    assert made.equity.shape == (1500, 1)
    close = pl.read_csv(data)["close"]
    if name == "dual_ma":
        wanted = (close.rolling_mean(10) > close.rolling_mean(30)).fill_null(value=False).to_numpy()
        same = ln.from_signals(data, wanted, ~wanted, **TOLD)
        assert same.counts("fills").tolist() == made.counts("fills").tolist()


def test_several_instruments_share_the_equity_as_a_signal_strategy_does(tmp_path: Path) -> None:
    (tmp_path / "cross.py").write_text(SIGNAL, encoding="utf-8")
    names = ("BTC-USDT.TEST", "ETH-USDT.TEST")
    tables = {
        name: pl.read_csv(write_bars(tmp_path, rows=400, seed=seed)) for seed, name in enumerate(names, 1)
    }
    made = ln.from_strategy(tables, tmp_path / "cross.py", fees=0, timeframe="1h")
    one = ln.backtest(
        tmp_path / "cross.py", tables, timeframe="1h", keep=False, fees={"maker": 0, "taker": 0}
    ).result
    assert rows(made.result()) == rows(one)
    assert {fill.instrument_id for fill in one.fills} == set(names)


def test_progress_is_told_after_each_stage(tmp_path: Path) -> None:
    data = write_bars(tmp_path, rows=300)
    heard: list[float] = []
    ln.from_strategy(data, "dual_ma", progress=heard.append, **TOLD)
    assert heard == [0.25, 0.5, 0.75, 1.0]
    heard.clear()
    ln.from_strategy(data, "dual_ma", {"fast": [3, 5]}, progress=heard.append, **TOLD)
    assert heard == [0.25, 0.5, 0.625, 0.75, 1.0]
    heard.clear()
    ln.from_orders(data, 0.0, px=1.0, progress=heard.append, **TOLD)
    assert heard == [0.25, 0.5, 0.75, 1.0]
    with pytest.raises(ConfigError, match="nothing to call"):
        ln.from_signals(data, np.zeros(300, bool), progress="loudly", **TOLD)


@pytest.mark.parametrize(
    ("strategy", "params", "text"),
    [
        ("grid", {}, "not a signal function"),
        ("dual_ma", {"fast": [3, 4], "slow": [10, 20, 30]}, "different numbers of values"),
        ("dual_ma", {"fast": []}, "different numbers of values"),
        ("dual_ma", {"speed": 3}, "speed"),
    ],
)
def test_what_cannot_be_played_is_refused(
    tmp_path: Path, strategy: str, params: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        ln.from_strategy(write_bars(tmp_path, rows=100), strategy, params, **TOLD)


def test_a_signal_for_other_bars_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cross.py").write_text(SIGNAL.replace('"1h"', '"4h"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="asks for other bars"):
        ln.from_strategy(write_bars(tmp_path, rows=100), tmp_path / "cross.py", **TOLD)


@pytest.mark.parametrize(
    ("how", "direction", "strength"),
    [
        ("all", [1, 0, 0, 0, -1], [1.0, 0.0, 0.0, 0.0, 1.0]),
        ("any", [1, 1, 0, 0, -1], [1.0, 2 / 3, 0.0, 0.0, 1.0]),
        ("majority", [1, 1, 0, 1, -1], [1.0, 2 / 3, 0.0, 2 / 3, 1.0]),
    ],
)
def test_signals_are_combined(how: Any, direction: list[int], strength: list[float]) -> None:
    one, two, three = [1, 1, 1, 1, -1], [0.3, 1, -1, 1, -2], [True, False, False, -1, -1]
    found, share = combine_signals(one, two, three, how=how)
    assert found.tolist() == direction
    assert share == pytest.approx(strength)


def test_signals_have_strengths_and_tables_have_columns() -> None:
    heavy, light = np.array([[1.0, -1.0], [np.nan, 1.0]]), np.array([[-1.0, -1.0], [1.0, -1.0]])
    found, share = combine_signals(heavy, light, strengths=[3, 1])
    assert found.tolist() == [[1, -1], [0, 1]]
    assert share.tolist() == [[0.75, 1.0], [0.0, 0.75]]


@pytest.mark.parametrize(
    ("signals", "options", "text"),
    [
        ([], {}, "no signal"),
        ([[1, 0], [1]], {}, "differ in shape"),
        ([[1]], {"how": "most"}, "how is wrong"),
        ([[1]], {"strengths": [0.0]}, "strengths are wrong"),
        ([[1]], {"strengths": [1.0, 2.0]}, "strengths are wrong"),
    ],
)
def test_signals_that_do_not_go_together_are_refused(signals: Any, options: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        combine_signals(*signals, **options)
