"""Functions of TA-Lib as indicators: all of them, streaming and array form alike, with bounded memory."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import numpy as np
import pytest

from lanner.core.errors import ConfigError, LannerError
from lanner.indicators.arrays import fields_of, runner
from lanner.indicators.base import BarIndicator, Row
from lanner.indicators.talib import REFUSED, arranged, spec_of, talib_kind

talib = pytest.importorskip("talib")

Array = np.ndarray[Any, np.dtype[Any]]
N = 1300


def columns(count: int = N) -> dict[str, Array]:
    rng = np.random.default_rng(4)
    close = np.abs(100.0 + np.cumsum(rng.standard_normal(count) * 0.5))
    first = np.concatenate(([100.0], close[:-1]))
    return {
        "open": first,
        "high": np.maximum(first, close) + rng.random(count),
        "low": np.minimum(first, close) - rng.random(count),
        "close": close,
        "volume": rng.random(count) * 10 + 1,
        "periods": rng.integers(2, 20, count).astype(float),
    }


DATA = columns()


def made(name: str, **params: object) -> Any:
    return talib_kind(name)(*arranged(spec_of(name), params))


def short_memory(name: str) -> dict[str, object]:
    """Return parameters with so little memory that windows start anew within the series."""
    return {"memory": max(120, 2 * made(name).warmup)}


def array_form(name: str, params: dict[str, object], cuts: list[int], data: dict[str, Array]) -> list[Array]:
    spec = spec_of(name)
    run = runner(talib_kind(name), arranged(spec, params))
    length = len(data["close"])
    outs = [np.empty(length) for _ in run.lines]
    for begin, end in zip([0, *cuts], [*cuts, length], strict=True):
        run.run([data[field][begin:end] for field in spec.inputs], [out[begin:end] for out in outs])
    return outs


def streamed(name: str, params: dict[str, object], data: dict[str, Array]) -> list[Array]:
    indicator = made(name, **params)
    fields = spec_of(name).inputs
    row, rows = Row(), list(zip(*(data[field].tolist() for field in fields), strict=True))
    outs: list[list[float]] = [[] for _ in indicator.lines]
    for values in rows:
        if isinstance(indicator, BarIndicator):
            for field, value in zip(fields_of(indicator), values, strict=True):
                setattr(row, field, value)
            indicator.update_bar(row)
        else:
            indicator.update(*values)
        for out, line in zip(outs, indicator.lines, strict=True):
            out.append(indicator.line(line).value)
    return [np.array(out) for out in outs]


@pytest.mark.parametrize("name", [name for name in talib.get_functions() if name not in REFUSED])
def test_every_function_streams_what_its_array_form_gives(name: str) -> None:
    params = short_memory(name)
    whole = array_form(name, params, [], DATA)
    pieces = array_form(name, params, [1, 2, 50, 119, 120, 121, 400, 401, 900], DATA)
    steps = streamed(name, params, DATA)
    warm = made(name, **params).warmup
    for one, other, third in zip(whole, pieces, steps, strict=True):
        assert np.array_equal(one, other, equal_nan=True)
        assert np.array_equal(one, third, equal_nan=True)
        assert np.isnan(one[: warm - 1]).all()
    if name not in ("ACOS", "ASIN"):  # which have no value for prices
        assert any(not math.isnan(one[warm - 1]) for one in whole)


def own(name: str, data: dict[str, Array]) -> tuple[Array, ...]:
    """Return what TA-Lib gives over the whole series."""
    found = getattr(talib, name)(*(data[field] for field in spec_of(name).inputs))
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize(
    "name",
    ["KAMA", "ADX", "MACD", "T3", "HT_DCPERIOD", "MFI", "SAR", "AD", "OBV", "PVT", "WAD", "NVI", "PVI"],
)
def test_windows_that_start_anew_agree_with_the_function_over_everything(name: str) -> None:
    data = columns(9000)
    ours = array_form(name, {}, [], data)
    warm = made(name).warmup
    for one, other in zip(ours, own(name, data), strict=True):
        assert np.allclose(one[warm:], other[warm:], rtol=1e-8, atol=1e-8)


def test_places_are_told_as_steps_ago() -> None:
    values = made("MAXINDEX", period=5).array(np.array([1.0, 9, 2, 3, 4, 5, 6]))
    assert values[4:].tolist() == [3.0, 4.0, 0.0]


def test_a_gap_gives_nan_and_a_fresh_warmup() -> None:
    prices = DATA["close"][:300].copy()
    broken = np.concatenate((prices[:200], [np.nan], prices[200:]))
    values = made("KAMA", period=10).array(broken)
    assert np.array_equal(values[201:], made("KAMA", period=10).array(prices[200:]), equal_nan=True)
    assert math.isnan(values[200])
    assert np.array_equal(made("KAMA", period=10).array(broken.tolist()), values, equal_nan=True)


def test_memory_is_bounded() -> None:
    indicator = made("EMA", period=10, memory=100)
    seen = set()
    for price in DATA["close"].tolist():
        indicator.update(price)
        window = indicator._take.__self__._window
        seen.add(window._buffers[0].size)
        assert window._filled <= 200
    assert seen == {200}


def test_parameters_have_two_names() -> None:
    assert arranged(spec_of("EMA"), {"period": 9}) == arranged(spec_of("EMA"), {"timeperiod": 9}) == (9, None)
    assert arranged(spec_of("MACD"), {"fast": 3, "slow": 9}) == (3, 9, 9, None)
    assert made("BBANDS", period=20, nbdevup=1.5).lines == ("upperband", "middleband", "lowerband")
    assert made("kama").warmup == made("KAMA").warmup


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("KAMMA", {}, "Did you mean KAMA"),
        ("", {}, "TA-Lib has no function ''"),
        ("EMA", {"length": 3}, "no parameter 'length'; expected one of period, memory"),
        ("EMA", {"period": 0}, "EMA refuses its parameters"),
        ("EMA", {"period": "ten"}, "EMA refuses its parameters"),
        ("EMA", {"period": 30, "memory": 29}, "bad memory; expected a whole number > 29; found 29"),
        ("VWAP", {}, r"Use vwap\(\)"),
    ],
)
def test_mistakes_are_told(name: str, params: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(name, **params)


def test_without_the_wheel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "talib" else real(name)
    )
    spec_of.cache_clear()
    try:
        with pytest.raises(LannerError, match=r"pip install 'lanner\[talib\]'"):
            talib_kind("KAMA")
    finally:
        spec_of.cache_clear()
