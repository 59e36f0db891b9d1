"""``lanner paper`` and ``lanner live``: a strategy on live markets, with simulated or with real orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from lanner.cli.numbers import MINUTES, SECONDS
from lanner.cli.venue_options import VENUE, Network

if TYPE_CHECKING:
    from lanner.cli.session_settings import Wishes

_WHAT = Group("What to run", sort_key=1)
_HOW = Group("How", sort_key=2)
_OUT = Group("What comes out", sort_key=3)

Strategy = Annotated[
    str,
    Parameter(help="A name from `lanner strategies`, file.py[:Class], module:Class, or settings.yaml"),
]
Instruments = Annotated[
    list[str] | None,
    Parameter(
        name=["--instrument", "-i"],
        group=_WHAT,
        help="INSTRUMENT@VENUE, e.g. BTC-PERP@hyperliquid. Repeatable.",
    ),
]
Timeframe = Annotated[str | None, Parameter(group=_WHAT, help="Timeframe of the strategy's bars.")]
Param = Annotated[
    list[str] | None, Parameter(name=["--param", "-p"], group=_WHAT, help="A parameter, e.g. fast=10.")
]
Cash = Annotated[
    str | None, Parameter(name=["--cash", "--capital"], group=_HOW, help="Money of the strategies.")
]
Set = Annotated[
    list[str] | None,
    Parameter(name="--set", group=_HOW, help="Any other setting, e.g. risk.max_open_orders=5."),
]
Seconds = Annotated[
    float,
    Parameter(
        name="--for",
        group=_HOW,
        validator=SECONDS,
        help="End after so many seconds; 0: at Ctrl-C.",
    ),
]
SessionName = Annotated[
    str | None,
    Parameter(name="--session", group=_OUT, help="Id of the session; one that exists is continued."),
]
AsJson = Annotated[
    bool, Parameter(name="--json", group=_OUT, negative="", help="Print one JSON object at the end.")
]
DryRun = Annotated[
    bool,
    Parameter(
        name="--dry-run", negative="", group=_OUT, help="Check everything, show the settings and stop."
    ),
]
Key = Annotated[str | None, Parameter(group=_HOW, help="Name of the key to trade with.")]
Live = Annotated[bool, Parameter(name="--live", negative="", group=_HOW, help="Yes, send real orders.")]
Confirm = Annotated[
    str, Parameter(group=_HOW, help="The phrase that is asked for, where nobody can type it.")
]
NoWatchdog = Annotated[
    bool,
    Parameter(name="--no-watchdog", negative="", group=_HOW, help="Start no watchdog beside the session."),
]
Quiet = Annotated[bool, Parameter(group=_OUT, negative="", help="Print nothing but the result.")]


def paper(
    strategy: Strategy,
    /,
    *,
    instrument: Instruments = None,
    timeframe: Timeframe = None,
    param: Param = None,
    cash: Cash = None,
    set: Set = None,
    network: Network = VENUE,
    seconds: Seconds = 0.0,
    session: SessionName = None,
    dry_run: DryRun = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run a strategy on live market data with simulated orders: fees, delays and fills as in a backtest.

    Everything is kept in a journal, so that the session can be replayed, compared with a backtest, and continued.
    """
    from lanner.cli.session_settings import Wishes

    wishes = Wishes(strategy, "paper", None, instrument, timeframe, param, cash, set, network)
    return start(wishes, session, seconds, dry_run=dry_run, json=json, quiet=quiet)


def live(
    strategy: Strategy,
    /,
    *,
    live: Live = False,
    confirm: Confirm = "",
    key: Key = None,
    no_watchdog: NoWatchdog = False,
    instrument: Instruments = None,
    timeframe: Timeframe = None,
    param: Param = None,
    cash: Cash = None,
    set: Set = None,
    network: Network = VENUE,
    seconds: Seconds = 0.0,
    session: SessionName = None,
    dry_run: DryRun = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run a strategy with real orders. It needs --live, a typed confirmation, and a key that may not withdraw.

    Everything is kept in a journal before it is done. A session that is named again is continued: its engine is rebuilt
    from the journal, then compared with the venue.
    """
    from lanner.cli.session_settings import Wishes

    if no_watchdog:
        set = [*(set or []), "recovery.watchdog=false"]
    wishes = Wishes(strategy, "live", None, instrument, timeframe, param, cash, set, network, key)
    return start(
        wishes, session, seconds, live=live, confirm=confirm, dry_run=dry_run, json=json, quiet=quiet
    )


def run_strategy(
    *,
    strategy: Annotated[
        str, Parameter(name=["--strategy", "-s"], group=_WHAT, help="As for `lanner paper`.")
    ],
    config: Annotated[
        str, Parameter(name=["--config", "-c"], group=_WHAT, help="The settings file of the session.")
    ],
    paper: Annotated[
        bool,
        Parameter(name="--paper", negative="", group=_HOW, help="Simulated orders; what happens anyway."),
    ] = False,
    live: Live = False,
    confirm: Confirm = "",
    capital: Cash = None,
    interval: Annotated[
        float,
        Parameter(group=_HOW, validator=SECONDS, help="Seconds between two ticks of the clock; 0: none."),
    ] = 60.0,
    duration: Annotated[
        float, Parameter(group=_HOW, validator=MINUTES, help="End after so many minutes; 0: at Ctrl-C.")
    ] = 0.0,
    key: Key = None,
    instrument: Instruments = None,
    timeframe: Timeframe = None,
    param: Param = None,
    set: Set = None,
    network: Network = VENUE,
    session: SessionName = None,
    dry_run: DryRun = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run a strategy with a settings file, on paper unless --live is given: `lanner paper` and `live` in one.

    The strategy stands in the place of the one that the file names.
    """
    from lanner.cli.session_settings import Wishes
    from lanner.core.errors import ConfigError

    if paper and live:
        raise ConfigError("--paper and --live exclude each other", fix="Leave one of them out.")
    mode = "live" if live else "paper"
    more = {"tick_ms": ("--interval", max(1, round(interval * 1_000)))} if interval else {}
    wishes = Wishes(config, mode, strategy, instrument, timeframe, param, capital, set, network, key, more)
    seconds = duration * 60.0
    return start(
        wishes, session, seconds, live=live, confirm=confirm, dry_run=dry_run, json=json, quiet=quiet
    )


def start(
    wishes: Wishes,
    session: str | None,
    seconds: float,
    *,
    live: bool = False,
    confirm: str = "",
    dry_run: bool,
    json: bool,
    quiet: bool,
) -> int:
    """Settle what a session runs with, then show that, or run it once somebody has confirmed that orders are real."""
    from lanner.cli.session_settings import settle, show_settings
    from lanner.cli.trading import ask_confirmation, trade

    settled = settle(wishes)
    if dry_run:
        return show_settings(settled, json=json, quiet=quiet)
    if wishes.mode == "live":
        ask_confirmation(settled.config, live, confirm)
    return trade(settled.config, session, seconds, json=json, quiet=quiet)
