"""A backtest in one call, as in a notebook: try some parameters and compare."""

from ma_cross import MaCross

import lanner as ln

for fast, slow in ((10, 60), (20, 100), (40, 200)):
    run = ln.backtest(MaCross, "BTC-USDT.SYNTH@1h", fast=fast, slow=slow, fees=0.0005, keep=False)
    print(f"fast {fast:3}  slow {slow:3}  {run}  Sharpe {run.metrics['sharpe']:.2f}")
