"""The collector in a trading process."""

from __future__ import annotations

import asyncio
import gc

import pytest

from lanner.live import collecting


def test_what_survives_is_set_aside_and_everything_is_as_before_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collecting, "PACE_S", 0.01)
    usual = gc.get_threshold()

    async def trade() -> None:
        keeping = asyncio.create_task(collecting.keep_collected())
        await asyncio.sleep(0)
        assert gc.get_threshold() == collecting.QUIET
        first = gc.get_freeze_count()
        kept = [[number] for number in range(20_000)]
        while gc.get_freeze_count() < first + len(kept):
            await asyncio.sleep(0.01)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(trade())
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() == 0
