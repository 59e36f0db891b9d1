"""Research at memory speed, and proof against fooling oneself."""

from lanner.research.blocks import BlockMoments, block_moments
from lanner.research.bootstrap import bootstrap_interval, bootstrap_p_value
from lanner.research.montecarlo import simulate_trades
from lanner.research.objectives import OBJECTIVES, Objective, objective
from lanner.research.overfit import detect_overfitting, walk_forward_report
from lanner.research.pareto import pareto_front, pareto_ranks
from lanner.research.pbo import overfitting_probability
from lanner.research.permutation import shift_test, sign_flip_test
from lanner.research.plateau import plateau_of_grid, plateau_of_scores
from lanner.research.selection import superior_ability, superior_ability_of_blocks
from lanner.research.significance import (
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
)
from lanner.research.splits import SplitKind, SplitPlan, backtest_paths, purged_folds, walk_forward
from lanner.research.vector_combine import combine_signals
from lanner.research.verdict import Evidence, Limits, Verdict, gather, judge

__all__ = [
    "OBJECTIVES",
    "BlockMoments",
    "Evidence",
    "Limits",
    "Objective",
    "SplitKind",
    "SplitPlan",
    "Verdict",
    "backtest_paths",
    "block_moments",
    "bootstrap_interval",
    "bootstrap_p_value",
    "combine_signals",
    "deflated_sharpe",
    "detect_overfitting",
    "expected_maximum_sharpe",
    "gather",
    "judge",
    "minimum_track_record",
    "objective",
    "overfitting_probability",
    "pareto_front",
    "pareto_ranks",
    "plateau_of_grid",
    "plateau_of_scores",
    "probabilistic_sharpe",
    "purged_folds",
    "sharpe_moments",
    "shift_test",
    "sign_flip_test",
    "simulate_trades",
    "superior_ability",
    "superior_ability_of_blocks",
    "walk_forward",
    "walk_forward_report",
]
