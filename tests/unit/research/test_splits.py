"""Windows and folds: laid out by hand, and laws that hold for any."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lanner.core.errors import LannerError
from lanner.research.splits import (
    Span,
    SplitError,
    SplitFault,
    SplitKind,
    SplitPlan,
    backtest_paths,
    purged_folds,
    walk_forward,
)

KINDS = st.sampled_from(list(SplitKind))


def rows_of(spans: Iterable[Span]) -> list[int]:
    return [row for span in spans for row in range(*span)]


def edges(plan: SplitPlan, rows: int) -> list[tuple[int, int, int, int]]:
    return [(*window.train, *window.test) for window in plan.windows(rows)]


def test_windows_of_a_thousand_rows_are_those_laid_by_hand() -> None:
    assert edges(SplitPlan(), 1_000) == [(0, 700, 700, 1_000)]
    assert edges(SplitPlan(gap=50), 1_000) == [(0, 700, 750, 1_000)]
    rolling = SplitPlan(SplitKind.ROLLING, train_ratio=0.4, test_ratio=0.2)
    assert edges(rolling, 1_000) == [
        (0, 400, 400, 600), (100, 500, 500, 700), (200, 600, 600, 800), (300, 700, 700, 900), (400, 800, 800, 1_000),
    ]  # fmt: skip
    expanding = SplitPlan(SplitKind.EXPANDING)
    assert edges(expanding, 1_000) == [(0, 350, 350, 650), (0, 525, 525, 825), (0, 700, 700, 1_000)]
    anchored = SplitPlan(SplitKind.ANCHORED, train_ratio=0.4, test_ratio=0.2, step=200, gap=10)
    assert edges(anchored, 1_000) == [(0, 400, 410, 610), (0, 600, 610, 810)]
    assert len(SplitPlan(SplitKind.ROLLING, 0.4, 0.2, max_windows=2).windows(1_000)) == 2


@pytest.mark.parametrize(
    ("plan", "rows", "fault"),
    [
        (SplitPlan(train_ratio=0.0), 1_000, SplitFault.INVALID_TRAIN_RATIO),
        (SplitPlan(train_ratio=1.0), 1_000, SplitFault.INVALID_TRAIN_RATIO),
        (SplitPlan(train_ratio=math.nan), 1_000, SplitFault.INVALID_TRAIN_RATIO),
        (SplitPlan(test_ratio=0.0), 1_000, SplitFault.INVALID_TEST_RATIO),
        (SplitPlan(test_ratio=0.4), 1_000, SplitFault.RATIO_SUM_EXCEEDS_ONE),
        (SplitPlan(min_train=9), 1_000, SplitFault.TRAIN_SIZE_TOO_SMALL),
        (SplitPlan(train_ratio=0.05), 1_000, SplitFault.TRAIN_SIZE_TOO_SMALL),
        (SplitPlan(SplitKind.EXPANDING, train_ratio=0.05), 1_000, SplitFault.TRAIN_SIZE_TOO_SMALL),
        (SplitPlan(min_test=4), 1_000, SplitFault.TEST_SIZE_TOO_SMALL),
        (SplitPlan(test_ratio=0.01), 1_000, SplitFault.TEST_SIZE_TOO_SMALL),
        (SplitPlan(), 129, SplitFault.INSUFFICIENT_DATA),
        (SplitPlan(gap=280), 1_000, SplitFault.INSUFFICIENT_TEST_DATA),
        (SplitPlan(gap=-1), 1_000, SplitFault.INVALID_WINDOWS),
        (SplitPlan(step=0), 1_000, SplitFault.INVALID_WINDOWS),
        (SplitPlan(max_windows=0), 1_000, SplitFault.INVALID_WINDOWS),
    ],
)
def test_a_split_that_cannot_be_made_names_its_condition(
    plan: SplitPlan, rows: int, fault: SplitFault
) -> None:
    with pytest.raises(SplitError) as caught:
        plan.windows(rows)
    assert caught.value.fault is fault
    assert isinstance(caught.value, LannerError)
    assert caught.value.as_dict()["fault"] == fault.value


@given(
    KINDS, st.integers(130, 5_000), st.floats(0.1, 0.9), st.floats(0.05, 0.5), st.integers(0, 50),
    st.none() | st.integers(1, 800),
)  # fmt: skip
def test_no_window_tests_what_it_trained_on(
    kind: SplitKind, rows: int, train: float, test: float, gap: int, step: int | None
) -> None:
    assume(train + test <= 1.0)
    plan = SplitPlan(kind, train, test, step, 20, 5, gap=gap)
    try:
        windows = plan.windows(rows)
    except SplitError:
        return
    assert windows
    for window in windows:
        assert 0 <= window.train.start < window.train.stop
        assert window.train.stop + gap == window.test.start < window.test.stop <= rows
        assert window.train.size >= 20
        assert window.test.size >= 5
    starts = [window.train.start for window in windows]
    sizes = [window.train.size for window in windows]
    if kind is SplitKind.ROLLING:
        assert len(set(sizes)) == 1
    else:
        assert set(starts) == {0}
    assert [window.test.start for window in windows] == sorted({window.test.start for window in windows})


@given(
    st.sampled_from([SplitKind.ROLLING, SplitKind.EXPANDING, SplitKind.ANCHORED]), st.integers(300, 20_000),
    st.integers(1, 20), st.floats(0.3, 0.9), st.integers(0, 30),
)  # fmt: skip
def test_a_walk_forward_tests_every_row_after_the_first_train_range_once(
    kind: SplitKind, rows: int, count: int, ratio: float, gap: int
) -> None:
    try:
        windows = walk_forward(rows, count, train_ratio=ratio, kind=kind, gap=gap, min_train=20, min_test=5)
    except SplitError:
        return
    assert len(windows) == count
    assert windows[0].train.start == 0
    assert [window.test.start for window in windows[1:]] == [window.test.stop for window in windows[:-1]]
    assert windows[-1].test.stop == rows
    assert windows[0].test.start == windows[0].train.stop + gap
    assert all(window.train.stop + gap == window.test.start for window in windows)
    sizes = [window.test.size for window in windows]
    assert max(sizes) - min(sizes) <= 1
    share = windows[0].train.size / (windows[0].train.size + sum(sizes) / count)
    assert share == pytest.approx(ratio, abs=0.02 + 2.0 / windows[0].train.size + 2.0 * count / rows)
    if kind is SplitKind.ROLLING:
        assert {window.train.size for window in windows} == {windows[0].train.size}


def test_a_walk_forward_over_too_little_data_says_so() -> None:
    cases: list[tuple[Callable[[], object], SplitFault]] = [
        (lambda: walk_forward(200, 8), SplitFault.INSUFFICIENT_TEST_DATA),
        (lambda: walk_forward(300, 8, train_ratio=0.1), SplitFault.INSUFFICIENT_DATA),
        (lambda: walk_forward(1_000, 0), SplitFault.INVALID_WINDOWS),
        (lambda: walk_forward(1_000, kind=SplitKind.FIXED_RATIO), SplitFault.INVALID_WINDOWS),
        (lambda: walk_forward(1_000, train_ratio=1.0), SplitFault.INVALID_TRAIN_RATIO),
    ]
    for call, fault in cases:
        with pytest.raises(SplitError) as caught:
            call()
        assert caught.value.fault is fault


def test_purged_folds_of_twenty_rows_are_those_laid_by_hand() -> None:
    folds = purged_folds(20, 4, horizon=2, embargo=1)
    assert [fold.test for fold in folds] == [(Span(5 * k, 5 * k + 5),) for k in range(4)]
    assert folds[0].train == (Span(8, 20),)
    assert folds[1].train == (Span(0, 3), Span(13, 20))
    assert folds[3].train == (Span(0, 13),)


@given(
    st.integers(20, 300), st.integers(2, 7), st.integers(1, 6), st.integers(0, 6), st.integers(0, 6),
)  # fmt: skip
def test_no_training_outcome_reaches_into_a_test_range(
    rows: int, groups: int, tested: int, horizon: int, embargo: int
) -> None:
    assume(tested < groups)
    try:
        folds = purged_folds(rows, groups, tested=tested, horizon=horizon, embargo=embargo)
    except SplitError:  # nothing was left to train on
        assume(False)
        raise
    assert len(folds) == math.comb(groups, tested)
    for fold in folds:
        test = set(rows_of(fold.test))
        for row in range(rows):
            known = any(later in test for later in range(row, row + horizon + 1))
            remembered = any(row - back in test for back in range(horizon + embargo + 1))
            assert (row in set(rows_of(fold.train))) == (not known and not remembered)
    counts = [rows_of(fold.test).count(0) for fold in folds]
    assert sum(counts) == math.comb(groups - 1, tested - 1)


def test_combinatorial_folds_hold_whole_histories() -> None:
    """López de Prado's figure: 6 groups, 2 tested, 15 folds, 5 paths."""
    folds = purged_folds(600, 6, tested=2)
    paths = backtest_paths(folds)
    assert (len(folds), len(paths)) == (15, 5)
    used = [(fold, group) for path in paths for group, fold in enumerate(path)]
    assert len(used) == len(set(used)) == 30
    assert all(group in folds[fold].groups for fold, group in used)


def test_folds_that_cannot_be_cut_are_refused() -> None:
    for groups, tested in ((1, 1), (5, 5), (5, 0), (40, 20)):
        with pytest.raises(SplitError) as caught:
            purged_folds(1_000, groups, tested=tested)
        assert caught.value.fault is SplitFault.INVALID_FOLDS
    with pytest.raises(SplitError, match="after purging"):
        purged_folds(20, 2, horizon=30)


def test_a_span_cuts_an_array() -> None:
    assert list(range(10))[Span(2, 5).slice] == [2, 3, 4]
    assert Span(2, 5).size == 3
