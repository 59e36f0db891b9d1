"""Signals over whole columns give what the streaming form gives, bit for bit, whatever the signal and the pieces."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl
import pytest

import lanner as ln
from lanner.core.errors import ConfigError, LannerError, StrategyError
from lanner.indicators.base import Indicator
from lanner.kernels import presence
from lanner.research.evaluate import SignalProgram
from lanner.research.evaluate_columns import SignalColumns
from lanner.strategy.expression import Expr, declare
from lanner.strategy.vector import SignalStrategy, signal, signal_array
from tests.unit.research.rules import columns, same_bits

Rule = Callable[..., Any]
DATA = columns(400, seed=1)


@signal("1h")
def ma(bars, fast=10, slow=20):  # type: ignore[no-untyped-def]
    """Be long while the fast average is above the slow one."""
    return bars.close.sma(fast) > bars.close.sma(slow)


def judged(strategy: type[SignalStrategy], **params: object) -> np.ndarray[Any, Any]:
    return np.array(signal_array(strategy, DATA, **params))


def over(strategy: type[SignalStrategy], *sets: dict[str, Any]) -> SignalColumns:
    return SignalProgram(strategy, sets or ({},)).columns(DATA)


GRID = [{"fast": fast, "slow": slow} for fast, slow in itertools.product((2, 5, 9), (12, 20, 40, 60))]


# -- many sets --------------------------------------------------------------------------------------------------


def test_every_set_of_a_grid_gives_its_own_weights() -> None:
    evaluated = over(ma, *GRID)
    for index in (*range(len(GRID)), *reversed(range(len(GRID)))):  # the second time from what was kept
        expected = judged(ma, **GRID[index])
        assert same_bits(evaluated.weights(index), expected)
        signals = evaluated.signals_int8(index)
        assert signals.dtype == np.int8
        assert same_bits(signals.astype(float), np.nan_to_num(expected))


def test_what_sets_share_is_one_node() -> None:
    program = SignalProgram(ma, GRID)
    assert sum(node.op == "indicator" for node in program.graph.nodes) == 3 + 4
    assert {program.graph.nodes[node].op for node in program.shared()} == {"indicator"}
    assert len(program.shared()) == 3 + 4


def test_a_part_that_stands_for_its_own_parts_is_kept_alone() -> None:
    rule = signal("1h")(lambda bars, level=1.0: bars.close.sma(5).ema(3).log() > level)
    program = SignalProgram(rule, [{"level": level} for level in (4.0, 4.5, 5.0)])
    assert [program.graph.nodes[node].op for node in program.shared()] == ["log"]


def test_the_order_of_sets_computes_little_twice_though_little_can_be_kept() -> None:
    sets = [{"fast": fast, "slow": slow} for fast, slow in itertools.product(range(2, 22), range(30, 50))]
    program = SignalProgram(ma, sets)

    def computed(order: list[int]) -> int:
        evaluated = program.columns(DATA, cache_bytes=8 * 8 * 400)
        return sum(
            len(evaluated._look_up(program.outputs[i])[1]) for i in order if evaluated.weights(i) is not None
        )

    room_for_eight = computed_order = program.order(8)
    assert sorted(room_for_eight) == list(range(400))
    assert computed(computed_order) <= computed(list(range(400))) / 2
    assert sorted(program.columns(DATA).order()) == list(range(400))


def test_the_cache_holds_no_more_than_its_bytes_and_the_weights_stay_right() -> None:
    evaluated = SignalProgram(ma, GRID).columns(DATA, cache_bytes=3 * 8 * 400 + 100)
    for index in evaluated.order():
        assert same_bits(evaluated.weights(index), judged(ma, **GRID[index]))
        assert 0 < evaluated._cache.used <= 3 * 8 * 400
    nothing = SignalProgram(ma, GRID).columns(DATA, cache_bytes=0)
    assert same_bits(nothing.weights(3), judged(ma, **GRID[3]))
    assert nothing._cache.used == 0


def test_lines_of_one_indicator_that_different_sets_use_are_all_right() -> None:
    def rule(bars, part="macd", level=0.0):  # type: ignore[no-untyped-def]
        return getattr(bars.macd(3, 8, 4), part) > level

    sets = [{"part": part, "level": level} for level in (0.0, 0.1) for part in ("macd", "signal", "hist")]
    strategy = signal("1h")(rule)
    evaluated = over(strategy, *sets)
    for index in (0, 1, 2, 5, 4, 3, 0):
        assert same_bits(evaluated.weights(index), judged(strategy, **sets[index]))


def test_a_refused_set_is_raised_or_kept_aside() -> None:
    def rule(bars, fast=2, slow=5):  # type: ignore[no-untyped-def]
        if fast >= slow:
            raise ConfigError("fast is not below slow")
        return bars.sma(fast) > bars.sma(slow)

    strategy = signal("1h")(rule)
    sets = [{"fast": 2}, {"fast": 9}, {"fast": 3}]
    with pytest.raises(ConfigError, match="not below slow"):
        SignalProgram(strategy, sets)
    program = SignalProgram(strategy, sets, lenient=True)
    assert list(program.refused) == [1]
    assert sorted(program.order()) == [0, 2]
    evaluated = program.columns(DATA)
    assert np.isnan(evaluated.weights(1)).all()
    assert same_bits(evaluated.weights(2), judged(strategy, fast=3))


def test_threads_that_ask_at_once_get_the_same_weights() -> None:
    evaluated = SignalProgram(ma, GRID).columns(DATA, cache_bytes=4 * 8 * 400)
    wanted = [index for _ in range(20) for index in range(len(GRID))]
    with ThreadPoolExecutor(8) as pool:
        for index, weights in zip(wanted, pool.map(evaluated.weights, wanted), strict=True):
            assert same_bits(weights, judged_grid(index))


def judged_grid(index: int) -> np.ndarray[Any, Any]:
    if index not in _JUDGED:
        _JUDGED[index] = judged(ma, **GRID[index])
    return _JUDGED[index]


_JUDGED: dict[int, np.ndarray[Any, Any]] = {}


# -- pieces -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 7, 19, 100, 399, 400, 16384])
def test_pieces_of_any_size_make_the_whole(block: int) -> None:
    program = SignalProgram(ma, GRID)
    expected = judged(ma, **GRID[5])
    pieces = [(start, stop, piece.copy()) for start, stop, piece in program.blocks(5, DATA, block)]
    assert [start for start, _, _ in pieces] == list(range(0, 400, block))
    assert all(stop - start == len(piece) for start, stop, piece in pieces)
    assert same_bits(np.concatenate([piece for _, _, piece in pieces]), expected)


@pytest.mark.parametrize("block", [5, 64, 8192])
def test_pieces_of_several_sets_make_the_whole_of_each(block: int) -> None:
    program = SignalProgram(ma, GRID)
    wanted = [7, 0, 7, 3]
    found: list[list[Any]] = [[] for _ in wanted]
    for _, _, pieces in program.blocks_int8(wanted, DATA, block):
        for place, piece in enumerate(pieces):
            found[place].append(piece.copy())
    for index, parts in zip(wanted, found, strict=True):
        signals = np.concatenate(parts)
        assert signals.dtype == np.int8
        assert same_bits(signals.astype(float), np.nan_to_num(judged(ma, **GRID[index])))


# -- what a signal may be ---------------------------------------------------------------------------------------

ODD: list[tuple[str, Rule]] = [
    ("a field", lambda b: b.close),
    ("a shifted field", lambda b: b.close.shift(3)),
    ("always long", lambda b: True),
    ("a fixed weight", lambda b: 0.5),
    ("a whole number", lambda b: -1),
    ("a condition among numbers", lambda b: -(b.close > b.open) * 0.5),
    ("conditions as numbers", lambda b: 1 / -((b.close > b.open) - (b.close > 100))),
    ("the average of a condition", lambda b: -(b.close > 100).shift(1).where(b.close > 99, 2.0).sma(3)),
    ("extremes of a condition", lambda b: -ln.where(b.close > b.open, b.close > 99, 0).highest(2)),
    ("the highest condition", lambda b: -(b.close > 100).highest(2)),
    ("whole numbers", lambda b: 1 / -(ln.where(b.close > b.open, 1, 0) * -1)),
    ("the larger of number and constant", lambda b: -((b.close - 100).maximum(0))),
    ("not during warm-up", lambda b: ~(b.sma(30) > b.close)),
    ("one that leaves first", lambda b: (b.close > b.open).until(b.close < 100)),
    ("one that never leaves", lambda b: (b.close > 101).until(b.close < -1)),
    ("its own negation", lambda b: (b.close > b.open) ^ ~(b.close > b.open)),
    ("a line of bars", lambda b: b.stochastic(5).d - b.adx(7).minus_di),
    ("the volume's own", lambda b: b.vwap() + b.obv()),
    ("the day's vwap", lambda b: b.vwap(reset_daily=True)),
]


@pytest.mark.parametrize("rule", [row[1] for row in ODD], ids=[row[0] for row in ODD])
def test_signals_of_every_shape_agree(rule: Rule) -> None:
    strategy = signal("1h")(rule)
    expected = judged(strategy)
    program = SignalProgram(strategy)
    assert same_bits(program.columns(DATA).weights(0), expected)
    assert same_bits(np.concatenate([piece.copy() for *_, piece in program.blocks(0, DATA, 37)]), expected)


class Slow(Indicator):
    """Somebody's own indicator, which has no kernel."""

    __slots__ = ("_total",)

    def __init__(self, start: float) -> None:
        super().__init__()
        self._total = start

    def update(self, x: float) -> None:
        self.prev = self.value
        self._total = self._total * 0.5 + x
        self.value = self._total


