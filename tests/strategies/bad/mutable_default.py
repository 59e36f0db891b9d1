"""Caught by state: a default argument grows from run to run."""

import lanner as ln


def average(value, seen=[]):  # noqa: B006 - that is the fault
    seen.append(value)
    return sum(seen) / len(seen)


class MutableDefault(ln.Strategy):
    def on_bar(self, bar):
        self.target(0.9 if bar.close > average(bar.close) else 0)
