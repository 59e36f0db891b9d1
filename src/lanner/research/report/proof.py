"""The verdict in rows: what was measured against luck, what it had to reach, and what that means in one line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lanner.analysis import show_number
from lanner.research.report.words import NOT_DEFINED
from lanner.research.sweep_result import SweepResult

# Check of a verdict → (label, how its limit is to be read, meaning).
_CHECKS = {
    "deflated_sharpe": (
        "Deflated Sharpe", "≥", "Probability that the best is better than the luckiest of all trials would look.",
    ),
    "selection_p": (
        "Best-of-many p-value (SPA)", "≤", "How often a list without any skill has a best as good as this one.",
    ),
    "out_of_sample_p": (
        "Out-of-sample p-value", "≤", "How often luck alone does as well on the data that nothing was fitted to.",
    ),
    "timing": (
        "Timing", "≥", "The same as the deflated Sharpe, without what holding its share of the market earned.",
    ),
    "overfitting": (
        "Probability of overfitting (PBO)", "≤", "How often the best of one half of time is below the other's middle.",
    ),
}  # fmt: skip
_EVIDENCE = {
    "probabilistic_sharpe": (
        "Probabilistic Sharpe",
        "Probability that the true Sharpe ratio is above 0, had only one been tried.",
    ),
    "market_share": ("Share of the market", "What holding all the time moves as much with the market as it did."),
    "timing_out_of_sample_p": (
        "Timing, out of sample",
        "How often luck alone chooses moments as good on the data that nothing was fitted to.",
    ),
    "independent_trials": ("Independent trials", "What the correlated variants of this search are worth."),
    "track_record_needed": (
        "Bars needed",
        "Length of record that tells this Sharpe ratio from 0 with 95% confidence.",
    ),
    "loss_probability": ("Loses out of sample", "Share of halves in which the best of the other half loses money."),
}  # fmt: skip
_FORWARD = {
    "consistency": ("Consistency", "Share of the test windows that made money."),
    "parameter_stability": (
        "Parameter stability",
        "1: every window chooses the same parameters; 0: they jump from end to end.",
    ),
    "correlation": ("Train to test correlation", "Whether windows that train well also test well."),
    "probability": ("Overfitting detector", "Score of the fall and scatter from train to test; overfit above 0.7."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proof:
    """Hold one row: `needs` is the limit in words, `tone` is good, bad or empty where nothing is decided."""

    key: str
    label: str
    value: str
    needs: str
    tone: str
    meaning: str


def number_of(value: object) -> float | None:
    """Return a value as a finite number, None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _three(value: object) -> str:
    found = number_of(value)
    if found is None:
        return NOT_DEFINED
    if 0.0 < abs(found) < 0.001:
        return "< 0.001" if found > 0.0 else "−0.000"
    return f"{found:.3f}".replace("-", "−")


def checks(result: SweepResult) -> list[Proof]:
    """Return the checks that decide the verdict."""
    rows = []
    for check in (result.verdict or {}).get("checks", ()):
        name = str(check.get("name", "?"))
        label, sense, meaning = _CHECKS.get(name, (name.replace("_", " "), "", str(check.get("reason", ""))))
        limit = number_of(check.get("limit"))
        rows.append(
            Proof(
                name, label, _three(check.get("value")), f"{sense} {limit:g}" if limit is not None else "",
                "good" if check.get("passed") else "bad", meaning,
            )
        )  # fmt: skip
    return rows


def measures(result: SweepResult) -> list[Proof]:
    """Return what was measured beside the checks: the number of trials, and how the walk-forward went."""
    rows = [
        Proof("trials", "Trials", f"{result.trials:,}", "", "",
              "Variants ever tried on this question, earlier searches included: more trials, luckier best.")
    ]  # fmt: skip
    evidence = (result.verdict or {}).get("evidence")
    if isinstance(evidence, Mapping):
        rows += [
            Proof(name, label, _measure(name, evidence[name]), "", "", meaning)
            for name, (label, meaning) in _EVIDENCE.items()
            if name in evidence
        ]
    report = forward_numbers(result)
    if report:
        rows += _forward_rows(report)
    return rows


def forward_numbers(result: SweepResult) -> dict[str, Any]:
    """Return the walk-forward's report without nesting: the numbers of its detector stand beside the others."""
    if result.walk_forward is None:
        return {}
    flat: dict[str, Any] = {}
    for name, value in result.walk_forward.report.items():
        if isinstance(value, Mapping):
            flat.update(value)
        else:
            flat[name] = value
    return flat


def _forward_rows(report: Mapping[str, Any]) -> list[Proof]:
    rows = []
    train, test = number_of(report.get("train_sharpe")), number_of(report.get("test_sharpe"))
    if train is not None and test is not None:
        rows.append(
            Proof("sharpe", "Sharpe, train → test", f"{show_number(train)} → {show_number(test)}", "",
                  "bad" if test <= 0.0 else "", "What is left of the fitted Sharpe ratio where it was not fitted.")
        )  # fmt: skip
    for name, (label, meaning) in _FORWARD.items():
        if name in report:
            rows.append(Proof(name, label, _measure(name, report[name]), "", "", meaning))
    if report.get("recommendation"):
        advice = str(report["recommendation"]).replace("_", " ")
        tone = {"proceed": "good", "reject": "bad"}.get(advice, "")
        rows.append(
            Proof(
                "recommendation",
                "Detector advises",
                advice,
                "",
                tone,
                "What the detector makes of train against test.",
            )
        )
    return rows


def _measure(name: str, value: object) -> str:
    found = number_of(value)
    if found is None:
        return NOT_DEFINED
    if name in {"consistency", "loss_probability", "market_share"}:
        return f"{found:.0%}"
    if name in {"independent_trials", "track_record_needed"}:
        return f"{found:,.0f}"
    return _three(found)


def verdict_word(result: SweepResult) -> str:
    """Return PASS, FAIL, or an empty text where nothing was judged."""
    if result.verdict is None:
        return ""
    return "PASS" if result.verdict.get("passed") else "FAIL"


def verdict_line(result: SweepResult) -> str:
    """Return the verdict in one sentence."""
    word, rows = verdict_word(result), checks(result)
    if not word:
        return "Not judged: nothing here tells skill from luck."
    if word == "PASS":
        return f"Luck is an unlikely explanation: {len(rows)} of {len(rows)} checks passed."
    failed = sum(row.tone == "bad" for row in rows)
    return f"Luck is not ruled out: {failed} of {len(rows)} checks failed."


def reasons(result: SweepResult) -> list[str]:
    """Return why the verdict is what it is, in sentences."""
    return [str(item) for item in (result.verdict or {}).get("reasons", ())]


def cautions(result: SweepResult) -> list[str]:
    """Return the verdict's warnings, which tell but do not decide."""
    return [str(item) for item in (result.verdict or {}).get("warnings", ())]
