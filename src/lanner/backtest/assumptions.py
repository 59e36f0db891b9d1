"""The honesty header: every assumption of a run, and whether reality is likely to be worse."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lanner.backtest.receipt import Receipt
from lanner.backtest.result import Assumption
from lanner.backtest.spec import BacktestSpec
from lanner.model.instruments import FeeSchedule
from lanner.sim.settings import (
    FundingMode,
    GapFill,
    Latency,
    LatencyKind,
    LimitOn,
    MarketOn,
    SlippageModel,
    VenueSettings,
)
from lanner.sim.venue import SimVenue

MS = 1_000_000


def assumptions(
    spec: BacktestSpec, venues: dict[str, SimVenue], receipts: Sequence[Receipt] = ()
) -> list[Assumption]:
    """Return what the run assumed, venue by venue; ``receipts`` tell what recorded receive times were worth."""
    found: list[Assumption] = []
    for name, venue in venues.items():
        prefix = f"{name}: " if len(venues) > 1 else ""
        modes = {book.mode for book in venue.books.values()}
        found.extend(
            Assumption(prefix + row.name, row.value, row.flatters, row.text)
            for row in _of_venue(spec, venue.settings, modes)
        )
        found.append(_fees(prefix, {book.fees for book in venue.books.values()}))
    if any(venue.settings.latency.feed.kind is LatencyKind.RECORDED for venue in venues.values()):
        found.append(_clock(receipts))
    if any(stream.synthetic for stream in spec.streams):
        found.append(Assumption("data", "synthetic", True, "The market data were generated, not recorded."))
    if spec.detail:
        found.append(
            Assumption("detail", spec.detail, False, f"Fills inside a bar are decided on {spec.detail} bars.")
        )
    return found


def _of_venue(spec: BacktestSpec, settings: VenueSettings, modes: set[str]) -> list[Assumption]:
    rows: list[Assumption] = []
    fills = settings.fills
    if "bars" in modes:
        at_close = fills.market_on is MarketOn.CLOSE
        rows.append(
            Assumption(
                "market fills",
                "same close" if at_close else "next open",
                at_close,
                "A market order is filled at the close of the bar that caused it: nobody can trade there."
                if at_close
                else "A market order decided at a bar's close is filled at the next bar's open.",
            )
        )
        share = fills.bar_participation
        rows.append(
            Assumption(
                "size limit",
                f"{share:.0%} of the bar's volume" if share else "none",
                not share,
                "A fill takes at most this share of the bar's volume."
                if share
                else "Orders are filled whole, however large they are beside the bar's volume.",
            )
        )
    touch = fills.limit_on is LimitOn.TOUCH
    rows.append(
        Assumption(
            "limit fills",
            "on touch" if touch else "when traded through",
            touch,
            "A resting limit order is filled when the price touches it, as if it were first in the queue."
            if touch
            else "A resting limit order is filled only when the price goes through it.",
        )
    )
    if fills.gap_fill is GapFill.OPEN:
        rows.append(
            Assumption(
                "gaps",
                "open price",
                True,
                "A resting limit order over which the market opens gets the better open.",
            )
        )
    if modes & {"quotes"}:
        rows.append(
            Assumption(
                "depth",
                f"best level repeated over {fills.walk_ticks} ticks",
                True,
                "Only the best bid and ask are known; the levels behind them are assumed to be as deep.",
            )
        )
    rows.append(_slippage(settings, modes))
    rows.append(_latency(settings, modes))
    rows += _funding(spec, settings)
    rows.append(
        Assumption(
            "market impact", "none", True, "Our orders do not move the market beyond what they take from it."
        )
    )
    perps = [i for i in spec.instruments.values() if not i.is_spot and i.venue == settings.name]
    if perps:
        rows.append(
            Assumption(
                "leverage",
                f"{settings.leverage.normalize():f}x",
                True,
                "Initial margin is checked; liquidation is not simulated, so a loss beyond the margin is carried on.",
            )
        )
    return rows


def _fees(prefix: str, schedules: set[FeeSchedule]) -> Assumption:
    texts = [f"maker {_bps(s.maker)}, taker {_bps(s.taker)}" for s in schedules]
    free = any(s.taker <= 0 for s in schedules)
    text = "Fees are charged on the notional of every fill."
    return Assumption(
        f"{prefix}fees", "; ".join(sorted(texts)), free, "Taking costs nothing." if free else text
    )


def _bps(fraction: Decimal) -> str:
    return f"{(fraction * 10_000).normalize():f} bps"


def _slippage(settings: VenueSettings, modes: set[str]) -> Assumption:
    slippage = settings.slippage
    if modes == {"quotes"}:
        return Assumption(
            "slippage", "from the quotes", False, "Takers walk the displayed quantity; nothing is added."
        )
    none = slippage.model is SlippageModel.NONE or not slippage.value
    unit = {
        SlippageModel.BPS: "bps",
        SlippageModel.TICKS: "ticks",
        SlippageModel.VOLUME: "x sqrt(size/volume)",
    }
    value = "none" if none else f"{slippage.value.normalize():f} {unit[slippage.model]}"
    text = (
        "Takers trade at exactly the price they saw."
        if none
        else "Taker fills are moved against us by this much."
    )
    return Assumption("slippage", value, none, text)


def _latency(settings: VenueSettings, modes: set[str]) -> Assumption:
    latency = settings.latency
    parts = {
        "feed": latency.feed,
        "entry": latency.entry,
        "exchange": latency.exchange,
        "response": latency.response,
    }
    none = all(part.is_zero for part in parts.values())
    value = (
        "none"
        if none
        else ", ".join(f"{name} {_delay(part)}" for name, part in parts.items() if not part.is_zero)
    )
    if none:
        text = "Orders reach the venue the moment they are decided."
    elif modes == {"bars"}:
        text = "Delays below a bar's length cannot change its fills: an order that arrives just after the open gets it."
    else:
        text = "Market data, orders and reports travel with these delays."
    return Assumption("latency", value, none or modes == {"bars"}, text)


def _clock(receipts: Sequence[Receipt]) -> Assumption:
    doubtful = [receipt for receipt in receipts if not receipt.is_sound]
    text = "Market data reach the strategy when the recording says that they were received."
    if not doubtful:
        return Assumption("clock", "recorded", False, text)
    named = ", ".join(receipt.label for receipt in doubtful)
    return Assumption(
        "clock", "recorded in part", True, f"{text} Some or all of {named} came without a delay."
    )


def _delay(latency: Latency) -> str:
    if latency.kind is LatencyKind.RECORDED:
        return "as recorded"
    if latency.kind is LatencyKind.NORMAL:
        return f"{latency.mean_ns / MS:g} ± {latency.sigma_ns / MS:g} ms"
    if latency.kind is LatencyKind.INTERPOLATED:
        return f"{len(latency.points)} measured points"
    return f"{latency.mean_ns / MS:g} ms"


def _funding(spec: BacktestSpec, settings: VenueSettings) -> list[Assumption]:
    if all(i.is_spot for i in spec.instruments.values() if i.venue == settings.name):
        return []
    if settings.funding is FundingMode.ASSUME_ZERO:
        return [Assumption("funding", "assumed zero", True, "Funding of perpetuals was left out on request.")]
    return [
        Assumption(
            "funding", "from data", False, "Funding is settled from recorded rates at the last mark price."
        )
    ]
