"""``lanner alerts``: try the channels, and look at what a session told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from lanner.cli.numbers import NOT_NEGATIVE, Whole

app = App(name="alerts", help="Try the channels of alerts, or show the alerts of a session.")

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
Quiet = Annotated[bool, Parameter(negative="", help="Print nothing but the result.")]


@app.command(name="test")
def try_out(
    settings: Annotated[
        Path | None,
        Parameter(help="A settings file with a section `alerts`; default: what the environment says."),
    ] = None,
    /,
    *,
    session: Annotated[str, Parameter(help="Take the settings that a session was begun with.")] = "",
    channel: Annotated[str, Parameter(help="Only this channel.")] = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Send a test alert through each channel, whatever its level, and say what each answered.

    The exit code is 1 when one did not take it.
    """
    from lanner.cli.alert_desk import settings_of, try_channels
    from lanner.cli.output import note, print_json, table

    answers = try_channels(settings_of(settings, session), channel)
    failed = [answer for answer in answers if not answer["ok"]]
    if json:
        print_json({"ok": not failed, "channels": answers})
    else:
        rows = [
            [
                str(answer["channel"]),
                str(answer["where"]),
                f"taken in {answer['ms']:.0f} ms" if answer["ok"] else f"FAILED: {answer['error']}",
            ]
            for answer in answers
        ]
        print(table(["channel", "where", "answer"], rows))
        if failed:
            note(f"{len(failed)} of {len(answers)} channels did not take the alert.", quiet=quiet)
    return 1 if failed else 0


@app.command
def show(
    session: Annotated[str, Parameter(help="Id of a session, from `lanner sessions`.")],
    /,
    *,
    level: Annotated[
        Literal["debug", "info", "warning", "critical", "emergency"],
        Parameter(help="Only this level and graver ones."),
    ] = "debug",
    limit: Annotated[
        Whole, Parameter(validator=NOT_NEGATIVE, help="How many to show, the last ones; 0 for all.")
    ] = 50,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show the alerts of a session, its watchdog's among them, oldest first."""
    from lanner.cli.alert_desk import alerts_of
    from lanner.cli.output import console, note, print_json
    from lanner.cli.render.alerts import alert_lines

    found = alerts_of(session, level, limit)
    if json:
        print_json({"session": session, "alerts": [alert.as_dict() for alert in found]})
        return
    if not found:
        note(f"There are no such alerts of session {session}.", quiet=quiet)
        return
    print(alert_lines(found, colour=not console().no_color))
