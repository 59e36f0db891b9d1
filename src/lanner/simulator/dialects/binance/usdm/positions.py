"""USD-M positions: what they are worth, what margin they hold, and how both are written."""

from __future__ import annotations

from decimal import Decimal

from lanner.simulator.accounts import Account, MarketSetting, Position
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.usdm.words import SIDE_TEXT, Row, UsdmTexts
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.markets import Market
from lanner.simulator.money import SCALE, atoms_text
from lanner.simulator.orders import PositionSide


class Positions:
    """Positions of accounts, and the operations on them."""

    def __init__(self, venue: Venue, texts: UsdmTexts) -> None:
        self._venue = venue
        self._texts = texts

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        signed = Security.SIGNED
        return [
            Operation(self.risk_v2, ("GET /fapi/v2/positionRisk",), ("account.position",), 5, signed),
            Operation(self.risk_v3, ("GET /fapi/v3/positionRisk",), ("v2/account.position",), 5, signed),
            Operation(self.adl, ("GET /fapi/v1/adlQuantile",), (), 5, signed),
        ]

    def setting(self, account: Account, market: Market) -> MarketSetting:
        """Return an account's leverage and margin mode in a market."""
        found = account.settings.get(market.symbol)
        if found is None:
            found = MarketSetting(min(market.rules.default_leverage, market.max_leverage))
        return found

    def held(self, account: Account) -> list[tuple[Market, PositionSide]]:
        """Return the markets and sides with a position or open orders."""
        found = []
        for market in self._venue.markets:
            ordered = any(
                one.market == market.symbol and not one.is_triggered_type
                for one in account.open_orders.values()
            )
            for side in sides_of(account):
                position = account.position(market.symbol, side)
                if (position is not None and position.lots) or ordered:
                    found.append((market, side))
        return found

    def _figures(self, account: Account, market: Market, side: PositionSide) -> dict[str, int]:
        """Return signed notional, profit, margins in atoms and the liquidation price in ticks."""
        position = account.position(market.symbol, side)
        risk = self._venue.exchange.risk(account.account_id, market.symbol, side)
        exposure = account.exposure.get((market.symbol, side)) or [0, 0, 0, 0]
        lots = position.lots if position is not None else 0
        signed = lots * market.reference_ticks * market.unit
        leverage = self.setting(account, market).leverage
        worst = max(abs(signed + exposure[1]), abs(signed - exposure[3]))
        own = -(-abs(signed) // leverage)
        return {
            "notional": signed,
            "profit": risk.unrealized if risk is not None else 0,
            "initial": own,
            "orders": -(-worst // leverage) - own,
            "maintenance": risk.maintenance if risk is not None else 0,
            "liquidation": risk.liquidation_ticks if risk is not None else 0,
            "margin": position.margin if position is not None and not position.cross else 0,
            "bids": exposure[1],
            "asks": exposure[3],
        }

    def row_v2(self, account: Account, market: Market, side: PositionSide) -> Row:
        """Write a position as the second version of the account shows it."""
        position, found = account.position(market.symbol, side), self._figures(account, market, side)
        chosen = self.setting(account, market)
        return {
            "symbol": market.symbol,
            "initialMargin": atoms_text(found["initial"] + found["orders"]),
            "maintMargin": atoms_text(found["maintenance"]),
            "unrealizedProfit": atoms_text(found["profit"]),
            "positionInitialMargin": atoms_text(found["initial"]),
            "openOrderInitialMargin": atoms_text(found["orders"]),
            "leverage": str(chosen.leverage),
            "isolated": not chosen.cross,
            "entryPrice": entry_text(position),
            "breakEvenPrice": break_even(market, position),
            "maxNotional": max_notional(market, chosen.leverage),
            "bidNotional": atoms_text(found["bids"]) if found["bids"] else "0",
            "askNotional": atoms_text(found["asks"]) if found["asks"] else "0",
            "positionSide": SIDE_TEXT[side],
            "positionAmt": self._texts.qty(market, position.lots if position is not None else 0),
            "updateTime": position.ts_updated // 10**6 if position is not None else 0,
        }

    def row_v3(self, account: Account, market: Market, side: PositionSide) -> Row:
        """Write a position as the third version of the account shows it."""
        position, found = account.position(market.symbol, side), self._figures(account, market, side)
        return {
            "symbol": market.symbol,
            "positionSide": SIDE_TEXT[side],
            "positionAmt": self._texts.qty(market, position.lots if position is not None else 0),
            "unrealizedProfit": atoms_text(found["profit"]),
            "isolatedMargin": isolated_text(found),
            "notional": atoms_text(found["notional"]) if found["notional"] else "0",
            "isolatedWallet": atoms_text(found["margin"]) if found["margin"] else "0",
            "initialMargin": atoms_text(found["initial"] + found["orders"]),
            "maintMargin": atoms_text(found["maintenance"]),
            "updateTime": position.ts_updated // 10**6 if position is not None else 0,
        }

    def risk_v2(self, call: Call) -> list[Row]:
        """Tell positions of one symbol or all, flat ones too."""
        wanted = call.params.text("symbol")
        markets = [self._venue.market(wanted)] if wanted else self._venue.markets
        return [
            self._risk_v2(call.account, market, side) for market in markets for side in sides_of(call.account)
        ]

    def _risk_v2(self, account: Account, market: Market, side: PositionSide) -> Row:
        position, found = account.position(market.symbol, side), self._figures(account, market, side)
        chosen = self.setting(account, market)
        return {
            "symbol": market.symbol,
            "positionAmt": self._texts.qty(market, position.lots if position is not None else 0),
            "entryPrice": entry_text(position),
            "breakEvenPrice": break_even(market, position),
            "markPrice": atoms_text(market.reference_ticks * market.tick_atoms),
            "unRealizedProfit": atoms_text(found["profit"]),
            "liquidationPrice": self._liquidation(market, found),
            "leverage": str(chosen.leverage),
            "maxNotionalValue": max_notional(market, chosen.leverage),
            "marginType": "cross" if chosen.cross else "isolated",
            "isolatedMargin": isolated_text(found),
            "isAutoAddMargin": "false",
            "positionSide": SIDE_TEXT[side],
            "notional": atoms_text(found["notional"]) if found["notional"] else "0",
            "isolatedWallet": atoms_text(found["margin"]) if found["margin"] else "0",
            "updateTime": position.ts_updated // 10**6 if position is not None else 0,
        }

    def risk_v3(self, call: Call) -> list[Row]:
        """Tell positions that are open or have open orders."""
        wanted = call.params.text("symbol")
        if wanted:
            self._venue.market(wanted)
        return [
            self._risk_v3(call.account, market, side)
            for market, side in self.held(call.account)
            if wanted in ("", market.symbol)
        ]

    def _risk_v3(self, account: Account, market: Market, side: PositionSide) -> Row:
        position, found = account.position(market.symbol, side), self._figures(account, market, side)
        return {
            "symbol": market.symbol,
            "positionSide": SIDE_TEXT[side],
            "positionAmt": self._texts.qty(market, position.lots if position is not None else 0),
            "entryPrice": entry_text(position),
            "breakEvenPrice": break_even(market, position),
            "markPrice": atoms_text(market.reference_ticks * market.tick_atoms),
            "unRealizedProfit": atoms_text(found["profit"]),
            "liquidationPrice": self._liquidation(market, found),
            "isolatedMargin": isolated_text(found),
            "notional": atoms_text(found["notional"]) if found["notional"] else "0",
            "marginAsset": market.settle,
            "isolatedWallet": atoms_text(found["margin"]) if found["margin"] else "0",
            "initialMargin": atoms_text(found["initial"] + found["orders"]),
            "maintMargin": atoms_text(found["maintenance"]),
            "positionInitialMargin": atoms_text(found["initial"]),
            "openOrderInitialMargin": atoms_text(found["orders"]),
            "adl": 2 if found["notional"] else 0,
            "bidNotional": atoms_text(found["bids"]) if found["bids"] else "0",
            "askNotional": atoms_text(found["asks"]) if found["asks"] else "0",
            "updateTime": position.ts_updated // 10**6 if position is not None else 0,
        }

    def _liquidation(self, market: Market, found: dict[str, int]) -> str:
        return self._texts.px(market, found["liquidation"]) if found["liquidation"] else "0"

    def adl(self, call: Call) -> list[Row]:
        """Tell places in the queue for auto-deleveraging."""
        wanted = call.params.text("symbol")
        rows = []
        for market, _ in self.held(call.account):
            if wanted in ("", market.symbol):
                rows.append({"symbol": market.symbol, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}})
        return rows


def sides_of(account: Account) -> tuple[PositionSide, ...]:
    """Return the position sides of an account's mode."""
    return (PositionSide.LONG, PositionSide.SHORT) if account.hedge_mode else (PositionSide.BOTH,)


def entry_text(position: Position | None) -> str:
    """Write the average entry price."""
    if position is None or not position.lots:
        return "0.0"
    return trimmed(position.entry_px)


def break_even(market: Market, position: Position | None) -> str:
    """Write the price at which closing by taker would pay entry and exit fees."""
    if position is None or not position.lots:
        return "0.0"
    rate = Decimal(market.taker_ppb) / 10**9
    return trimmed(position.entry_px * (1 + rate if position.lots > 0 else 1 - rate))


def trimmed(value: Decimal) -> str:
    """Write a price with up to eight decimals and at least one."""
    text = f"{value:.8f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def isolated_text(found: dict[str, int]) -> str:
    """Write the margin of an isolated position with its open profit."""
    return atoms_text(found["margin"] + found["profit"]) if found["margin"] else "0.00000000"


def max_notional(market: Market, leverage: int) -> str:
    """Write the largest position that a leverage allows."""
    most = 0
    for one in market.brackets:
        if one.max_leverage >= leverage:
            most = one.cap_atoms
    return str(most // SCALE) if most else "9223372036854775807"


def bracket_rows(market: Market) -> list[Row]:
    """Return the margin tiers of a market."""
    rows, floor = [], 0
    for number, one in enumerate(market.brackets, 1):
        cap = one.cap_atoms // SCALE if one.cap_atoms else 9_223_372_036_854_775_807
        rows.append(
            {
                "bracket": number,
                "initialLeverage": one.max_leverage,
                "notionalCap": cap,
                "notionalFloor": floor,
                "maintMarginRatio": one.rate_ppb / 10**9,
                "cum": one.cum_atoms / SCALE,
            }
        )
        floor = cap
    return rows
