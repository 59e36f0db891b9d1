"""Caught by activity: turns the whole position over at every bar."""

import lanner as ln


class Churn(ln.Strategy):
    def on_bar(self, bar):
        self.target(-0.9 if self.position.is_long else 0.9)