def test_indicators_without_a_kernel_are_slow_and_right() -> None:
    def rule(bars, start=1.0):  # type: ignore[no-untyped-def]
        own = Expr(bars._graph, declare(bars._graph, Slow, (start,), bars.high._node))
        return own > own.sma(4)

    strategy = signal("1h")(rule)
    sets = [{"start": 1.0}, {"start": 50.0}]
    evaluated = over(strategy, *sets)
    for index, values in enumerate(sets):
        assert same_bits(evaluated.weights(index), judged(strategy, **values))
    blocks = SignalProgram(strategy).blocks(0, DATA, 33)
    assert same_bits(np.concatenate([piece.copy() for *_, piece in blocks]), judged(strategy))


def test_functions_of_talib_agree() -> None:
    pytest.importorskip("talib", reason="TA-Lib is not installed")
    for rule in (
        lambda b: b.talib("KAMA", timeperiod=5) > b.talib("BBANDS", timeperiod=6).middleband,
        lambda b: b.talib("MFI", timeperiod=5) - b.high.talib("LINEARREG", timeperiod=4),
    ):
        strategy = signal("1h")(rule)
        expected = judged(strategy)
        assert same_bits(over(strategy).weights(0), expected)
        pieces = [piece.copy() for *_, piece in SignalProgram(strategy).blocks(0, DATA, 61)]
        assert same_bits(np.concatenate(pieces), expected)


