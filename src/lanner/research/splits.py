"""Cut time into what is fitted and what is judged: walk-forward windows, and purged cross-validation.

All ranges are half-open and count rows (bars) from 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, pairwise
from typing import NamedTuple

from lanner.core.errors import ConfigError

_MOST_FOLDS = 20_000


class SplitFault(StrEnum):
    """Name why data cannot be split as asked."""

    INVALID_TRAIN_RATIO = "InvalidTrainRatio"
    INVALID_TEST_RATIO = "InvalidTestRatio"
    RATIO_SUM_EXCEEDS_ONE = "RatioSumExceedsOne"
    TRAIN_SIZE_TOO_SMALL = "TrainSizeTooSmall"
    TEST_SIZE_TOO_SMALL = "TestSizeTooSmall"
    INSUFFICIENT_DATA = "InsufficientData"
    INSUFFICIENT_TEST_DATA = "InsufficientTestData"
    INVALID_WINDOWS = "InvalidWindows"
    INVALID_FOLDS = "InvalidFolds"


class SplitError(ConfigError):
    """Data cannot be split as asked; `fault` says which condition was broken."""

    def __init__(
        self, fault: SplitFault, what: str, *, expected: str, found: object, fix: str | None = None
    ) -> None:
        self.fault = fault
        super().__init__(what, expected=expected, found=found, fix=fix)

    def as_dict(self) -> dict[str, object]:
        """Return the parts as plain data, the broken condition among them."""
        return {**super().as_dict(), "fault": str(self.fault)}


class Span(NamedTuple):
    """Name the rows from `start` up to and without `stop`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Return the number of rows."""
        return self.stop - self.start

    @property
    def slice(self) -> slice:
        """Return the rows as a slice for an array."""
        return slice(self.start, self.stop)


class Window(NamedTuple):
    """Hold one step of a walk-forward: fit on `train`, judge on `test`, which lies after it."""

    train: Span
    test: Span


class Fold(NamedTuple):
    """Hold one fold of a cross-validation: several ranges each, `groups` the numbers of those tested."""

    train: tuple[Span, ...]
    test: tuple[Span, ...]
    groups: tuple[int, ...]


class SplitKind(StrEnum):
    """Name the ways to lay windows over time.

    `fixed_ratio`: one window. `rolling`: a train range of one length moves on. `expanding`: the train range
    begins at row 0 and grows from half of its ratio (and no less than `min_train`). `anchored`: the same from
    its full ratio.
    """

    FIXED_RATIO = "fixed_ratio"
    ROLLING = "rolling"
    EXPANDING = "expanding"
    ANCHORED = "anchored"


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """Describe windows as ratios of all rows.

    `test_ratio` is 1 − `train_ratio` unless given, `step` (rows) a quarter of the train range, at least 1. Step
    by less than a test range and the test ranges overlap: then out-of-sample rows count more than once, and
    only `walk_forward` lays windows that never do. `gap` rows between train and test are left out.
    """

    kind: SplitKind = SplitKind.FIXED_RATIO
    train_ratio: float = 0.7
    test_ratio: float | None = None
    step: int | None = None
    min_train: int = 100
    min_test: int = 30
    max_windows: int | None = None
    gap: int = 0

    def windows(self, rows: int) -> tuple[Window, ...]:
        """Lay the windows over `rows` rows, in the order of time; a SplitError says why there are none."""
        test_ratio = 1.0 - self.train_ratio if self.test_ratio is None else self.test_ratio
        self._check(test_ratio)
        needed = self.min_train + self.gap + self.min_test
        if rows < needed:
            raise _fault(SplitFault.INSUFFICIENT_DATA, f"at least {needed} rows", rows)
        train, test = round(rows * self.train_ratio), round(rows * test_ratio)
        first = max(self.min_train, train // 2) if self.kind is SplitKind.EXPANDING else train
        if train < self.min_train:
            raise _fault(
                SplitFault.TRAIN_SIZE_TOO_SMALL, f"at least {self.min_train} rows to train on", first
            )
        if test < self.min_test:
            raise _fault(SplitFault.TEST_SIZE_TOO_SMALL, f"at least {self.min_test} rows to test on", test)
        left = rows - first - self.gap
        if left < self.min_test:
            raise _fault(
                SplitFault.INSUFFICIENT_TEST_DATA, f"at least {self.min_test} rows after train and gap", left
            )
        if self.kind is SplitKind.FIXED_RATIO:
            begin = train + self.gap
            return (Window(Span(0, train), Span(begin, min(begin + test, rows))),)
        step = max(1, train // 4) if self.step is None else self.step
        return _march(rows, first, min(test, left), step, self.gap, self.kind, self.max_windows)

    def _check(self, test_ratio: float) -> None:
        if not 0.0 < self.train_ratio < 1.0:
            raise _fault(SplitFault.INVALID_TRAIN_RATIO, "a train ratio inside 0…1", self.train_ratio)
        if not 0.0 < test_ratio < 1.0:
            raise _fault(SplitFault.INVALID_TEST_RATIO, "a test ratio inside 0…1", test_ratio)
        if self.train_ratio + test_ratio > 1.0 + 1e-9:
            raise _fault(
                SplitFault.RATIO_SUM_EXCEEDS_ONE,
                "ratios that sum to at most 1",
                self.train_ratio + test_ratio,
            )
        if self.min_train < 10:
            raise _fault(SplitFault.TRAIN_SIZE_TOO_SMALL, "min_train of at least 10", self.min_train)
        if self.min_test < 5:
            raise _fault(SplitFault.TEST_SIZE_TOO_SMALL, "min_test of at least 5", self.min_test)
        for name, value, least in (
            ("gap", self.gap, 0), ("step", self.step, 1), ("max_windows", self.max_windows, 1),
        ):  # fmt: skip
            if value is not None and value < least:
                raise _fault(SplitFault.INVALID_WINDOWS, f"{name} of at least {least}", value)


_WHAT = {
    SplitFault.INVALID_TRAIN_RATIO: "this is no share of the data to train on",
    SplitFault.INVALID_TEST_RATIO: "this is no share of the data to test on",
    SplitFault.RATIO_SUM_EXCEEDS_ONE: "train and test are more than all data",
    SplitFault.TRAIN_SIZE_TOO_SMALL: "too few rows to train on",
    SplitFault.TEST_SIZE_TOO_SMALL: "too few rows to test on",
    SplitFault.INSUFFICIENT_DATA: "too few rows to split",
    SplitFault.INSUFFICIENT_TEST_DATA: "too few rows are left to test on",
    SplitFault.INVALID_WINDOWS: "windows cannot be laid like this",
    SplitFault.INVALID_FOLDS: "folds cannot be cut like this",
}


def _fault(fault: SplitFault, expected: str, found: object) -> SplitError:
    more_data = fault in {SplitFault.INSUFFICIENT_DATA, SplitFault.INSUFFICIENT_TEST_DATA}
    return SplitError(
        fault, _WHAT[fault], expected=expected, found=found,
        fix="Take more data, a finer timeframe or fewer windows." if more_data else None,
    )  # fmt: skip


def _march(
    rows: int, train: int, test: int, step: int, gap: int, kind: SplitKind, most: int | None
) -> tuple[Window, ...]:
    windows: list[Window] = []
    stop = train
    while stop + gap + test <= rows and (most is None or len(windows) < most):
        start = stop - train if kind is SplitKind.ROLLING else 0
        windows.append(Window(Span(start, stop), Span(stop + gap, stop + gap + test)))
        stop += step
    return tuple(windows)


def walk_forward(
    rows: int,
    windows: int = 8,
    *,
    train_ratio: float = 0.7,
    kind: SplitKind = SplitKind.ROLLING,
    gap: int = 0,
    min_train: int = 100,
    min_test: int = 30,
) -> tuple[Window, ...]:
    """Lay windows whose test ranges follow each other without overlap up to the last row.

    `train_ratio` is the share of train rows in a window (in the first one, where the range grows). Every row
    after the first train range and gap is tested exactly once: the tests put together are one out-of-sample
    history.
    """
    if not 0.0 < train_ratio < 1.0:
        raise _fault(SplitFault.INVALID_TRAIN_RATIO, "a train ratio inside 0…1", train_ratio)
    if windows < 1 or gap < 0 or kind is SplitKind.FIXED_RATIO:
        raise _fault(
            SplitFault.INVALID_WINDOWS,
            "1 or more windows that move, gap of at least 0",
            f"{windows} {kind}, gap {gap}",
        )
    # train + gap + windows · test = rows, train = test · ratio / (1 − ratio).
    test = (rows - gap) / (windows + train_ratio / (1.0 - train_ratio))
    train = rows - gap - math.floor(test * windows)
    if math.floor(test) < min_test:
        raise _fault(
            SplitFault.INSUFFICIENT_TEST_DATA, f"{min_test} rows or more per test range", math.floor(test)
        )
    if train < min_train:
        raise _fault(SplitFault.INSUFFICIENT_DATA, f"{min_train} rows or more per train range", train)
    edges = [train + gap + round((rows - gap - train) * part / windows) for part in range(windows + 1)]
    return tuple(
        Window(Span(start - gap - train if kind is SplitKind.ROLLING else 0, start - gap), Span(start, stop))
        for start, stop in pairwise(edges)
    )


def _outside(rows: int, test: tuple[Span, ...], before: int, after: int) -> tuple[Span, ...]:
    """Return the rows that lie at least `before` rows before and `after` rows after every test range."""
    train: list[Span] = []
    start = 0
    for span in test:
        if span.start - before > start:
            train.append(Span(start, span.start - before))
        start = max(start, span.stop + after)
    if start < rows:
        train.append(Span(start, rows))
    return tuple(train)


def purged_folds(
    rows: int, groups: int = 5, *, tested: int = 1, horizon: int = 0, embargo: int = 0
) -> tuple[Fold, ...]:
    """Cut rows into groups and test every combination of `tested` of them, training on what is left.

    One tested group is purged k-fold; more make combinatorial purged cross-validation (CPCV). A row's outcome
    is known `horizon` rows later (a position's longest life): train rows whose outcome would reach into a test
    range are purged, and so are rows after one that its outcomes reach. `embargo` more rows after a test range
    are left out, for indicators that still remember it.
    Source: López de Prado (2018), "Advances in Financial Machine Learning", chapters 7 and 12.
    """
    valid = 2 <= groups <= rows and 1 <= tested < groups and horizon >= 0 and embargo >= 0
    if not valid or math.comb(groups, tested) > _MOST_FOLDS:
        raise _fault(
            SplitFault.INVALID_FOLDS,
            f"2 or more groups of rows, fewer tested than there are, at most {_MOST_FOLDS} combinations",
            f"{tested} of {groups} groups of {rows} rows, horizon {horizon}, embargo {embargo}",
        )
    edges = [rows * group // groups for group in range(groups + 1)]
    folds = []
    for chosen in combinations(range(groups), tested):
        test = tuple(Span(edges[group], edges[group + 1]) for group in chosen)
        train = _outside(rows, test, horizon, horizon + embargo)
        if not train:
            raise _fault(
                SplitFault.INSUFFICIENT_DATA,
                "rows to train on after purging",
                f"none with groups {chosen} tested",
            )
        folds.append(Fold(train, test, chosen))
    return tuple(folds)


def backtest_paths(folds: tuple[Fold, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the out-of-sample histories that the folds of `purged_folds` contain.

    Each path names, for every group in the order of time, the number of the fold that tests it there; no
    (fold, group) is used twice. With k of N groups tested there are k/N · C(N, k) paths.
    """
    groups = max(group for fold in folds for group in fold.groups) + 1
    testers: list[list[int]] = [[] for _ in range(groups)]
    for number, fold in enumerate(folds):
        for group in fold.groups:
            testers[group].append(number)
    return tuple(zip(*testers, strict=True))
