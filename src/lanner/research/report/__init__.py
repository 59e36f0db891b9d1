"""The page of a sweep as one self-contained HTML file, and the words that the console shares with it."""

from lanner.research.report.bins import score_bins
from lanner.research.report.page import sweep_page, write_sweep_page

__all__ = ["score_bins", "sweep_page", "write_sweep_page"]
