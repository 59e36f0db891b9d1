"""What commands print."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from lanner.cli.output import note, plain, print_json, table


def test_json_holds_numbers_and_null_for_what_is_not_finite(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {
            "a": Decimal("1.50"),
            "b": float("nan"),
            "c": [float("inf"), np.float64(2.5), np.int64(3)],
            "d": Path("x"),
        }
    )
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"a": 1.5, "b": None, "c": [None, 2.5, 3], "d": "x"}


def test_a_note_is_written_in_one_piece() -> None:
    class Pieces(io.StringIO):
        def __init__(self) -> None:
            super().__init__()
            self.written: list[str] = []

        def write(self, text: str, /) -> int:
            self.written.append(text)
            return super().write(text)

    pieces = Pieces()
    with redirect_stderr(pieces):
        note("session one: running")
    assert [text for text in pieces.written if text] == ["session one: running\n"]


def test_plain_leaves_text_alone() -> None:
    assert plain("abc") == "abc"
    assert plain({1: ("a", b"b")}) == {"1": ["a", b"b"]}


def test_a_table_aligns_columns_left_and_right() -> None:
    assert table(("name", "n"), [("a", "10"), ("long name", "5")], right="1").splitlines() == [
        "name        n",
        "-------------",
        "a          10",
        "long name   5",
    ]
