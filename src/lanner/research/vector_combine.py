"""Several signals made into one: where they point together, and how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lanner.analysis.periods import Floats
from lanner.core.errors import ConfigError


def combine_signals(
    *signals: Any,
    how: Literal["all", "any", "majority"] = "majority",
    strengths: Sequence[float] | None = None,
) -> tuple[NDArray[np.int8], Floats]:
    """Combine signals of one shape into a direction, −1, 0 or 1, and its strength, 0 to 1.

    Signals are bools, or numbers whose sign is the direction; NaN is none. The strength is the share of the signals, by
    their ``strengths``, that point where the direction does. ``all``: none may differ. ``any``: one is enough, as long
    as none points the other way. ``majority``: more than half of the strengths point there.
    """
    if not signals:
        raise ConfigError("there is no signal to combine", expected="one or more arrays")
    if how not in ("all", "any", "majority"):
        raise ConfigError("how is wrong", expected="all, any or majority", found=repr(how))
    votes = [np.sign(np.nan_to_num(np.asarray(one, dtype=np.float64))) for one in signals]
    if len({vote.shape for vote in votes}) > 1:
        raise ConfigError(
            "the signals differ in shape", expected="one shape", found=", ".join(str(v.shape) for v in votes)
        )
    shares = np.ones(len(votes)) if strengths is None else np.asarray(strengths, dtype=np.float64)
    if shares.shape != (len(votes),) or not (np.isfinite(shares).all() and (shares > 0.0).all()):
        raise ConfigError(
            "strengths are wrong", expected=f"{len(votes)} numbers above 0", found=repr(strengths)
        )
    shares = shares / shares.sum()
    up = sum(share * (vote > 0) for share, vote in zip(shares, votes, strict=True))
    down = sum(share * (vote < 0) for share, vote in zip(shares, votes, strict=True))
    top = np.maximum(up, down)
    whole = 1.0 - 1e-12
    holds = {
        "all": top >= whole,
        "any": (np.minimum(up, down) == 0.0) & (top > 0.0),
        "majority": top > 0.5 + 1e-12,
    }
    direction = np.where(holds[how], np.where(up > down, 1, -1), 0).astype(np.int8)
    return direction, np.where(direction != 0, np.minimum(top, 1.0), 0.0)
