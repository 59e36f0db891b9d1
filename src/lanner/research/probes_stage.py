"""The stage of a check: the strategy loaded anew for every trial, in surroundings that we choose."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lanner.backtest.run  # noqa: F401 - before the surroundings are changed: it binds the real clock
from lanner.core.errors import LannerError
from lanner.research.probes import Finding, Hook, Trial, built, play
from lanner.research.probes_watch import Surroundings, Touch
from lanner.research.probes_world import World
from lanner.strategy.registry import load_strategy

if TYPE_CHECKING:
    import polars as pl

    from lanner.research.features_used import FeatureUse
    from lanner.strategy.base import Strategy


@dataclass(slots=True)
class Stage:
    """One strategy, its parameters and the world it is checked in; ``runs`` counts the trials.

    ``ref`` is what ``load_strategy`` takes; without one ``cls`` is used as it is and cannot be loaded anew.
    ``reference`` is the trial that all others are compared with, ``cls`` the class that played it.
    """

    world: World
    cls: type[Strategy]
    ref: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    seed: int = 1
    budget: int = 60
    runs: int = 0
    reference: Trial = field(default_factory=lambda: Trial([]))
    touched: dict[Touch, None] = field(default_factory=dict)
    comparable: bool = True

    @property
    def from_file(self) -> bool:
        """Tell whether the strategy is a file, which can be loaded anew for every trial."""
        return self.ref.endswith(".py") or ".py:" in self.ref

    def load(self) -> type[Strategy]:
        """Load the strategy anew, with the modules beside it; a class of an installed module stays what it is."""
        if not self.from_file:
            return self.cls
        folder = f"{Path(self.ref.rpartition('.py')[0]).resolve().parent}{os.sep}"
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if file.startswith(folder) and os.sep not in file[len(folder) :] and not _needed(name):
                del sys.modules[name]
        return load_strategy(self.ref)

    def trial(
        self,
        *,
        hooks: Sequence[Hook] = (),
        frames: list[pl.DataFrame] | None = None,
        since: int | None = None,
        params: Mapping[str, object] | None = None,
        seed: int | None = None,
        around: Surroundings | None = None,
        cls: type[Strategy] | None = None,
    ) -> Trial:
        """Play one trial and return what it decided.

        The strategy is loaded and built inside its surroundings. Raises ``ConfigError`` for parameters it refuses.
        """
        around = around or Surroundings()
        self.runs += 1
        try:
            with _silence(), around.active():
                chosen = self.load() if cls is None else cls
                strategy = built(chosen, dict(self.params if params is None else params))
                spec = self.world.spec(strategy, frames, since)
                spec.seed = spec.seed if seed is None else seed
                trial = play(spec, *hooks)
        finally:
            self.touched.update(around.touched)
        self.cls = chosen if self.runs == 1 else self.cls
        return trial

    def attempt(self, **options: Any) -> Trial:
        """Play a trial that may fail in any way; the failure is part of what it did."""
        try:
            return self.trial(**options)
        except LannerError as error:
            return Trial([], error)

    def bar(self, ts: int | None) -> int | None:
        """Return the index of the bar that is the last complete one at a time."""
        return None if ts is None else max(0, self.world.bar_at(ts))


@dataclass(slots=True)
class Outcome:
    """What one check found, and in a few words what it did; ``done`` is False when it does not apply.

    ``features`` are the order features that a comparison with a venue lists.
    """

    check: str
    findings: list[Finding] = field(default_factory=list)
    note: str = ""
    done: bool = True
    features: list[FeatureUse] = field(default_factory=list)

    @property
    def status(self) -> str:
        """Return error, warning, passed or skipped."""
        if not self.done:
            return "skipped"
        kinds = {finding.severity for finding in self.findings}
        return "error" if "error" in kinds else "warning" if kinds else "passed"


def _needed(name: str) -> bool:
    """Tell whether a module must stay: the program itself, and the tests that run us."""
    return name in ("__main__", "conftest") or name.startswith(("tests.", "lanner.", "test_"))


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what a strategy prints off the screen: it would be printed once a trial."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
