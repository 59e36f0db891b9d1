"""The venue of ``lanner demo``: a simulated one, in a process that ends when its parent does, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lanner.core.errors import LannerError

STOP_S = 5.0


@contextmanager
def demo_venue(*options: str) -> Iterator[dict[str, Any]]:
    """Serve a simulated venue on free ports while the block runs; yield what ``venue serve --json`` tells."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lanner.cli.demo_venue", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C is for the demo, which then ends the venue
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, said = process.communicate(timeout=STOP_S)
            raise LannerError("the demo's venue did not start", found=said.strip().splitlines()[-1:])
        yield json.loads(line)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _end_with_parent() -> None:
    """Wait for the end of standard input, which comes when the parent is gone, and then leave."""
    while sys.stdin.read(1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    from lanner.cli.main import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    raise SystemExit(main(["venue", "serve", "--port", "0", "--json", *sys.argv[1:]]))
