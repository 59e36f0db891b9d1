"""Guards that look at the market: what may be traded, prices far from it, data that is old, spreads that are wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.model.orders import PRICED_TYPES, Order
from lanner.risk.checks import Denial
from lanner.risk.rules import ScopedRules
from lanner.risk.sums import above, denied

if TYPE_CHECKING:
    from lanner.model.market import Bar, Quote, Trade
    from lanner.risk.engine import Market


def check_market(
    order: Order, told: ScopedRules, market: Market, now: int, *, reduces: bool
) -> Denial | None:
    """Return why the market forbids an order, or None. What reduces is held only to a price that gives nothing away."""
    rules = told.rules
    if rules.price_collar is not None and order.type in PRICED_TYPES:
        denial = _check_collar(order, told, market, reduces=reduces)
        if denial is not None:
            return denial
    if reduces:
        return None
    allowed = rules.allowed_symbols
    if allowed is not None and not _is_allowed(order, allowed):
        name = order.instrument_id
        reason = f"{name} is not among the allowed instruments"
        return denied(told, "allowed_symbols", ", ".join(allowed), name, reason, "symbol_not_allowed")
    return _check_age(order, told, market, now) or _check_spread(order, told, market)


def _is_allowed(order: Order, allowed: tuple[str, ...]) -> bool:
    name = order.instrument_id
    return name in allowed or name.rpartition(".")[0] in allowed


def _check_collar(order: Order, told: ScopedRules, market: Market, *, reduces: bool) -> Denial | None:
    most = told.rules.price_collar
    assert most is not None
    mark = market.marks.get(order.instrument_id, float("nan"))
    if mark != mark:
        if reduces:
            return None
        reason = "no price is known yet, so the limit price cannot be compared with it"
        return denied(told, "price_collar", "a price", "none yet", reason, "no_price")
    assert order.px is not None
    away = float(order.px) / mark - 1.0
    if reduces and away * order.side <= 0:
        return None  # a target far away waits; it gives nothing away
    if not above(abs(away), most):
        return None
    reason = f"limit price {order.px:f} is {away:+.2%} from the market at {mark:g} (collar {most:.2%})"
    return denied(told, "price_collar", f"{most:f}", f"{abs(away):.4f}", reason, "price_collar_exceeded")


def _check_age(order: Order, told: ScopedRules, market: Market, now: int) -> Denial | None:
    most = told.rules.max_quote_age_s
    if most is None:
        return None
    newest = _newest(order, market)
    age = float("inf") if newest is None else (now - newest) / 1e9
    if age <= most:
        return None
    what = "there are no prices yet" if newest is None else f"the last price is {age:.1f} s old"
    return denied(
        told, "max_quote_age_s", f"{most:g}", f"{age:.1f}", f"{what} (limit {most:g} s)", "stale_data"
    )


def _newest(order: Order, market: Market) -> int | None:
    """Return when the last quote was made; where there are none, the last trade or bar.

    What was held up on its way, or read late by a process that stood still, is as old as the venue says.
    """
    name = order.instrument_id
    quote = market.quotes.get(name)
    if quote is not None:
        return _made(quote)
    trade = market.trades.get(name)
    times = [] if trade is None else [_made(trade)]
    times += [_made(bars[-1]) for bars in market.bars.values() if bars and bars[-1].instrument_id == name]
    return max(times, default=None)


def _made(message: Quote | Trade | Bar) -> int:
    return min(message.ts_recv, message.ts_event or message.ts_recv)


def _check_spread(order: Order, told: ScopedRules, market: Market) -> Denial | None:
    most = told.rules.max_spread
    if most is None:
        return None
    quote = market.quotes.get(order.instrument_id)
    if quote is None:
        reason = "there is no quote, so the spread cannot be computed"
        return denied(told, "max_spread", f"{most:f}", "no quote", reason, "wide_spread")
    spread = (quote.ask_px - quote.bid_px) / ((quote.ask_px + quote.bid_px) * 0.5)
    if not above(spread, most):
        return None
    reason = f"the spread is {spread:.4%}, above {most:.4%}"
    return denied(told, "max_spread", f"{most:f}", f"{spread:.6f}", reason, "wide_spread")
