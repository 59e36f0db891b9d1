"""``lanner balance``, ``positions``, ``orders``, ``buy``, ``sell``, ``cancel``, ``cancel-all``: trade by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from lanner.cli.venue_options import CaFile, Target, Testnet, Url

if TYPE_CHECKING:
    from lanner.cli.desk import Desk
    from lanner.live.byhand import Hand
    from lanner.live.tickets import Ticket
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
Wait = Annotated[
    float, Parameter(name="--wait", group=_HOW, help="Seconds to ask for an order's state before giving up.")
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
Quiet = Annotated[bool, Parameter(negative="", help="Print nothing but the result.")]
Qty = Annotated[str, Parameter(help="Quantity in the base currency.")]
Price = Annotated[str | None, Parameter(help="Limit price; leave it out with --market.")]
Market = Annotated[bool, Parameter(name="--market", negative="", group=_HOW, help="Take the market's price.")]
PostOnly = Annotated[bool, Parameter(negative="", group=_HOW, help="Refused where it would trade at once.")]
Ioc = Annotated[bool, Parameter(negative="", group=_HOW, help="Trade at once, cancel the rest.")]
ReduceOnly = Annotated[bool, Parameter(negative="", group=_HOW, help="Only make a position smaller.")]
StopPx = Annotated[
    str | None,
    Parameter(name="--stop-px", group=_HOW, help="Price at which the order (a stop) begins to work."),
]

WAIT_S = 15.0


# -- seeing ----------------------------------------------------------------------------------------------


def balance(
    venue: VenueName = "",
    /,
    *,
    key: Key = None,
    url: Url = None,
    testnet: Testnet = False,
    ca_file: CaFile = "",
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

    told = _each(venue, key, (url, testnet, ca_file), look, quiet=quiet or json)
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
    url: Url = None,
    testnet: Testnet = False,
    ca_file: CaFile = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show open positions: side, size, entry, mark, unrealised profit. What spot accounts hold is in `balance`."""
    from lanner.cli.output import console, note, print_json
    from lanner.cli.render.trade import positions_plain, positions_view

    async def look(hand: Hand) -> list[dict[str, Any]]:
        states = await hand.accounts()
        return [row for state in states for row in positions_plain(hand.product, state, hand.instruments)]

    told = _each(venue, key, (url, testnet, ca_file), look, quiet=quiet or json)
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
    url: Url = None,
    testnet: Testnet = False,
    ca_file: CaFile = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Show working orders of a venue or an instrument, conditional ones and those of other programs included."""
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
        return [
            venue_order_plain(hand.product, order, hand.instruments.get(order.instrument_id))
            for order in found
        ]

    told = _each(venue, key, (url, testnet, ca_file), look, quiet=quiet or json)
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
    market: Market = False,
    stop_px: StopPx = None,
    post_only: PostOnly = False,
    ioc: Ioc = False,
    reduce_only: ReduceOnly = False,
    live: Live = False,
    confirm: Confirm = "",
    wait: Wait = WAIT_S,
    key: Key = None,
    url: Url = None,
    testnet: Testnet = False,
    ca_file: CaFile = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Buy: a limit order that works until it is cancelled, or with --market at the market's price.

    The order is sent once. It is followed until its state is known; one that nobody can tell of is UNKNOWN. The exit
    code is 0 when it works or has traded, 1 when it was refused, ended without a trade, or is UNKNOWN.
    """
    from lanner.live.tickets import Ticket
    from lanner.model.enums import Side

    ticket = Ticket(Side.BUY, qty, px, market, stop_px, post_only, ioc, reduce_only)
    return _order(target, ticket, live, confirm, wait, key, (url, testnet, ca_file), json=json, quiet=quiet)


