"""Kernels give what the streaming indicators give, bit for bit, however the series is cut into pieces."""

from __future__ import annotations

import ast
import itertools
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lanner.indicators
from lanner.core.errors import ConfigError, LannerError
from lanner.indicators import ATR, EMA, RMA, SMA, BarIndicator, Correlation, Indicator, PairIndicator
from lanner.indicators.arrays import KernelRunner, StreamRunner, fields_of, run_together, runner
from lanner.indicators.base import Lines, Row
from lanner.indicators.kernel_table import KERNELS
from lanner.indicators.logarithm import log
from lanner.kernels import presence
from lanner.kernels.logarithm import log as log_kernel
from tests.unit.kernels.kinds import KINDS, START_NS, label

Array = np.ndarray[Any, np.dtype[Any]]
SOURCE = Path(lanner.indicators.__file__).parents[1]


def same_bits(one: Array, other: Array) -> bool:
    both_nan = np.isnan(one) & np.isnan(other)
    return bool(np.all((one.view(np.int64) == other.view(np.int64)) | both_nan))


def streamed(kind: type[Any], params: tuple[object, ...], columns: dict[str, Array]) -> list[Array]:
    """Return every line as the plain-Python object gives it, one step at a time."""
    indicator = kind(*params)
    parts = [indicator.line(name) for name in indicator.lines]
    names = fields_of(indicator)
    outs: list[list[float]] = [[] for _ in parts]
    row = Row()
    for values in zip(*(columns[name].tolist() for name in names), strict=True):
        if isinstance(indicator, BarIndicator):
            for name, value in zip(names, values, strict=True):
                setattr(row, name, value)
            indicator.update_bar(row)
        else:
            indicator.update(*values)
        for out, line in zip(outs, parts, strict=True):
            out.append(line.value)
    return [np.array(out, dtype=np.float64) for out in outs]


def in_pieces(
    kind: type[Any], params: tuple[object, ...], columns: dict[str, Array], cuts: list[int]
) -> list[Array]:
    made = runner(kind, params)
    assert isinstance(made, KernelRunner)
    length = len(columns["x"])
    outs = [np.full(length, 123.0) for _ in made.lines]
    edges = [0, *sorted(min(cut, length) for cut in cuts), length]
    for begin, end in itertools.pairwise(edges):
        made.run([columns[name][begin:end] for name in made.fields], [out[begin:end] for out in outs])
    return outs


def columns_of(
    steps: list[float], seed: int, scale: float, gaps: list[tuple[int, float]]
) -> dict[str, Array]:
    """Return bars whose closes move by the steps (0: a stretch that stands still), with bad values put in."""
    rng = np.random.default_rng(seed)
    n = len(steps)
    close = np.abs(100.0 + np.cumsum(np.array(steps, dtype=np.float64))) * scale
    first = np.concatenate(([100.0 * scale], close[:-1]))[:n]
    still = np.array(steps) == 0.0
    reach = np.where(still, 0.0, rng.random(n)) * scale
    columns = {
        "open": first,
        "high": np.maximum(first, close) + reach,
        "low": np.minimum(first, close) - reach,
        "close": close,
        "volume": np.where(rng.random(n) < 0.2, 0.0, rng.random(n) * 10.0),
    }
    for index, bad in gaps:
        name = list(columns)[index % 5]
        if n:
            columns[name][index % n] = bad
    columns["ts_open"] = START_NS + np.arange(n, dtype=np.int64) * 3_600_000_000_000
    columns["x"] = columns["close"]
    with np.errstate(all="ignore"):
        columns["y"] = columns["open"] * 0.5 + columns["volume"]
    return columns


BAD = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, -1e308, 1e-310, -5.0])
STEPS = st.lists(
    st.one_of(st.just(0.0), st.just(0.0), st.floats(-3.0, 3.0, allow_subnormal=False)), max_size=90
)


@pytest.mark.parametrize(("kind", "params"), KINDS, ids=label)
@settings(max_examples=60, deadline=None)
@given(
    steps=STEPS,
    seed=st.integers(0, 1000),
    scale=st.sampled_from([1.0, 1e-7, 1e9]),
    gaps=st.lists(st.tuples(st.integers(0, 10_000), BAD), max_size=4),
    cuts=st.lists(st.integers(0, 90), max_size=4),
)
def test_a_kernel_gives_the_bits_of_its_streaming_twin(
    kind: type[Any],
    params: tuple[object, ...],
    steps: list[float],
    seed: int,
    scale: float,
    gaps: list[tuple[int, float]],
    cuts: list[int],
) -> None:
    columns = columns_of(steps, seed, scale, gaps)
    ours = in_pieces(kind, params, columns, cuts)
    for name, one, other in zip(kind(*params).lines, ours, streamed(kind, params, columns), strict=True):
        assert same_bits(one, other), name


