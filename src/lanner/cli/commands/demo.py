"""``lanner demo``: the whole walk on invented data, without a network."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def demo(
    *,
    strategy: Annotated[str, Parameter(help="What to run; see `lanner strategies`.")] = "dual_ma",
    param: Annotated[
        list[str] | None,
        Parameter(name=["--param", "-p"], help="A parameter, e.g. fast=10. Repeatable."),
    ] = None,
    timeframe: Annotated[str, Parameter(help="Length of the bars.")] = "1h",
    years: Annotated[int, Parameter(help="Years of data, 1 to 10.")] = 3,
    seed: Annotated[int, Parameter(help="Another seed is another market.")] = 4,
    json: Annotated[bool, Parameter(help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(help="Print only the id of the run.")] = False,
) -> None:
    """Invent a market, run a strategy over it and write a report: offline, in a few seconds.

    The data set goes into the catalog as BTC-USDT.DEMO, labelled synthetic, so that you can go on with it.
    """
    from lanner.cli.backtest_options import Options
    from lanner.cli.demo_data import check_demo, make_demo_data
    from lanner.cli.output import note
    from lanner.cli.running import RunOptions, execute, show

    silent = json or quiet
    check_demo(timeframe, years, seed)
    note("Inventing a market (synthetic data: it says nothing about real profits) …", quiet=silent)
    ref = make_demo_data(timeframe, years, seed)
    options = Options()
    options.put("data", "--data", [ref])
    options.put("timeframe", "--timeframe", timeframe)
    options.put("name", "--name", "demo")
    options.add_params(
        param if param is not None else (["fast=24", "slow=120"] if strategy == "dual_ma" else [])
    )
    outcome = execute(options.config(strategy), quiet=silent)
    show(outcome, RunOptions(as_json=json, quiet=quiet))
    note(_NEXT.format(ref=ref, strategy=strategy), quiet=silent)


_NEXT = """
What next:
  lanner backtest {strategy} --data {ref} --since 2024 --cash 5000   the same on part of the data
  lanner new strategy mine                                          a strategy of your own
  lanner data import FILE                                           real data
  lanner runs list                                                  what you ran"""
