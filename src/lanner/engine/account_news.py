"""``AccountNews`` keeps what a venue says that is no order's: funding, and positions that were adjusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.model.reports import Report

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine


class AccountNews:
    """All of it, or, where a long session forgets, no less than it keeps of its fills.

    ``reports`` has the newest, ``after`` how many fills came before each, ``gone`` how many were forgotten.
    """

    __slots__ = ("_execution", "after", "gone", "reports")

    def __init__(self, execution: ExecutionEngine) -> None:
        self.reports: list[Report] = []
        self.after: list[int] = []
        self.gone = 0
        self._execution = execution

    def keep(self, report: Report) -> None:
        """Keep one."""
        self.reports.append(report)
        self.after.append(len(self._execution.fills))
        gone = self._execution.retention.beyond(len(self.reports))
        if gone:
            del self.reports[:gone], self.after[:gone]
            self.gone += gone

    def keep_taken_back(self) -> None:
        """Keep what late fills have taken back of adjustments."""
        for back in self._execution.taken_back:
            self.keep(back)
        self._execution.taken_back.clear()