@pytest.mark.parametrize(("kind", "params"), KINDS, ids=label)
def test_long_series_cross_the_blocks_of_the_kernels_unharmed(
    kind: type[Any], params: tuple[object, ...]
) -> None:
    rng = np.random.default_rng(5)
    steps = np.where(rng.random(9000) < 0.02, 0.0, rng.standard_normal(9000) * 0.3).tolist()
    gaps = [(int(place), math.nan) for place in rng.integers(0, 9000, 6)]
    columns = columns_of(steps, 3, 1.0, gaps)
    expected = streamed(kind, params, columns)
    for cuts in ([], [1, 2, 3, 1500, 5000], list(range(0, 9000, 613))):
        ours = in_pieces(kind, params, columns, cuts)
        assert all(same_bits(one, other) for one, other in zip(ours, expected, strict=True))


@pytest.mark.parametrize("period", [2, 3, 50, 200, 1023, 1024, 2500])
@pytest.mark.parametrize(
    "name", ["SMA", "WMA", "HMA", "Sum", "StdDev", "Highest", "CCI", "Correlation", "ROC", "Shift"]
)
def test_windows_of_any_length_agree(name: str, period: int) -> None:
    kind = getattr(lanner.indicators, name)
    columns = columns_of(
        np.random.default_rng(period).standard_normal(6000).tolist(), 1, 1.0, [(4000, math.inf)]
    )
    expected = streamed(kind, (period,), columns)
    ours = in_pieces(kind, (period,), columns, [100, 2000])
    assert all(same_bits(one, other) for one, other in zip(ours, expected, strict=True))


def test_every_indicator_has_a_kernel_and_is_tested_here() -> None:
    kinds = {
        item
        for name in lanner.indicators.__all__
        if isinstance(item := getattr(lanner.indicators, name), type)
        and issubclass(item, Lines)
        and item not in (Indicator, PairIndicator, BarIndicator)
    }
    assert kinds == set(KERNELS) == {kind for kind, _ in KINDS}


# -- the face -------------------------------------------------------------------------------------------------


def test_the_array_method_gives_numpy_for_numpy_and_lists_for_lists() -> None:
    columns = columns_of([0.5, -0.25, 1.0] * 30, 1, 1.0, [])
    values = columns["close"]
    array, plain = EMA(5).array(values), EMA(5).array(values.tolist())
    assert isinstance(array, np.ndarray)
    assert isinstance(plain, list)
    assert same_bits(array, np.array(plain))
    bars = {name: columns[name] for name in ("high", "low", "close")}
    lists = {name: column.tolist() for name, column in bars.items()}
    assert same_bits(ATR(5).array(bars), np.array(ATR(5).array(lists)))
    pair = Correlation(5).array(values, columns["volume"])
    assert same_bits(pair, np.array(Correlation(5).array(values.tolist(), columns["volume"].tolist())))


def test_the_array_method_starts_afresh_and_leaves_the_object_where_it_is() -> None:
    average = EMA(period=3)
    for value in (1.0, 2.0, 6.0):
        average.update(value)
    assert average.array([5.0, 5.0, 5.0])[-1] == 5.0
    assert average.value == 3.0


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.astype(np.float32).astype(np.float64).astype(">f8"),
        lambda x: np.repeat(x, 2)[::2],
        lambda x: (x * 8).astype(np.int64),
        lambda x: x.astype(np.float32),
    ],
    ids=["other byte order", "strided", "integers", "single precision"],
)
def test_inputs_of_other_kinds_are_taken_as_floats(change: Any) -> None:
    x = change(columns_of([0.5, -0.25, 1.0] * 30, 1, 1.0, [])["x"])
    assert same_bits(SMA(4).array(x), np.array(SMA(4).array([float(value) for value in x])))


def test_read_only_arrays_are_read() -> None:
    x = columns_of([0.5, -0.25, 1.0] * 30, 1, 1.0, [])["x"]
    expected = SMA(4).array(x)
    x.setflags(write=False)
    out = np.empty(x.size)
    runner(SMA, (4,)).run([x], [out])
    assert same_bits(out, expected)


