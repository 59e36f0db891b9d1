"""``lanner run-sessions``: several sessions from one file, in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lanner.cli.commands.paper import AsJson, Confirm, DryRun, Live, Quiet, Seconds, Set
from lanner.cli.venue_options import VENUE, Network

if TYPE_CHECKING:
    from lanner.live.config import SessionConfig


def run_sessions(
    file: Annotated[str, Parameter(help="A settings file with `sessions:`, a list of sessions.")],
    /,
    *,
    live: Live = False,
    confirm: Confirm = "",
    set: Set = None,
    network: Network = VENUE,
    seconds: Seconds = 0.0,
    dry_run: DryRun = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run several sessions in one process, each in a thread of its own: one that breaks leaves the others alone.

    What stands beside `sessions` in the file is meant for each of them. Sessions with `mode: live` need --live and the
    phrase for all of their products. A session with an id that exists is continued. With `reload: {watch: true}` in the
    file, what is changed in it while it runs reaches all of its sessions, or none. The exit code is 1 when one broke.
    """
    from pathlib import Path

    from lanner.cli.many_sessions import Given, read_sessions, run_all
    from lanner.cli.output import print_json, table
    from lanner.cli.trading import ask_phrase, need_live
    from lanner.live.build import products_of_session
    from lanner.net.wallclock import wall_ns

    silent = ["alerts.channels.console.enabled=false"] if quiet or json else []
    given = Given(network, [*(set or []), *silent])
    many = read_sessions(Path(file).expanduser(), given, wall_ns())
    sessions = many.sessions
    real = [config for _, config in sessions if config.mode == "live"]
    if dry_run:
        return _show(sessions, json=json)
    if real:
        need_live(live, "Set mode: paper to try the strategies, or add --live when you mean it.")
        products = list(dict.fromkeys(name for config in real for name in products_of_session(config)))
        names = ", ".join(name for config in real for name in config.instruments)
        ask_phrase(products, f"This sends orders for {names}.", confirm)
    told, code = run_all(many, seconds, live=live, quiet=quiet or json)
    if json:
        print_json({"sessions": told})
        return code
    rows = [
        [
            one["session"],
            one["status"],
            f"{one['equity']:,.2f}" if "equity" in one else "",
            str(one.get("fills", "")),
            one["last_error"].partition("\n")[0],
        ]
        for one in told
    ]
    print(table(["session", "status", "equity", "fills", "error"], rows, right="23"))
    return code


def _show(sessions: list[tuple[str, SessionConfig]], *, json: bool) -> int:
    import yaml

    from lanner.cli.output import print_json
    from lanner.live.overrides import redacted
    from lanner.strategy.registry import load_strategy

    plain = []
    for name, config in sessions:
        for entry in config.entries():
            load_strategy(entry.strategy)(**entry.params)
        plain.append({"id": name, **redacted(config.to_plain())})
    if json:
        print_json({"ok": True, "sessions": plain})
    else:
        print(yaml.safe_dump({"sessions": plain}, sort_keys=False, allow_unicode=True, width=110), end="")
    return 0
