"""The prompt of ``lanner repl``: what it completes, and that its history is kept on a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from lanner.cli.repl import PromptCompleter, run_line

KNOWN = ["BTC-USDT.BINANCE", "BTCUSDT-PERP.BINANCE", "ETH-USDT.BINANCE"]


def completed(text: str, venue: str = "") -> list[str]:
    completer = PromptCompleter(lambda: KNOWN, venue)
    return [found.text for found in completer.get_completions(Document(text), CompleteEvent())]


def test_commands_are_completed_first() -> None:
    assert completed("ca") == ["cancel", "cancel-all"]
    assert {"buy", "sell", "orders", "exit", "quit", "help"} <= set(completed(""))
    assert "backtest" not in completed("")


def test_instruments_follow_with_their_venue_or_without_where_one_is_given() -> None:
    assert completed("buy btc") == ["BTC-USDT@binance", "BTCUSDT-PERP@binance"]
    assert completed("buy eth", "binance") == ["ETH-USDT"]
    assert completed("buy ETH-USDT@binance ") == []


def test_venues_are_offered_where_a_command_takes_one() -> None:
    assert completed("balance hyper") == ["hyperliquid"]
    assert completed("buy hyper") == []


def test_help_takes_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert completed("help ca") == ["cancel", "cancel-all"]
    assert run_line("help buy")
    told = capsys.readouterr().out
    assert "Usage: lanner buy" in told
    assert run_line("help")
    assert "Usage" not in capsys.readouterr().out
    run_line("help backtest")
    assert "not a command of the prompt" in capsys.readouterr().err


def test_options_are_completed_once() -> None:
    assert completed("buy BTC-USDT@binance 1 2 --pos") == ["--post-only"]
    assert completed("buy BTC-USDT@binance 1 2 --post-only --pos") == []
    assert "--wait" in completed("cancel x y --")
    assert completed("nonsense --") == []


@pytest.mark.timeout(240)
def test_a_terminal_gets_a_prompt_completion_and_a_history_of_its_own(tmp_path: Path) -> None:
    main_end, other_end = pty.openpty()
    environment = {**os.environ, "LANNER_HOME": str(tmp_path), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "lanner", "repl", "--quiet"],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        env=environment,
    )
    os.close(other_end)
    screen = Screen(main_end)
    try:
        screen.until("lanner>")
        os.write(main_end, b"hel\t")
        screen.until("help")
        os.write(main_end, b"\r")
        screen.until("cancel-all")
        screen.until("lanner>")
        os.write(main_end, b"buy")
        screen.until("buy")
        os.write(main_end, b"\x03")  # the line is given up
        screen.until("lanner>")
        os.write(main_end, b"nonsense\r")
        screen.until("no command")
        os.write(main_end, b"exit\r")
        assert process.wait(timeout=120) == 0
    finally:
        process.kill()
        process.wait()
        os.close(main_end)
    history = tmp_path / "repl_history"
    lines = [line for line in history.read_text().splitlines() if line.startswith("+")]
    assert [line.strip("+ ") for line in lines] == ["help", "nonsense", "exit"]
    assert history.stat().st_mode & 0o077 == 0


class Screen:
    """What a terminal has shown and nobody has looked at yet."""

    def __init__(self, terminal: int) -> None:
        self.terminal = terminal
        self.shown = ""

    def until(self, text: str) -> None:
        """Read until a text is there, and pass over it."""
        deadline = time.monotonic() + 120
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self.terminal], [], [], 0.2)[0]:
                self.shown += os.read(self.terminal, 65_536).decode(errors="replace")
        self.shown = self.shown.partition(text)[2]
