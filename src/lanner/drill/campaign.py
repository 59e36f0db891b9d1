"""Many runs: one after another or in several processes, added up."""

from __future__ import annotations

import multiprocessing
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import msgspec

from lanner.core.errors import ConfigError, NotFoundError
from lanner.drill.pace import QUICK, seconds_to_warm
from lanner.drill.run import Outcome, play
from lanner.drill.scenario import Wishes, draw
from lanner.live.session import Session
from lanner.net.wallclock import mono_ns
from lanner.simulator.listing import markets_of
from lanner.strategy.registry import load_strategy
from lanner.venues.registry import instrument_at, product_of

BUILTIN_IN = "lanner.drill."
NO_ORDERS = (
    "not one order was sent, so nothing is shown about orders; let the strategy trade: longer runs (--seconds), "
    "a finer --timeframe, or other parameters (--param)"
)


class Campaign(msgspec.Struct, kw_only=True):
    """What came of many runs."""

    runs: int = 0
    violations: list[dict[str, Any]] = []
    virtual_s: float = 0.0
    seconds: float = 0.0
    orders: int = 0
    fills: int = 0
    restarts: int = 0
    faults: dict[str, int] = {}
    notes: list[str] = []
    """What takes from the verdict's worth."""

    @property
    def runs_per_s(self) -> float:
        """Return the speed."""
        return self.runs / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return {**plain, "runs_per_s": round(self.runs_per_s, 2), "faults": dict(sorted(self.faults.items()))}


def make_wishes(
    strategy: str,
    params: dict[str, object],
    venues: list[str],
    instruments: list[str],
    faults: list[str],
    seconds: float,
    paper: bool = False,
    timeframe: str = "",
) -> Wishes:
    """Settle what is asked for; raise ``ConfigError`` or ``NotFoundError`` for what does not exist or fit together."""
    names = tuple(instrument_at(name) for name in instruments)
    products = tuple(venues) or tuple(dict.fromkeys(product_of(name) for name in names))
    if names and any(product_of(name) not in products for name in names):
        raise ConfigError(
            "an instrument is not traded at the venue asked for",
            expected=", ".join(products),
            found=", ".join(names),
        )
    if names and len(products) > 1:
        raise ConfigError(
            "a run has one product", expected="instruments of one product", found=", ".join(products)
        )
    for name in names:
        listed = [market.instrument.id for market in markets_of(product_of(name))]
        if name not in listed:
            raise NotFoundError(
                "the simulated venue does not list it", expected=f"one of {', '.join(listed)}", found=name
            )
    own = strategy and not strategy.startswith(BUILTIN_IN)
    wishes = Wishes(
        products=products,
        strategy=strategy,
        params=params,
        instruments=names,
        faults=tuple(faults),
        seconds=seconds,
        paper=paper,
        timeframe=timeframe or (QUICK if own else ""),
    )
    wishes.check()
    if not strategy:
        return wishes
    load_strategy(strategy)(**params)
    return msgspec.structs.replace(wishes, warm_s=seconds_to_warm(wishes)) if own else wishes


def repeat(seed: int, wishes: Wishes) -> str:
    """Return the command that plays one run again."""
    words = ["lanner", "drill"]
    if wishes.strategy:
        words.append(wishes.strategy)
    for name, value in wishes.params.items():
        words += ["--param", f"{name}={value}"]
    for product in wishes.products if not wishes.instruments else ():
        words += ["--venue", product]
    for instrument in wishes.instruments:
        words += ["--instrument", instrument]
    for fault in wishes.faults:
        words += ["--fault", fault]
    if wishes.paper:
        words.append("--paper")
    if wishes.timeframe and wishes.timeframe != QUICK:
        words += ["--timeframe", wishes.timeframe]
    if wishes.seconds:
        words += ["--seconds", f"{wishes.seconds:g}"]
    return shlex.join([*words, "--first-seed", str(seed), "--seeds", "1"])


def run_campaign(
    wishes: Wishes,
    first_seed: int,
    seeds: int,
    *,
    jobs: int = 1,
    on_outcome: Callable[[Outcome], None] | None = None,
    make: type[Session] = Session,
) -> Campaign:
    """Play the runs of consecutive seeds and add them up; ``on_outcome`` is called after each.

    ``make`` is the kind of session that is drilled: one with a fault of its own shows what a drill finds.
    """
    campaign = Campaign()
    counted: Counter[str] = Counter()
    started = mono_ns()
    for outcome in _outcomes(wishes, range(first_seed, first_seed + seeds), jobs, make):
        campaign.runs += 1
        campaign.virtual_s += outcome.virtual_s
        campaign.orders += outcome.orders
        campaign.fills += outcome.fills
        campaign.restarts += max(0, outcome.starts - 1)
        counted.update(outcome.faults)
        campaign.violations += [
            {
                "seed": outcome.seed,
                "invariant": one.invariant,
                "repeat": repeat(outcome.seed, wishes),
                "detail": one.detail,
            }
            for one in outcome.violations
        ]
        if on_outcome is not None:
            on_outcome(outcome)
    if not campaign.orders:
        campaign.notes.append(NO_ORDERS)
    campaign.seconds = (mono_ns() - started) / 1e9
    campaign.virtual_s = round(campaign.virtual_s, 3)
    campaign.faults = dict(counted)
    campaign.violations.sort(key=lambda one: one["seed"])
    return campaign


def play_seed(wishes: Wishes, seed: int, make: type[Session] = Session) -> Outcome:
    """Play the run of one seed."""
    return play(draw(seed, wishes), make=make)


def _outcomes(wishes: Wishes, seeds: range, jobs: int, make: type[Session]) -> Iterator[Outcome]:
    if jobs <= 1 or len(seeds) <= 1:
        yield from (play_seed(wishes, seed, make) for seed in seeds)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(seeds)), context) as pool:
        waiting = [pool.submit(play_seed, wishes, seed, make) for seed in seeds]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