def test_a_constant_may_be_averaged() -> None:
    def rule(bars):  # type: ignore[no-untyped-def]
        graph = bars._graph
        return bars.close - Expr(graph, declare(graph, Slow, (1.0,), graph.constant(3)))

    strategy = signal("1h")(rule)
    assert same_bits(over(strategy).weights(0), judged(strategy))


# -- columns ----------------------------------------------------------------------------------------------------


def test_columns_of_any_kind_are_taken_and_left_as_they_were() -> None:
    expected = judged(ma)
    frame = pl.DataFrame({"close": DATA["close"], "comment": ["x"] * 400})
    locked = DATA["close"].copy()
    locked.flags.writeable = False
    strided = np.repeat(DATA["close"], 2)[::2]
    program = SignalProgram(ma)
    for given in (frame, {"close": locked}, {"close": strided}, {"close": DATA["close"].tolist()}):
        assert same_bits(program.columns(given).weights(0), expected)
    whole = np.arange(400) % 7
    assert same_bits(
        program.columns({"close": whole}).weights(0), np.array(signal_array(ma, {"close": whole}))
    )
    assert same_bits(locked, DATA["close"])


def test_weights_are_written_where_they_are_wanted() -> None:
    evaluated = over(ma)
    out, signals = np.zeros(400), np.zeros(400, dtype=np.int8)
    assert evaluated.weights(0, out) is out
    assert same_bits(out, judged(ma))
    assert evaluated.signals_int8(0, signals) is signals
    assert signals.sum() == np.nansum(out) > 0
    field = over(signal("1h")(lambda bars: bars.close))
    field.weights(0)[:] = 0.0  # what is returned is the caller's own
    assert same_bits(field.weights(0), DATA["close"])


