"""Run scripts in their own processes and turn what they print into rows."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.environments import ROOT, environment

RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a result: our figure, the peer's (None without one) and how many times better ours is."""

    name: str
    ours: float
    peer: float | None
    peer_version: str | None
    ratio: float | None
    unit: str
    detail: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """Return the row as one line of JSON."""
        return json.dumps(asdict(self))


def significant(value: float, digits: int = 4) -> float:
    """Round to a number of significant digits, so that result files stay readable."""
    return float(f"{value:.{digits}g}")


def alone(name: str, ours: float, unit: str, **detail: Any) -> Row:
    """Return a row without a peer."""
    return Row(name, significant(ours), None, None, None, unit, detail)


def script(python: Path | str, module: str, *arguments: str) -> dict[str, Any]:
    """Run one script of the contract and return the JSON object of its last line."""
    done = subprocess.run(
        [str(python), "-m", module, *arguments], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} failed:\n{done.stderr[-2_000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def middle(samples: list[dict[str, Any]], key: str) -> float:
    """Return the median of one figure over the rounds."""
    return float(median(float(sample[key]) for sample in samples))


def machine() -> dict[str, Any]:
    """Describe the machine: processor, cores, system, Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "interpreter": sys.implementation.name,
        "load_average": round(os.getloadavg()[0], 1),
    }


def write(group: str, rows: list[Row], rounds: int) -> Path:
    """Write a group's rows, with the machine they were measured on, to `benchmarks/results/<group>.json`."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{group}.json"
    whole = {"group": group, "rounds": rounds, "machine": machine(), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(whole, indent=2) + "\n")
    return path
