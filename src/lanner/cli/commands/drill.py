"""``lanner drill``: the live engine against a simulated venue that misbehaves, by the thousand, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

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
    seeds: Annotated[int, Parameter(help="How many runs, each with a seed of its own.")] = 100,
    first_seed: Annotated[int, Parameter(help="Seed of the first run.")] = 1,
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
            help="A fault to draw from (its name), or to have in every run (NAME:key=value,…); also crash, kill and "
            "none. Any unless told. Repeatable.",
        ),
    ] = None,
    seconds: Annotated[
        float, Parameter(help="Virtual seconds of trading in each run; drawn unless told.")
    ] = 0.0,
    jobs: Annotated[int, Parameter(name=["--jobs", "-j"], help="Processes.")] = 1,
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
    from lanner.core.errors import ConfigError
    from lanner.drill.campaign import make_wishes, run_campaign

    for name, value in (("seeds", seeds), ("jobs", jobs)):
        if value < 1:
            raise ConfigError(f"--{name} is out of range", expected="at least 1", found=value)
    if first_seed < 0 or seconds < 0:
        raise ConfigError("--first-seed and --seconds cannot be negative", found=min(first_seed, seconds))
    wishes = make_wishes(strategy, _params(param or []), venue or [], instrument or [], fault or [], seconds)
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
