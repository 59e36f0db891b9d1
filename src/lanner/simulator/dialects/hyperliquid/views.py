"""Orders, fills, balances and positions in the venue's own shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lanner.model.enums import Liquidity, Side
from lanner.simulator.accounts import Position
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.coins import Coin
from lanner.simulator.dialects.hyperliquid.numbers import money, text
from lanner.simulator.dialects.hyperliquid.statuses import ORDER_TYPES, status_of
from lanner.simulator.dialects.hyperliquid.users import User
from lanner.simulator.dialects.hyperliquid.venue import Tag, Venue, tag_of, trade_tid, tx_hash
from lanner.simulator.money import SCALE
from lanner.simulator.orders import Fill, SimOrder
from lanner.simulator.triggers import fires_above

Json = dict[str, Any]


def side_of(side: Side) -> str:
    """Write a side: ``B`` for bid, ``A`` for ask."""
    return "B" if side is Side.BUY else "A"


# -- orders -------------------------------------------------------------------------------------------


def limit_px(coin: Coin, order: SimOrder) -> str:
    """Write the price an order may trade at; market orders show the worst price they were sent with."""
    return coin.px(order.ticks or tag_of(order).limit_ticks or order.trigger_ticks)


def cloid_of(order: SimOrder) -> str | None:
    """Return the client order id, if it is one of the venue's form."""
    return order.client_id if order.client_id.startswith("0x") else None


def left_of(order: SimOrder) -> int:
    """Return the lots still to trade; an order that filled has none."""
    return max(0, order.lots - order.cum_lots)


def basic_order(venue: Venue, order: SimOrder, lots: int | None = None) -> Json:
    """Return an order as ``orderUpdates`` shows it; ``lots`` is what was left then."""
    coin = venue.coin_of(order)
    shown: Json = {
        "coin": coin.name,
        "side": side_of(order.side),
        "limitPx": limit_px(coin, order),
        "sz": coin.sz(left_of(order) if lots is None else lots),
        "oid": order.order_id,
        "timestamp": order.ts_created // spec.MS,
        "origSz": coin.sz(order.lots),
    }
    cloid = cloid_of(order)
    if cloid:
        shown["cloid"] = cloid
    return shown


def open_order(venue: Venue, order: SimOrder) -> Json:
    """Return an order as ``openOrders`` shows it."""
    shown = basic_order(venue, order)
    if order.reduce_only:
        shown["reduceOnly"] = True
    return shown


def condition(coin: Coin, order: SimOrder) -> str:
    """Say in words when an order wakes."""
    if not order.is_triggered_type:
        return "N/A"
    if order.triggered_ns:
        return "Triggered"
    return f"Price {'above' if fires_above(order) else 'below'} {text(coin.market.px(order.trigger_ticks))}"


def frontend_order(venue: Venue, order: SimOrder, *, children: bool = True) -> Json:
    """Return an order with all that front ends want to know."""
    coin = venue.coin_of(order)
    tag = tag_of(order)
    waiting = order.is_triggered_type
    kind = "Market" if tag.market else ORDER_TYPES.get(order.type, "Limit")
    return {
        "coin": coin.name,
        "side": side_of(order.side),
        "limitPx": limit_px(coin, order),
        "sz": coin.sz(left_of(order)),
        "oid": order.order_id,
        "timestamp": order.ts_created // spec.MS,
        "triggerCondition": condition(coin, order),
        "isTrigger": waiting,
        "triggerPx": coin.px(order.trigger_ticks) if waiting else "0.0",
        "children": _children(venue, tag) if children else [],
        "isPositionTpsl": tag.position_tpsl,
        "reduceOnly": order.reduce_only,
        "orderType": kind,
        "origSz": coin.sz(order.lots),
        "tif": None if waiting else tag.tif,
        "cloid": cloid_of(order),
    }


def _children(venue: Venue, tag: Tag) -> list[Json]:
    return [
        frontend_order(venue, child, children=False)
        for child in tag.children
        if child.status.is_open and not child.triggered_ns
    ]


