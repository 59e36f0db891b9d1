"""Measure shards on a Ray cluster: this machine's processors, or those of many machines.

The task is sent once, by the hash of its content. A try that is lost with its worker or machine is sent again, and
each shard is counted once, so a search ends with the very numbers of a run in one process, or says why it cannot.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import TracebackType
from typing import Any

from lanner.core.errors import ConfigError, LannerError
from lanner.research.distributed_ledger import Job, Ledger, PoolState
from lanner.research.distributed_worker import Answer, Fault, Shipment, measure_shard
from lanner.research.pools import AHEAD, workers_or_all
from lanner.research.ship import pack, part_size
from lanner.research.sweep_result import Params
from lanner.research.variants import Shard, Task

BEAT_S = 1.0
PATIENCE_S = 60.0
"""How long a search waits for a processor when all machines of a cluster are gone."""

KNOCK_S = 10.0

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # workers use their own machine's environment
}
_LEAST_STORE = 128 << 20


class RayPool:
    """A pool of Ray workers; as a context it disconnects at the end, and ends the Ray it started.

    ``address`` is None to start Ray on this machine with ``workers`` processes, ``auto`` or host:port to join a
    cluster that this machine is a node of; there ``workers`` bounds how many shards are under way. A Ray that this
    process is connected to already is used as it is.
    """

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        require_ray()
        if workers is not None and workers < 1:
            raise ConfigError("--workers is too small", expected="at least 1", found=workers)
        self.address, self.workers = address, workers
        self.state = PoolState()
        self.notes: list[str] = []
        self._connected = False
        self._shipments: dict[int, tuple[Task, Shipment]] = {}
        self._sent: dict[str, Any] = {}

    def __enter__(self) -> RayPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was sent; leave the cluster, or end the Ray that was started here."""
        import ray

        self._shipments.clear()
        self._sent.clear()
        if self._connected:
            self._connected = False
            ray.shutdown()

    def measure(self, task: Task, shards: Iterable[tuple[int, list[Params]]]) -> Iterator[tuple[int, Shard]]:
        """Yield (number, shard) as they are done, each once; on the way out what is under way is stopped."""
        import ray

        # What is found is judged here with kernels' tables. Loaded now: Ctrl-C in the middle of that, with results
        # at hand, would leave half a numba behind and nothing could be concluded.
        import_module("lanner.kernels.spans")
        shipment = self._ship(task)
        remote = ray.remote(measure_shard).options(
            num_cpus=1, max_retries=0, scheduling_strategy="SPREAD", name="lanner sweep"
        )
        ledger = Ledger(shards, self.state)
        under_way: dict[Any, Job] = {}
        crowd = Crowd(None if self.address is None else self.workers)
        try:
            while True:
                self.state.processors = crowd.processors()
                while len(under_way) < crowd.room() and (job := ledger.next()) is not None:
                    under_way[remote.remote(shipment, job.sets)] = job
                if not under_way:
                    return
                ready, _ = ray.wait(list(under_way), num_returns=1, timeout=BEAT_S)
                for ref in ready:
                    job = under_way.pop(ref)
                    shard = self._settle(ledger, job, ref)
                    if shard is not None:
                        yield job.number, shard
        finally:
            for ref in under_way:
                ray.cancel(ref, force=True)

    def _settle(self, ledger: Ledger, job: Job, ref: Any) -> Shard | None:
        """Return the result of a try when it is the shard's first; a lost one is sent again."""
        answer = _answer(ref)
        if isinstance(answer, Answer) and isinstance(answer.outcome, Shard):
            return answer.outcome if ledger.done(job, answer.worker) else None
        fault = answer if isinstance(answer, Fault) else answer.outcome
        assert isinstance(fault, Fault)
        if fault.parts is not None:
            raise fault.error()
        ledger.lost(job, fault.text)
        self.notes.append(
            f"shard {job.number} was lost and sent again (try {job.attempt + 1}): {fault.text.splitlines()[0]}"
        )
        return None

    def _ship(self, task: Task) -> Shipment:
        """Send a task's parts that were not sent before."""
        import ray

        known = self._shipments.get(id(task))
        if known is not None and known[0] is task:
            return known[1]
        parcel, parts = pack(task)
        self.connect(sum(part_size(part) for part in parts.values()))
        for name, part in parts.items():
            if name not in self._sent:
                self._sent[name] = ray.put(part)
        shipment = Shipment(parcel.digest, ray.put(parcel), {name: self._sent[name] for name in parts})
        self._shipments = {id(task): (task, shipment)}
        return shipment

    def connect(self, data_bytes: int = 0) -> None:
        """Join the cluster or start Ray with room for so much data; nothing to do where this process has a Ray."""
        import ray

        if self._connected or ray.is_initialized():
            return
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self.address is None:
            quiet |= {
                "num_cpus": workers_or_all(self.workers),
                "include_dashboard": False,
                "object_store_memory": _LEAST_STORE + 2 * data_bytes,
            }
        try:
            _knock(self.address or "")
            with _own_signals(), _no_chatter(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(self.address or "local", **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise LannerError(
                f"cannot join the Ray cluster at {self.address}" if self.address else "Ray does not start",
                found=first,
                fix="Make this machine a node of the cluster first: ray start --address=HOST:PORT --num-cpus=0."
                if self.address
                else None,
            ) from error
        self._connected = True


class Crowd:
    """How many shards may be under way: a few for each processor that a cluster has at the moment."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._processors = 0
        self._looked = -BEAT_S
        self._alone_since: float | None = None

    def processors(self) -> int:
        """Return the processors of the cluster; raise LannerError when there are none for a minute."""
        ray: Any = import_module("ray")
        now = time.monotonic()
        if now - self._looked < BEAT_S:
            return self._processors
        self._looked = now
        self._processors = int(ray.cluster_resources().get("CPU", 0))
        if self._processors:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > PATIENCE_S:
            raise LannerError(
                "the Ray cluster has no processors",
                expected="at least one machine started with --num-cpus above 0",
                fix="What is done is kept: run the same command again to go on from there.",
            )
        return self._processors

    def room(self) -> int:
        """Return how many shards may be under way."""
        most = max(1, AHEAD * self._processors)
        return most if self._most is None else min(most, self._most)


def require_ray() -> None:
    """Raise LannerError where Ray is not installed; set what keeps it quiet before it is imported."""
    if importlib.util.find_spec("ray") is None:
        raise LannerError(
            "a sweep on Ray needs ray, which is not installed",
            expected="the optional part 'ray'",
            fix="Run: pip install 'lanner[ray]'",
        )
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


def _answer(ref: Any) -> Answer | Fault:
    """Return what a worker said, or a fault where it could not say anything."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        answer: Answer = ray.get(ref)
        return answer
    except RayTaskError as error:  # our function answers whatever happens, so it was not even entered
        cause = str(error).strip().splitlines()[-1]
        return Fault(
            cause,
            {
                "error": "LannerError",
                "message": "a worker cannot run Lanner",
                "expected": "the same Lanner on every machine of the cluster",
                "found": cause,
                "fix": "Install it there with pip install 'lanner[research,ray]'.",
            },
        )
    except RayError as error:  # the worker, its machine or its memory is gone
        return Fault(f"{type(error).__name__}: {' '.join(str(error).split()) or 'no reason given'}")


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this program's answer to SIGTERM, which Ray replaces with its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _no_chatter() -> Iterator[None]:
    """Keep Ray from printing to standard output whenever a worker dies: the pool tells that in its notes.

    Ray has no setting for it; where its inside has changed, it merely prints again.
    """
    inside = import_module("ray._private.worker")
    before = getattr(inside, "listen_error_messages", None)
    if before is None:
        yield
        return
    inside.listen_error_messages = lambda *_: None  # type: ignore[attr-defined]
    try:
        yield
    finally:
        inside.listen_error_messages = before  # type: ignore[attr-defined]


def _knock(address: str) -> None:
    """Raise OSError when nobody listens at host:port; Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        with socket.create_connection((host, int(port)), timeout=KNOCK_S):
            pass
