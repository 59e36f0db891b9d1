"""``lanner watchdog``: the process that ends a session which can no longer end itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from lanner.live.killswitch import KillReport


def watchdog(
    session: Annotated[str, Parameter(help="Id of a running live session.")],
    /,
    *,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print nothing but the result.")] = False,
) -> int:
    """Watch a live session from a process of its own; `lanner live` starts one by itself.

    When the session's process is gone or silent, or a guard's kill switch came to nothing, its process is ended, all
    orders are cancelled at the venue, what it holds is closed, and the session is latched. A venue that cannot be
    reached is tried again until it confirms that nothing is left; the exit code is 1 when somebody resumes the session
    before that.
    """
    from lanner.cli.output import note, print_json
    from lanner.cli.trading import session_folder
    from lanner.cli.venue_options import run
    from lanner.live.alerting import WatchdogAlerts
    from lanner.live.build import plan_of
    from lanner.live.replaying import read_head
    from lanner.live.watchdog import watch

    folder = session_folder(session)
    keys = session_keys(folder)
    note(f"watching session {session}", quiet=quiet or json)
    alerts = WatchdogAlerts(folder, plan_of(read_head(folder)).config.alerts)
    for problem in alerts.problems:
        note(problem, quiet=quiet)

    def tripped(reason: str) -> None:
        alerts.tripped(reason)
        note(f"tripped: {reason}", quiet=quiet)

    try:
        report = run(watch(folder, keys, tripped, alerts.ended))
    except Exception as error:
        alerts.failed(error)
        raise
    finally:
        alerts.close()
    if report is None:
        if json:
            print_json({"session": session, "tripped": False})
        else:
            print(f"session {session} ended by itself")
        return 0
    if json:
        print_json({"session": session, "tripped": True, **report.as_dict()})
    else:
        print_kill(report, quiet=quiet)
    return 0 if report.flat else 1


def session_keys(folder: Path) -> Any:
    """Return what finds the keys with which a session's watchdog acts."""
    from lanner.live.build import plan_of
    from lanner.live.replaying import read_head
    from lanner.venues.keys import load_keys

    config = plan_of(read_head(folder)).config
    name = config.recovery.watchdog_key or config.key
    return lambda product: load_keys(product, name)


def end_dead_session(folder: Path, reason: str) -> KillReport:
    """End a session that does not answer: its process, its orders, what it holds."""
    from lanner.cli.venue_options import run
    from lanner.live.aftermath import end_session
    from lanner.live.alerting import WatchdogAlerts
    from lanner.live.build import plan_of
    from lanner.live.guards import read_pulse
    from lanner.live.replaying import read_head

    alerts = WatchdogAlerts(folder, plan_of(read_head(folder)).config.alerts, "kill switch")
    alerts.tripped(reason)
    try:
        report = run(end_session(folder, reason, session_keys(folder), read_pulse(folder)))
        alerts.ended(report)
    except Exception as error:
        alerts.failed(error)
        raise
    finally:
        alerts.close()
    return report


def print_kill(report: KillReport, *, quiet: bool) -> None:
    """Print what a kill switch did."""
    from lanner.cli.output import note
    from lanner.live.kill_reports import done_in_words

    word = "flat, confirmed" if report.flat else "NOT FLAT"
    print(f"kill switch: {word} after {report.seconds:.1f} s; {done_in_words(report.as_dict())}")
    for line in (*report.left, *report.errors, *report.notes):
        note(f"  {line}", quiet=quiet)
