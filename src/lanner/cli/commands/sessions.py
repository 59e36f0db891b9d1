"""``lanner sessions`` and ``lanner replay``: what was run, and the same again from its journal."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from lanner.cli.numbers import NOT_NEGATIVE, Whole

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
Quiet = Annotated[bool, Parameter(negative="", help="Print nothing but the result.")]


def sessions(
    *,
    limit: Annotated[
        Whole, Parameter(validator=NOT_NEGATIVE, help="How many to show, the newest first; 0 for all.")
    ] = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """List the paper and live sessions, newest first, with what the ledger knows of them."""
    from lanner.cli.every_session import tell_kill_switch
    from lanner.cli.ledger_desk import with_ledger
    from lanner.cli.output import note, print_json
    from lanner.cli.render.ledger import sessions_table, told
    from lanner.cli.trading import session_folder
    from lanner.live.replaying import sessions_in

    found, fault = with_ledger(sessions_in(session_folder("")))
    found = found[:limit] if limit > 0 else found
    if fault:
        note(f"The ledger cannot be asked: {fault}", quiet=quiet or json)
    killed = tell_kill_switch(quiet=quiet or json)
    if json:
        print_json({"sessions": told(found), "ledger_fault": fault, "kill_switch": killed})
        return 0
    if not found:
        note("There are no sessions yet. Start one with `lanner paper`.", quiet=quiet)
        return 0
    print(sessions_table(found))
    if not fault and any(entry["state"] == "?" for entry in found):
        note("?: not in this ledger; `lanner ledger rebuild` makes the rows from the journals.", quiet=quiet)
    return 0


def replay(
    session: Annotated[str, Parameter(help="Id of a session, from `lanner sessions`.")],
    /,
    *,
    at: Annotated[str, Parameter(help="Stop before the first input after this time (UTC).")] = "",
    break_on: Annotated[
        str,
        Parameter(
            name="--break", help="Stop after an event and show the strategies' state: on_fill, on_order."
        ),
    ] = "",
    count: Annotated[Whole, Parameter(help="Which of these events to stop at.")] = 1,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Play a session's journal again and compare every command and fingerprint with what was written.

    The exit code is 1 when anything differs.
    """
    from lanner.cli.output import print_json
    from lanner.cli.render.ledger import moment
    from lanner.cli.render.replay import print_replay
    from lanner.cli.replaying import Breaker
    from lanner.cli.trading import session_folder
    from lanner.live.build import state_of
    from lanner.live.replaying import replay_session
    from lanner.storage.export import parse_time

    breaker = Breaker(break_on, count)
    until = parse_time(at, "--at")
    lines: list[tuple[int, str, str]] = []
    plan, engine, found = replay_session(
        session_folder(session),
        until_ts=until,
        log=lambda ts, name, text: lines.append((ts, name, text)),
        on_step=breaker.step,
    )
    report = {
        "session": session,
        "faithful": found.faithful,
        "inputs": found.inputs,
        "commands": found.commands,
        "checkpoints": found.checkpoints,
        "differences": found.differences,
        "stopped_at": breaker.stopped_at,
        "strategies": breaker.states or breaker.look(engine),
        **state_of(engine),
    }
    if json:
        print_json(report)
    else:
        stopped = breaker.words()
        if until and not stopped:
            stopped = f"stopped before {moment(until)} UTC"
        print_replay(report, lines, stopped=stopped, quiet=quiet)
    del plan
    return 0 if found.faithful else 1
