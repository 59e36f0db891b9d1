"""``lanner status``, ``pause``, ``resume``, ``stop``, ``reconcile``: a running session, from another terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from pathlib import Path

Name = Annotated[str, Parameter(help="Id of the session; default: the one that runs.")]
Reason = Annotated[str, Parameter(help="Why; it is written into the journal.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
Quiet = Annotated[bool, Parameter(negative="", help="Print nothing but the result.")]
All = Annotated[
    bool,
    Parameter(name="--all", negative="", help="All sessions: the kill switch of Lanner's home folder."),
]
REFRESH_S = 1.0


def status(
    session: Name = "",
    /,
    *,
    once: Annotated[bool, Parameter(negative="", help="Print once and leave, also on a terminal.")] = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show a session: positions, profit, orders, doubts, age of its data, connections, clock, state.

    On a terminal it is drawn again every second, until Ctrl-C or the session's end.
    """
    from lanner.cli.every_session import tell_kill_switch
    from lanner.cli.live_view import LeftByCtrlC
    from lanner.cli.output import console, note, print_json
    from lanner.cli.render.status import status_view
    from lanner.cli.trading import running_session
    from lanner.live.remote import ask

    killed = tell_kill_switch(quiet=quiet or json)
    folder = running_session(session)
    told = ask(folder, "status")
    if json:
        print_json({**told, "kill_switch": killed})
    elif once or not sys.stdout.isatty():
        console().print(status_view(told))
    else:
        from rich.live import Live

        with LeftByCtrlC(), Live(status_view(told), console=console(), auto_refresh=False) as view:
            while told:
                view.update(status_view(told), refresh=True)
                time.sleep(REFRESH_S)
                told = _status_or_end(folder)
        if not told:
            note(f"session {folder.name} has ended", quiet=quiet)
    return 0


def _status_or_end(folder: Path) -> dict[str, Any]:
    """Return a session's status; nothing when it has ended since the last look."""
    from lanner.core.errors import NotFoundError
    from lanner.live.remote import ask

    try:
        return ask(folder, "status")
    except NotFoundError:
        return {}


def pause(session: Name = "", /, *, reason: Reason = "", json: AsJson = False, quiet: Quiet = False) -> int:
    """Let a session's strategies rest: connections, prices and indicators go on, no handler runs."""
    return _do(session, "pause", f"paused by hand{f': {reason}' if reason else ''}", json=json, quiet=quiet)


def resume(
    session: Name = "",
    /,
    *,
    all: All = False,
    reason: Reason = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Let a paused session's strategies work again, or take the kill switch's latch off (that needs a reason).

    With --all it takes off what `lanner kill --all` or a program's kill switch set for the home folder, so that
    sessions can be started again; the latches of single sessions stay.
    """
    from lanner.cli.every_session import resume_home
    from lanner.cli.output import note, print_json
    from lanner.cli.trading import session_folder
    from lanner.core.errors import ConfigError
    from lanner.live.killswitch import locked, unlock
    from lanner.live.remote import is_running

    if all:
        _only_all(session)
        return resume_home(reason, json=json, quiet=quiet)
    folder = session_folder(session)
    if session and locked(folder):
        if not reason:
            raise ConfigError(
                f"session {session} was stopped by its kill switch: {locked(folder)}",
                expected="--reason, why it may trade again",
            )
        if not is_running(folder):
            unlock(folder)
            if json:
                print_json({"session": session, "running": False, "latched": False})
            else:
                note(f"the latch of {session} is off; start the session to go on", quiet=quiet)
            return 0
    return _do(session, "resume", reason or "resumed by hand", json=json, quiet=quiet)


def kill(
    session: Name = "",
    /,
    *,
    all: All = False,
    reason: Reason = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Stop all trading of a session: cancel everything, close everything, confirm it at the venue. It stays stopped.

    A session that is dead or stuck is ended from here, with what its journal says. With --all every session that runs
    or broke off is ended so, and none is started from this home folder any more until `lanner resume --all`. The exit
    code is 1 when a venue did not confirm that nothing is left.
    """
    from lanner.cli.commands.watchdog import end_dead_session
    from lanner.cli.every_session import kill_every
    from lanner.cli.output import note, print_json
    from lanner.cli.trading import running_session
    from lanner.live.kill_reports import done_in_words
    from lanner.live.remote import ask, is_running

    if all:
        _only_all(session)
        return kill_every(reason, json=json, quiet=quiet)
    folder = running_session(session)
    if folder.is_dir() and not is_running(folder):
        report = end_dead_session(folder, reason or "by hand")
        told: dict[str, Any] = {"session": folder.name, **report.as_dict()}
    else:
        told = ask(folder, "kill", reason=reason, timeout_s=90.0)
    if json:
        print_json(told)
    else:
        word = "flat, confirmed" if told["flat"] else "NOT FLAT"
        print(f"kill switch: {word} after {told['seconds']:.1f} s; {done_in_words(told)}")
        for line in (*told["left"], *told["errors"], *told["notes"]):
            note(f"  {line}", quiet=quiet)
    return 0 if told["flat"] else 1


def stop(session: Name = "", /, *, json: AsJson = False, quiet: Quiet = False) -> int:
    """End a session; what its strategies leave open stays open."""
    return _do(session, "stop", "", json=json, quiet=quiet)


def reconcile(session: Name = "", /, *, json: AsJson = False, quiet: Quiet = False) -> int:
    """Compare a live session with its venue now, and mend every difference."""
    return _do(session, "reconcile", "asked for by hand", json=json, quiet=quiet)


def _only_all(session: str) -> None:
    from lanner.core.errors import ConfigError

    if session:
        raise ConfigError("--all and a session exclude each other", fix="Leave one of them out.")


def _do(session: str, what: str, reason: str, *, json: bool, quiet: bool) -> int:
    from lanner.cli.output import note, print_json
    from lanner.cli.trading import running_session
    from lanner.live.remote import ask

    told: dict[str, Any] = ask(running_session(session), what, reason=reason)
    if json:
        print_json(told)
        return 0
    paused = (" (waits for the venue)" if told["sync_failed"] else " (paused)") if told["paused"] else ""
    print(f"{what}: session {told['session']}, {told['trading']}{paused}, equity {told['equity']:,.2f}")
    if what != "reconcile":
        return 0
    for line in told["differences"] or ["orders, fills and positions are the venue's"]:
        note(f"  {line}", quiet=quiet)
    return 1 if any(line.startswith("not finished") for line in told["differences"]) else 0
