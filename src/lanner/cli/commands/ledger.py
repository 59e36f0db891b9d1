"""``lanner ledger``: what the ledger holds of sessions, and its rows made again from the journals."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from lanner.cli.numbers import NOT_NEGATIVE, Whole

app = App(name="ledger", help="Show what the ledger holds of sessions, or make it again from their journals.")

Session = Annotated[
    str, Parameter(help="Id of a session, from `lanner sessions`, `last`, or `manual`: orders by hand.")
]
Url = Annotated[
    str,
    Parameter(help="Address of the ledger; default: LANNER_LEDGER__URL, else ledger.db in Lanner's home."),
]
Strategy = Annotated[str, Parameter(help="Only those of one strategy.")]
Limit = Annotated[
    Whole, Parameter(validator=NOT_NEGATIVE, help="How many to show, the last ones; 0 for all.")
]
AsJson = Annotated[bool, Parameter(name="--json", help="Print one JSON object.")]
Quiet = Annotated[bool, Parameter(help="Print nothing but the result.")]


@app.command
def show(
    session: Annotated[
        str, Parameter(help="Id of a session, or `last`; default: the ledger as a whole.")
    ] = "",
    /,
    *,
    url: Url = "",
    json: AsJson = False,
    quiet: Quiet = False,  # noqa: ARG001 - taken everywhere; there is nothing to leave out here
) -> None:
    """Show one session's row with its sums, or where the ledger is and how many rows it has."""
    from lanner.cli.ledger_desk import open_view
    from lanner.cli.output import print_json
    from lanner.cli.render.ledger import ledger_text, session_text, told

    view = open_view(url)
    found = view.session(session) if session else view.summary()
    if json:
        print_json(told(found))
    else:
        print(session_text(found) if session else ledger_text(found))


@app.command
def orders(
    session: Session = "last",
    /,
    *,
    strategy: Strategy = "",
    status: Annotated[str, Parameter(help="Only those with this status, e.g. filled or rejected.")] = "",
    limit: Limit = 50,
    url: Url = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List the orders of a session."""
    _show("orders", session, url, json=json, quiet=quiet, strategy=strategy, status=status, limit=limit)


@app.command
def fills(
    session: Session = "last",
    /,
    *,
    strategy: Strategy = "",
    limit: Limit = 50,
    url: Url = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List the fills of a session."""
    _show("fills", session, url, json=json, quiet=quiet, strategy=strategy, limit=limit)


@app.command
def equity(
    session: Session = "last",
    /,
    *,
    strategy: Annotated[str, Parameter(help="One strategy instead of the account.")] = "",
    limit: Limit = 50,
    url: Url = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List what the account was worth on the way."""
    _show("equity", session, url, json=json, quiet=quiet, strategy=strategy, limit=limit)


def _show(what: str, session: str, url: str, *, json: bool, quiet: bool, **filters: Any) -> None:
    """Print the rows of one kind: ``orders``, ``fills`` or ``equity``."""
    from lanner.cli.ledger_desk import open_view, show_rows
    from lanner.cli.render import ledger as tables

    view = open_view(url)
    name = view.session(session)["session"]
    rows = getattr(view, what)(name, **filters)
    show_rows(what, name, rows, getattr(tables, f"{what}_table"), json=json, quiet=quiet)


@app.command
def events(
    session: Session = "last",
    /,
    *,
    limit: Limit = 50,
    url: Url = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List alarms, faults, connections, adjustments of the account and what people did."""
    from lanner.cli.ledger_desk import open_view, show_rows
    from lanner.cli.render.ledger import events_table

    view = open_view(url)
    name = view.session(session)["session"]
    rows = view.events(name, limit=limit)
    more = {"adjustments": view.adjustments(name, limit=limit)}
    show_rows("events", name, rows, events_table, json=json, quiet=quiet, more=more)


@app.command
def rebuild(
    session: Annotated[
        str, Parameter(help="Id of a session; default: all whose rows may lack something.")
    ] = "",
    /,
    *,
    all: Annotated[
        bool, Parameter(name="--all", help="Every session, also those that lack nothing.")
    ] = False,
    url: Url = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Make rows again from the journals, which are the truth. The exit code is 1 when one could not be read.

    No strategy is loaded: a journal alone is enough, whatever has become of the code.
    """
    from lanner.cli.ledger_desk import rebuild_sessions
    from lanner.cli.output import note, print_json

    found = rebuild_sessions(session, url, every=all)
    if json:
        print_json({"rebuilt": [one.as_dict() for one in found]})
    else:
        for one in found:
            done = f"{one.orders} orders, {one.fills} fills, {one.rows} rows"
            print(f"{one.session}: {one.left_out or done}")
        if not found:
            note("Nothing is missing; `--all` makes every session's rows again.", quiet=quiet)
    return 1 if any(one.left_out for one in found) else 0
