"""Several instruments: hold the strongest of the last days, look once a day."""

import lanner as ln


class Rotation(ln.Strategy):
    days = ln.Param(14, 2, 90, help="days over which strength is measured")

    def on_start(self):
        self.closes = {}
        for instrument in self.instruments:
            self.bars("1h", instrument.id)
            self.closes[instrument.id] = []
        self.wanted = None
        self.set_timer("daily", every="1d")

    def on_bar(self, bar):
        self.closes[bar.series.partition("@")[0]].append(bar.close)

    def on_timer(self, timer):
        hours = 24 * self.days
        if any(len(closes) <= hours for closes in self.closes.values()):
            return
        strength = {name: closes[-1] / closes[-1 - hours] - 1 for name, closes in self.closes.items()}
        best = max(strength, key=strength.get)
        self.wanted = best if strength[best] > 0 else None
        held = [name for name in self.closes if self.position_of(name)]
        for name in held:
            if name != self.wanted:
                self.close(name)
        if not held:
            self.enter()

    def on_fill(self, fill):
        if fill.side is ln.Side.SELL:  # the money is back
            self.enter()

    def enter(self):
        if self.wanted is not None:
            self.target(0.9, instrument=self.wanted)
