"""A folder with a strategy and a price file that makes it trade."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000  # 2024-01-01 UTC

CROSS = '''\
import lanner as ln


class Cross(ln.Strategy):
    """Long while the fast average is above the slow one."""

    fast = ln.Param(5, 2, 50)
    slow = ln.Param(20, 3, 200)

    def on_start(self):
        bars = self.bars("1h")
        self.f, self.s = bars.sma(self.fast), bars.sma(self.slow)

    def on_bar(self, bar):
        if self.f.crossed_above(self.s):
            self.target(0.9, stop="5%")
        elif self.f.crossed_below(self.s):
            self.target(0)
'''


def prices(hours: int = 600, step: float = 0.9) -> str:
    """Return hourly bars of a wave that rises slowly, as CSV."""
    rows = ["timestamp,open,high,low,close,volume"]
    before = 100.0
    for hour in range(hours):
        close = 100 + 0.02 * hour + 8 * math.sin(hour / 13) + step * math.sin(hour / 3)
        high, low = max(before, close) + 0.4, min(before, close) - 0.4
        rows.append(
            f"{START_MS + hour * HOUR_MS},{before:.2f},{high:.2f},{low:.2f},{close:.2f},{5 + hour % 7}"
        )
        before = round(close, 2)
    return "\n".join(rows) + "\n"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with ``cross.py`` and ``btc.csv``."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "cross.py").write_text(CROSS)
    (folder / "btc.csv").write_text(prices())
    monkeypatch.chdir(folder)
    return folder
