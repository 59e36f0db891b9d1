"""Good: random entries from the run's own dice."""

import lanner as ln


class OwnDice(ln.Strategy):
    def on_bar(self, bar):
        if self.rng.random() < 0.08:
            self.target(0.0 if self.position.is_long else 0.9)
