"""A stranger's first ten minutes: every command of the tutorial works, in order, as it is written."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from contextlib import chdir
from pathlib import Path

import pytest

from tests.here import lanner_here

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "first-backtest.md"
BLOCK = re.compile(
    r"(?P<skip><!-- no-run -->\s*\n)?^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```",
    re.M | re.S,
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def walk(folder: Path, home: Path) -> dict[str, str]:
    """Do what the page says; return what each command printed."""
    printed: dict[str, str] = {}
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["skip"]:
            continue
        if block["title"]:
            (folder / block["title"]).write_text(block["text"], encoding="utf-8")
        if block["kind"] != "console":
            continue
        for line in block["text"].splitlines():
            assert line.startswith("$ lanner "), f"not a command of ours: {line}"
            words = shlex.split(line.removeprefix("$ lanner "))
            with chdir(folder):
                done = lanner_here(words, {"LANNER_HOME": str(home), "NO_COLOR": "1"})
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            assert "error" not in done.stderr.lower(), f"{line}\n{done.stderr}"
            printed[line.removeprefix("$ ")] = done.stdout
    return printed


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Path]:
    folder = tmp_path_factory.mktemp("stranger")
    home = folder / "home"
    return walk(folder, home), home


def test_every_command_of_the_tutorial_succeeds(walked: tuple[dict[str, str], Path]) -> None:
    printed, home = walked
    commands = list(printed)
    assert len(commands) >= 12
    for start in ("doctor", "demo", "data import", "backtest trend.py", "backtest trend.yaml", "runs rerun"):
        assert any(command.startswith(f"lanner {start}") for command in commands), start
    assert len(list((home / "runs").iterdir())) == 6


def test_what_the_tutorial_promises_is_shown(walked: tuple[dict[str, str], Path]) -> None:
    printed, _ = walked
    assert "0 red" in printed["lanner doctor"]
    assert "report.html" in printed["lanner demo"]
    assert printed["lanner demo"].splitlines()[-1].endswith("parity.html")
    assert "synthetic" in printed["lanner demo"]
    assert "8,760" in printed["lanner data describe BTC-USDT.TUTORIAL@1h"]
    plain = printed["lanner backtest trend.py --data BTC-USDT.TUTORIAL@1h"]
    trades = re.search(r"Closed trades +(\d+)", plain)
    assert trades
    assert int(trades[1]) > 20
    assert "second-half" in printed["lanner runs list"]
    assert printed["lanner runs rerun last"].startswith("The same result: ")


def test_the_report_opens_in_a_browser_without_a_network(
    walked: tuple[dict[str, str], Path], tmp_path: Path
) -> None:
    if CHROMIUM is None:
        pytest.skip("no chromium found; install the package chromium")
    printed, _ = walked
    report = Path(printed["lanner runs show last --quiet"].strip()) / "report.html"
    picture = tmp_path / "report.png"
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--proxy-server=127.0.0.1:1", "--window-size=1280,1600", "--virtual-time-budget=8000",
    ]  # fmt: skip
    drawn = subprocess.run(
        [*command, f"--screenshot={picture}", report.as_uri()], capture_output=True, text=True, timeout=120
    )
    assert drawn.returncode == 0, drawn.stderr
    assert picture.stat().st_size > 30_000
    page = subprocess.run(
        [*command, "--dump-dom", report.as_uri()], capture_output=True, text=True, timeout=120
    )
    assert "Trend" in page.stdout
    assert "<canvas" in page.stdout
