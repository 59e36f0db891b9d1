"""The reference page of the metrics says what the code says."""

from __future__ import annotations

from pathlib import Path

from lanner.analysis import METRICS
from lanner.analysis.reference import metrics_reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md"


def test_reference_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == metrics_reference(), (
        "docs/reference/metrics.md is out of date; run: python -m lanner.analysis.reference > docs/reference/metrics.md"
    )


def test_reference_page_has_one_row_for_every_metric() -> None:
    lines = metrics_reference().splitlines()
    for name in METRICS:
        rows = [line for line in lines if line.startswith(f"| `{name}` |")]
        assert len(rows) == 1, name
        assert rows[0].replace(r"\|", "").count("|") == 8, name
