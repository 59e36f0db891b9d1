"""``lanner reload``: new parameters and limits for a session that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from lanner.cli.commands.session import AsJson, Name, Quiet, Reason


def reload(
    session: Name = "",
    /,
    *,
    set: Annotated[
        list[str] | None,
        Parameter(
            name="--set",
            negative="",
            help="NAME=VALUE: a parameter (STRATEGY.NAME of several), or risk.NAME. Repeatable.",
        ),
    ] = None,
    file: Annotated[
        Path | None, Parameter(help="A file of parameters, or a backup; default: the session's own file.")
    ] = None,
    dry_run: Annotated[
        bool,
        Parameter(name="--dry-run", negative="", help="Check and show what would change; change nothing."),
    ] = False,
    reason: Reason = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Change a running session's parameters and risk limits, all of it or nothing, and show the difference.

    The change is written into the session's journal, so that a replay makes it again at the same moment.
    """
    from lanner.cli.output import note, print_json, table
    from lanner.cli.trading import running_session
    from lanner.core.errors import ConfigError
    from lanner.live.remote import ask

    if set and file is not None:
        raise ConfigError("--set and --file exclude each other", fix="Leave one of them out.")
    asked: dict[str, Any] = {"dry_run": dry_run, "reason": reason}
    if set:
        asked["set"] = set
    if file is not None:
        asked["file"] = str(file.expanduser().resolve())
    told = ask(running_session(session), "reload", **asked)
    if json:
        print_json(told)
        return 0
    if not told["changes"]:
        note(f"nothing is new for session {told['session']}", quiet=quiet)
        return 0
    rows = [
        [_place(row), "" if row["before"] is None else str(row["before"]), _word(row["after"])]
        for row in told["changes"]
    ]
    print(table(["setting", "before", "after"], rows))
    done = "applied" if told["applied"] else "not applied (dry run)"
    note(f"session {told['session']}: {done}", quiet=quiet)
    return 0


def _place(row: dict[str, Any]) -> str:
    return f"risk.{row['name']}" if row["kind"] == "risk" else f"{row['strategy']}.{row['name']}"


def _word(value: Any) -> str:
    return "(default)" if value is None else str(value)
