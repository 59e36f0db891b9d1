"""``lanner parity``: a session beside the backtest of what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def parity(
    session: Annotated[str, Parameter(help="Id of a session, from `lanner sessions`.")],
    /,
    *,
    set: Annotated[
        list[str] | None,
        Parameter(
            name="--set", help="A setting of the backtest's side only, e.g. fees.taker=0.001. Repeatable."
        ),
    ] = None,
    data: Annotated[
        bool,
        Parameter(
            name="--data",
            negative="",
            help="Play what the catalog has of that time, in the place of what the session recorded.",
        ),
    ] = False,
    catalog: Annotated[Path | None, Parameter(help="Folder of the catalog.")] = None,
    html: Annotated[Path | None, Parameter(help="Write the report to this HTML file.")] = None,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print only the verdict.")] = False,
) -> int:
    """Run a session's market data through the backtest and say what the difference in equity is made of.

    Orders are joined one by one. The gap is split into latency, queue and fill price, fees, funding, missed data and
    manual action; a rest that is not zero, or an order that differs without a reason, makes the exit code 1.
    """
    from lanner.cli.backtest_options import Options
    from lanner.cli.output import note, print_json
    from lanner.cli.render.parity import print_parity
    from lanner.cli.trading import session_folder
    from lanner.live.parity import compare_session, write_parity_page
    from lanner.live.parity.view import report_json

    options = Options()
    options.add_settings(set or [])
    stored = None
    if data or catalog is not None:
        from lanner.storage.catalog import Catalog
        from lanner.storage.environment import default_catalog

        stored = Catalog(catalog or default_catalog())
    report = compare_session(session_folder(session), options.values, catalog=stored)
    page = None
    if html is not None:
        page = write_parity_page(report, html.expanduser())
    if json:
        print_json({**report_json(report), "report": page})
    else:
        print_parity(report, quiet=quiet)
        if page is not None:
            note(f"report: {page}", quiet=quiet)
    return 0 if report.explained else 1
