"""What runs on a worker of another machine: open the task once, then measure shards of it."""

from __future__ import annotations

import os
import platform
import traceback
from dataclasses import dataclass
from typing import Any

from lanner.core import errors
from lanner.core.errors import LannerError
from lanner.research.ship import Parcel, Part, unpack
from lanner.research.sweep_result import Params
from lanner.research.variants import Shard, Task, measure

_KEPT_TASKS = 2
_TASKS: dict[str, Task] = {}


@dataclass(slots=True, frozen=True)
class Shipment:
    """A parcel and its parts as references into Ray's memory: nothing of them travels before it is wanted."""

    digest: str
    parcel: Any
    parts: dict[str, Any]


@dataclass(slots=True, frozen=True)
class Fault:
    """Why a shard was not measured, as plain text: ``parts`` of a LannerError, which no other try would mend."""

    text: str
    parts: dict[str, Any] | None = None

    def error(self) -> LannerError:
        """Return the error as it was raised on the worker."""
        parts = self.parts or {"error": "", "message": self.text}
        kind = getattr(errors, str(parts["error"]), LannerError)
        texts = {key: parts.get(key) for key in ("expected", "found", "fix")}
        made: LannerError = kind(parts["message"], **texts)
        return made


@dataclass(slots=True, frozen=True)
class Answer:
    """What came of a try, and which worker made it (machine and process)."""

    worker: str
    outcome: Shard | Fault


def measure_shard(shipment: Shipment, sets: list[Params]) -> Answer:
    """Measure a shard here; whatever goes wrong is an answer too, so that it crosses machines as plain text."""
    worker = f"{platform.node()}/{os.getpid()}"
    try:
        return Answer(worker, measure(_task(shipment), sets))
    except LannerError as error:
        return Answer(worker, Fault(str(error), error.as_dict()))
    except Exception as error:  # noqa: BLE001 - the one who collects decides whether to try again
        lines = traceback.format_exception(error)
        return Answer(worker, Fault(f"{type(error).__name__}: {error}\n{''.join(lines[-3:])}".strip()))


def _task(shipment: Shipment) -> Task:
    """Return the task, opened when this worker first meets it."""
    if shipment.digest not in _TASKS:
        import ray

        parcel: Parcel = ray.get(shipment.parcel)

        def fetch(name: str) -> Part:
            part: Part = ray.get(shipment.parts[name])
            return part

        while len(_TASKS) >= _KEPT_TASKS:
            del _TASKS[next(iter(_TASKS))]
        _TASKS[shipment.digest] = unpack(parcel, fetch)
    return _TASKS[shipment.digest]
