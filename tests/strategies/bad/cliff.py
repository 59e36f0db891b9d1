"""Caught by stability: one step more and it trades a hundred times as often."""

import lanner as ln


class Cliff(ln.Strategy):
    every = ln.Param(24, 1, 48, step=1)

    def on_bar(self, bar):
        hour = bar.ts_event // 3_600_000_000_000
        pause = 96 if self.every == 24 else self.every // 12
        if hour % pause == 0:
            self.target(0.0 if self.position.is_long else 0.9)
