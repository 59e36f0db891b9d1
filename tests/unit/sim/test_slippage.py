"""Slippage goes against the taker, by the right amount, and rounds against him."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError
from lanner.sim.settings import Slippage, SlippageModel
from lanner.sim.slippage import slipped

MODELS = st.builds(Slippage, st.sampled_from(SlippageModel), st.decimals(0, 50, places=2))


@pytest.mark.parametrize(
    ("model", "value", "side", "wanted"),
    [
        (SlippageModel.NONE, "5", 1, 10_001),
        (SlippageModel.BPS, "0", 1, 10_001),
        (SlippageModel.BPS, "5", 1, 10_007),  # 10 006.0005
        (SlippageModel.BPS, "5", -1, 9_995),  # 9 995.9995
        (SlippageModel.TICKS, "3", 1, 10_004),
        (SlippageModel.TICKS, "2.5", -1, 9_998),
        (SlippageModel.VOLUME, "0.1", 1, 10_102),  # √(1/100) · 10 %: 10 101.01
        (SlippageModel.VOLUME, "0.1", -1, 9_900),  # 9 900.99
    ],
)
def test_each_model_moves_the_price_as_written(
    model: SlippageModel, value: str, side: int, wanted: int
) -> None:
    assert slipped(10_001, side, Slippage(model, Decimal(value)), 10, 1_000) == wanted


def test_an_unknown_volume_counts_as_the_orders_own_size() -> None:
    slippage = Slippage(SlippageModel.VOLUME, Decimal("0.01"))
    assert slipped(10_000, 1, slippage, 10, 0) == slipped(10_000, 1, slippage, 10, 10) == 10_100


@given(MODELS, st.integers(1, 10**9), st.integers(1, 10**6), st.integers(0, 10**6))
def test_slippage_never_helps_and_never_reaches_zero(
    slippage: Slippage, px: int, lots: int, volume: int
) -> None:
    assert slipped(px, 1, slippage, lots, volume) >= px
    assert 1 <= slipped(px, -1, slippage, lots, volume) <= px


@pytest.mark.parametrize("value", ["-1", "NaN"])
def test_slippage_that_cannot_be_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="slippage"):
        Slippage(SlippageModel.BPS, Decimal(value))
