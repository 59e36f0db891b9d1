"""Caught by outside: asks another program before it starts."""

import subprocess

import lanner as ln


class Program(ln.Strategy):
    def on_start(self):
        self.word = subprocess.run(["true"], check=False).returncode
        self.average = self.bars().sma(10)

    def on_bar(self, bar):
        self.target(0.9 if bar.close > self.average.value else self.word)
