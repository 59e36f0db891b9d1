"""The process of one backtest: settings as JSON on standard input, news as JSON lines on standard output.

What strategies print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanner.backtest.result import BacktestResult
    from lanner.backtest.spec import Progress

EVERY_S = 0.2


def main() -> int:
    """Run the backtest that standard input describes."""
    from lanner.backtest.config_file import make_config
    from lanner.backtest.keep import run_and_keep
    from lanner.control.errors import in_words
    from lanner.net.wallclock import mono_ns
    from lanner.storage.environment import default_runs
    from lanner.storage.runs import RunStore

    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    told = 0

    def progress(at: Progress) -> None:
        nonlocal told
        if mono_ns() - told >= EVERY_S * 1e9:
            told = mono_ns()
            _tell(channel, "progress", phase=at.phase, done=at.done, total=at.total, ts=at.ts)

    try:
        config = make_config(json.load(sys.stdin))
        outcome = run_and_keep(config, RunStore(default_runs()), now=datetime.now(UTC), progress=progress)
    except Exception as error:  # noqa: BLE001 - the process's outermost wall: whatever it was is told
        _tell(channel, "error", message=in_words(error), kind=type(error).__name__)
        return 1
    _tell(channel, "result", summary=_summary(outcome.result), events=outcome.result.events)
    return 0


def _tell(channel: IO[str], what: str, **told: Any) -> None:
    channel.write(json.dumps({"tell": what, **told}) + "\n")


def _summary(result: BacktestResult) -> dict[str, Any]:
    trips = [trip for trip in result.round_trips if not trip.open]
    metrics = result.metrics
    return {
        "run_id": result.run_id,
        "total_return": metrics.get("total_return"),
        "sharpe_ratio": metrics.get("sharpe"),
        "max_drawdown": metrics.get("max_drawdown"),
        "win_rate": metrics.get("win_rate"),
        "profit_factor": metrics.get("profit_factor"),
        "total_trades": len(trips),
        "winning_trades": sum(trip.pnl > 0 for trip in trips),
        "losing_trades": sum(trip.pnl < 0 for trip in trips),
        "net_profit": float(result.end_equity - result.start_equity),
        "total_commission": float(result.fees),
    }


if __name__ == "__main__":
    raise SystemExit(main())