def sell(
    target: Target,
    qty: Qty,
    px: Price = None,
    /,
    *,
    market: Market = False,
    stop_px: StopPx = None,
    post_only: PostOnly = False,
    ioc: Ioc = False,
    reduce_only: ReduceOnly = False,
    live: Live = False,
    confirm: Confirm = "",
    wait: Wait = WAIT_S,
    key: Key = None,
    url: Url = None,
    testnet: Testnet = False,
    ca_file: CaFile = "",
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Sell: a limit order that works until it is cancelled, or with --market at the market's price.

    Everything is as with `lanner buy`.
    """
    from lanner.live.tickets import Ticket
    from lanner.model.enums import Side

    ticket = Ticket(Side.SELL, qty, px, market, stop_px, post_only, ioc, reduce_only)
    return _order(target, ticket, live, confirm, wait, key, (url, testnet, ca_file), json=json, quiet=quiet)


def _order(
    target: str,
    ticket: Ticket,
    live: bool,
    confirm: str,
    wait: float,
    key: str | None,
    network: tuple[list[str] | None, bool, str],
    *,
    json: bool,
    quiet: bool,
) -> int:
    from lanner.cli.desk import desk, meant_instrument
    from lanner.cli.output import note, print_json
    from lanner.cli.render.trade import order_line, order_plain
    from lanner.cli.trading import need_live
    from lanner.core.errors import LannerError
    from lanner.live.tickets import order_of
    from lanner.net.wallclock import wall_ns
    from lanner.venues.registry import product_of

    with desk() as open_desk:
        instrument_id = meant_instrument(target)
        ticket.type  # noqa: B018 - a contradiction is told before anything is connected
        need_live(live or open_desk.given.live)
        product = product_of(instrument_id)
        hand = _hand(open_desk, product, key, network)
        now = wall_ns()
        order = order_of(ticket, _traded(hand, instrument_id), open_desk.next_order_id(now), now)
        hand.check(order)
        open_desk.run(hand.trust())
        _confirm(open_desk, product, f"This sends an order ({_words(order)}).", confirm)
        note(f"sending {order.order_id}", quiet=quiet or json)
        try:
            told = order_plain(product, open_desk.run(hand.place(order, wait)))
        except KeyboardInterrupt:
            raise LannerError(
                f"interrupted while order {order.order_id} was under way: it may work at the venue",
                fix=f"Ask for it: lanner orders {instrument_id} --id {order.order_id}",
            ) from None
    if json:
        print_json(told)
    else:
        print(order_line(told))
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
    url: Url = None,
    testnet: Testnet = False,
    ca_file: CaFile = "",
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
        hand = _hand(open_desk, product_of(instrument_id), key, (url, testnet, ca_file))
        instrument = _traded(hand, instrument_id)
        found = open_desk.run(hand.cancel(instrument_id, order_id, wait))
    status = "UNKNOWN" if found.status is None else found.status.name
    filled = instrument.qty(found.cum_lots)
    if json:
        told = {"instrument_id": instrument_id, "venue_order_id": found.order.venue_order_id}
        print_json({**told, "status": status, "cum_qty": filled, "trouble": found.trouble})
    else:
        print(f"{status} {found.order.venue_order_id}" + (f"; filled {filled:f}" if filled else ""))
        if found.trouble:
            note(found.trouble, quiet=quiet)
    return 0 if status in ("CANCELED", "EXPIRED") else 1


def cancel_all(
    target: VenueOrInstrument = "",
    /,
    *,
    live: Live = False,
    key: Key = None,
    url: Url = None,
    testnet: Testnet = False,
    ca_file: CaFile = "",
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

        told = _each(venue, key, (url, testnet, ca_file), sweep, quiet=quiet or json, open_desk=open_desk)
    cancelled = sum(found.cancelled for found in told.values())
    left = [line for found in told.values() for line in found.left]
    errors = [line for found in told.values() for line in found.errors]
    if json:
        print_json({"cancelled": cancelled, "left": left, "errors": errors})
    else:
        print(f"{cancelled} {'order' if cancelled == 1 else 'orders'} cancelled")
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


def _hand(
    open_desk: Desk, product: str, key: str | None, network: tuple[list[str] | None, bool, str]
) -> Hand:
    """Connect to a product, or return the connection that is there."""
    from lanner.cli.venue_options import where

    name = key or open_desk.given.key
    open_desk.unlock(product, name)
    return open_desk.run(open_desk.hand(product, where(*network), name))


def _each(
    venue: str,
    key: str | None,
    network: tuple[list[str] | None, bool, str],
    ask: Callable[[Hand], Awaitable[Any]],
    *,
    quiet: bool,
    open_desk: Desk | None = None,
) -> dict[str, Any]:
    """Ask each product of a venue that there is a key for; without any key ``NotFoundError``."""
    from contextlib import nullcontext

    from lanner.cli.desk import desk
    from lanner.cli.output import note
    from lanner.core.errors import ConfigError, NotFoundError
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
            hand = _hand(opened, product, key, network)
            told[product] = opened.run(_asked(ask, hand))
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
