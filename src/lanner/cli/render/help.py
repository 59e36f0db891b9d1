"""The first page of help. Plain text from the table of commands, so that it answers at once."""

from __future__ import annotations

from lanner.cli.commands.table import COMMANDS, GROUPS

_HEAD = """\
Usage: lanner COMMAND [OPTIONS]

Quantitative trading for crypto markets: one strategy from research to backtest, paper and live.
"""

_OPTIONS = """\
Everywhere:
  --json      Print one JSON object on standard output and nothing else there.
  --quiet     Print only what was asked for, and errors.
  --debug     Show Python's traceback when something breaks.
  --help, -h  Show help; `lanner COMMAND --help` for one command.
  --version   Show the version.

Exit codes: 0 done, 1 error, 2 not found, 4 wrong settings, 6 refused by a risk rule.
New here? Run `lanner demo`."""


def root_help() -> str:
    """Return what ``lanner --help`` prints."""
    width = max(len(command.name) for command in COMMANDS)
    parts = [_HEAD]
    for group in GROUPS:
        rows = [f"  {c.name:<{width}}  {c.summary}" for c in COMMANDS if c.group == group]
        parts.append("\n".join([f"{group}:", *rows, ""]))
    return "\n".join([*parts, _OPTIONS])