def history_order(venue: Venue, order: SimOrder) -> Json:
    """Return an order with what became of it."""
    return {
        "order": frontend_order(venue, order),
        "status": status_of(order),
        "statusTimestamp": order.ts_updated // spec.MS,
    }


def average_px(coin: Coin, fills: list[Fill]) -> tuple[str, str]:
    """Return (total size, average price) of fills as text; the average has at most the price's figures."""
    lots = sum(fill.lots for fill in fills)
    quote = sum(fill.quote_atoms for fill in fills)
    average = Decimal(quote) / (Decimal(lots) * coin.market.lot_atoms)
    places = Decimal(1).scaleb(-8 if coin.spot else -6)
    return coin.sz(lots), text(average.quantize(places).normalize() + 0)


# -- fills --------------------------------------------------------------------------------------------


def direction(fill: Fill, spot: bool) -> str:
    """Say in words what a fill did to the position."""
    buy = fill.side is Side.BUY
    if spot:
        return "Buy" if buy else "Sell"
    before = fill.position_before
    after = before + (fill.lots if buy else -fill.lots)
    if before == 0 or (before > 0) == buy:
        return "Open Long" if buy else "Open Short"
    if after == 0 or (after > 0) == (before > 0):
        return "Close Short" if buy else "Close Long"
    return "Short > Long" if buy else "Long > Short"


def fill_record(venue: Venue, fill: Fill, tag: Tag, start: str, pnl: str, builder_atoms: int) -> Json:
    """Return a fill as the user's history shows it; ``start`` and ``pnl`` are figured out by the caller."""
    coin = venue.universe.by_symbol[fill.market]
    record: Json = {
        "coin": coin.name,
        "px": coin.px(fill.ticks),
        "sz": coin.sz(fill.lots),
        "side": side_of(fill.side),
        "time": fill.ts_ns // spec.MS,
        "startPosition": start,
        "dir": direction(fill, coin.spot),
        "closedPnl": pnl,
        "hash": tx_hash(fill.ts_ns) if tag.twap_id is None else spec.ZERO_HASH,
        "oid": fill.order_id,
        "crossed": fill.liquidity is Liquidity.TAKER,
        "fee": money(fill.fee_atoms + builder_atoms, 8),
        "tid": trade_tid(fill.market, fill.trade_id),
    }
    if fill.client_id.startswith("0x"):
        record["cloid"] = fill.client_id
    record["feeToken"] = fill.fee_asset
    if builder_atoms:
        record["builderFee"] = money(builder_atoms, 8)
    record["twapId"] = tag.twap_id
    return record


# -- balances and positions ---------------------------------------------------------------------------


def spot_state(venue: Venue, user: User) -> Json:
    """Return the spot purse; USDC is always listed."""
    balances = []
    spot = user.spot
    for asset in sorted({venue.settle, *spot.balances}, key=venue.universe.token_index):
        held = spot.balance(asset)
        if not held.total and asset != venue.settle:
            continue
        cost = 0 if asset == venue.settle else user.holding(asset).cost
        balances.append(
            {
                "coin": asset,
                "token": venue.universe.token_index(asset),
                "total": money(held.total, 8),
                "hold": money(held.locked, 8),
                "entryNtl": money(cost, 8),
            }
        )
    return {"balances": balances}


def leverage_of(user: User, coin: Coin, raw_usd: int | None = None) -> Json:
    """Return leverage and margin mode chosen for a coin; ``raw_usd`` where the position is isolated."""
    chosen = user.perp.settings.get(coin.symbol)
    market = coin.market
    value = chosen.leverage if chosen else min(market.rules.default_leverage, market.max_leverage)
    cross = chosen.cross if chosen else True
    shown: Json = {"type": "cross" if cross else "isolated", "value": value}
    if not cross:
        shown["rawUsd"] = money(raw_usd or 0)
    return shown


