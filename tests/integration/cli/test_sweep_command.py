"""``lanner sweep`` as a user runs it: real files, the run store, and processes where a search has some."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.here import lanner_here
from tests.unit.research.sweeps import HANDLERS, SIGNAL, write_bars

TAIL = [
    "--instrument",
    "BTC-USDT.TEST",
    "--timeframe",
    "1h",
    "--min-trades",
    "3",
    "--windows",
    "4",
    "--workers",
    "1",
]


def lanner(*args: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = lanner_here(args)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def lanner_process(*args: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lanner", *args], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def files(folder: Path, source: str = SIGNAL) -> list[str]:
    (folder / "strategy.py").write_text(source, encoding="utf-8")
    data = write_bars(folder)
    return [str(folder / "strategy.py"), "--data", str(data), *TAIL]


def test_a_sweep_is_searched_judged_kept_shown_and_repeated(tmp_path: Path, own_home: Path) -> None:
    base = files(tmp_path)
    ranges = ["-p", "fast=3:12:3", "-p", "slow=10:40:10", "--where", "fast<slow"]
    made = json.loads(lanner("sweep", *base, *ranges, "--json").stdout)
    assert (made["combinations"], made["done"], made["engine"]) == (15, 15, "array")
    assert made["verdict"]["verdict"] in ("PASS", "FAIL")
    assert len(made["walk_forward"]["windows"]) == 4
    assert Path(made["report"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    text = lanner("runs", "show", made["run_id"]).stdout
    assert "15 combinations" in text
    assert made["verdict"]["verdict"] in text
    again = json.loads(lanner("runs", "rerun", made["run_id"], "--json").stdout)
    assert again["same"] is True
    assert made["run_id"] in lanner("runs", "list").stdout
    refused = lanner("runs", "compare", made["run_id"], again["run_id"], expect=4)
    assert "a sweep cannot be laid beside other runs" in refused.stderr
    best = made["top"][0]["params"]
    params = [part for name, value in best.items() for part in ("-p", f"{name}={value}")]
    one = json.loads(lanner("backtest", *base[:7], *params, "--json").stdout)
    assert one["sharpe"] == pytest.approx(made["top"][0]["statistics"]["sharpe"], rel=1e-7)


def test_a_class_is_swept_in_processes_and_the_summary_fits_the_screen(tmp_path: Path) -> None:
    base = [part if part != "1" else "2" for part in files(tmp_path, HANDLERS)]
    done = lanner_process("sweep", *base, "-p", "fast=3:6:3", "-p", "slow=20:30:10")
    lines = done.stdout.splitlines()
    assert "event engine" in done.stdout
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path: Path) -> None:
    base = [*files(tmp_path, HANDLERS), "-p", "fast=2:20:1", "-p", "slow=30:60:5", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "lanner", "sweep", *base],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    journal = Path(os.environ["LANNER_HOME"]) / "runs"
    deadline = time.monotonic() + 120
    while not list(journal.glob(".sweep-*/*.npz")):
        assert time.monotonic() < deadline, "no shard was kept"
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    stopped = json.loads(out)
    assert 0 < stopped["done"] < stopped["combinations"] == 133
    assert "The search was stopped" in stopped["warnings"][0]
    assert list(journal.glob(".sweep-*/*.npz")), "the journal waits for the next run"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["-p", "fast=5"], 4, "there is nothing to search"),
        (["-p", "quick=1:5"], 4, "has no parameter 'quick'"),
        (["-p", "fast"], 4, "--param is wrong"),
        (["-p", "fast=1:5", "-p", "fast=1:9"], 4, "is given twice"),
        (["-p", "fast=1:5", "--objective", "sharp"], 4, "there is no objective 'sharp'"),
        (["-p", "fast=1:5", "--where", "fast < velocity"], 4, "names 'velocity'"),
        (["-p", "fast=1:5", "--where", "fast > 9"], 4, "no combination satisfies"),
        (["-p", "fast=1:5", "--method", "guess"], 4, "unknown search method"),
        (["-p", "fast=1:5", "--engine", "gpu"], 4, "unknown engine"),
        (["-p", "fast=1:5", "--walk-forward", "sideways"], 4, "unknown walk-forward"),
        (["-p", "fast=1:5", "--windows", "500"], 4, "rows or more per test range"),
        (["-p", "fast=1:5", "--trials", "0"], 4, "--trials is too small"),
        (["-p", "fast=1:5", "--train", "1.5"], 4, "train ratio"),
        (["-p", "fast=1:3000:1", "-p", "slow=1:3000:1"], 4, "are too many"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, args: list[str], code: int, message: str) -> None:
    base = files(tmp_path)
    if "--windows" in args:
        base = [part for part in base if part not in ("--windows", "4")]
    done = lanner("sweep", *base, *args, expect=code)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
