"""Spot accounts: balances, fees, fills, limits, and the little of the wallet API that clients ask for."""

from __future__ import annotations

from typing import Any

from lanner.simulator.accounts import Account
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.calls import Call, Operation, Security
from lanner.simulator.dialects.binance.params import Params
from lanner.simulator.dialects.binance.spot.rows import Rows
from lanner.simulator.dialects.binance.spot.trade import check_span, discount, fee_texts
from lanner.simulator.dialects.binance.spot.words import Row, tag_of
from lanner.simulator.dialects.binance.texts import STP_TEXT
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.money import atoms_text
from lanner.simulator.orders import Fill

ZERO_RATES = {"maker": "0.00000000", "taker": "0.00000000", "buyer": "0.00000000", "seller": "0.00000000"}


class SpotAccount:
    """The operations on accounts."""

    def __init__(self, venue: Venue, rows: Rows) -> None:
        self._venue = venue
        self._rows = rows

    def operations(self) -> list[Operation]:
        """Return what can be asked."""
        signed = Security.SIGNED
        return [
            Operation(self.account, ("GET /api/v3/account",), ("account.status",), 20, signed),
            Operation(self.trades, ("GET /api/v3/myTrades",), ("myTrades",), trades_weight, signed),
            Operation(
                self.order_limits,
                ("GET /api/v3/rateLimit/order",),
                ("account.rateLimits.orders",),
                40,
                signed,
            ),
            Operation(
                self.commission, ("GET /api/v3/account/commission",), ("account.commission",), 20, signed
            ),
            Operation(
                self.prevented, ("GET /api/v3/myPreventedMatches",), ("myPreventedMatches",), 20, signed
            ),
            Operation(self.allocations, ("GET /api/v3/myAllocations",), ("myAllocations",), 20, signed),
            Operation(self.filters, ("GET /api/v3/myFilters",), ("myFilters",), 40, signed),
            Operation(self.restrictions, ("GET /sapi/v1/account/apiRestrictions",), (), 1, signed),
            Operation(self.coins, ("GET /sapi/v1/capital/config/getall",), (), 10, signed),
            Operation(self.system_status, ("GET /sapi/v1/system/status",), (), 1),
            Operation(self.account_status, ("GET /sapi/v1/account/status",), (), 1, signed),
            Operation(self.trading_status, ("GET /sapi/v1/account/apiTradingStatus",), (), 1, signed),
            Operation(self.trade_fees, ("GET /sapi/v1/asset/tradeFee",), (), 1, signed),
            Operation(
                self.user_assets, ("POST /sapi/v3/asset/getUserAsset",), (), 5, signed, "read", Kind.READ
            ),
            Operation(self.funding_assets, ("POST /sapi/v1/asset/get-funding-asset",), (), 1, signed),
        ]

    # -- balances and fees ----------------------------------------------------------------------------

    def account(self, call: Call) -> Row:
        """Tell an account's rights, fees and balances."""
        account = call.account
        omit = call.params.boolean("omitZeroBalances") or False
        maker, taker = self._rates(call)
        can_trade = call.key is not None and call.key.allows("spot")
        return {
            "makerCommission": round(float(maker) * 10_000),
            "takerCommission": round(float(taker) * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": maker,
                "taker": taker,
                "buyer": "0.00000000",
                "seller": "0.00000000",
            },
            "canTrade": can_trade,
            "canWithdraw": call.key is not None and call.key.allows("withdraw"),
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": call.time(last_update(account)),
            "accountType": "SPOT",
            "balances": self._balances(account, omit=omit),
            "permissions": ["SPOT"],
            "uid": uid_of(account),
        }

    def _balances(self, account: Account, *, omit: bool) -> list[Row]:
        names = set(account.balances)
        for market in self._venue.markets:
            names.update((market.base, market.quote))
        rows = []
        for name in sorted(names):
            held = account.view(name) if name in account.balances else None
            free, locked = (held.free, held.locked) if held is not None else (0, 0)
            if omit and not free and not locked:
                continue
            rows.append({"asset": name, "free": atoms_text(free), "locked": atoms_text(locked)})
        return rows

    def _rates(self, call: Call) -> tuple[str, str]:
        markets = self._venue.markets
        maker, taker = (markets[0].maker_ppb, markets[0].taker_ppb) if markets else (10**6, 10**6)
        return fee_texts(call, maker, taker)

    def commission(self, call: Call) -> Row:
        """Tell the fees of a symbol."""
        market = self._venue.market(call.params.symbol())
        maker, taker = fee_texts(call, market.maker_ppb, market.taker_ppb)
        return {
            "symbol": market.symbol,
            "standardCommission": {**ZERO_RATES, "maker": maker, "taker": taker},
            "specialCommission": ZERO_RATES,
            "taxCommission": ZERO_RATES,
            "discount": discount(),
        }

    def order_limits(self, call: Call) -> list[Row]:
        """Tell how many unfilled orders the account has placed."""
        return self._venue.limits.order_rows(call.account.account_id, call.now_ns)

    # -- history --------------------------------------------------------------------------------------

    def trades(self, call: Call) -> list[Row]:
        """Tell the account's fills of a symbol."""
        params = call.params
        market = self._venue.market(params.symbol())
        order_id, first_id = params.integer("orderId"), params.integer("fromId")
        since, until = call.from_time("startTime"), call.from_time("endTime")
        timed = since is not None or until is not None
        if timed and (first_id is not None or order_id is not None):
            raise errors.bad_combination()
        check_span(since, until)
        limit = params.limit(500, 1000)
        rows = [one for one in call.account.fills if one.market == market.symbol]
        if order_id is not None:
            rows = [one for one in rows if one.order_id == order_id]
        return [self._trade(one, call) for one in choose_fills(rows, first_id, since, until, limit)]

    def _trade(self, fill: Fill, call: Call) -> Row:
        order = self._venue.exchange.order(fill.account, order_id=fill.order_id)
        return self._rows.trade(fill, order, call)

    def prevented(self, call: Call) -> list[Row]:
        """Tell matches between the account's own orders that were prevented."""
        params = call.params
        market = self._venue.market(params.symbol())
        match_id, order_id = params.integer("preventedMatchId"), params.integer("orderId")
        first_id = params.integer("fromPreventedMatchId") or 0
        if match_id is None and order_id is None:
            raise errors.bad_combination()
        limit = params.limit(500, 1000)
        found = {}
        for order in call.account.orders:
            if order.market == market.symbol and (order_id is None or order.order_id == order_id):
                for one in tag_of(order).prevented:
                    if one.match_id >= first_id and match_id in (None, one.match_id):
                        found[one.match_id] = one
        return [self._rows.prevented(one, market.symbol, call) for one in list(found.values())[:limit]]

    def allocations(self, call: Call) -> list[Row]:
        """Tell allocations by smart order routing: there are none."""
        self._venue.market(call.params.symbol())
        call.params.allow("startTime", "endTime", "fromAllocationId", "limit", "orderId")
        return []

    def filters(self, call: Call) -> Row:
        """Tell the filters that hold for the account and a symbol."""
        market = self._venue.market(call.params.symbol())
        return {
            "exchangeFilters": [{"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 1000}],
            "symbolFilters": [{"filterType": "MAX_NUM_ORDERS", "maxNumOrders": market.rules.max_open_orders}],
            "assetFilters": [],
        }

    # -- wallet ---------------------------------------------------------------------------------------

    def restrictions(self, call: Call) -> Row:
        """Tell what the key may do."""
        key = call.key
        trades = key is not None and key.allows("spot")
        return {
            "ipRestrict": False,
            "createTime": call.now_ns // 10**6,
            "enableReading": key is not None and key.allows("read"),
            "enableWithdrawals": key is not None and key.allows("withdraw"),
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": key is not None and key.allows("futures"),
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": False,
            "enableSpotAndMarginTrading": trades,
            "enablePortfolioMarginTrading": False,
        }

    def coins(self, call: Call) -> list[Row]:
        """Tell the coins of the venue with the account's share of each."""
        names = {name for market in self._venue.markets for name in (market.base, market.quote)}
        rows = []
        for name in sorted(names | set(call.account.balances)):
            held = call.account.view(name)
            rows.append(
                {
                    "coin": name,
                    "depositAllEnable": False,
                    "withdrawAllEnable": False,
                    "name": name,
                    "free": atoms_text(held.free),
                    "locked": atoms_text(held.locked),
                    "freeze": "0",
                    "withdrawing": "0",
                    "ipoing": "0",
                    "ipoable": "0",
                    "storage": "0",
                    "isLegalMoney": False,
                    "trading": True,
                    "networkList": [],
                }
            )
        return rows

    def system_status(self, call: Call) -> Row:
        """Tell whether the venue is in maintenance."""
        if self._venue.maintenance:
            return {"status": 1, "msg": "system_maintenance"}
        return {"status": 0, "msg": "normal"}

    def account_status(self, call: Call) -> Row:
        """Tell that the account is in order."""
        return {"data": "Normal"}

    def trading_status(self, call: Call) -> Row:
        """Tell that trading by API is not locked."""
        return {
            "data": {
                "isLocked": False,
                "plannedRecoverTime": 0,
                "triggerCondition": {"GCR": 150, "IFER": 150, "UFR": 300},
                "updateTime": 0,
            }
        }

    def trade_fees(self, call: Call) -> list[Row]:
        """Tell the fees of one symbol or all."""
        wanted = call.params.text("symbol")
        markets = [self._venue.market(wanted)] if wanted else self._venue.markets
        rows = []
        for market in markets:
            maker, taker = fee_texts(call, market.maker_ppb, market.taker_ppb)
            rows.append({"symbol": market.symbol, "makerCommission": maker, "takerCommission": taker})
        return rows

    def user_assets(self, call: Call) -> list[Row]:
        """Tell the assets an account owns."""
        wanted = call.params.text("asset")
        call.params.allow("needBtcValuation")
        return [
            {
                "asset": name,
                "free": atoms_text(held.free),
                "locked": atoms_text(held.locked),
                "freeze": "0",
                "withdrawing": "0",
                "ipoable": "0",
                "btcValuation": "0",
            }
            for name, held in sorted(call.account.balances.items())
            if held.total and wanted in ("", name)
        ]

    def funding_assets(self, call: Call) -> list[Any]:
        """Tell the assets of the funding wallet: there is none."""
        call.params.allow("asset", "needBtcValuation")
        return []


def choose_fills(
    rows: list[Fill], first_id: int | None, since: int | None, until: int | None, limit: int
) -> list[Fill]:
    """Choose fills: from a trade id on, from a time on, else the latest."""
    if first_id is not None:
        return [one for one in rows if one.trade_id >= first_id][:limit]
    if since is None and until is None:
        return rows[-limit:]
    last = until if until is not None else 1 << 62
    found = [one for one in rows if (since or 0) <= one.ts_ns <= last]
    return found[:limit] if since is not None else found[-limit:]


def trades_weight(params: Params) -> int:
    """Return the weight of asking for fills."""
    return 5 if params.text("orderId") else 20


def last_update(account: Account) -> int:
    """Return when the account last changed, as far as its orders and fills tell."""
    times = [account.orders[-1].ts_updated] if account.orders else [0]
    if account.fills:
        times.append(account.fills[-1].ts_ns)
    return max(times)


def uid_of(account: Account) -> int:
    """Return a number for an account that never changes."""
    found = 0
    for letter in account.account_id.encode():
        found = (found * 131 + letter) % 899_999_999
    return 100_000_000 + found


def stp_texts() -> list[str]:
    """Return the names of all self-trade prevention modes of spot."""
    return list(STP_TEXT.values())
