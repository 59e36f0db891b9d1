"""The verdict as a whole: it refuses what was fished from noise, and lets a real edge pass."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lanner.core.errors import ConfigError, DataError
from lanner.research.blocks import block_moments
from lanner.research.overfit import walk_forward_report
from lanner.research.plateau import plateau_of_grid
from lanner.research.splits import walk_forward
from lanner.research.timing import beyond_holding, timing
from lanner.research.verdict import Evidence, Limits, Verdict, gather, judge
from tests.unit.research.noise import PAIRS, WARM_UP, Floats, cross_returns, trending, white_noise

BARS = 2_000
SEARCHES = 400


def walked(returns: Floats) -> Floats:
    """Choose the best Sharpe ratio in each train range; return what the choices earned in the test ranges."""
    parts = []
    for window in walk_forward(len(returns), 6):
        seen = returns[window.train.slice]
        best = int(np.argmax(seen.mean(axis=0) / np.maximum(seen.std(axis=0), 1e-12)))
        parts.append(returns[window.test.slice, best])
    return np.concatenate(parts)


def search(market: Floats, rng: np.random.Generator, *, long_only: bool = False) -> Verdict:
    """Optimise moving-average crosses over a market and judge the winner."""
    returns = cross_returns(market, long_only=long_only)
    return judged(returns, market[WARM_UP + 1 :], rng)


def judged(returns: Floats, market: Floats, rng: np.random.Generator) -> Verdict:
    """Judge the best of some variants over a market."""
    moments = block_moments(returns, 64)
    best = int(np.argmax(moments.sharpes()))
    unseen = np.concatenate([market[window.test.slice] for window in walk_forward(len(returns), 6)])
    evidence = gather(
        moments,
        returns[:, best],
        rng,
        chosen=best,
        out_of_sample=walked(returns),
        market=market,
        market_out_of_sample=unseen,
        resamples=299,
        splits=250,
    )
    return judge(evidence)


def test_of_strategies_optimised_on_white_noise_at_most_one_in_twenty_passes() -> None:
    assert len(PAIRS) >= 50
    rng = np.random.default_rng(2024)
    verdicts = [search(white_noise(BARS, rng), rng) for _ in range(SEARCHES)]
    passed = sum(verdict.passed for verdict in verdicts)
    assert passed <= 0.05 * SEARCHES
    # No single check does it all: each lets some noise through, and each refuses most of it.
    for place in range(3):
        alone = sum(verdict.checks[place].passed for verdict in verdicts)
        assert 0 < alone <= 0.15 * SEARCHES


@pytest.mark.parametrize(("share", "least"), [(0.03, 0.5), (0.06, 0.85)])
def test_most_real_edges_pass(share: float, least: float) -> None:
    """A hidden trend that explains 3 or 6 % of the variance of returns, in the same 2,000 bars."""
    rng = np.random.default_rng(7)
    passed = [search(trending(BARS, rng, share), rng).passed for _ in range(60)]
    assert np.mean(passed) > least


def others_pass(verdict: Verdict) -> bool:
    """Tell whether all checks but that of timing passed."""
    return all(check.passed for check in verdict.checks if check.name != "timing")


@pytest.mark.parametrize("drift", [0.0005, 0.002])
def test_being_long_in_a_rising_market_is_not_taken_for_skill(drift: float) -> None:
    rng = np.random.default_rng(31)
    verdicts = [search(drift + white_noise(BARS, rng), rng, long_only=True) for _ in range(50)]
    assert sum(verdict.passed for verdict in verdicts) <= 0.05 * len(verdicts)
    assert sum(map(others_pass, verdicts)) >= (0.2 if drift < 0.001 else 0.8) * len(verdicts)
    told = next(verdict for verdict in verdicts if others_pass(verdict))
    (reason,) = told.reasons
    assert reason.startswith("Timing 0.")
    assert "of the market earned" in reason


@pytest.mark.parametrize("exposure", [1.0, 0.5])
def test_always_long_and_long_by_lot_never_pass(exposure: float) -> None:
    rng = np.random.default_rng(32)
    for _ in range(20):
        market = 0.003 + white_noise(BARS, rng)
        held = (rng.random((BARS, 30)) < exposure).astype(float)
        verdict = judged(held * market[:, None] - 1e-6, market, rng)
        assert others_pass(verdict)
        assert not verdict.passed


def test_a_real_edge_passes_long_only_in_a_rising_market_too() -> None:
    rng = np.random.default_rng(33)
    passed = [search(0.0005 + trending(BARS, rng, 0.08), rng, long_only=True).passed for _ in range(40)]
    assert np.mean(passed) > 0.7


def test_a_short_seller_in_a_falling_market_is_asked_for_timing_too() -> None:
    rng = np.random.default_rng(34)
    market = white_noise(BARS, rng) - 0.003
    verdict = judged(-market[:, None] * (rng.random((BARS, 20)) < 0.7), market, rng)
    assert others_pass(verdict)
    assert not verdict.passed


def test_what_is_left_beyond_the_market_is_the_timing_and_nothing_else() -> None:
    rng = np.random.default_rng(35)
    market = 0.002 + white_noise(50_000, rng)
    held = (rng.random(50_000) < 0.4).astype(float)
    rest, share = beyond_holding(held * market, market)
    assert share == pytest.approx(0.4, abs=0.02)
    assert rest.mean() == pytest.approx(0.0, abs=3 * rest.std() / np.sqrt(50_000))
    held_all_the_time = timing(1.5 * market - 1e-9, market, 10, 1e-3)
    assert held_all_the_time.share == pytest.approx(1.5)
    assert (held_all_the_time.sharpe, held_all_the_time.deflated) == (0.0, 0.0)
    with pytest.raises(DataError, match="same samples"):
        beyond_holding(held, market[1:])


def test_an_unlucky_fat_tailed_market_fools_it_no_more_often() -> None:
    rng = np.random.default_rng(8)
    passed = sum(search(0.01 * rng.standard_t(3, BARS), rng).passed for _ in range(100))
    assert passed <= 5


def good() -> Evidence:
    return Evidence(
        sharpe=0.1, bars=2_000, variants=64, trials=64, independent_trials=20.0, probabilistic_sharpe=0.999,
        expected_maximum=0.03, deflated_sharpe=0.99, track_record_needed=400.0, selection_p=0.01,
        out_of_sample_sharpe=0.08, out_of_sample_p=0.02, overfitting=0.1, loss_probability=0.05,
    )  # fmt: skip


def but(**changes: float | None) -> Evidence:
    return replace(good(), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("evidence", "failing"),
    [
        (good(), []),
        (but(deflated_sharpe=0.94), ["deflated_sharpe"]),
        (but(selection_p=0.06), ["selection_p"]),
        (but(selection_p=None), ["selection_p"]),
        (but(out_of_sample_p=0.2), ["out_of_sample_p"]),
        (but(out_of_sample_sharpe=-0.1), ["out_of_sample_p"]),
        (but(out_of_sample_p=None), ["out_of_sample_p"]),
        (but(timing_deflated=0.99, market_share=0.4, timing_out_of_sample_p=0.05), []),
        (but(timing_deflated=0.99, market_share=0.4), []),
        (but(timing_deflated=0.94, market_share=0.4, timing_out_of_sample_p=0.05), ["timing"]),
        (but(timing_deflated=0.99, market_share=0.4, timing_out_of_sample_p=0.26), ["timing"]),
        (but(overfitting=0.7, loss_probability=0.3), ["overfitting"]),
        (but(overfitting=0.7, loss_probability=0.02), []),
        (but(overfitting=None), ["overfitting"]),
        (but(overfitting=None, variants=1), []),
        (but(deflated_sharpe=0.1, selection_p=0.9), ["deflated_sharpe", "selection_p"]),
    ],
)
def test_a_verdict_names_every_check_that_failed(evidence: Evidence, failing: list[str]) -> None:
    verdict = judge(evidence)
    assert [check.name for check in verdict.checks if not check.passed] == failing
    assert verdict.passed is (not failing)
    assert verdict.word == ("FAIL" if failing else "PASS")
    assert len(verdict.reasons) == (len(failing) or len(verdict.checks))
    assert json.loads(json.dumps(verdict.as_dict()))["verdict"] == verdict.word


def test_limits_can_be_set() -> None:
    assert not judge(good(), Limits(deflated_sharpe=0.999)).passed
    assert judge(but(selection_p=0.08), Limits(selection_p=0.1)).passed


def test_warnings_tell_and_do_not_decide() -> None:
    needle = np.full((5, 5), 0.1)
    needle[0, 2] = 2.0
    verdict = judge(
        but(track_record_needed=5_000.0),
        walk_forward=walk_forward_report([4.0, 2.0, 3.0], [0.5, 0.1, 1.5], [-0.1, -0.1, 0.1]),
        plateau=plateau_of_grid(needle),
    )
    assert verdict.passed
    text = " ".join(verdict.warnings)
    for part in ("5,000 bars", "advises reject", "33% of the test windows", "needle", "border"):
        assert part in text
    assert judge(good()).warnings == ()


def test_earlier_trials_count_against_the_winner() -> None:
    rng = np.random.default_rng(9)
    returns = cross_returns(trending(BARS, rng, 0.03))
    moments = block_moments(returns, 64)
    best = int(np.argmax(moments.sharpes()))
    few, many = (
        gather(
            moments,
            returns[:, best],
            np.random.default_rng(1),
            chosen=best,
            trials=trials,
            resamples=100,
            splits=50,
        )
        for trials in (None, 1_000_000)
    )
    assert few.trials == len(PAIRS)
    assert many.trials == 1_000_000
    assert many.deflated_sharpe < few.deflated_sharpe
    assert few.overfitting == many.overfitting
    assert few.out_of_sample_p is None
    assert 1.0 < few.independent_trials < len(PAIRS)


def test_a_single_strategy_without_a_search_is_judged_without_cross_validation() -> None:
    rng = np.random.default_rng(10)
    returns = rng.normal(0.0012, 0.01, (BARS, 1))
    evidence = gather(block_moments(returns, 64), returns[:, 0], rng, out_of_sample=returns[1_000:, 0])
    assert evidence.deflated_sharpe == evidence.probabilistic_sharpe
    assert [check.name for check in judge(evidence).checks] == [
        "deflated_sharpe",
        "selection_p",
        "out_of_sample_p",
    ]
    assert judge(evidence).passed


def test_blocks_that_do_not_halve_are_refused() -> None:
    returns = np.random.default_rng(11).normal(size=(500, 3))
    with pytest.raises(ConfigError, match="even number"):
        gather(block_moments(returns, 35), returns[:, 0], np.random.default_rng(1))
