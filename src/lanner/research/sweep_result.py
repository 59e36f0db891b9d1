"""What a sweep hands back: plain rows and arrays that the table on the screen, the page and the run store read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Params = dict[str, Any]


@dataclass(slots=True)
class Axis:
    """One searched parameter: its name, its values in order, and ``kind`` (int, float, bool, choice)."""

    name: str
    values: list[Any]
    kind: str


@dataclass(slots=True)
class Variant:
    """One set of parameters with its scores and statistics; ``rank`` begins at 1, ``front`` numbers the Pareto front.

    ``statistics`` has at least sharpe, total_return, annualized_return, max_drawdown, profit_factor, win_rate, trades,
    exposure, fees, end_equity; None where a statistic is not defined.
    """

    rank: int
    params: Params
    score: float
    scores: dict[str, float | None]
    statistics: dict[str, float | None]
    front: int = 0


@dataclass(slots=True)
class Heat:
    """Scores over two parameters: ``best`` and ``mean`` over all others, [len(ys)][len(xs)]; None is untried."""

    x: str
    y: str
    xs: list[Any]
    ys: list[Any]
    best: list[list[float | None]]
    mean: list[list[float | None]]


@dataclass(slots=True)
class ForwardStep:
    """One step of a walk-forward: parameters chosen on the training span, judged on the span after it (UNIX ns)."""

    train: tuple[int, int]
    test: tuple[int, int]
    params: Params
    train_score: float | None
    test_score: float | None
    statistics: dict[str, float | None]


@dataclass(slots=True)
class WalkForward:
    """All windows, the out-of-sample equity joined together, and the detector's numbers by name."""

    kind: str
    windows: list[ForwardStep]
    ts: list[int]
    equity: list[float]
    statistics: dict[str, float | None]
    report: dict[str, Any]


@dataclass(slots=True)
class Curve:
    """A sampled equity curve beside buy and hold (UNIX ns, at most a few thousand points)."""

    ts: list[int]
    equity: list[float]
    benchmark: list[float]


@dataclass(slots=True)
class ScoreBins:
    """The scores of all variants counted in bins: ``counts[i]`` of them lie from ``edges[i]`` to ``edges[i + 1]``."""

    edges: list[float]
    counts: list[int]


@dataclass(slots=True)
class SweepResult:
    """Hold everything a search found. ``result_hash`` is equal for equal searches, wherever they ran."""

    run_id: str
    name: str
    strategy: str
    method: str
    engine: str
    objective: str
    objectives: list[str]
    axes: list[Axis]
    constraints: list[str]
    instruments: list[str]
    timeframe: str
    data: list[dict[str, Any]]
    since_ns: int
    until_ns: int
    bars: int
    currency: str
    start_equity: float
    combinations: int
    done: int
    failed: int
    seconds: float
    top: list[Variant]
    score_statistics: dict[str, float | None]
    correlations: dict[str, float | None]
    heats: list[Heat]
    sample: list[Variant]
    best_curve: Curve | None
    walk_forward: WalkForward | None
    verdict: dict[str, Any] | None
    trials: int
    assumptions: list[dict[str, Any]]
    warnings: list[str]
    data_hash: str
    code_hash: str
    result_hash: str
    seed: int
    config: dict[str, Any] = field(default_factory=dict)
    created_at: str = ""
    version: str = ""
    histogram: ScoreBins | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return asdict(self)
