"""A watched file is read when it has new content that stands still."""

from __future__ import annotations

from pathlib import Path

from lanner.live.entries import NewContent, stamp_of


def test_content_is_new_when_two_looks_in_a_row_find_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("cash: 1\n")
    content = NewContent(path, stamp_of(path))
    assert not content.look()
    path.write_text("")  # an editor begins to write
    assert not content.look()
    path.write_text("cash: 1\nrisk: {}\n")
    assert not content.look()
    assert content.look()
    assert not content.look()


def test_a_file_that_goes_and_comes_back_as_it_was_or_otherwise_is_looked_at_alike(tmp_path: Path) -> None:
    path, away = tmp_path / "run.yaml", tmp_path / "away"
    path.write_text("cash: 1\n")
    content = NewContent(path, stamp_of(path))
    path.rename(away)
    assert [content.look() for _ in range(2)] == [False, False]
    away.rename(path)
    assert [content.look() for _ in range(3)] == [False, False, False]
    path.write_text("cash: 12\n")
    assert [content.look() for _ in range(3)] == [False, True, False]
