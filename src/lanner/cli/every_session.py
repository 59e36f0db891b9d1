"""What is done to all sessions at once: the kill switch of the home folder, set, shown and taken off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from json import loads
from pathlib import Path
from typing import Any

from lanner.cli.output import note, print_json
from lanner.core.errors import ConfigError, LannerError, NotFoundError

KILL_S = 90.0


def tell_kill_switch(*, quiet: bool) -> str:
    """Say that the kill switch is set, where it is; return why, or nothing."""
    from lanner.control.killswitch import kill_switch_reason

    reason = kill_switch_reason()
    if reason:
        note(
            f"The kill switch is active, so no session is started: {reason}\n"
            "  `lanner resume --all --reason …` takes it off.",
            quiet=quiet,
        )
    return reason


def resume_home(reason: str, *, json: bool, quiet: bool) -> int:
    """Take the kill switch of the home folder off; the latches of single sessions stay."""
    from lanner.control.killswitch import clear_kill_switch
    from lanner.control.opening import session_folder
    from lanner.live.killswitch import LATCH

    if not reason.strip():
        raise ConfigError(
            "the kill switch is taken off only with a reason", expected="--reason, why trading may go on"
        )
    was = clear_kill_switch(reason)
    latched = sorted(path.parent.name for path in session_folder("").glob(f"*/{LATCH}"))
    if json:
        print_json({"was_active": bool(was), "kill_switch": was, "latched": latched})
        return 0
    print(
        "the kill switch is off; sessions can be started again" if was else "the kill switch was not active"
    )
    if latched:
        note(f"latched by themselves: {', '.join(latched)} (`lanner resume SESSION --reason …`)", quiet=quiet)
    return 0


def kill_every(reason: str, *, json: bool, quiet: bool) -> int:
    """Set the kill switch of the home folder, then end all sessions beside each other: each that runs or broke off."""
    from lanner.control.killswitch import UNTOLD, set_kill_switch
    from lanner.control.opening import session_folder
    from lanner.live.kill_reports import done_in_words

    reason, errors = reason or UNTOLD, list[str]()
    try:
        set_kill_switch(reason)
    except OSError as error:
        errors.append(f"the kill switch could not be kept, so sessions can still be started: {error}")
    folders = [path.parent for path in sorted(session_folder("").glob("*/journal"))]
    with ThreadPoolExecutor(max_workers=max(1, min(32, len(folders))), thread_name_prefix="kill") as pool:
        told = [one for one in pool.map(lambda folder: _kill(folder, reason), folders) if one is not None]
    flat = not errors and all(one["flat"] for one in told)
    if json:
        print_json({"reason": reason, "flat": flat, "errors": errors, "sessions": told})
        return 0 if flat else 1
    for one in told:
        word = "flat, confirmed" if one["flat"] else "NOT FLAT"
        print(f"{one['session']}: {word}; {done_in_words(one)}")
        for line in (*one["left"], *one["errors"]):
            note(f"  {line}", quiet=quiet)
    for line in errors:
        note(line, quiet=quiet)
    count = f"{len(told)} session{'' if len(told) == 1 else 's'}"
    print(f"the kill switch is active: {count} ended, none is started any more")
    return 0 if flat else 1


def _kill(folder: Path, reason: str) -> dict[str, Any] | None:
    """Run one session's kill switch, from here where it does not answer; None for one that has nothing to end."""
    from lanner.cli.commands.watchdog import end_dead_session
    from lanner.live.remote import ask

    errors = []
    try:
        return ask(folder, "kill", reason=reason, timeout_s=KILL_S)
    except NotFoundError:
        if not _broke_off(folder):
            return None
        errors.append("it broke off, so it was ended from here")
    except (LannerError, OSError, ValueError) as error:
        errors.append(error.message() if isinstance(error, LannerError) else str(error))
    told: dict[str, Any] = {
        "flat": False,
        "orders_cancelled": 0,
        "positions_closed": 0,
        "left": [],
        "errors": [],
    }
    try:
        told = end_dead_session(folder, reason).as_dict()
    except (LannerError, OSError) as error:
        errors.append(error.message() if isinstance(error, LannerError) else str(error))
        told["left"] = ["nobody knows what is left"]
    return {"session": folder.name, **told, "errors": [*errors, *told["errors"]]}


def _broke_off(folder: Path) -> bool:
    """Tell whether a session with real orders ended without an end, and nobody has ended it since."""
    from lanner.live.guards import read_pulse
    from lanner.live.replaying import read_head

    pulse = read_pulse(folder)
    if pulse is None or (pulse.ended and not pulse.fault):
        return False
    try:
        report = loads((folder / "kill-report.json").read_bytes())
    except (OSError, ValueError):
        report = {}
    try:
        return read_head(folder).mode == "live" and not report.get("flat")
    except LannerError:
        return True
