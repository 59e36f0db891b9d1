"""What lets the name ``lanner.backtest`` be a package and a function at once."""

from __future__ import annotations

from types import ModuleType
from typing import Any


class CallablePackage(ModuleType):
    """A package that can be called: ``import lanner.backtest.run`` binds ``lanner.backtest``, and calls still work."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run a backtest; see ``lanner.backtest.notebook.backtest``."""
        from lanner.backtest.notebook import backtest

        return backtest(*args, **options)
