"""Trials in other Python processes, where strings hash otherwise and nothing is left of an earlier run.

``python -m lanner.research.probes_process`` reads pickled jobs from standard input and writes pickled trials to what
was its standard output; only a parent that started it talks to it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from lanner.core.errors import LannerError
from lanner.research.probes import Trial
from lanner.research.probes_stage import Stage
from lanner.research.probes_world import for_process, from_process

HASH_SEEDS = (1, 2)
PATIENCE_S = 120.0
_LENGTH = struct.Struct("<Q")


class OtherProcesses:
    """Python processes with hash seeds of their own that play the same trial; use it in a ``with`` block.

    They start at once and load while this process works; each answers its jobs in turn.
    """

    def __init__(self, hash_seeds: Sequence[int] = HASH_SEEDS) -> None:
        self.hash_seeds = tuple(hash_seeds)
        self._children: list[subprocess.Popen[bytes]] = []
        self._asked = False

    @property
    def count(self) -> int:
        """Return how many there are."""
        return len(self.hash_seeds)

    def __enter__(self) -> OtherProcesses:
        source = str(Path(__file__).resolve().parents[2])
        for seed in self.hash_seeds:
            paths = [source, *filter(None, [os.environ.get("PYTHONPATH", "")])]
            env = {
                **os.environ,
                "PYTHONHASHSEED": str(seed),
                "PYTHONPATH": os.pathsep.join(paths),
                "POLARS_MAX_THREADS": "1",
            }
            command = [sys.executable, "-m", "lanner.research.probes_process"]
            self._children.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=env,
                )
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children:
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # it may have gone already
                        pipe.close()
            try:
                child.wait(timeout=2.0)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()

    def ask(self, stage: Stage) -> None:
        """Send every process the stage's reference trial to play."""
        self.answers()  # those that nobody wanted must not be taken for the next ones
        self._asked = bool(stage.ref)
        if not self._asked:
            return
        job = {
            "ref": stage.ref,
            "params": dict(stage.params),
            "seed": stage.seed,
            "world": for_process(stage.world),
        }
        packed = pickle.dumps(job)
        for child in self._children:
            assert child.stdin is not None
            try:
                _send(child.stdin, packed)
            except OSError:
                continue  # its answer will be missing

    def answers(self) -> list[tuple[int, Trial | None]]:
        """Return the hash seed and the trial of each process; None when it could not be asked or gave up."""
        if not self._asked:
            return []
        self._asked = False
        answers: list[tuple[int, Trial | None]] = []
        for seed, child in zip(self.hash_seeds, self._children, strict=True):
            assert child.stdout is not None
            alarm = threading.Timer(PATIENCE_S, child.kill)
            alarm.start()
            try:
                packed = _receive(child.stdout)
            finally:
                alarm.cancel()
            answers.append((seed, None if packed is None else _unpack(packed)))
        return answers


def _unpack(packed: bytes) -> Trial:
    decisions, what, state_hash = pickle.loads(packed)
    return Trial(decisions, None if what is None else LannerError(what), state_hash)


def _send(pipe: IO[bytes], packed: bytes) -> None:
    pipe.write(_LENGTH.pack(len(packed)))
    pipe.write(packed)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes | None:
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    packed = pipe.read(size)
    return packed if len(packed) == size else None


def _answer(job: dict[str, Any]) -> bytes:
    world = from_process(job["world"])
    try:
        from lanner.strategy.registry import load_strategy

        stage = Stage(world, load_strategy(job["ref"]), job["ref"], job["params"], job["seed"])
        trial = stage.trial()
        what = None if trial.error is None else trial.error.what
    except LannerError as error:
        trial, what = Trial([]), error.what
    return pickle.dumps((trial.decisions, what, trial.state_hash))


def serve() -> None:
    """Answer jobs until the parent closes the pipe."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what strategies print must not come between the answers
    jobs = sys.stdin.buffer
    import polars  # noqa: F401 - loaded while the parent is still busy

    import lanner.backtest.run  # noqa: F401

    while (packed := _receive(jobs)) is not None:
        _send(answers, _answer(pickle.loads(packed)))


if __name__ == "__main__":
    serve()
