"""Parity: a session beside the backtest of what it saw, order by order, and what the difference is made of."""

from lanner.live.parity.compare import ParityReport, compare_session
from lanner.live.parity.page import write_parity_page
from lanner.live.parity.split import PARTS, Pair

__all__ = ["PARTS", "Pair", "ParityReport", "compare_session", "write_parity_page"]
