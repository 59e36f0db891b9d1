"""A user's fees and the curves of its account."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.numbers import money, text
from lanner.simulator.dialects.hyperliquid.users import User
from lanner.simulator.dialects.hyperliquid.venue import Venue

Json = dict[str, Any]
PERIODS = (("day", 1), ("week", 7), ("month", 30), ("allTime", 0))
POINTS = 100
_PPB = Decimal(10) ** -9
VIP = (
    ("5000000.0", "0.0004", "0.00012", "0.0006", "0.0003"),
    ("25000000.0", "0.00035", "0.00008", "0.0005", "0.0002"),
    ("100000000.0", "0.0003", "0.00004", "0.0004", "0.0001"),
    ("500000000.0", "0.00028", "0.0", "0.00035", "0.0"),
    ("2000000000.0", "0.00026", "0.0", "0.0003", "0.0"),
    ("7000000000.0", "0.00024", "0.0", "0.00025", "0.0"),
)
MAKER = (("0.005", "-0.00001"), ("0.015", "-0.00002"), ("0.03", "-0.00003"))


def _rates(venue: Venue, user: User | None) -> dict[str, str]:
    """Return the rates that really apply: the user's own, else the markets'."""
    found = {}
    for names, coins, purse in (
        (("userCrossRate", "userAddRate"), venue.universe.perps, user.perp if user else None),
        (("userSpotCrossRate", "userSpotAddRate"), venue.universe.spots, user.spot if user else None),
    ):
        market = coins[0].market if coins else None
        taker = purse.taker if purse is not None else None
        maker = purse.maker if purse is not None else None
        cross = taker if taker is not None else (market.taker_ppb if market else 0) * _PPB
        add = maker if maker is not None else (market.maker_ppb if market else 0) * _PPB
        found[names[0]], found[names[1]] = text(cross), text(add)
    return found


def user_fees(venue: Venue, user: User | None) -> Json:
    """Return a user's fee rates and what they come from."""
    plain = _rates(venue, None)
    today = datetime.fromtimestamp(venue.now_ms / 1000, UTC).date().isoformat()
    volume = money(user.perp.volume + user.spot.volume) if user else "0.0"
    return {
        "dailyUserVlm": [{"date": today, "userCross": volume, "userAdd": "0.0", "exchange": volume}],
        "feeSchedule": {
            "cross": plain["userCrossRate"],
            "add": plain["userAddRate"],
            "spotCross": plain["userSpotCrossRate"],
            "spotAdd": plain["userSpotAddRate"],
            "tiers": {
                "vip": [
                    {"ntlCutoff": cut, "cross": cross, "add": add, "spotCross": spot, "spotAdd": spot_add}
                    for cut, cross, add, spot, spot_add in VIP
                ],
                "mm": [{"makerFractionCutoff": cut, "add": add} for cut, add in MAKER],
            },
            "referralDiscount": "0.04",
            "stakingDiscountTiers": [{"bpsOfMaxSupply": "0.0", "discount": "0.0"}],
        },
        **_rates(venue, user),
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialReward": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }


def sample(venue: Venue, user: User) -> None:
    """Note what a user's perps account is worth now."""
    held = venue.exchange.margin(user.perp.account_id, venue.settle)
    user.values.append((venue.now_ms, held.equity, user.moved))


def _curve(venue: Venue, user: User | None, days: int) -> Json:
    points = list(user.values) if user else []
    if days:
        since = venue.now_ms - days * spec.DAY_MS
        points = [one for one in points if one[0] >= since]
    points = points[:: max(1, len(points) // POINTS)]
    base = points[0][1] - points[0][2] if points else 0
    return {
        "accountValueHistory": [[moment, money(value)] for moment, value, _ in points],
        "pnlHistory": [[moment, money(value - moved - base)] for moment, value, moved in points],
        "vlm": money(user.perp.volume + user.spot.volume) if user else "0.0",
    }


def portfolio(venue: Venue, user: User | None) -> list[Any]:
    """Return the curves of account value and profit over a day, a week, a month and all time."""
    if user is not None:
        sample(venue, user)
    found: list[Any] = [[name, _curve(venue, user, days)] for name, days in PERIODS]
    for name, days in PERIODS:
        found.append([f"perp{name[0].upper()}{name[1:]}", _curve(venue, user, days)])
    return found
