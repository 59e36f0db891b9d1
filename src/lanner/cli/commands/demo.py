"""``lanner demo``: the whole walk, from invented data to a live session, without a network."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from lanner.cli.numbers import Whole


def demo(
    *,
    strategy: Annotated[str, Parameter(help="What to run; see `lanner strategies`.")] = "dual_ma",
    param: Annotated[
        list[str] | None,
        Parameter(name=["--param", "-p"], help="A parameter, e.g. fast=10. Repeatable."),
    ] = None,
    timeframe: Annotated[str, Parameter(help="Length of the bars.")] = "1h",
    years: Annotated[Whole, Parameter(help="Years of data, 1 to 10.")] = 3,
    seed: Annotated[Whole, Parameter(help="Another seed is another market.")] = 4,
    json: Annotated[bool, Parameter(help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(help="Print only the id of the run.")] = False,
) -> None:
    """Walk the whole way offline: an invented market, a backtest, paper and live trading at a simulated venue, parity.

    The data set goes into the catalog as BTC-USDT.DEMO, labelled synthetic, so that you can go on with it. The sessions
    trade bars of one second for a few seconds; what they did is compared with a backtest of what they saw.
    """
    from lanner.cli.backtest_options import Options
    from lanner.cli.demo_data import check_demo, make_demo_data
    from lanner.cli.demo_sessions import SECONDS, trade_demo
    from lanner.cli.output import note, print_json
    from lanner.cli.running import RunOptions, execute, result_json, show

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
    config = options.config(strategy)
    outcome = execute(config, quiet=silent)
    if not json:
        show(outcome, RunOptions(quiet=quiet))
    note(
        f"\nThe same strategy at a simulated venue, on paper and live, for {SECONDS:.0f} seconds …",
        quiet=silent,
    )
    quick = {"fast": 2, "slow": 3} if strategy == "dual_ma" and param is None else dict(config.params)
    found = trade_demo(str(config.strategy), quick)
    if json:
        from lanner.live.parity.view import report_json

        sessions = {report.mode: {**report_json(report), "report": page} for report, page in found}
        print_json(
            {**result_json(outcome.result, outcome.report), "notes": outcome.notes, "sessions": sessions}
        )
        return
    if not quiet:
        from lanner.cli.render.parity import print_sessions

        print_sessions(found)
    note(_NEXT.format(ref=ref, strategy=strategy, session=found[-1][0].session), quiet=silent)


_NEXT = """
What next:
  lanner backtest {strategy} --data {ref} --since 2024 --cash 5000   the same on part of the data
  lanner new strategy mine                                          a strategy of your own
  lanner parity {session}                                    what the live session's gap is made of
  lanner venue serve                                                a venue to trade at
  lanner runs list                                                  what you ran"""