def position_view(venue: Venue, user: User, position: Position) -> Json:
    """Return one open position."""
    coin = venue.universe.by_symbol[position.market]
    risk = venue.exchange.risk(user.perp.account_id, position.market)
    assert risk is not None
    signed = risk.notional if position.lots > 0 else -risk.notional
    used = risk.initial if position.cross else position.margin + risk.unrealized
    entry_margin = max(1, abs(position.cost) // risk.leverage)
    funding = user.funding_by_coin.get(coin.name, [0, 0, 0])
    entry = Decimal(position.cost) * SCALE / (Decimal(position.lots) * position.lot_atoms) / SCALE
    return {
        "type": "oneWay",
        "position": {
            "coin": coin.name,
            "szi": coin.sz(position.lots),
            "leverage": leverage_of(
                user, coin, position.margin + risk.unrealized - signed if not position.cross else None
            ),
            "entryPx": text(_figures(entry)),
            "positionValue": money(risk.notional),
            "unrealizedPnl": money(risk.unrealized),
            "returnOnEquity": text(_places(Decimal(risk.unrealized) / entry_margin, 10)),
            "liquidationPx": coin.px(risk.liquidation_ticks) if risk.liquidation_ticks else None,
            "marginUsed": money(used),
            "maxLeverage": coin.market.max_leverage,
            "cumFunding": {
                "allTime": money(-funding[0]),
                "sinceOpen": money(-funding[1]),
                "sinceChange": money(-funding[2]),
            },
        },
    }


def _figures(value: Decimal, figures: int = 6) -> Decimal:
    """Round to significant figures, keeping whole numbers whole."""
    if not value or value.adjusted() >= figures:
        return value.to_integral_value()
    return _places(value, figures - 1 - value.adjusted())


def _places(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places)).normalize() + 0


def open_positions(user: User) -> list[Position]:
    """Return the positions that are not flat."""
    return [position for position in user.perp.positions.values() if position.lots]


def clearinghouse_state(venue: Venue, user: User | None) -> Json:
    """Return the perps account: margin and positions. A stranger has an empty one."""
    if user is None:
        empty = {"accountValue": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0", "totalMarginUsed": "0.0"}
        return {
            "marginSummary": empty,
            "crossMarginSummary": empty,
            "crossMaintenanceMarginUsed": "0.0",
            "withdrawable": "0.0",
            "assetPositions": [],
            "time": venue.now_ms,
        }
    held = venue.exchange.margin(user.perp.account_id, venue.settle)
    isolated_value = isolated_notional = signed = signed_cross = isolated_used = cross_notional = 0
    positions = open_positions(user)
    for position in positions:
        risk = venue.exchange.risk(user.perp.account_id, position.market)
        assert risk is not None
        value = risk.notional if position.lots > 0 else -risk.notional
        signed += value
        if position.cross:
            signed_cross += value
            cross_notional += risk.notional
        else:
            isolated_value += position.margin + risk.unrealized
            isolated_notional += risk.notional
            isolated_used += position.margin + risk.unrealized
    cross_used = held.initial - sum(position.margin for position in positions if not position.cross)
    cross_value = held.cross_equity
    equity = cross_value + isolated_value
    return {
        "marginSummary": _summary(equity, held.notional, equity - signed, cross_used + isolated_used),
        "crossMarginSummary": _summary(cross_value, cross_notional, cross_value - signed_cross, cross_used),
        "crossMaintenanceMarginUsed": money(held.maintenance_cross),
        "withdrawable": money(max(0, min(held.available, cross_value))),
        "assetPositions": [position_view(venue, user, position) for position in positions],
        "time": venue.now_ms,
    }


def _summary(value: int, notional: int, raw: int, used: int) -> Json:
    return {
        "accountValue": money(value),
        "totalNtlPos": money(notional),
        "totalRawUsd": money(raw),
        "totalMarginUsed": money(used),
    }


def open_orders_of(venue: Venue, user: User) -> list[SimOrder]:
    """Return a user's open orders, the newest first; children that wait for their parent too."""
    found = [order for purse in user.accounts for order in venue.exchange.open_orders(purse.account_id)]
    found.sort(key=lambda order: -order.order_id)
    return found
