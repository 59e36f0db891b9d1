"""State machines as tables: what is not in the table is an error that names both states."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from enum import Enum
from typing import Generic, TypeVar

from lanner.core.errors import TransitionError

S = TypeVar("S", bound=Hashable)


def _name(value: object) -> str:
    return value.name if isinstance(value, Enum) else str(value)


class TransitionTable(Generic[S]):
    """Hold the legal steps of a life cycle: from each state to which others, and on what event."""

    def __init__(self, what: str, steps: Mapping[S, Mapping[S, str]], final: frozenset[S]) -> None:
        self.what = what
        self.steps = steps
        self.final = final

    def check(self, current: S, target: S, subject: str = "") -> None:
        """Raise ``TransitionError`` unless the step is legal; staying in a state is always legal."""
        if target == current or target in self.steps.get(current, {}):
            return
        legal = ", ".join(_name(state) for state in self.steps.get(current, {})) or "nothing (final)"
        raise TransitionError(
            f"{self.what} {subject}: illegal step from {_name(current)} to {_name(target)}",
            expected=f"from {_name(current)}: {legal}",
            found=_name(target),
        )

    def mermaid(self) -> str:
        """Draw the table as a Mermaid state diagram."""
        lines = ["stateDiagram-v2"]
        for state, targets in self.steps.items():
            lines += [f"    {_name(state)} --> {_name(target)}: {why}" for target, why in targets.items()]
        lines += [f"    {_name(state)} --> [*]" for state in self.steps if state in self.final]
        return "\n".join(lines) + "\n"
