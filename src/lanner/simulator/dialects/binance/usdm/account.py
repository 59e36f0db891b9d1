"""USD-M accounts: margin, balances, fees, income, configuration."""

from __future__ import annotations

from decimal import Decimal

from lanner.simulator.accounts import Account
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.spot.account import last_update, uid_of
from lanner.simulator.dialects.binance.usdm.choices import Choices
from lanner.simulator.dialects.binance.usdm.positions import Positions, bracket_rows, max_notional, sides_of
from lanner.simulator.dialects.binance.usdm.trade import check_week
from lanner.simulator.dialects.binance.usdm.words import Row
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.margin import MarginSummary
from lanner.simulator.money import atoms_text


class UsdmAccount:
    """The operations on accounts."""

    def __init__(self, venue: Venue, positions: Positions, choices: Choices) -> None:
        self._venue = venue
        self._positions = positions
        self._choices = choices

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        signed = Security.SIGNED
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
            Operation(self.brackets, ("GET /fapi/v1/leverageBracket",), (), 1, signed),
            Operation(self.commission, ("GET /fapi/v1/commissionRate",), (), 20, signed),
            Operation(self.income, ("GET /fapi/v1/income",), (), 30, signed),
            Operation(self.config, ("GET /fapi/v1/accountConfig",), (), 5, signed),
            Operation(self.symbol_config, ("GET /fapi/v1/symbolConfig",), (), 5, signed),
            Operation(self.order_limits, ("GET /fapi/v1/rateLimit/order",), (), 1, signed),
            Operation(self.fee_burn, ("GET /fapi/v1/feeBurn",), (), 30, signed),
            Operation(self.trading_status, ("GET /fapi/v1/apiTradingStatus",), (), 1, signed),
        ]

    # -- figures ------------------------------------------------------------------------------------

    def _assets(self, account: Account) -> list[str]:
        names = {market.settle for market in self._venue.markets}
        return sorted(names | {name for name, held in account.balances.items() if held.total})

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
            "multiAssetsMargin": self._choices.is_multi(account.account_id),
            "tradeGroupId": -1,
            **self._totals(account),
        }
        row["assets"] = [
            {**self._asset_row(account, asset), "marginAvailable": True} for asset in self._assets(account)
        ]
        row["positions"] = [
            self._positions.row_v2(account, market, side)
            for market in self._venue.markets
            for side in sides_of(account)
        ]
        return row

    def account_v3(self, call: Call) -> Row:
        """Tell an account's margin, assets, and the positions there are."""
        account = call.account
        row = self._totals(account)
        row["assets"] = [self._asset_row(account, asset) for asset in self._assets(account)]
        row["positions"] = [self._positions.row_v3(account, *key) for key in self._positions.held(account)]
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
            "multiAssetsMargin": self._choices.is_multi(call.account.account_id),
            "tradeGroupId": -1,
        }

    def symbol_config(self, call: Call) -> list[Row]:
        """Tell leverage and margin mode of one symbol or all."""
        wanted = call.params.text("symbol")
        markets = [self._venue.market(wanted)] if wanted else self._venue.markets
        rows = []
        for market in markets:
            chosen = self._positions.setting(call.account, market)
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
        for market, _ in self._positions.held(call.account):
            if wanted in ("", market.symbol):
                rows.append({"symbol": market.symbol, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}})
        return rows

    def trading_status(self, call: Call) -> Row:
        """Tell that trading by API is not restricted."""
        call.params.allow("symbol")
        return {"indicators": {}, "updateTime": call.time(call.now_ns)}
