"""One answer to "is it luck?": what was measured, what each measure must reach, and why the answer is no.

The limits are set so that searches on white noise pass in some 1 to 3 of 100 cases, and a real edge of usual
length mostly does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from lanner.analysis.periods import Floats
from lanner.core.errors import ConfigError
from lanner.research.blocks import BlockMoments
from lanner.research.bootstrap import bootstrap_p_value
from lanner.research.overfit import Recommendation, WalkForwardReport
from lanner.research.pbo import MOST_COMBINATIONS, overfitting_probability
from lanner.research.plateau import Plateau, Shape
from lanner.research.selection import superior_ability_of_blocks
from lanner.research.significance import (
    checked,
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
)
from lanner.research.timing import beyond_holding, timing

_MOST_HALVES = 16
_FEWEST_SPLITS = 200
# Variants × splits that are looked at: about a second of work.
_WORK = 40_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Set what a strategy must reach: at least the deflated Sharpe, at most the others.

    `overfitting` may be exceeded while the chosen variant loses money in no more than `loss` of the splits:
    among variants that are all good, the best of one half need not be the best of the other. Timing has to beat the
    luckiest of all trials as the whole has to; what is left of it on unseen data need not be as sure.
    """

    deflated_sharpe: float = 0.95
    selection_p: float = 0.05
    out_of_sample_p: float = 0.10
    timing_out_of_sample_p: float = 0.25
    overfitting: float = 0.5
    loss: float = 0.10


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold what was measured of a chosen variant; None is not measured. Sharpe ratios are per bar.

    `variants` are those of this search, `independent_trials` what they are worth, `trials` all ever tried. Of timing
    all is about what is left when holding `market_share` of the market is taken out.
    """

    sharpe: float
    bars: int
    variants: int
    trials: int
    independent_trials: float
    probabilistic_sharpe: float
    expected_maximum: float
    deflated_sharpe: float
    track_record_needed: float | None
    selection_p: float | None = None
    out_of_sample_sharpe: float | None = None
    out_of_sample_p: float | None = None
    overfitting: float | None = None
    loss_probability: float | None = None
    market_share: float | None = None
    timing_sharpe: float | None = None
    timing_deflated: float | None = None
    timing_out_of_sample_p: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Hold one measure against its limit, with a sentence for people."""

    name: str
    value: float | None
    limit: float
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold the answer: passed only when every check did; warnings tell, they do not decide."""

    passed: bool
    checks: tuple[Check, ...]
    warnings: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """Return PASS or FAIL."""
        return "PASS" if self.passed else "FAIL"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return why it failed, or what was passed."""
        return tuple(check.reason for check in self.checks if check.passed == self.passed)

    def as_dict(self) -> dict[str, object]:
        """Return the parts as plain data for ``--json`` output."""
        return {"verdict": self.word, "reasons": list(self.reasons), **asdict(self)}


def gather(
    moments: BlockMoments,
    returns: Floats,
    rng: np.random.Generator,
    *,
    chosen: int | None = None,
    out_of_sample: Floats | None = None,
    market: Floats | None = None,
    market_out_of_sample: Floats | None = None,
    trials: int | None = None,
    resamples: int = 1_000,
    splits: int | None = None,
) -> Evidence:
    """Measure a chosen variant against the whole list it was picked from.

    `moments` are of all variants, best in 64 blocks; `returns` are the chosen one's per bar, over the same bars,
    `chosen` its number (without one, the best by t-value). `out_of_sample` are the returns of a walk-forward
    that chose anew in every window, test ranges put together. `trials` counts every variant ever tried on
    this question, those of earlier searches too; it is never less than those given. `splits` bounds those of
    the cross-validation. `market` is what holding the market earned at each of `returns`, `market_out_of_sample` the
    same for `out_of_sample`: with them, timing is measured beside the rest.
    """
    series = checked(returns)
    measured = sharpe_moments(series)
    sharpes = moments.sharpes()
    number = max(moments.variants, trials or 0)
    variance = float(np.var(sharpes, ddof=1)) if sharpes.size > 1 else 1.0 / series.size
    crossed = None
    if moments.variants > 1:
        halves = moments.merged(_halves(moments.blocks))
        most = _splits(moments.variants) if splits is None else splits
        crossed = overfitting_probability(halves, rng, combinations_at_most=most)
    outside = None if out_of_sample is None else checked(out_of_sample, 8)
    timed = None if market is None else timing(series, market, number, variance)
    unseen = None
    if market_out_of_sample is not None and outside is not None:
        unseen = bootstrap_p_value(beyond_holding(outside, market_out_of_sample)[0], rng, resamples=resamples)
    return Evidence(
        sharpe=measured.sharpe,
        bars=measured.samples,
        variants=moments.variants,
        trials=number,
        independent_trials=effective_trials(moments.variants, moments.mean_correlation()),
        probabilistic_sharpe=probabilistic_sharpe(measured),
        expected_maximum=expected_maximum_sharpe(number, variance),
        deflated_sharpe=deflated_sharpe(measured, number, variance),
        track_record_needed=minimum_track_record(measured),
        selection_p=superior_ability_of_blocks(moments, rng, chosen=chosen, resamples=resamples).p_value,
        out_of_sample_sharpe=None if outside is None else sharpe_moments(outside).sharpe,
        out_of_sample_p=None if outside is None else bootstrap_p_value(outside, rng, resamples=resamples),
        overfitting=None if crossed is None else crossed.probability,
        loss_probability=None if crossed is None else crossed.loss_probability,
        market_share=None if timed is None else timed.share,
        timing_sharpe=None if timed is None else timed.sharpe,
        timing_deflated=None if timed is None else timed.deflated,
        timing_out_of_sample_p=unseen,
    )


