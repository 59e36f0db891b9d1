"""Where numba is not installed, event strategies are still searched, and signals by the event engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.research.sweeps import HANDLERS, SIGNAL, write_bars

WITHOUT = """
import importlib.util
import sys

found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "numba" else found(name, package)
sys.modules["numba"] = None
from lanner.cli.main import main

sys.exit(main())
"""


@pytest.mark.parametrize("source", [SIGNAL, HANDLERS], ids=["signal", "class"])
def test_a_sweep_needs_no_numba(tmp_path: Path, source: str) -> None:
    (tmp_path / "strategy.py").write_text(source, encoding="utf-8")
    data = write_bars(tmp_path, rows=400)
    done = subprocess.run(
        [
            sys.executable, "-c", WITHOUT, "sweep", str(tmp_path / "strategy.py"), "--data", str(data),
            "--instrument", "BTC-USDT.TEST", "--timeframe", "1h", "-p", "fast=3:6:3", "-p", "slow=20",
            "--walk-forward", "none", "--min-trades", "1", "--workers", "1", "--json",
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["engine"], result["done"]) == ("event", 2)
