"""Backtests: settings, the run, its result, and what is kept of it.

The package is also the function ``lanner.backtest(...)`` that notebooks call; see ``lanner.backtest.notebook``.
"""

import sys

from lanner.backtest.callable_package import CallablePackage

__all__: list[str] = []

sys.modules[__name__].__class__ = CallablePackage