def test_a_series_that_is_too_short_is_all_nan() -> None:
    assert np.isnan(SMA(5).array(np.ones(4))).all()
    assert SMA(5).array(np.ones(0)).size == 0


def test_series_of_unequal_length_are_refused() -> None:
    with pytest.raises(ConfigError, match="not of one length"):
        Correlation(5).array(np.ones(4), np.ones(5))
    with pytest.raises(ConfigError, match="high: 2, low: 1"):
        ATR().array({"high": np.ones(2), "low": np.ones(1)})


@pytest.mark.parametrize("count", [1, 4, 7, 9])
def test_several_runners_together_give_what_each_gives_alone(count: int) -> None:
    columns = columns_of(np.random.default_rng(2).standard_normal(5000).tolist(), 1, 1.0, [(33, math.nan)])
    columns["x"][[100, 2000, 2001, 4095]] = math.nan
    kinds: list[tuple[type[Any], tuple[object, ...]]] = [
        (EMA, (3 + 7 * index,)) if index % 4 < 3 else (SMA, (5 + index,)) for index in range(count)
    ]
    kinds += [(RMA, (9,)), (Doubled, ())]
    runners = [runner(kind, params) for kind, params in kinds]
    outs = [[np.empty(5000)] for _ in kinds]
    for begin, end in itertools.pairwise([0, 10, 1500, 4096, 5000]):
        run_together(
            runners, [columns["x"][begin:end]], [[out[begin:end] for out in lines] for lines in outs]
        )
    for (kind, params), lines in zip(kinds, outs, strict=True):
        assert same_bits(lines[0], streamed(kind, params, columns)[0])


class Doubled(Indicator):
    """An indicator a user might write."""

    def update(self, x: float) -> None:
        self.push(2.0 * x)


class HastyEMA(EMA):
    """A subclass that computes something else."""

    def update(self, x: float) -> None:
        super().update(x)
        self.value += 1.0


def test_indicators_without_a_kernel_are_streamed() -> None:
    made = runner(Doubled)
    assert isinstance(made, StreamRunner)
    x, out = np.arange(5.0), np.empty(5)
    made.run([x[:2]], [out[:2]])
    made.run([x[2:]], [out[2:]])
    assert out.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert isinstance(runner(HastyEMA, (3,)), StreamRunner)


def test_parameters_are_checked_as_the_indicator_does() -> None:
    with pytest.raises(ConfigError, match="sma: bad period; expected a whole number >= 1; found 0"):
        runner(SMA, (0,))


def test_without_numba_arrays_are_streamed_and_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = importlib_find_spec()
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "numba" else real(name)
    )
    presence.available.cache_clear()
    try:
        assert isinstance(runner(SMA, (3,)), StreamRunner)
        assert SMA(3).array(np.arange(5.0)).tolist()[2:] == [1.0, 2.0, 3.0]
        with pytest.raises(LannerError, match=r"pip install 'lanner\[research\]'"):
            presence.require("sweeps")
    finally:
        monkeypatch.undo()
        presence.available.cache_clear()


def importlib_find_spec() -> Any:
    import importlib.util

    return importlib.util.find_spec


# -- the logarithm --------------------------------------------------------------------------------------------


@given(st.floats(min_value=0.0, max_value=1e300))
def test_the_logarithm_is_the_same_in_both_and_close_to_the_exact_one(x: float) -> None:
    ours = log(x)
    assert same_bits(np.array([ours]), np.array([log_kernel(x)]))
    if x > 0:
        assert abs(ours - math.log(x)) <= 2 * math.ulp(math.log(x))


@pytest.mark.parametrize("x", [0.0, -1.0, math.inf, math.nan])
def test_there_is_no_logarithm_of_what_is_not_a_positive_number(x: float) -> None:
    assert math.isnan(log(x))
    assert math.isnan(log_kernel(x))


# -- rules of the room ----------------------------------------------------------------------------------------


def test_no_indicator_leans_on_what_differs_between_versions_of_python() -> None:
    found = []
    for path in (SOURCE / "indicators").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"sum", "fsum"}
            ):
                found.append(f"{path.name}:{node.lineno}")
            if isinstance(node, ast.ImportFrom) and node.module == "statistics":
                found.append(f"{path.name}:{node.lineno}")
    assert found == []


def test_the_indicators_do_not_load_numba_before_an_array_is_run() -> None:
    import subprocess

    code = "import sys, lanner.indicators, lanner.strategy.vector; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
