"""Caught by state: a list of the class remembers the closes of the run before, which are the future of this one."""

import lanner as ln


class ClassMemory(ln.Strategy):
    closes = {}  # noqa: RUF012 - that is the fault
    times = []  # noqa: RUF012 - that is the fault

    def on_bar(self, bar):
        self.closes[bar.ts_event] = bar.close
        if bar.ts_event not in self.times:
            self.times.append(bar.ts_event)
        row = self.times.index(bar.ts_event)
        later = self.times[row + 1] if row + 1 < len(self.times) else None
        if later is not None:
            self.target(0.9 if self.closes[later] > bar.close else 0)
        elif bar.close > bar.open:
            self.target(0.5)
