"""The tear sheet of a backtest as one self-contained HTML file."""

from lanner.backtest.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
