"""Caught by outside: asks a server for its opinion while it runs."""

import socket

import lanner as ln


class Network(ln.Strategy):
    def on_start(self):
        self.average = self.bars().sma(10)
        try:
            with socket.socket() as line:
                line.settimeout(0.2)
                line.connect(("127.0.0.1", 9))
            self.mood = 1
        except OSError:
            self.mood = 0

    def on_bar(self, bar):
        self.target(0.9 if bar.close > self.average.value and not self.mood else 0)
