"""``lanner balance``, ``positions``, ``orders``, ``buy``, ``sell``, ``cancel``, ``cancel-all``: trade by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from lanner.cli.numbers import SECONDS
from lanner.cli.venue_options import VENUE, Network, Target

if TYPE_CHECKING:
    from lanner.cli.desk import Desk
    from lanner.core.errors import LannerError
    from lanner.live.byhand import Hand
    from lanner.model.enums import Side
    from lanner.model.orders import Order

_HOW = Group("How", sort_key=2)
_WHERE = Group("Where", sort_key=3)

VenueName = Annotated[str, Parameter(help="hyperliquid, binance, binance-spot or binance-usdm.")]
VenueOrInstrument = Annotated[str, Parameter(help="A venue, or INSTRUMENT@VENUE.")]
Key = Annotated[str | None, Parameter(group=_WHERE, help="Name of the key, where there are several.")]
Live = Annotated[bool, Parameter(name="--live", negative="", group=_HOW, help="Yes, do it at the venue.")]
Confirm = Annotated[
    str, Parameter(group=_HOW, help="The phrase that is asked for, where nobody can type it.")
]
WAIT_S = 15.0
Wait = Annotated[
    float,
    Parameter(
        name="--wait",
        group=_HOW,
        validator=SECONDS,
        help="Seconds to ask for an order's state before giving up.",
    ),
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
Quiet = Annotated[bool, Parameter(negative="", help="Print nothing but the result.")]
Qty = Annotated[str, Parameter(help="Quantity in the base currency.")]
Price = Annotated[str | None, Parameter(help="Limit price; leave it out with --market.")]


@Parameter(name="*")
@dataclass(frozen=True)
class How:
    """How an order by hand works, and how sure we are."""

    market: Annotated[
        bool, Parameter(name="--market", negative="", group=_HOW, help="Take the market's price.")
    ] = False
    stop_px: Annotated[
        str | None,
        Parameter(name="--stop-px", group=_HOW, help="Price at which the order (a stop) begins to work."),
    ] = None
    post_only: Annotated[
        bool, Parameter(negative="", group=_HOW, help="Refused where it would trade at once.")
    ] = False
    ioc: Annotated[bool, Parameter(negative="", group=_HOW, help="Trade at once, cancel the rest.")] = False
    reduce_only: Annotated[bool, Parameter(negative="", group=_HOW, help="Only make a position smaller.")] = (
        False
    )
    live: Live = False
    confirm: Confirm = ""
    wait: Wait = WAIT_S


PLAIN = How()
"""A limit order, and nothing said of the rest."""


# -- seeing ----------------------------------------------------------------------------------------------


def balance(
    venue: VenueName = "",
    /,
    *,
    key: Key = None,
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show what an account holds: total, available and locked, by currency."""
    from lanner.cli.output import console, note, print_json
    from lanner.cli.render.trade import balances_plain, balances_view

    async def look(hand: Hand) -> tuple[list[dict[str, Any]], Any]:
        states = await hand.accounts()
        equity = [state.equity for state in states if state.equity is not None]
        return [row for state in states for row in balances_plain(hand.product, state)], sum(equity)

    told = _each(venue, key, network, look, quiet=quiet or json)
    rows = [row for found, _equity in told.values() for row in found]
    if json:
        equity = {product: equity for product, (_rows, equity) in told.items() if equity}
        print_json({"balances": rows, "equity": equity})
    elif rows:
        console().print(balances_view(rows))
    else:
        note("There is nothing in the account.", quiet=quiet)
    return 0


