"""Pictures of a market: price, book and prints, each with its age."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lanner.model.enums import Side

if TYPE_CHECKING:
    from lanner.live.watch import Watch
    from lanner.model.market import Trade

STALE_S = 5.0
_BAR = 24


def price_json(seen: Watch) -> dict[str, Any]:
    """Return best bid and ask, last print, mid, spread and age as plain data."""
    quote, trade = seen.quote, seen.last_trade
    assert quote is not None
    return {
        "instrument": seen.instrument.id,
        "bid_px": quote.bid_px,
        "bid_qty": quote.bid_qty,
        "ask_px": quote.ask_px,
        "ask_qty": quote.ask_qty,
        "mid": quote.mid,
        "spread_bps": quote.spread / quote.mid * 1e4 if quote.mid else math.nan,
        "last_px": None if trade is None else trade.px,
        "ts_event": quote.ts_event,
        "ts_recv": quote.ts_recv,
        "age_s": seen.age_s,
    }


def price_view(seen: Watch) -> Group:
    """Draw bid, ask, last, mid and spread."""
    quote, trade = seen.quote, seen.last_trade
    assert quote is not None
    decimals, lots = seen.instrument.px_decimals, seen.instrument.qty_decimals
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    for name in ("bid", "ask", "last", "mid", "spread"):
        table.add_column(name, justify="right", min_width=12)
    spread = quote.spread / quote.mid * 1e4 if quote.mid else math.nan
    table.add_row(
        Text(f"{quote.bid_px:,.{decimals}f}", style="green"),
        Text(f"{quote.ask_px:,.{decimals}f}", style="red"),
        "–" if trade is None else f"{trade.px:,.{decimals}f}",
        f"{quote.mid:,.{decimals + 1}f}",
        f"{spread:.2f} bps",
    )
    table.add_row(
        Text(f"{quote.bid_qty:.{lots}f}", style="dim"), Text(f"{quote.ask_qty:.{lots}f}", style="dim")
    )
    return Group(_head(seen), table)


def book_json(seen: Watch, depth: int) -> dict[str, Any]:
    """Return the best levels of both sides as plain data."""
    book = seen.book
    assert book is not None
    return {
        "instrument": seen.instrument.id,
        "bids": [list(level) for level in book.depth(Side.BUY, depth)],
        "asks": [list(level) for level in book.depth(Side.SELL, depth)],
        "seq": book.seq,
        "ts_event": book.ts_event,
        "ts_recv": book.ts_recv,
        "age_s": seen.age_s,
        "gaps": seen.gaps,
    }


def book_view(seen: Watch, depth: int) -> Group:
    """Draw the book: asks from high to low, then bids, with bars of the quantity."""
    book = seen.book
    if book is None:
        return Group(_head(seen), Text("the book is being put together again …", style="yellow"))
    asks = list(book.depth(Side.SELL, depth))
    bids = list(book.depth(Side.BUY, depth))
    most = max((qty for _, qty in asks + bids), default=1.0) or 1.0
    decimals, lots = seen.instrument.px_decimals, seen.instrument.qty_decimals
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    table.add_column("price", justify="right", min_width=12)
    table.add_column("quantity", justify="right", min_width=12)
    table.add_column("")
    for levels, style in ((reversed(asks), "red"), (None, ""), (bids, "green")):
        if levels is None:
            mid, spread = book.mid, book.spread
            gap = f"spread {spread:.{decimals}f}" if spread == spread else "one side is empty"
            table.add_row(Text(f"{mid:,.{decimals + 1}f}", style="bold"), Text(gap, style="dim"), "")
            continue
        for px, qty in levels:
            bar = "█" * max(1, round(qty / most * _BAR))
            table.add_row(
                Text(f"{px:,.{decimals}f}", style=style), f"{qty:.{lots}f}", Text(bar, style=f"{style} dim")
            )
    return Group(_head(seen), table)


def trades_json(seen: Watch) -> dict[str, Any]:
    """Return the last prints, newest first, as plain data."""
    return {
        "instrument": seen.instrument.id,
        "trades": [trade_json(trade) for trade in reversed(seen.trades)],
        "age_s": seen.age_s,
        "gaps": seen.gaps,
    }


def trade_json(trade: Trade) -> dict[str, Any]:
    """Return one print as plain data."""
    side = {1: "BUY", -1: "SELL"}.get(trade.aggressor)
    return {
        "ts_event": trade.ts_event,
        "px": trade.px,
        "qty": trade.qty,
        "aggressor": side,
        "id": trade.trade_id,
    }


def trades_view(seen: Watch, rows: int) -> Group:
    """Draw the last prints, newest first."""
    decimals, lots = seen.instrument.px_decimals, seen.instrument.qty_decimals
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    table.add_column("time (UTC)")
    table.add_column("price", justify="right", min_width=12)
    table.add_column("quantity", justify="right", min_width=12)
    table.add_column("taker")
    for trade in list(reversed(seen.trades))[:rows]:
        style = "green" if trade.aggressor > 0 else "red" if trade.aggressor < 0 else ""
        side = {1: "buy", -1: "sell"}.get(trade.aggressor, "")
        table.add_row(
            _clock(trade.ts_event),
            Text(f"{trade.px:,.{decimals}f}", style=style),
            f"{trade.qty:.{lots}f}",
            Text(side, style=style),
        )
    return Group(_head(seen), table)


def _head(seen: Watch) -> Text:
    """Say what is watched, how old it is, and what was missing."""
    text = Text(seen.instrument.id, style="bold")
    age = seen.age_s
    text.append(f"   age {age:.1f} s" if age < 1e6 else "   waiting", style="red" if age > STALE_S else "dim")
    states = {status.state.name.lower() for status in seen.status()}
    if states - {"connected"}:
        text.append(f"   {', '.join(sorted(states))}", style="yellow")
    if seen.gaps:
        text.append(f"   {seen.gaps} gap{'s' * (seen.gaps != 1)}", style="yellow")
    if seen.malformed:
        text.append(f"   {seen.malformed} malformed", style="yellow")
    return text


def _clock(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3]
