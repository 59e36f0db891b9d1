"""What surrounds a trial: a clock that stands where we put it, dice that we shake, and a note of every file,
connection and program that the strategy's code touches beside the market data it was given.
"""

from __future__ import annotations

import builtins
import datetime as datetime_module
import io
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from lanner.strategy.errors import is_user_file

CLOCK_S = 1_767_225_600.0  # 2026-01-01 UTC, a Thursday
OTHER_CLOCK_S = CLOCK_S + 86_400 * 100 + 47_117.251  # another month, weekday, hour, minute and second
TICK_S, OTHER_TICK_S = (
    0.001013,
    0.001701,
)  # from one reading to the next, odd in microseconds: a machine, a slower one
READERS = {
    "polars": (
        "read_csv", "scan_csv", "read_parquet", "scan_parquet", "read_ipc", "scan_ipc", "read_ndjson", "scan_ndjson",
        "read_json", "read_excel",
    ),
    "numpy": ("load", "loadtxt", "genfromtxt", "fromfile"),
    "sqlite3": ("connect",),
}  # fmt: skip
"""Functions that open files by ways of their own."""
CLOCKS = {
    "time": 1.0, "monotonic": 1.0, "perf_counter": 1.0, "process_time": 1.0,
    "time_ns": 1e9, "monotonic_ns": 1e9, "perf_counter_ns": 1e9, "process_time_ns": 1e9,
}  # fmt: skip
_HOUSE = Path(__file__).resolve().parent.parent
_BASES = tuple(f"{_HOUSE / room}{os.sep}" for room in ("engine", "backtest", "research", "cli"))


@dataclass(frozen=True, slots=True)
class Touch:
    """One thing outside that a strategy used: ``kind`` is file, write, network, program, environment or clock."""

    kind: str
    what: str
    file: str
    line: int


@dataclass(slots=True)
class Surroundings:
    """What a trial finds around it. ``files`` maps a file to the one that is shown in its place."""

    clock_s: float = CLOCK_S
    tick_s: float = TICK_S
    dice: int = 1
    files: Mapping[str, str] = field(default_factory=dict)
    touched: dict[Touch, None] = field(default_factory=dict)
    _reads: int = 0

    def note(self, kind: str, what: str) -> bool:
        """Write down what user code does right now; tell whether it is user code that does it."""
        place = user_frame()
        if place is None:
            return False
        self.touched[Touch(kind, what, *place)] = None
        return True

    def now(self) -> float:
        """Return the next reading of the clock, a tick after the one before."""
        self._reads += 1
        return self.clock_s + self._reads * self.tick_s

    @contextmanager
    def active(self) -> Iterator[Surroundings]:
        """Put the surroundings in place; what other code sees of clocks and files stays as it is."""
        with ExitStack() as stack:
            stack.enter_context(_dice(self.dice))
            for owner, name, make in self._replacements():
                stack.enter_context(_replaced(owner, name, make))
            before = dict(os.environ)
            try:
                yield self
            finally:
                changed = {name for name, value in os.environ.items() if before.get(name) != value}
                for name in sorted(changed | set(before) - set(os.environ)):
                    self.touched[Touch("environment", name, "", 0)] = None

    def _replacements(self) -> Iterator[tuple[Any, str, Callable[[Any], Any]]]:
        yield builtins, "open", self._opening
        yield io, "open", self._opening
        yield os, "open", self._opening
        yield socket.socket, "connect", self._noting("network", 1)
        yield socket.socket, "sendto", self._noting("network", -1)
        yield subprocess.Popen, "__init__", self._noting("program", 1)
        yield os, "system", self._noting("program", 0)
        for name, unit in CLOCKS.items():
            yield time, name, self._clock(name, unit)
        yield datetime_module, "datetime", self._datetime
        yield datetime_module, "date", self._date
        for module, names in READERS.items():
            loaded = sys.modules.get(module)
            for name in names if loaded is not None else ():
                yield loaded, name, self._opening

    def _opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def opening(*args: Any, **options: Any) -> Any:
            if not args or not isinstance(args[0], str | os.PathLike):
                return real(*args, **options)
            path = str(Path(args[0]).absolute())
            mode = options.get("mode", args[1] if len(args) > 1 else "r")
            writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
            if path.endswith((".py", ".pyc")) or not self.note("write" if writes else "file", path):
                return real(*args, **options)
            return real(self.files.get(path, args[0]), *args[1:], **options)

        return opening

    def _noting(self, kind: str, at: int) -> Callable[[Any], Any]:
        def make(real: Callable[..., Any]) -> Callable[..., Any]:
            def noting(*args: Any, **options: Any) -> Any:
                self.note(kind, str(args[at] if len(args) > abs(at) else options.get("args", ""))[:80])
                return real(*args, **options)

            return noting

        return make

    def _clock(self, name: str, unit: float) -> Callable[[Any], Any]:
        def make(real: Callable[[], Any]) -> Callable[[], Any]:
            def reading() -> Any:
                if not self.note("clock", f"time.{name}"):
                    return real()
                return int(self.now() * unit) if name.endswith("_ns") else self.now()

            return reading

        return make

    def _datetime(self, real: type[datetime_module.datetime]) -> type:
        around = self

        class Meta(type):
            """Take every datetime for one of ours, so that checks by type go on as before."""

            def __instancecheck__(cls, thing: object) -> bool:
                return isinstance(thing, real)

        class datetime(real, metaclass=Meta):  # type: ignore[misc,valid-type]  # noqa: N801
            """The class of the standard library with our clock."""

            @classmethod
            def now(cls, tz: datetime_module.tzinfo | None = None) -> Any:
                if not around.note("clock", "datetime.now"):
                    return real.now(tz)
                return real.fromtimestamp(around.now(), tz)

            @classmethod
            def utcnow(cls) -> Any:
                return cls.now(datetime_module.UTC).replace(tzinfo=None)

            @classmethod
            def today(cls) -> Any:
                return cls.now()

        datetime.__module__ = "datetime"
        return datetime

    def _date(self, real: type[datetime_module.date]) -> type:
        around = self

        class Meta(type):
            """Take every date for one of ours."""

            def __instancecheck__(cls, thing: object) -> bool:
                return isinstance(thing, real)

        class date(real, metaclass=Meta):  # type: ignore[misc,valid-type]  # noqa: N801
            """The class of the standard library with our clock."""

            @classmethod
            def today(cls) -> Any:
                return (
                    real.fromtimestamp(around.now()) if around.note("clock", "date.today") else real.today()
                )

        date.__module__ = "datetime"
        return date


def user_frame() -> tuple[str, int] | None:
    """Return file and line of the user code that the present call comes from; None when it is not theirs."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_BASES) and not name.startswith(__file__):
            return None
        if not name.startswith("<") and name != __file__ and is_user_file(name):
            return name, frame.f_lineno
        frame = frame.f_back
    return None


@contextmanager
def _replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    inherited = name not in vars(owner)
    real = getattr(owner, name)
    setattr(owner, name, make(real))
    try:
        yield
    finally:
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, real)


@contextmanager
def _dice(seed: int) -> Iterator[None]:
    """Seed the global generators of Python and NumPy, and give them back their state afterwards."""
    state = random.getstate()
    numpy: ModuleType | None = sys.modules.get("numpy")
    before = None if numpy is None else numpy.random.get_state()
    random.seed(seed)
    if numpy is not None:
        numpy.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
        if numpy is not None:
            numpy.random.set_state(before)
