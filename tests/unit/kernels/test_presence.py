"""Where compiled kernels are kept."""

from __future__ import annotations

import os
from pathlib import Path

from lanner.kernels.presence import KEPT, forget_old


def test_a_new_version_leaves_only_the_newest_of_the_others(tmp_path: Path) -> None:
    for age in range(KEPT + 3):
        old = tmp_path / f"kernels-{age}"
        (old / "deep").mkdir(parents=True)
        os.utime(old, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "something-else").mkdir()
    forget_old(tmp_path / "kernels-new")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [*(f"kernels-{age}" for age in range(KEPT)), "something-else"]


def test_a_version_that_has_its_folder_removes_nothing(tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        (tmp_path / f"kernels-{number}").mkdir()
    forget_old(tmp_path / "kernels-0")
    assert len(list(tmp_path.iterdir())) == KEPT + 3
