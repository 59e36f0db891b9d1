"""``lanner paper`` and ``lanner live``: a strategy on live markets, with simulated or with real orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from lanner.cli.venue_options import CaFile, Testnet, Url

if TYPE_CHECKING:
    pass

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
    float, Parameter(name="--for", group=_HOW, help="End after so many seconds; 0: at Ctrl-C.")
]
SessionName = Annotated[
    str | None,
    Parameter(name="--session", group=_OUT, help="Id of the session; one that exists is continued."),
]
AsJson = Annotated[
    bool, Parameter(name="--json", group=_OUT, negative="", help="Print one JSON object at the end.")
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
    url: Url = None,
    testnet: Testnet = False,
    ca_file: CaFile = "",
    seconds: Seconds = 0.0,
    session: SessionName = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run a strategy on live market data with simulated orders: fees, delays and fills as in a backtest.

    Everything is kept in a journal, so that the session can be replayed, compared with a backtest, and continued.
    """
    from lanner.cli.trading import session_config, trade

    config = session_config(strategy, "paper", instrument, timeframe, param, cash, set, url, testnet, ca_file)
    return trade(config, session, seconds, json=json, quiet=quiet)


def live(
    strategy: Strategy,
    /,
    *,
    live: Annotated[
        bool, Parameter(name="--live", negative="", group=_HOW, help="Yes, send real orders.")
    ] = False,
    confirm: Annotated[
        str, Parameter(group=_HOW, help="The phrase that is asked for, where nobody can type it.")
    ] = "",
    key: Annotated[str | None, Parameter(group=_HOW, help="Name of the key to trade with.")] = None,
    instrument: Instruments = None,
    timeframe: Timeframe = None,
    param: Param = None,
    cash: Cash = None,
    set: Set = None,
    url: Url = None,
    testnet: Testnet = False,
    ca_file: CaFile = "",
    seconds: Seconds = 0.0,
    session: SessionName = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run a strategy with real orders. It needs --live, a typed confirmation, and a key that may not withdraw.

    Everything is kept in a journal before it is done. A session that is named again is continued: its engine is rebuilt
    from the journal, then compared with the venue.
    """
    from lanner.cli.trading import ask_confirmation, session_config, trade

    config = session_config(strategy, "live", instrument, timeframe, param, cash, set, url, testnet, ca_file)
    if key is not None:
        config = config.model_copy(update={"key": key})
    ask_confirmation(config, live, confirm)
    return trade(config, session, seconds, json=json, quiet=quiet)
