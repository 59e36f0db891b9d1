"""``lanner sweep``: search a strategy's parameters and say whether the best of them is luck."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from lanner.cli.numbers import AT_LEAST_ONE, Whole, WholeOrNone

_WHAT = Group("What to search", sort_key=1)
_HOW = Group("How to search", sort_key=2)
_JUDGE = Group("How to judge", sort_key=3)
_MARKET = Group("How the venue behaves", sort_key=4)
_OUT = Group("What comes out", sort_key=5)


def sweep(
    strategy: Annotated[
        str,
        Parameter(help="A name from `lanner strategies`, file.py[:Class], module:Class, or settings.yaml"),
    ],
    /,
    *,
    param: Annotated[
        list[str] | None,
        Parameter(
            name=["--param", "-p"],
            group=_WHAT,
            help="A parameter and its values: fast=5:50:5, kind=sma,ema, fast=* (its declared range), or fixed.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        Parameter(group=_WHAT, help='A condition on the parameters, e.g. "fast<slow". Repeatable.'),
    ] = None,
    data: Annotated[
        list[str] | None,
        Parameter(name=["--data", "-d"], group=_WHAT, help="What to play: a data set or a file. Repeatable."),
    ] = None,
    since: Annotated[
        str | None, Parameter(name=["--since", "--start"], group=_WHAT, help="First time, inclusive.")
    ] = None,
    until: Annotated[
        str | None, Parameter(name=["--until", "--end"], group=_WHAT, help="Last time, exclusive.")
    ] = None,
    instrument: Annotated[
        str | None, Parameter(group=_WHAT, help="Instrument of a data file that does not tell.")
    ] = None,
    timeframe: Annotated[str | None, Parameter(group=_WHAT, help="Timeframe to run on.")] = None,
    format: Annotated[str | None, Parameter(group=_WHAT, help="Format of files.")] = None,
    catalog: Annotated[Path | None, Parameter(group=_WHAT, help="Folder of the catalog.")] = None,
    method: Annotated[
        str, Parameter(group=_HOW, help="grid, random, tpe (Bayesian), nsga2 or cmaes (evolutionary).")
    ] = "grid",
    trials: Annotated[Whole, Parameter(group=_HOW, help="Variants to try, with any method but grid.")] = 1000,
    engine: Annotated[
        str, Parameter(group=_HOW, help="auto, array (signal functions on bars) or event (everything).")
    ] = "auto",
    workers: Annotated[
        WholeOrNone,
        Parameter(
            group=_HOW, validator=AT_LEAST_ONE, help="Threads or processes; one per processor unless told."
        ),
    ] = None,
    on: Annotated[
        str, Parameter(group=_HOW, help="local: this machine; ray: a Ray cluster (needs the part 'ray').")
    ] = "local",
    address: Annotated[
        str | None,
        Parameter(group=_HOW, help="The cluster to join: auto or host:port. Without it Ray is started here."),
    ] = None,
    fresh: Annotated[
        bool, Parameter(group=_HOW, help="Start over instead of going on with a search that was stopped.")
    ] = False,
    resume: Annotated[
        bool, Parameter(group=_HOW, help="Go on with a search that was stopped (this happens by itself too).")
    ] = True,
    objective: Annotated[
        str,
        Parameter(
            group=_JUDGE,
            help="What to maximise: sharpe, sortino, calmar, omega, total_return, net_profit, profit_factor, win_rate, "
            "max_drawdown, tail_ratio, stability, risk_adjusted; several separated by commas.",
        ),
    ] = "sharpe",
    min_trades: Annotated[
        Whole, Parameter(group=_JUDGE, help="Variants with fewer closed trades are not ranked.")
    ] = 10,
    walk_forward: Annotated[
        str, Parameter(group=_JUDGE, help="rolling, expanding, anchored or none.")
    ] = "rolling",
    windows: Annotated[Whole, Parameter(group=_JUDGE, help="Windows of the walk-forward.")] = 8,
    train: Annotated[
        float, Parameter(group=_JUDGE, help="Share of a window that parameters are chosen on.")
    ] = 0.7,
    gap: Annotated[Whole, Parameter(group=_JUDGE, help="Bars left out between choosing and testing.")] = 0,
    top: Annotated[Whole, Parameter(group=_OUT, help="How many of the best variants to list.")] = 20,
    cash: Annotated[
        str | None,
        Parameter(name=["--cash", "--capital"], group=_MARKET, help="Money at the start; 10000 unless told."),
    ] = None,
    commission: Annotated[
        str | None, Parameter(group=_MARKET, help="Both fees at once as a fraction.")
    ] = None,
    slippage_bps: Annotated[
        str | None, Parameter(group=_MARKET, help="Slippage of takers; 5 unless told.")
    ] = None,
    leverage: Annotated[
        str | None, Parameter(group=_MARKET, help="Leverage of the account; 1 unless told.")
    ] = None,
    funding: Annotated[
        str | None, Parameter(group=_MARKET, help="Funding of perpetuals: data (default) or assume-zero.")
    ] = None,
    set: Annotated[
        list[str] | None,
        Parameter(
            name="--set", group=_MARKET, help="Any other setting, e.g. fills.market_on=close. Repeatable."
        ),
    ] = None,
    seed: Annotated[Whole, Parameter(group=_HOW, help="Seed of all randomness.")] = 1,
    name: Annotated[str | None, Parameter(group=_OUT, help="Name of the run.")] = None,
    report: Annotated[Path | None, Parameter(group=_OUT, help="Write the page here too.")] = None,
    json: Annotated[bool, Parameter(group=_OUT, help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(group=_OUT, help="Print only the id of the run.")] = False,
) -> None:
    """Try many sets of parameters, rank them, walk forward, and judge whether the best is luck.

    Ctrl-C keeps what is done; the same command goes on from there. The result is kept as a run with a page of heat
    maps, the walk-forward and the verdict.
    """
    from lanner.cli.backtest_options import Options, files_first
    from lanner.cli.sweeping import SweepChoice, run_sweep_command

    options = Options()
    options.put("data", "--data", files_first(data))
    options.put("since", "--since", since)
    options.put("until", "--until", until)
    options.put("instrument", "--instrument", instrument)
    options.put("timeframe", "--timeframe", timeframe)
    options.put("format", "--format", format)
    options.put("catalog", "--catalog", None if catalog is None else str(catalog.expanduser().resolve()))
    options.put("cash", "--cash", cash)
    options.put("fees.maker", "--commission", commission)
    options.put("fees.taker", "--commission", commission)
    options.put("slippage.model", "--slippage-bps", None if slippage_bps is None else "bps")
    options.put("slippage.value", "--slippage-bps", slippage_bps)
    options.put("leverage", "--leverage", leverage)
    options.put("funding", "--funding", funding)
    options.put("name", "--name", name)
    options.put("seed", "--seed", seed)
    options.add_settings(set or [])
    run_sweep_command(
        options.config(strategy),
        SweepChoice(
            params=param or [],
            where=where or [],
            method=method,
            trials=trials,
            engine=engine,
            workers=workers,
            fresh=fresh or not resume,
            objectives=[part.strip() for part in objective.split(",") if part.strip()],
            min_trades=min_trades,
            walk_forward=walk_forward,
            windows=windows,
            train=train,
            gap=gap,
            top=top,
            seed=seed,
            report=report,
            as_json=json,
            quiet=quiet,
            on=on,
            address=address,
        ),
    )
