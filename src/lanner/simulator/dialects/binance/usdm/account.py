"""USD-M accounts: balances, positions, leverage, margin and position modes, fees, income."""

from __future__ import annotations

from decimal import Decimal

from lanner.simulator.accounts import Account, MarketSetting, Position
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.spot.account import last_update, uid_of
from lanner.simulator.dialects.binance.usdm.trade import check_week
from lanner.simulator.dialects.binance.usdm.words import SIDE_OF, SIDE_TEXT, Row, UsdmTexts, refusal
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.margin import MarginSummary
from lanner.simulator.markets import Market
from lanner.simulator.money import SCALE, atoms_text
from lanner.simulator.orders import PositionSide, RejectReason

SUCCESS = {"code": 200, "msg": "success"}
INCOME_TYPES = frozenset(
    {"TRANSFER", "WELCOME_BONUS", "REALIZED_PNL", "FUNDING_FEE", "COMMISSION", "INSURANCE_CLEAR"}
)


class UsdmAccount:
    """The operations on accounts."""

    def __init__(self, venue: Venue, texts: UsdmTexts) -> None:
        self._venue = venue
        self._texts = texts
        self._multi: set[str] = set()
        """Accounts in multi-assets mode: with one margin asset it changes nothing but the answer."""
        self._margin_moves: dict[str, list[Row]] = {}

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        signed, control = Security.SIGNED, Kind.CONTROL
        return [
            Operation(self.account_v2, ("GET /fapi/v2/account",), ("account.status",), 5, signed),
            Operation(self.account_v3, ("GET /fapi/v3/account",), ("v2/account.status",), 5, signed),
            Operation(
                self.balance,
                ("GET /fapi/v2/balance", "GET /fapi/v3/balance"),
                ("account.balance", "v2/account.balance"),
                5,
                signed,
            ),
            Operation(self.risk_v2, ("GET /fapi/v2/positionRisk",), ("account.position",), 5, signed),
            Operation(self.risk_v3, ("GET /fapi/v3/positionRisk",), ("v2/account.position",), 5, signed),
            Operation(self.set_leverage, ("POST /fapi/v1/leverage",), (), 1, signed, "trade", control),
            Operation(self.set_margin_type, ("POST /fapi/v1/marginType",), (), 1, signed, "trade", control),
            Operation(self.set_dual, ("POST /fapi/v1/positionSide/dual",), (), 1, signed, "trade", control),
            Operation(self.dual, ("GET /fapi/v1/positionSide/dual",), (), 30, signed),
            Operation(self.set_multi, ("POST /fapi/v1/multiAssetsMargin",), (), 1, signed, "trade", control),
            Operation(self.multi, ("GET /fapi/v1/multiAssetsMargin",), (), 30, signed),
            Operation(self.move_margin, ("POST /fapi/v1/positionMargin",), (), 1, signed, "trade", control),
            Operation(self.margin_moves, ("GET /fapi/v1/positionMargin/history",), (), 1, signed),
            Operation(self.brackets, ("GET /fapi/v1/leverageBracket",), (), 1, signed),
            Operation(self.commission, ("GET /fapi/v1/commissionRate",), (), 20, signed),
            Operation(self.income, ("GET /fapi/v1/income",), (), 30, signed),
            Operation(self.config, ("GET /fapi/v1/accountConfig",), (), 5, signed),
            Operation(self.symbol_config, ("GET /fapi/v1/symbolConfig",), (), 5, signed),
            Operation(self.order_limits, ("GET /fapi/v1/rateLimit/order",), (), 1, signed),
            Operation(self.fee_burn, ("GET /fapi/v1/feeBurn",), (), 30, signed),
            Operation(self.adl, ("GET /fapi/v1/adlQuantile",), (), 5, signed),
            Operation(self.trading_status, ("GET /fapi/v1/apiTradingStatus",), (), 1, signed),
        ]

    # -- figures ------------------------------------------------------------------------------------

    def _assets(self, account: Account) -> list[str]:
        names = {market.settle for market in self._venue.markets}
        return sorted(names | {name for name, held in account.balances.items() if held.total})

    def _setting(self, account: Account, market: Market) -> MarketSetting:
        found = account.settings.get(market.symbol)
        if found is None:
            found = MarketSetting(min(market.rules.default_leverage, market.max_leverage))
        return found

    def _asset_row(self, account: Account, asset: str) -> Row:
        found = self._venue.exchange.margin(account.account_id, asset)
        available = max(0, found.available)
        return {
            "asset": asset,
            "walletBalance": atoms_text(found.wallet),
            "unrealizedProfit": atoms_text(found.unrealized),
            "marginBalance": atoms_text(found.equity),
            "maintMargin": atoms_text(found.maintenance),
            "initialMargin": atoms_text(found.initial),
            "positionInitialMargin": atoms_text(found.position_initial),
            "openOrderInitialMargin": atoms_text(found.order_initial),
            "crossWalletBalance": atoms_text(found.cross_wallet),
            "crossUnPnl": atoms_text(found.unrealized_cross),
            "availableBalance": atoms_text(available),
            "maxWithdrawAmount": atoms_text(max(0, min(available, found.cross_wallet))),
            "updateTime": last_update(account) // 10**6,
        }

    def _totals(self, account: Account) -> Row:
        settles = sorted({market.settle for market in self._venue.markets}) or ["USDT"]
        asset = "USDT" if "USDT" in settles else settles[0]
        found: MarginSummary = self._venue.exchange.margin(account.account_id, asset)
        available = max(0, found.available)
        return {
            "totalInitialMargin": atoms_text(found.initial),
            "totalMaintMargin": atoms_text(found.maintenance),
            "totalWalletBalance": atoms_text(found.wallet),
            "totalUnrealizedProfit": atoms_text(found.unrealized),
            "totalMarginBalance": atoms_text(found.equity),
            "totalPositionInitialMargin": atoms_text(found.position_initial),
            "totalOpenOrderInitialMargin": atoms_text(found.order_initial),
            "totalCrossWalletBalance": atoms_text(found.cross_wallet),
            "totalCrossUnPnl": atoms_text(found.unrealized_cross),
            "availableBalance": atoms_text(available),
            "maxWithdrawAmount": atoms_text(max(0, min(available, found.cross_wallet))),
        }

    def account_v2(self, call: Call) -> Row:
        """Tell an account's margin, assets and positions of all symbols."""
        account = call.account
        row: Row = {
            "feeTier": 0,
            "feeBurn": False,
            "canTrade": call.key is not None and call.key.allows("futures"),
            "canDeposit": True,
            "canWithdraw": call.key is not None and call.key.allows("withdraw"),
            "updateTime": 0,
            "multiAssetsMargin": account.account_id in self._multi,
            "tradeGroupId": -1,
            **self._totals(account),
        }
        row["assets"] = [
            {**self._asset_row(account, asset), "marginAvailable": True} for asset in self._assets(account)
        ]
        row["positions"] = [
            self._position_v2(account, market, side)
            for market in self._venue.markets
            for side in sides_of(account)
        ]
        return row

    def account_v3(self, call: Call) -> Row:
        """Tell an account's margin, assets, and the positions there are."""
        account = call.account
        row = self._totals(account)
        row["assets"] = [self._asset_row(account, asset) for asset in self._assets(account)]
        row["positions"] = [self._position_v3(account, *key) for key in self._held(account)]
        return row

    def balance(self, call: Call) -> list[Row]:
        """Tell balances."""
        rows = []
        for asset in self._assets(call.account):
            found = self._asset_row(call.account, asset)
            rows.append(
                {
                    "accountAlias": f"a{uid_of(call.account) % 1_000_000:06d}",
                    "asset": asset,
                    "balance": found["walletBalance"],
                    "crossWalletBalance": found["crossWalletBalance"],
                    "crossUnPnl": found["crossUnPnl"],
                    "availableBalance": found["availableBalance"],
                    "maxWithdrawAmount": found["maxWithdrawAmount"],
                    "marginAvailable": True,
                    "updateTime": found["updateTime"],
                }
            )
        return rows

    # -- positions ------------------------------------------------------------------------------------

    def _held(self, account: Account) -> list[tuple[Market, PositionSide]]:
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
        leverage = self._setting(account, market).leverage
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

    def _position_v2(self, account: Account, market: Market, side: PositionSide) -> Row:
        position, found = account.position(market.symbol, side), self._figures(account, market, side)
        chosen = self._setting(account, market)
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

    def _position_v3(self, account: Account, market: Market, side: PositionSide) -> Row:
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
        chosen = self._setting(account, market)
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
            for market, side in self._held(call.account)
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

    # -- choices --------------------------------------------------------------------------------------

    def set_leverage(self, call: Call) -> Row:
        """Choose the leverage of a symbol."""
        market = self._venue.market(call.params.symbol())
        leverage = call.params.integer("leverage")
        if leverage is None:
            raise errors.missing("leverage")
        found = self._venue.exchange.set_leverage(
            call.account.account_id, market.symbol, leverage, call.now_ns
        )
        if found == RejectReason.LEVERAGE:
            raise ApiError(-4028, f"Leverage {leverage} is not valid")
        if found == RejectReason.INSUFFICIENT_MARGIN:
            raise ApiError(-2028, "Leverage is smaller than permitted: insufficient margin balance.")
        if found != RejectReason.NONE:
            raise refusal(found, market)
        return {
            "leverage": leverage,
            "maxNotionalValue": max_notional(market, leverage),
            "symbol": market.symbol,
        }

    def set_margin_type(self, call: Call) -> Row:
        """Choose cross or isolated margin for a symbol."""
        market = self._venue.market(call.params.symbol())
        wanted = call.params.need("marginType")
        if wanted not in ("ISOLATED", "CROSSED"):
            raise errors.invalid_data("marginType")
        if wanted == "ISOLATED" and call.account.account_id in self._multi:
            raise ApiError(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")
        found = self._venue.exchange.set_margin_mode(
            call.account.account_id, market.symbol, wanted == "CROSSED", call.now_ns
        )
        if found != RejectReason.NONE:
            raise _choice(
                found,
                (-4046, "No need to change margin type."),
                (-4047, "Margin type cannot be changed if there exists open orders."),
                (-4048, "Margin type cannot be changed if there exists position."),
            )
        return dict(SUCCESS)

    def set_dual(self, call: Call) -> Row:
        """Choose one position per symbol, or a long and a short one."""
        wanted = call.params.boolean("dualSidePosition")
        if wanted is None:
            raise errors.missing("dualSidePosition")
        found = self._venue.exchange.set_hedge_mode(call.account.account_id, wanted, call.now_ns)
        if found != RejectReason.NONE:
            raise _choice(
                found,
                (-4059, "No need to change position side."),
                (-4067, "Position side cannot be changed if there exists open orders."),
                (-4068, "Position side cannot be changed if there exists position."),
            )
        return dict(SUCCESS)

    def dual(self, call: Call) -> Row:
        """Tell the position mode."""
        return {"dualSidePosition": call.account.hedge_mode}

    def set_multi(self, call: Call) -> Row:
        """Choose multi-assets mode; there is one margin asset, so that it changes no figure."""
        wanted = call.params.boolean("multiAssetsMargin")
        if wanted is None:
            raise errors.missing("multiAssetsMargin")
        account = call.account
        if wanted == (account.account_id in self._multi):
            raise ApiError(
                -4171, "Adjusted asset mode is currently set and does not need to be adjusted repeatedly."
            )
        if wanted and any(not one.cross for one in account.settings.values()):
            raise ApiError(
                -4167,
                "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under isolated-margin mode.",
            )
        if account.open_orders:
            raise ApiError(-4170, "Unable to adjust Multi-Assets Mode with open orders in USDⓈ-M Futures.")
        (self._multi.add if wanted else self._multi.discard)(account.account_id)
        return dict(SUCCESS)

    def multi(self, call: Call) -> Row:
        """Tell whether the account is in multi-assets mode."""
        return {"multiAssetsMargin": call.account.account_id in self._multi}

    def move_margin(self, call: Call) -> Row:
        """Add margin to an isolated position, or take it away."""
        params, account = call.params, call.account
        market = self._venue.market(params.symbol())
        amount, kind = params.need_decimal("amount"), params.integer("type")
        if kind not in (1, 2):
            raise errors.invalid_data("type")
        if not amount:
            raise ApiError(-4055, "Amount must be positive.")
        side = SIDE_OF.get(params.text("positionSide", "BOTH"))
        if side is None or (side == PositionSide.BOTH) == account.hedge_mode:
            raise ApiError(-4061, "Order's position side does not match user's setting.")
        position = account.position(market.symbol, side)
        if self._setting(account, market).cross:
            raise ApiError(-4049, "Add margin only support for isolated position.")
        if position is None or not position.lots:
            raise ApiError(-4054, "Cannot add position margin: position is 0.")
        atoms = int(amount * SCALE) * (1 if kind == 1 else -1)
        found = self._venue.exchange.add_margin(account.account_id, market.symbol, atoms, call.now_ns, side)
        if found != RejectReason.NONE:
            short = (
                (-4050, "Cross balance insufficient.")
                if kind == 1
                else (-4051, "Isolated balance insufficient.")
            )
            raise ApiError(*short)
        self._margin_moves.setdefault(account.account_id, []).append(
            {
                "symbol": market.symbol,
                "type": kind,
                "deltaType": "USER_ADJUST",
                "amount": atoms_text(atoms),
                "asset": market.settle,
                "time": call.time(call.now_ns),
                "positionSide": SIDE_TEXT[side],
            }
        )
        return {
            "amount": float(amount),
            "code": 200,
            "msg": "Successfully modify position margin.",
            "type": kind,
        }

    def margin_moves(self, call: Call) -> list[Row]:
        """Tell how isolated margin was moved."""
        params = call.params
        market = self._venue.market(params.symbol())
        kind = params.integer("type")
        params.allow("startTime", "endTime")
        limit = params.limit(500, 500)
        rows = self._margin_moves.get(call.account.account_id, [])
        found = [one for one in rows if one["symbol"] == market.symbol and kind in (None, one["type"])]
        return found[-limit:]

    # -- tables ---------------------------------------------------------------------------------------

    def brackets(self, call: Call) -> list[Row]:
        """Tell margin tiers of one symbol or all."""
        wanted = call.params.text("symbol")
        markets = [self._venue.market(wanted)] if wanted else self._venue.markets
        return [{"symbol": market.symbol, "brackets": bracket_rows(market)} for market in markets]

    def commission(self, call: Call) -> Row:
        """Tell the fees of a symbol."""
        market, account = self._venue.market(call.params.symbol()), call.account
        maker = account.maker if account.maker is not None else Decimal(market.maker_ppb) / 10**9
        taker = account.taker if account.taker is not None else Decimal(market.taker_ppb) / 10**9
        return {
            "symbol": market.symbol,
            "makerCommissionRate": f"{maker:.6f}",
            "takerCommissionRate": f"{taker:.6f}",
            "rpiCommissionRate": f"{maker:.6f}",
        }

    def income(self, call: Call) -> list[Row]:
        """Tell what changed the wallet."""
        params = call.params
        symbol, kind = params.text("symbol"), params.text("incomeType")
        since, until = call.from_time("startTime"), call.from_time("endTime")
        check_week(since, None)
        page, limit = params.integer("page", 1) or 1, params.limit(100, 1000)
        last = until if until is not None else 1 << 62
        rows = [
            (number, one)
            for number, one in enumerate(call.account.income, 1)
            if (since or 0) <= one[0] <= last and symbol in ("", one[2]) and kind in ("", one[1])
        ]
        chosen = rows[(page - 1) * limit : page * limit] if since is not None or page > 1 else rows[-limit:]
        return [
            {
                "symbol": one[2],
                "incomeType": one[1],
                "income": atoms_text(one[4]),
                "asset": one[3],
                "info": str(one[5]) if one[5] else one[1],
                "time": call.time(one[0]),
                "tranId": number,
                "tradeId": str(one[5]) if one[5] else "",
            }
            for number, one in chosen
        ]

    def config(self, call: Call) -> Row:
        """Tell the account's configuration."""
        return {
            "feeTier": 0,
            "canTrade": call.key is not None and call.key.allows("futures"),
            "canDeposit": True,
            "canWithdraw": call.key is not None and call.key.allows("withdraw"),
            "dualSidePosition": call.account.hedge_mode,
            "updateTime": 0,
            "multiAssetsMargin": call.account.account_id in self._multi,
            "tradeGroupId": -1,
        }

    def symbol_config(self, call: Call) -> list[Row]:
        """Tell leverage and margin mode of one symbol or all."""
        wanted = call.params.text("symbol")
        markets = [self._venue.market(wanted)] if wanted else self._venue.markets
        rows = []
        for market in markets:
            chosen = self._setting(call.account, market)
            rows.append(
                {
                    "symbol": market.symbol,
                    "marginType": "CROSSED" if chosen.cross else "ISOLATED",
                    "isAutoAddMargin": False,
                    "leverage": chosen.leverage,
                    "maxNotionalValue": max_notional(market, chosen.leverage),
                }
            )
        return rows

    def order_limits(self, call: Call) -> list[Row]:
        """Tell the order limits of the account."""
        return [limit.row() for limit in self._venue.limits.order_limits]

    def fee_burn(self, call: Call) -> Row:
        """Tell that fees are not paid in BNB."""
        return {"feeBurn": False}

    def adl(self, call: Call) -> list[Row]:
        """Tell places in the queue for auto-deleveraging."""
        wanted = call.params.text("symbol")
        rows = []
        for market, _ in self._held(call.account):
            if wanted in ("", market.symbol):
                rows.append({"symbol": market.symbol, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}})
        return rows

    def trading_status(self, call: Call) -> Row:
        """Tell that trading by API is not restricted."""
        call.params.allow("symbol")
        return {"indicators": {}, "updateTime": call.time(call.now_ns)}


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


def _choice(
    found: RejectReason, same: tuple[int, str], orders: tuple[int, str], position: tuple[int, str]
) -> ApiError:
    words = {
        RejectReason.NO_CHANGE: same,
        RejectReason.HAS_ORDERS: orders,
        RejectReason.HAS_POSITION: position,
    }
    return ApiError(*words[found]) if found in words else refusal(found)
