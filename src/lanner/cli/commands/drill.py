"""``lanner drill``: the live engine against a simulated venue that misbehaves, by the thousand, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lanner.cli.numbers import AT_LEAST_ONE, NOT_NEGATIVE, SECONDS, Whole

if TYPE_CHECKING:
    from lanner.drill.campaign import Campaign


def drill(
    strategy: Annotated[
        str,
        Parameter(
            help="A name from `lanner strategies`, file.py[:Class] or module:Class; busy ones unless told."
        ),
    ] = "",
    /,
    *,
    seeds: Annotated[
        Whole, Parameter(validator=AT_LEAST_ONE, help="How many runs, each with a seed of its own.")
    ] = 100,
    first_seed: Annotated[Whole, Parameter(validator=NOT_NEGATIVE, help="Seed of the first run.")] = 1,
    venue: Annotated[
        list[str] | None,
        Parameter(help="binance-spot, binance-usdm or hyperliquid; any unless told. Repeatable."),
    ] = None,
    instrument: Annotated[
        list[str] | None,
        Parameter(name=["--instrument", "-i"], help="What to trade, e.g. BTC-USDT@binance. Repeatable."),
    ] = None,
    param: Annotated[
        list[str] | None,
        Parameter(name=["--param", "-p"], help="A parameter of the strategy, e.g. fast=5. Repeatable."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        Parameter(
            name=["--fault", "--faults"],
            help="A fault to draw from (its name), or to have in every run (NAME:key=value,…); also crash, kill, "
            "disk-full, watchdog and none. Any unless told. Repeatable.",
        ),
    ] = None,
    timeframe: Annotated[
        str,
        Parameter(
            name=["--timeframe", "-t"],
            help="Timeframe of the bars that a strategy asks for without naming one; 1s unless told.",
        ),
    ] = "",
    seconds: Annotated[
        float, Parameter(validator=SECONDS, help="Virtual seconds of trading in each run; drawn unless told.")
    ] = 0.0,
    paper: Annotated[
        bool, Parameter(negative="", help="Drill a paper session: real data, simulated orders.")
    ] = False,
    jobs: Annotated[Whole, Parameter(name=["--jobs", "-j"], validator=AT_LEAST_ONE, help="Processes.")] = 1,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print only the verdict.")] = False,
) -> int:
    """Run the live engine against the venue simulator under faults, and compare both sides' books.

    Each seed draws a venue, a market, a strategy's parameters and a mix of faults: lost, late, doubled and garbled
    messages, broken connections, refusals, crashes of the engine, the kill switch. In every run no order may be
    missing, no fill lost or doubled, and positions and money must equal the venue's. The exit code is 1 when something
    did not hold; each finding comes with the command that repeats it.
    """
    from lanner.cli.output import print_json
    from lanner.cli.render.drill import drill_progress, print_campaign
    from lanner.drill.campaign import make_wishes, run_campaign

    wishes = make_wishes(
        strategy, _params(param or []), venue or [], instrument or [], fault or [], seconds, paper, timeframe
    )
    with drill_progress(seeds, quiet=quiet or json) as show:
        campaign: Campaign = run_campaign(wishes, first_seed, seeds, jobs=jobs, on_outcome=show)
    if json:
        print_json(campaign.as_dict())
    else:
        print_campaign(campaign, quiet=quiet)
    return 1 if campaign.violations else 0


def _params(texts: list[str]) -> dict[str, Any]:
    from lanner.core.errors import ConfigError

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError("a parameter has no value", expected="NAME=VALUE", found=text)
        found[name.strip()] = value.strip()
    return found
