"""``lanner backtest``: run a strategy, or a YAML file, over past data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

_WHAT = Group("What to run", sort_key=1)
_MARKET = Group("How the venue behaves", sort_key=2)
_OUT = Group("What comes out", sort_key=3)


def backtest(
    strategy: Annotated[
        str,
        Parameter(help="A name from `lanner strategies`, file.py[:Class], module:Class, or settings.yaml"),
    ],
    /,
    *,
    data: Annotated[
        list[str] | None,
        Parameter(
            name=["--data", "-d"],
            group=_WHAT,
            help="What to play: a data set such as BTC-USDT.BINANCE@1h, or a file. May be given several times.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        Parameter(
            name=["--since", "--start"],
            group=_WHAT,
            help="First time, inclusive: 2024, 2024-03-01, ISO, UNIX.",
        ),
    ] = None,
    until: Annotated[
        str | None,
        Parameter(name=["--until", "--end"], group=_WHAT, help="Last time, exclusive; same forms."),
    ] = None,
    param: Annotated[
        list[str] | None,
        Parameter(
            name=["--param", "-p"], group=_WHAT, help="A parameter of the strategy, e.g. fast=10. Repeatable."
        ),
    ] = None,
    instrument: Annotated[
        str | None,
        Parameter(group=_WHAT, help="Instrument of a data file that does not tell, e.g. BTC-USDT.BINANCE."),
    ] = None,
    timeframe: Annotated[
        str | None,
        Parameter(group=_WHAT, help="Timeframe to run on; also tells what a data file holds."),
    ] = None,
    format: Annotated[
        str | None, Parameter(group=_WHAT, help="Format of files; see `lanner data formats`.")
    ] = None,
    detail: Annotated[
        str | None, Parameter(group=_WHAT, help="Finer bars that decide fills inside a bar, e.g. 1m.")
    ] = None,
    cash: Annotated[
        str | None,
        Parameter(name=["--cash", "--capital"], group=_MARKET, help="Money at the start; 10000 unless told."),
    ] = None,
    fee_maker: Annotated[
        str | None, Parameter(group=_MARKET, help="Maker fee as a fraction, e.g. 0.0002.")
    ] = None,
    fee_taker: Annotated[str | None, Parameter(group=_MARKET, help="Taker fee as a fraction.")] = None,
    commission: Annotated[
        str | None, Parameter(group=_MARKET, help="Both fees at once as a fraction.")
    ] = None,
    slippage_bps: Annotated[
        str | None, Parameter(group=_MARKET, help="Slippage of takers on bars and trades; 5 unless told.")
    ] = None,
    latency_ms: Annotated[
        str | None, Parameter(group=_MARKET, help="Delay of market data, of orders and of answers, each.")
    ] = None,
    clock: Annotated[
        str | None,
        Parameter(
            group=_MARKET,
            help="When data arrive: at the venue's time (venue, default) or as received (recorded).",
        ),
    ] = None,
    leverage: Annotated[
        str | None, Parameter(group=_MARKET, help="Leverage of the account; 1 unless told.")
    ] = None,
    fill_on: Annotated[
        str | None,
        Parameter(group=_MARKET, help="Where a market order fills on bars: next_open (default) or close."),
    ] = None,
    limit_on: Annotated[
        str | None, Parameter(group=_MARKET, help="When a limit order fills: through (default) or touch.")
    ] = None,
    funding: Annotated[
        str | None, Parameter(group=_MARKET, help="Funding of perpetuals: data (default) or assume-zero.")
    ] = None,
    seed: Annotated[
        str | None, Parameter(group=_MARKET, help="Seed of all randomness; 1 unless told.")
    ] = None,
    tier: Annotated[
        str,
        Parameter(
            group=_WHAT,
            help="How fast, with the same result: python, triggers, compiled, or auto, the fastest that can.",
        ),
    ] = "python",
    set: Annotated[
        list[str] | None,
        Parameter(
            name="--set", group=_MARKET, help="Any other setting, e.g. risk.max_open_orders=5. Repeatable."
        ),
    ] = None,
    name: Annotated[
        str | None, Parameter(group=_OUT, help="Name of the run; the strategy's unless told.")
    ] = None,
    report: Annotated[Path | None, Parameter(group=_OUT, help="Write the report here too.")] = None,
    no_report: Annotated[bool, Parameter(group=_OUT, help="Write no report.")] = False,
    output: Annotated[
        Path | None,
        Parameter(
            name=["--output", "-o"],
            group=_OUT,
            help="Write the result here: JSON, CSV, Parquet, Markdown.",
        ),
    ] = None,
    catalog: Annotated[Path | None, Parameter(group=_WHAT, help="Folder of the catalog.")] = None,
    dry_run: Annotated[
        bool, Parameter(group=_OUT, help="Check everything, show the settings and stop.")
    ] = False,
    json: Annotated[bool, Parameter(group=_OUT, help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(group=_OUT, help="Print only the id of the run.")] = False,
) -> None:
    """Run a strategy over past data and keep the result as a run with a report.

    Options win over a settings file. See `lanner runs` for what was kept, and the reference of settings in the
    documentation for everything that --set can change.
    """
    from lanner.cli.backtest_options import Options, files_first
    from lanner.cli.running import RunOptions, run

    options = Options()
    options.put("data", "--data", files_first(data))
    options.put("since", "--since", since)
    options.put("until", "--until", until)
    options.put("instrument", "--instrument", instrument)
    options.put("timeframe", "--timeframe", timeframe)
    options.put("format", "--format", format)
    options.put("detail", "--detail", detail)
    options.put("cash", "--cash", cash)
    options.put("fees.maker", "--commission", commission)
    options.put("fees.taker", "--commission", commission)
    options.put("fees.maker", "--fee-maker", fee_maker)
    options.put("fees.taker", "--fee-taker", fee_taker)
    options.put("slippage.model", "--slippage-bps", "bps" if slippage_bps is not None else None)
    options.put("slippage.value", "--slippage-bps", slippage_bps)
    for leg in ("feed", "entry", "response"):
        options.put(f"latency.{leg}", "--latency-ms", latency_ms)
    options.put("clock", "--clock", clock)
    options.put("leverage", "--leverage", leverage)
    options.put("fills.market_on", "--fill-on", fill_on)
    options.put("fills.limit_on", "--limit-on", limit_on)
    options.put("funding", "--funding", funding)
    options.put("seed", "--seed", seed)
    options.put("name", "--name", name)
    options.put("catalog", "--catalog", str(catalog.expanduser().resolve()) if catalog is not None else None)
    options.put(
        "report", "--report", False if no_report else str(report.resolve()) if report is not None else None
    )
    options.add_params(param or [])
    options.add_settings(set or [])
    config = options.config(strategy)
    run(config, RunOptions(as_json=json, quiet=quiet, output=output, dry_run=dry_run, tier=tier))
