"""Which parameters a strategy uses when it starts: what it made of them then, a later change cannot reach.

Found by letting the session's strategies start once more, in an engine of their own, with parameters that note who
reads them. Reads in ``check_params`` do not count: it runs again for every change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lanner.engine.faults import USER_FAULTS
from lanner.live.build import build_engine
from lanner.strategy.base import Strategy
from lanner.strategy.parameters import Param, declared

if TYPE_CHECKING:
    from lanner.live.build import Plan


class _Noting(Param[Any]):
    """A parameter that notes that it was read."""

    def __init__(self, original: Param[Any], read: set[str]) -> None:
        super().__init__(
            original.default,
            original.low,
            original.high,
            step=original.step,
            choices=original.choices,
            help=original.help,
        )
        self._read = read

    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is not None and not instance.__dict__.get("_unnoted"):
            self._read.add(self.name)
        return super().__get__(instance, owner)


def baked_params(plan: Plan, session: str, start_ns: int) -> dict[str, frozenset[str]]:
    """Return the names of the parameters that each strategy reads while it is made and started."""
    engine = build_engine(plan, session)
    kinds = {name: type(desk.strategy) for name, desk in engine.desks.items()}
    read: dict[str, set[str]] = {name: set() for name in kinds}
    try:
        for name, desk in engine.desks.items():
            noting = _noting_class(kinds[name], read[name])
            if kinds[name].__init__ is not Strategy.__init__:
                noting(**desk.strategy.values())
            desk.strategy.__class__ = noting
        engine.start(start_ns)
    except USER_FAULTS:
        # what cannot start twice keeps its secret: treat all of it as used
        return {name: frozenset(declared(kind)) for name, kind in kinds.items()}
    return {name: frozenset(names) for name, names in read.items()}


def _noting_class(cls: type[Strategy], read: set[str]) -> type[Strategy]:
    def check_params(self: Strategy) -> None:
        vars(self)["_unnoted"] = True
        try:
            cls.check_params(self)
        finally:
            del vars(self)["_unnoted"]

    members: dict[str, Any] = {name: _Noting(param, read) for name, param in declared(cls).items()}
    return type(cls.__name__, (cls,), {**members, "check_params": check_params, "__module__": cls.__module__})
