"""A day of ticks that does not fit into memory in one piece is imported all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

DAY = 1_704_067_200_000_000_000
ROWS = 1_800_000
LIMIT_MB = 330
"""What the process may take; the interpreter and its libraries are about 150 MB of it."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell the peak")

_CHILD = """
import json, sys
from pathlib import Path
from lanner.storage import external, staging
from lanner.storage.catalog import Catalog
from lanner.storage.importers.run import import_files
from lanner.storage.importers.table import Options
external.SETTLE_ROWS = staging.SPILL_ROWS = int(sys.argv[3])
external.SLICE_ROWS = 200_000
catalog = Catalog(Path(sys.argv[2]))
for path in sys.argv[4:]:
    import_files([Path(path)], catalog, options=Options(instrument="BTC-USDT.BINANCE"))
passport = catalog.require("quotes", "BTC-USDT.BINANCE")
status = Path("/proc/self/status").read_text()  # getrusage would tell the parent's peak where that is higher
peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
print(json.dumps([peak, passport.content_hash, passport.rows, len(passport.partitions), passport.crossed]))
"""


def quotes(path: Path, rows: slice, mixed: bool) -> Path:
    """Write quotes of one day in the catalog's columns, in order or in wild order."""
    rng = np.random.default_rng(11)
    ts = DAY + np.arange(ROWS) * 28_000_000
    bid = 40_000 + np.cumsum(rng.integers(-1, 2, ROWS)) * 0.5
    frame = pl.DataFrame(
        {
            "ts_event": ts,
            "ts_recv": ts + rng.integers(1_000, 9_000_000, ROWS),
            "bid_px": bid,
            "bid_qty": rng.integers(1, 100, ROWS) / 10,
            "ask_px": bid + 0.5,
            "ask_qty": rng.integers(1, 100, ROWS) / 10,
            "seq": np.arange(ROWS),
        }
    )[rows]
    order = rng.permutation(frame.height) if mixed else np.arange(frame.height)
    frame[order.tolist()].write_parquet(path, row_group_size=100_000)
    return path


def run(catalog: Path, held: int, *paths: Path) -> tuple[float, list[object]]:
    words = [sys.executable, "-c", _CHILD, "import", str(catalog), str(held), *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    peak, *facts = json.loads(done.stdout)
    return peak, facts


@pytest.mark.parametrize(
    "mixed",
    [pytest.param(False, id="in order", marks=pytest.mark.nightly), pytest.param(True, id="in wild order")],
)
def test_a_day_that_is_too_large_in_one_piece_is_imported_within_the_limit(
    mixed: bool, tmp_path: Path
) -> None:
    path = quotes(tmp_path / "day.parquet", slice(None), mixed)
    peak, facts = run(tmp_path / "sliced", 300_000, path)
    whole_peak, whole_facts = run(tmp_path / "whole", 10 * ROWS, path)
    assert facts == whole_facts
    assert facts[1:3] == [ROWS, 1]
    assert peak < LIMIT_MB < whole_peak, (peak, whole_peak)


@pytest.mark.nightly
def test_a_day_that_grows_file_by_file_stays_within_the_limit(tmp_path: Path) -> None:
    halves = [
        quotes(tmp_path / "a.parquet", slice(0, ROWS * 8 // 15), mixed=False),
        quotes(tmp_path / "b.parquet", slice(ROWS * 7 // 15, None), mixed=False),
    ]
    peak, facts = run(tmp_path / "sliced", 300_000, *halves)
    _, whole_facts = run(tmp_path / "whole", 10 * ROWS, *halves)
    assert facts == whole_facts
    assert facts[1] == ROWS
    assert peak < LIMIT_MB
