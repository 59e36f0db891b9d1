"""A file of sessions in which two would keep one position of a venue."""

from __future__ import annotations

from pathlib import Path

import pytest

from lanner.cli.many_sessions import Given, read_sessions
from lanner.core.errors import ConfigError


def read(path: Path, *entries: str) -> list[str]:
    lines = "\n".join(f"  - {{strategy: dual_ma, {entry}}}" for entry in entries)
    file = path / "night.yaml"
    file.write_text(f"mode: live\ninstruments: [BTCUSDT-PERP@binance]\nsessions:\n{lines}\n")
    return [name for name, _ in read_sessions(file, Given(), 1).sessions]


def test_two_live_sessions_on_one_perpetual_of_an_account_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one and two would share one position in BTCUSDT-PERP"):
        read(tmp_path, "id: one", "id: two, instruments: [ETHUSDT-PERP@binance, BTCUSDT-PERP@binance]")


@pytest.mark.parametrize(
    "other",
    ["mode: paper", "instruments: [ETHUSDT-PERP@binance]", "key: second", "instruments: [BTC-USDT@binance]"],
)
def test_sessions_that_share_no_position_run_beside_each_other(tmp_path: Path, other: str) -> None:
    assert read(tmp_path, "id: one", f"id: two, {other}") == ["one", "two"]