def positions(
    venue: VenueName = "",
    /,
    *,
    key: Key = None,
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show open positions: side, size, entry, mark, unrealised profit. What spot accounts hold is in `balance`."""
    from lanner.cli.output import console, note, print_json
    from lanner.cli.render.trade import positions_plain, positions_view

    async def look(hand: Hand) -> list[dict[str, Any]]:
        states = await hand.accounts()
        return [row for state in states for row in positions_plain(hand.product, state, hand.instruments)]

    told = _each(venue, key, network, look, quiet=quiet or json)
    rows = [row for found in told.values() for row in found]
    if json:
        print_json({"positions": rows})
    elif rows:
        console().print(positions_view(rows))
    else:
        note("There are no positions.", quiet=quiet)
    return 0


def orders(
    target: VenueOrInstrument = "",
    /,
    *,
    id: Annotated[
        str, Parameter(help="Ask for one order in any state, by its id (cli-… or the venue's).")
    ] = "",
    key: Key = None,
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show working orders of a venue or an instrument, conditional ones and those of other programs included."""
    from lanner.cli.desk import desk
    from lanner.cli.output import console, note, print_json
    from lanner.cli.render.trade import orders_view, venue_order_plain
    from lanner.core.errors import ConfigError, NotFoundError

    venue, instrument_id = _target(target)
    if id and instrument_id is None:
        raise ConfigError("an order is asked for by its instrument", expected="INSTRUMENT@VENUE with --id")

    async def look(hand: Hand) -> list[dict[str, Any]]:
        if instrument_id is not None:
            _traded(hand, instrument_id)
        if id and instrument_id is not None:
            one = await hand.find(instrument_id, id)
            if one is None:
                raise NotFoundError(f"{hand.product} has never heard of order {id}")
            found = [one]
        else:
            found = await hand.working(instrument_id)
        await hand.follow_up(instrument_id)
        return [
            venue_order_plain(hand.product, order, hand.instruments.get(order.instrument_id))
            for order in found
        ]

    with desk() as open_desk:
        told = _each(venue, key, network, look, quiet=quiet or json, open_desk=open_desk)
        open_desk.keep_orders()
        rows = [row for found in told.values() for row in found]
        if json:
            print_json({"orders": rows})
        elif rows:
            console().print(orders_view(rows))
        else:
            note("No orders work.", quiet=quiet)
    return 0


# -- ordering --------------------------------------------------------------------------------------------


def buy(
    target: Target,
    qty: Qty,
    px: Price = None,
    /,
    *,
    how: How = PLAIN,
    key: Key = None,
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Buy: a limit order that works until it is cancelled, or with --market at the market's price.

    The order is sent once. It is followed until its state is known; one that nobody can tell of is UNKNOWN. The exit
    code is 0 when it works or has traded, 1 when it was refused, ended without a trade, or is UNKNOWN.
    """
    from lanner.model.enums import Side

    return _order(Side.BUY, target, qty, px, how, key, network, json=json, quiet=quiet)


def sell(
    target: Target,
    qty: Qty,
    px: Price = None,
    /,
    *,
    how: How = PLAIN,
    key: Key = None,
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Sell: a limit order that works until it is cancelled, or with --market at the market's price.

    Everything is as with `lanner buy`.
    """
    from lanner.model.enums import Side

    return _order(Side.SELL, target, qty, px, how, key, network, json=json, quiet=quiet)


def _order(
    side: Side,
    target: str,
    qty: str,
    px: str | None,
    how: How,
    key: str | None,
    network: Network,
    *,
    json: bool,
    quiet: bool,
) -> int:
    from lanner.cli.desk import desk, meant_instrument
    from lanner.cli.output import note, print_json
    from lanner.cli.render.trade import order_line, order_plain
    from lanner.cli.trading import need_live
    from lanner.core.errors import LannerError
    from lanner.live.tickets import Ticket, order_of
    from lanner.net.wallclock import wall_ns
    from lanner.venues.registry import product_of

    ticket = Ticket(side, qty, px, how.market, how.stop_px, how.post_only, how.ioc, how.reduce_only)
    with desk() as open_desk:
        instrument_id = meant_instrument(target)
        ticket.type  # noqa: B018 - a contradiction is told before anything is connected
        need_live(how.live or open_desk.given.live)
        product = product_of(instrument_id)
        hand = _hand(open_desk, product, key, network)
        now = wall_ns()
        order = order_of(ticket, _traded(hand, instrument_id), open_desk.next_order_id(now), now)
        hand.check(order)
        open_desk.run(hand.trust())
        _confirm(open_desk, product, f"This sends an order ({_words(order)}).", how.confirm)
        note(f"sending {order.order_id}", quiet=quiet or json)
        try:
            told = order_plain(product, open_desk.run(hand.place(order, how.wait)))
        except KeyboardInterrupt:
            raise LannerError(
                f"interrupted while order {order.order_id} was under way: it may work at the venue",
                fix=f"Ask for it: lanner orders {instrument_id} --id {order.order_id}",
            ) from None
        finally:
            open_desk.keep_orders()
        if json:
            print_json(told)
        else:
            print(order_line(told), flush=True)
            if told["status"] == "UNKNOWN":
                note(f"Ask again: lanner orders {instrument_id} --id {order.order_id}", quiet=quiet)
    return 0 if _is_good(order) else 1


def _is_good(order: Order) -> bool:
    """Tell whether an order works or has traded."""
    from lanner.model.enums import OrderStatus

    if order.status is OrderStatus.UNKNOWN:
        return False
    return bool(order.cum_lots) or not order.is_final


def _words(order: Order) -> str:
    px = "at market" if order.px is None else f"at {order.px:f}"
    return f"{order.side.name.lower()} {order.qty:f} {order.instrument_id} {px}"


# -- taking back -----------------------------------------------------------------------------------------


def cancel(
    target: Target,
    order_id: Annotated[str, Parameter(help="The venue's id from `lanner orders`, or ours (cli-…).")],
    /,
    *,
    live: Live = False,
    wait: Wait = WAIT_S,
    key: Key = None,
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Take one order back, and look until the venue says that it is gone. The exit code is 1 when it is not."""
    from lanner.cli.desk import desk, meant_instrument
    from lanner.cli.output import note, print_json
    from lanner.cli.trading import need_live
    from lanner.venues.registry import product_of

    with desk() as open_desk:
        instrument_id = meant_instrument(target)
        need_live(live or open_desk.given.live)
        hand = _hand(open_desk, product_of(instrument_id), key, network)
        instrument = _traded(hand, instrument_id)
        found = open_desk.run(hand.cancel(instrument_id, order_id, wait))
        open_desk.keep_orders()
        status = "UNKNOWN" if found.status is None else found.status.name
        filled = instrument.qty(found.cum_lots)
        if json:
            told = {"instrument_id": instrument_id, "venue_order_id": found.order.venue_order_id}
            print_json({**told, "status": status, "cum_qty": filled, "trouble": found.trouble})
        else:
            text = f"{status} {found.order.venue_order_id}" + (f"; filled {filled:f}" if filled else "")
            print(text, flush=True)
            if found.trouble:
                note(found.trouble, quiet=quiet)
    return 0 if status in ("CANCELED", "EXPIRED") else 1


def cancel_all(
    target: VenueOrInstrument = "",
    /,
    *,
    live: Live = False,
    key: Key = None,
    network: Network = VENUE,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Take all orders of an instrument or of a venue back, those of other programs included, until none is left.

    The exit code is 1 when the venue did not confirm it.
    """
    from lanner.cli.desk import desk
    from lanner.cli.output import note, print_json
    from lanner.cli.trading import need_live

    with desk() as open_desk:
        need_live(live or open_desk.given.live)
        venue, instrument_id = _target(target)

        async def sweep(hand: Hand) -> Any:
            if instrument_id is not None:
                _traded(hand, instrument_id)
            return await hand.cancel_all(instrument_id)

        failed: dict[str, LannerError] = {}
        told = _each(venue, key, network, sweep, quiet=quiet or json, open_desk=open_desk, failed=failed)
        open_desk.keep_orders()
        cancelled = sum(found.cancelled for found in told.values())
        left = [line for found in told.values() for line in found.left]
        left += [f"{product}: orders unknown" for product in failed]
        errors = [line for found in told.values() for line in found.errors]
        errors += [f"{product}: {error.message()}" for product, error in failed.items()]
        if json:
            print_json({"cancelled": cancelled, "left": left, "errors": errors})
        else:
            print(f"{cancelled} {'order' if cancelled == 1 else 'orders'} cancelled", flush=True)
            for line in (*left, *errors):
                note(f"  {line}", quiet=quiet)
    return 1 if left else 0


# -- what they share -------------------------------------------------------------------------------------


def _target(text: str) -> tuple[str, str | None]:
    """Return the product or venue that is meant, and the instrument where one is."""
    from lanner.cli.desk import kept_desk, meant_instrument
    from lanner.venues.registry import PRODUCTS, VENUES, product_of

    shared = kept_desk()
    is_venue = not text or text.upper() in VENUES or text.lower() in PRODUCTS
    if "@" in text or "." in text or (shared is not None and shared.given.venue and not is_venue):
        instrument_id = meant_instrument(text)
        return product_of(instrument_id), instrument_id
    return text, None


def _traded(hand: Hand, instrument_id: str) -> Any:
    from lanner.live.connect import unknown_instrument

    if instrument_id not in hand.instruments:
        raise unknown_instrument(instrument_id, hand.product, hand.instruments)
    return hand.instruments[instrument_id]


def _hand(open_desk: Desk, product: str, key: str | None, network: Network) -> Hand:
    """Connect to a product, or return the connection that is there."""

    name = key or open_desk.given.key
    open_desk.unlock(product, name)
    return open_desk.run(open_desk.hand(product, network.where(), name))


def _each(
    venue: str,
    key: str | None,
    network: Network,
    ask: Callable[[Hand], Awaitable[Any]],
    *,
    quiet: bool,
    open_desk: Desk | None = None,
    failed: dict[str, LannerError] | None = None,
) -> dict[str, Any]:
    """Ask each product of a venue that there is a key for; without any key ``NotFoundError``.

    With ``failed`` a product that cannot be asked is put there, and the others are asked all the same.
    """
    from contextlib import nullcontext

    from lanner.cli.desk import desk
    from lanner.cli.output import note
    from lanner.core.errors import ConfigError, LannerError, NotFoundError
    from lanner.venues.registry import VENUES, products_of

    told: dict[str, Any] = {}
    missing: NotFoundError | None = None
    with nullcontext(open_desk) if open_desk is not None else desk() as opened:
        venue = venue or opened.given.venue
        if not venue:
            raise ConfigError("no venue is named", expected=f"one of {', '.join(VENUES).lower()}")
        for product in products_of(venue):
            try:
                opened.unlock(product, key or opened.given.key)
            except NotFoundError as error:
                missing = error
                continue
            try:
                hand = _hand(opened, product, key, network)
                told[product] = opened.run(_asked(ask, hand))
            except LannerError as error:
                if failed is None:
                    raise
                failed[product] = error
    if not told and failed:
        raise next(iter(failed.values()))
    if not told and missing is not None:
        raise missing
    if missing is not None:
        note(f"left out: {missing.what}", quiet=quiet)
    return told


async def _asked(ask: Callable[[Hand], Awaitable[Any]], hand: Hand) -> Any:
    return await ask(hand)


def _confirm(open_desk: Desk, product: str, what: str, confirm: str) -> None:
    """Ask for the phrase; inside a desk that was opened with --live once for each product."""
    from lanner.cli.trading import ask_phrase

    given = open_desk.given
    if product in given.confirmed:
        return
    ask_phrase([product], what, confirm or given.confirm)
    if given.live:
        given.confirmed.add(product)