def test_a_column_that_is_missing_reads_as_nothing() -> None:
    strategy = signal("1h")(lambda bars: bars.volume.fillna(0.25) + bars.close * 0 + bars.vwap().fillna(1.0))
    only = {"close": DATA["close"]}
    expected = np.array(signal_array(strategy, only))
    assert same_bits(SignalProgram(strategy).columns(only).weights(0), expected)
    assert expected[50] == 1.25


def test_no_bars_give_no_weights() -> None:
    empty = {"close": np.zeros(0)}
    assert SignalProgram(ma).columns(empty).weights(0).shape == (0,)
    assert list(SignalProgram(ma).blocks(0, empty)) == []


def test_fewer_bars_than_the_warmup_give_nothing() -> None:
    short = {"close": DATA["close"][:15]}
    assert np.isnan(SignalProgram(ma).columns(short).weights(0)).all()
    assert SignalProgram(ma).columns(short).signals_int8(0).tolist() == [0] * 15


# -- mistakes ---------------------------------------------------------------------------------------------------


def test_mistakes_are_told() -> None:
    numbers = SignalProgram(signal("1h")(lambda bars: bars.close / 1e6))
    with pytest.raises(ConfigError, match="gives numbers"):
        numbers.columns(DATA).signals_int8(0)
    with pytest.raises(ConfigError, match="gives numbers"):
        next(numbers.blocks_int8([0], DATA))
    with pytest.raises(ConfigError, match="not a signal"):
        SignalProgram(ln.Strategy)
    with pytest.raises(ConfigError, match="do not make bars"):
        SignalProgram(ma).columns({"close": DATA["close"], "open": DATA["open"][:-1]})
    with pytest.raises(ConfigError, match="at least 1"):
        next(SignalProgram(ma).blocks(0, DATA, 0))
    with pytest.raises(StrategyError):
        SignalProgram(
            signal("1h")(lambda bars, n=3: bars.nonsense(n) if n > 3 else bars.close), [{}, {"n": 4}]
        )


def test_without_numba_the_fix_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "available", lambda: False)
    with pytest.raises(LannerError, match=r"lanner\[research\]"):
        SignalProgram(ma)


def test_a_program_tells_what_its_sets_give() -> None:
    program = SignalProgram(ma, GRID)
    assert len(program) == len(program.columns(DATA)) == 12
    assert [program.warmup(index) for index in range(4)] == [12, 20, 40, 60]
    assert program.logical(0)
    assert not SignalProgram(signal("1h")(lambda bars: bars.close)).logical(0)
    assert math.isnan(program.columns(DATA).weights(1)[18])
