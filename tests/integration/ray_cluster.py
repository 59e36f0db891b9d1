"""A Ray cluster of two nodes on this machine, held by a process that ends it when its input ends.

So the cluster cannot outlive the tests, however they end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

STORE_BYTES = 80_000_000
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@dataclass
class TwoNodes:
    """A running cluster: its address, and the pipes to the process that holds it."""

    address: str
    orders: IO[str]
    answers: IO[str]

    def kill_second_node(self) -> None:
        """Kill all processes of the second node at once."""
        self._order("kill")

    def mend(self) -> None:
        """Start another second node where it was killed."""
        self._order("mend")

    def _order(self, order: str) -> None:
        print(order, file=self.orders, flush=True)
        assert json.loads(self.answers.readline()) == order


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """Start the cluster; end it and wait until all of its processes are gone."""
    holder = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | QUIET,
        start_new_session=True,  # Ctrl-C is for the tests; the end of the input tells the holder
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        yield TwoNodes(json.loads(holder.stdout.readline()), holder.stdin, holder.stdout)
    finally:
        holder.stdin.close()
        holder.wait(60)
        holder.stdout.close()


def _hold() -> None:
    from ray.cluster_utils import Cluster

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever Ray prints must not be taken for an answer
    cluster: Any = Cluster()
    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    try:
        cluster.add_node(**node, include_dashboard=False)
        second: Any = cluster.add_node(**node)
        print(json.dumps(cluster.address), file=answers, flush=True)
        for line in sys.stdin:
            order = line.strip()
            if order == "kill":
                cluster.remove_node(second, allow_graceful=False)
                second = None
            elif second is None:
                second = cluster.add_node(**node)
            print(json.dumps(order), file=answers, flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    _hold()
