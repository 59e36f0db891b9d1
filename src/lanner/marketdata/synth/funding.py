"""Synthetic funding of a perpetual: every eight hours, following the price's latest moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lanner.marketdata.synth.bars import check_span
from lanner.marketdata.synth.market import YEAR_NS, Market
from lanner.marketdata.synth.numbers import normal, stream
from lanner.marketdata.synth.path import simulate
from lanner.model.timeframes import DAY_NS, HOUR_NS

if TYPE_CHECKING:
    import polars as pl

FUNDING_NS = 8 * HOUR_NS
_INTEREST = 1e-4
_CLAMP = 5e-4


def synthesize_funding(
    *, since_ns: int, days: int, seed: int = 7, market: Market | None = None
) -> pl.DataFrame:
    """Return the funding rates at 00, 08 and 16 h UTC with the catalog's column schema.

    The rate is premium + clamp(interest − premium, ±0.05 %), as venues define it, with an interest of
    0.01 % and a premium that leans with the last day's move: mostly 0.01 %, more in strong trends.
    """
    import polars as pl

    check_span(since_ns, days)
    market = market or Market()
    levels = [path.levels() for path in simulate(market, seed=seed, since_ns=since_ns, days=days)]
    level = np.concatenate([levels[0], *(part[1:] for part in levels[1:])])
    at = np.arange(0, days * 1440, 480)
    move = (level[at] - level[np.maximum(at - 1440, 0)]) / (market.vol * (DAY_NS / YEAR_NS) ** 0.5)
    premium = _INTEREST + 1.1e-3 * move / (1.5 + np.abs(move)) + 1.5e-4 * normal(stream(seed, 7), len(at))
    rate = premium + np.clip(_INTEREST - premium, -_CLAMP, _CLAMP)
    ts = since_ns + np.arange(len(at), dtype=np.int64) * FUNDING_NS
    return pl.DataFrame(
        {
            "ts_event": ts,
            "ts_recv": ts,
            "rate": np.rint(rate * 1e8) / 1e8,
            "interval_ns": np.full(len(at), FUNDING_NS, np.int64),
            "predicted": np.zeros(len(at), bool),
        }
    )