def _halves(blocks: int) -> int:
    """Return the largest even number of blocks, at most 16, that these merge into."""
    for wanted in range(_MOST_HALVES, 3, -2):
        if blocks % wanted == 0:
            return wanted
    raise ConfigError("blocks do not merge into an even number", expected="a multiple of 16", found=blocks)


def _splits(variants: int) -> int:
    return min(MOST_COMBINATIONS, max(_FEWEST_SPLITS, _WORK // variants))


def judge(
    evidence: Evidence,
    limits: Limits | None = None,
    *,
    walk_forward: WalkForwardReport | None = None,
    plateau: Plateau | None = None,
) -> Verdict:
    """Hold evidence against limits; what was not measured is not passed.

    A single variant, with nothing to choose from, cannot be overfitted by choosing: that check is left out. So is that
    of timing where the market's own returns were not given.
    """
    limits = limits or Limits()
    checks = [_deflated(evidence, limits), _selection(evidence, limits), _outside(evidence, limits)]
    if evidence.timing_deflated is not None:
        checks.append(_timed(evidence, limits))
    if evidence.variants > 1:
        checks.append(_crossed(evidence, limits))
    return Verdict(
        all(check.passed for check in checks), tuple(checks), _warnings(evidence, walk_forward, plateau)
    )


def _deflated(evidence: Evidence, limits: Limits) -> Check:
    value, limit = evidence.deflated_sharpe, limits.deflated_sharpe
    passed = value >= limit
    beaten = "better than" if passed else "not clearly better than"
    return Check(
        "deflated_sharpe", value, limit, passed,
        f"Deflated Sharpe {value:.2f} (needs {limit:.2f}): {beaten} the luckiest of {evidence.trials:,} trials.",
    )  # fmt: skip


def _selection(evidence: Evidence, limits: Limits) -> Check:
    value, limit = evidence.selection_p, limits.selection_p
    if value is None:
        return Check("selection_p", None, limit, False, "The best of the list was not tested against luck.")
    passed = value <= limit
    return Check(
        "selection_p", value, limit, passed,
        f"Best-of-many p-value {value:.3f} (at most {limit:.2f}): a list without any skill has a best like this "
        f"in {value:.1%} of cases.",
    )  # fmt: skip


def _outside(evidence: Evidence, limits: Limits) -> Check:
    value, limit = evidence.out_of_sample_p, limits.out_of_sample_p
    if value is None:
        return Check(
            "out_of_sample_p", None, limit, False, "No walk-forward: nothing was tested on unseen data."
        )
    passed = value <= limit and (evidence.out_of_sample_sharpe or 0.0) > 0.0
    what = "it holds up" if passed else "luck explains it"
    return Check(
        "out_of_sample_p", value, limit, passed,
        f"Out-of-sample p-value {value:.3f} (at most {limit:.2f}): on data it was not fitted to, {what}.",
    )  # fmt: skip


def _timed(evidence: Evidence, limits: Limits) -> Check:
    value, limit = evidence.timing_deflated or 0.0, limits.deflated_sharpe
    unseen, share = evidence.timing_out_of_sample_p, evidence.market_share or 0.0
    held = f"Timing {value:.2f} (needs {limit:.2f}): without what holding {share:.0%} of the market earned"
    if value < limit:
        return Check(
            "timing", value, limit, False, f"{held}, not clearly better than luck at choosing moments."
        )
    most = limits.timing_out_of_sample_p
    if unseen is not None and unseen > most:
        why = f"luck explains the rest on unseen data (p-value {unseen:.3f}, at most {most:.2f})."
        return Check("timing", value, limit, False, f"{held}, {why}")
    return Check(
        "timing", value, limit, True, f"{held}, what is left is better than the luckiest of all trials."
    )


def _crossed(evidence: Evidence, limits: Limits) -> Check:
    value, limit, loss = evidence.overfitting, limits.overfitting, evidence.loss_probability
    if value is None or loss is None:
        return Check("overfitting", None, limit, False, "The search was not cross-validated.")
    equals = value > limit and loss <= limits.loss
    passed = value <= limit or equals
    what = "its rank is luck, its profit is not" if equals else f"it loses money in {loss:.0%} of halves"
    return Check(
        "overfitting", value, limit, passed,
        f"Probability of overfitting {value:.2f} (at most {limit:.2f}): the best of one half of the time is "
        f"below the middle in the other this often; {what}.",
    )  # fmt: skip


def _warnings(
    evidence: Evidence, walk_forward: WalkForwardReport | None, plateau: Plateau | None
) -> tuple[str, ...]:
    found = []
    needed = evidence.track_record_needed
    if needed is not None and needed > evidence.bars:
        found.append(
            f"Its Sharpe ratio takes {needed:,.0f} bars to tell from 0; there are {evidence.bars:,}."
        )
    if walk_forward is not None:
        advice = walk_forward.detection.recommendation
        if advice in {Recommendation.REJECT, Recommendation.CAUTION}:
            found.append(f"The overfitting detector advises {advice}: train and test windows differ.")
        if walk_forward.consistency <= 0.5:
            found.append(f"Only {walk_forward.consistency:.0%} of the test windows made money.")
    if plateau is not None and plateau.shape is Shape.NEEDLE:
        found.append("The best parameters are a needle: their neighbours score less than half as much.")
    if plateau is not None and plateau.on_edge:
        found.append("The best parameters lie on the border of what was searched.")
    return tuple(found)
