"""Which kernel computes which indicator: the compiled function and its fresh state.

Imported only where numba is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lanner.indicators.momentum import MACD, RSI, StochRSI
from lanner.indicators.moving import EMA, HMA, RMA, SMA, WMA
from lanner.indicators.pairs import Beta, Correlation
from lanner.indicators.ranges import ATR, CCI, Donchian, Keltner, Stochastic, TrueRange, WilliamsR
from lanner.indicators.trend import ADX, Ichimoku, ParabolicSAR
from lanner.indicators.volatility import GarmanKlass, Parkinson, Volatility, YangZhang
from lanner.indicators.volume import OBV, VWAP, AnchoredVWAP, SessionVWAP
from lanner.indicators.windows import ROC, Bollinger, Highest, Lowest, Shift, StdDev, Sum, ZScore
from lanner.kernels import momentum, moving, pairs, ranges, trend, volatility, volume, windows

Made = tuple[Callable[..., None], Any]

KERNELS: dict[type[Any], Callable[[Any], Made]] = {
    ADX: lambda i: (trend.adx, trend.adx_state(i.period)),
    ATR: lambda i: (ranges.atr, ranges.atr_state(i.period)),
    AnchoredVWAP: lambda i: (volume.anchored_vwap, volume.anchored_vwap_state(i.since_ns)),
    Beta: lambda i: (pairs.beta, pairs.pair_state(i.period)),
    Bollinger: lambda i: (windows.bollinger, windows.bollinger_state(i.period, i.width)),
    CCI: lambda i: (ranges.cci, ranges.cci_state(i.period)),
    Correlation: lambda i: (pairs.correlation, pairs.pair_state(i.period)),
    Donchian: lambda i: (ranges.donchian, ranges.donchian_state(i.period)),
    EMA: lambda i: (moving.ema, moving.ema_state(i.period, i.alpha)),
    GarmanKlass: lambda i: (
        volatility.garman_klass,
        volatility.range_volatility_state(i.period, i.factor),
    ),
    HMA: lambda i: (moving.hma, moving.hma_state(i.period)),
    Highest: lambda i: (windows.highest, windows.extreme_state(i.period)),
    Ichimoku: lambda i: (trend.ichimoku, trend.ichimoku_state(*i.periods)),
    Keltner: lambda i: (ranges.keltner, ranges.keltner_state(i.periods[0], i.width, i.periods[1])),
    Lowest: lambda i: (windows.lowest, windows.extreme_state(i.period)),
    MACD: lambda i: (momentum.macd, momentum.macd_state(*i.periods)),
    OBV: lambda _: (volume.obv, volume.obv_state()),
    ParabolicSAR: lambda i: (trend.parabolic_sar, trend.parabolic_sar_state(*i.paces)),
    Parkinson: lambda i: (volatility.parkinson, volatility.range_volatility_state(i.period, i.factor)),
    RMA: lambda i: (moving.ema, moving.ema_state(i.period, i.alpha)),
    ROC: lambda i: (windows.roc, windows.roc_state(i.period)),
    RSI: lambda i: (momentum.rsi, momentum.rsi_state(i.period)),
    SMA: lambda i: (moving.sma, moving.sma_state(i.period)),
    SessionVWAP: lambda i: (volume.vwap, volume.vwap_state(i.length, i.offset)),
    Shift: lambda i: (windows.shift, windows.shift_state(i.period)),
    StdDev: lambda i: (windows.deviation, windows.deviation_state(i.period, i.factor)),
    StochRSI: lambda i: (momentum.stoch_rsi, momentum.stoch_rsi_state(*i.periods)),
    Stochastic: lambda i: (ranges.stochastic, ranges.stochastic_state(*i.periods)),
    Sum: lambda i: (windows.total, windows.total_state(i.period)),
    TrueRange: lambda _: (ranges.true_range, ranges.true_range_state()),
    VWAP: lambda i: (volume.vwap, volume.vwap_state(i.length, i.offset)),
    Volatility: lambda i: (volatility.volatility, volatility.volatility_state(i.period, i.factor)),
    WMA: lambda i: (moving.wma, moving.wma_state(i.period)),
    WilliamsR: lambda i: (ranges.williams_r, ranges.williams_r_state(i.period)),
    YangZhang: lambda i: (
        volatility.yang_zhang,
        volatility.yang_zhang_state(i.period, i.share, i.per_year),
    ),
    ZScore: lambda i: (windows.zscore, windows.zscore_state(i.period)),
}
"""By exact class: a subclass may compute something else, so it is streamed."""

FOURS: dict[Any, Callable[..., None]] = {moving.ema: moving.ema_four}
"""Kernels that compute four sets of parameters over one series in little more time than one."""
