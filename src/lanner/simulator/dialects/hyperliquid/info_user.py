"""``POST /info``: what may be asked about a user. Addresses are public, so anybody may ask."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.coins import Coin
from lanner.simulator.dialects.hyperliquid.info_market import BadRequestError, MarketInfo, need, window
from lanner.simulator.dialects.hyperliquid.limits import AddressBudget
from lanner.simulator.dialects.hyperliquid.numbers import money, text
from lanner.simulator.dialects.hyperliquid.orders import Desk
from lanner.simulator.dialects.hyperliquid.portfolio import portfolio, user_fees
from lanner.simulator.dialects.hyperliquid.twap import Twaps
from lanner.simulator.dialects.hyperliquid.users import User, is_address, is_cloid
from lanner.simulator.dialects.hyperliquid.venue import Venue
from lanner.simulator.dialects.hyperliquid.views import (
    clearinghouse_state,
    frontend_order,
    history_order,
    leverage_of,
    open_order,
    open_orders_of,
    spot_state,
)

Json = dict[str, Any]


class UserInfo:
    """Answers questions about users. A stranger's account is empty, never an error."""

    def __init__(self, venue: Venue, desk: Desk, market: MarketInfo, twaps: Twaps) -> None:
        self._venue = venue
        self._desk = desk
        self._market = market
        self._twaps = twaps
        self.handlers: dict[str, Callable[[Json], Any]] = {
            "clearinghouseState": self._clearinghouse,
            "spotClearinghouseState": self._spot,
            "openOrders": lambda body: [open_order(venue, one) for one in self._open(body)],
            "frontendOpenOrders": lambda body: [frontend_order(venue, one) for one in self._open(body)],
            "orderStatus": self._order_status,
            "historicalOrders": self._historical,
            "userFills": self._fills,
            "userFillsByTime": self._fills_by_time,
            "userFunding": self._funding,
            "userNonFundingLedgerUpdates": self._ledger,
            "userFees": lambda body: user_fees(venue, self._user(body)),
            "userRateLimit": self._rate_limit,
            "userRole": self._role,
            "subAccounts": self._sub_accounts,
            "extraAgents": self._extra_agents,
            "maxBuilderFee": self._max_builder_fee,
            "approvedBuilders": self._approved_builders,
            "activeAssetData": self._active_asset_data,
            "portfolio": lambda body: portfolio(venue, self._user(body)),
            "referral": self._referral,
            "userTwapSliceFills": lambda body: self._newest(body, "twap_fills"),
            "userTwapSliceFillsByTime": self._twap_fills_by_time,
            "twapHistory": lambda body: self._newest(body, "twap_history"),
            "userVaultEquities": self._nothing,
            "leadingVaults": self._nothing,
            "delegations": self._nothing,
            "userBorrowLendInterest": self._nothing,
            "delegatorHistory": self._nothing,
            "delegatorRewards": self._nothing,
            "delegatorSummary": self._staking,
            "isVip": lambda body: self._user(body) and False,
            "preTransferCheck": self._transfer_check,
            "legalCheck": lambda body: self._known(
                body, {"ipAllowed": True, "acceptedTerms": True, "userAllowed": True}
            ),
            "userToMultiSigSigners": lambda body: self._user(body) and None,
            "userDexAbstraction": lambda body: self._user(body) and None,
            "userAbstraction": lambda body: self._known(body, "disabled"),
            "borrowLendUserState": lambda body: self._known(
                body, {"tokenToState": [], "health": "healthy", "healthFactor": None}
            ),
            "webData2": self.web_data,
            "vaultDetails": lambda _: None,
        }

    def _user(self, body: Json) -> User | None:
        address = body.get("user")
        if not is_address(address):
            raise BadRequestError("user")
        return self._venue.users.find(str(address).lower())

    def _known(self, body: Json, answer: Any) -> Any:
        self._user(body)
        return answer

    def _nothing(self, body: Json) -> list[Any]:
        self._user(body)
        return []

    # -- accounts -------------------------------------------------------------------------------------------

    def _clearinghouse(self, body: Json) -> Json:
        user = self._user(body)
        return clearinghouse_state(self._venue, None if body.get("dex") else user)

    def _spot(self, body: Json) -> Json:
        user = self._user(body)
        return {"balances": []} if user is None else spot_state(self._venue, user)

    def _rate_limit(self, body: Json) -> Json:
        user = self._user(body)
        if user is None:
            return {
                "cumVlm": "0.0",
                "nRequestsUsed": 0,
                "nRequestsCap": spec.ADDRESS_BUFFER,
                "nRequestsSurplus": 0,
            }
        used, reserved = user.budget.used, user.budget.reserved
        return {
            "cumVlm": money(user.perp.volume + user.spot.volume),
            "nRequestsUsed": max(0, used - reserved),
            "nRequestsCap": AddressBudget.cap(user.volume_usd),
            "nRequestsSurplus": max(0, reserved - used),
        }

    def _role(self, body: Json) -> Json:
        user = self._user(body)
        if user is not None:
            master = user.perp.vault_of
            if not master:
                return {"role": "user"}
            owner = self._venue.user_of(master)
            return {
                "role": "subAccount",
                "data": {"master": owner.address if owner else spec.ZERO_ADDRESS},
            }
        owner = self._venue.users.master_of_agent(body["user"].lower(), self._venue.now_ms)
        return {"role": "agent", "data": {"user": owner.address}} if owner else {"role": "missing"}

    def _sub_accounts(self, body: Json) -> list[Json] | None:
        user = self._user(body)
        if user is None or not user.subs:
            return None
        return [
            {
                "name": sub.name,
                "subAccountUser": sub.address,
                "master": user.address,
                "clearinghouseState": clearinghouse_state(self._venue, sub),
                "spotState": spot_state(self._venue, sub),
            }
            for sub in user.subs
        ]

    def _extra_agents(self, body: Json) -> list[Json]:
        user = self._user(body)
        if user is None:
            return []
        return [
            {"name": agent.name, "address": agent.address, "validUntil": agent.valid_until_ms}
            for agent in user.perp.agents.values()
            if agent.name
        ]

    def _max_builder_fee(self, body: Json) -> int:
        user = self._user(body)
        builder = need(body, "builder", str).lower()
        return 0 if user is None else user.builders.get(builder, 0)

    def _approved_builders(self, body: Json) -> list[str]:
        user = self._user(body)
        return [] if user is None else [one for one, fee in user.builders.items() if fee]

    def _referral(self, body: Json) -> Json:
        user = self._user(body)
        volume = "0.0" if user is None else money(user.perp.volume + user.spot.volume)
        return {
            "referredBy": None,
            "cumVlm": volume,
            "unclaimedRewards": "0.0",
            "claimedRewards": "0.0",
            "builderRewards": "0.0",
            "tokenToState": [],
            "referrerState": {"stage": "needToTrade", "data": {"required": "10000.0"}},
            "rewardHistory": [],
        }

    def _staking(self, body: Json) -> Json:
        self._user(body)
        return {
            "delegated": "0.0",
            "undelegated": "0.0",
            "totalPendingWithdrawal": "0.0",
            "nPendingWithdrawals": 0,
        }

    def _transfer_check(self, body: Json) -> Json:
        exists = self._user(body) is not None
        return {
            "fee": "0.0" if exists else "1.0",
            "isSanctioned": False,
            "userExists": exists,
            "userHasSentTx": exists,
        }

    def _active_asset_data(self, body: Json) -> Json:
        user = self._user(body)
        return self.asset_data(user, str(body["user"]).lower(), self._market.coin(body.get("coin")))

    def asset_data(self, user: User | None, address: str, coin: Coin) -> Json:
        """Return leverage and room for trading of a user in a perp, for buys and for sells."""
        mark = coin.market.px(coin.reference)
        leverage: Json = {"type": "cross", "value": coin.market.rules.default_leverage}
        room = [0, 0]
        if user is not None:
            leverage = leverage_of(user, coin)
            available = max(
                0, self._venue.exchange.margin(user.perp.account_id, self._venue.settle).available
            )
            position = user.perp.position(coin.symbol)
            freed = abs(position.cost) // int(leverage["value"]) * 2 if position and position.lots else 0
            long = position is not None and position.lots > 0
            room = [available + (0 if long or not freed else freed), available + (freed if long else 0)]
        unit = max(1, coin.reference * coin.market.unit)
        sizes = [coin.sz(one * int(leverage["value"]) // unit) for one in room]
        return {
            "user": address,
            "coin": coin.name,
            "leverage": leverage,
            "maxTradeSzs": sizes,
            "availableToTrade": [money(one) for one in room],
            "markPx": text(mark),
        }

    # -- orders ---------------------------------------------------------------------------------------------

    def _open(self, body: Json) -> list[Any]:
        user = self._user(body)
        return [] if user is None or body.get("dex") else open_orders_of(self._venue, user)

    def _order_status(self, body: Json) -> Json:
        user = self._user(body)
        key = body.get("oid")
        if not (is_cloid(key) or (isinstance(key, int) and not isinstance(key, bool))):
            raise BadRequestError("oid")
        assert isinstance(key, int | str)
        if user is not None:
            order = self._desk.find(user, key)
            if order is not None:
                return {"status": "order", "order": history_order(self._venue, order)}
            for record in reversed(user.refused):
                if key in (record["order"]["oid"], record["order"]["cloid"]):
                    return {"status": "order", "order": record}
        return {"status": "unknownOid"}

    def _historical(self, body: Json) -> list[Json]:
        user = self._user(body)
        if user is None:
            return []
        orders = (one for purse in user.accounts for one in purse.orders)
        latest = heapq.nlargest(spec.MAX_RESULTS, orders, key=lambda one: (one.ts_updated, one.order_id))
        found = [history_order(self._venue, one) for one in latest]
        found.extend(user.refused)
        found.sort(key=lambda one: (-one["statusTimestamp"], -one["order"]["oid"]))
        return found[: spec.MAX_RESULTS]

    # -- fills and money ------------------------------------------------------------------------------------

    def _newest(self, body: Json, name: str) -> list[Json]:
        user = self._user(body)
        return [] if user is None else list(reversed(getattr(user, name)))[: spec.MAX_RESULTS]

    def _fills(self, body: Json) -> list[Json]:
        user = self._user(body)
        if user is None:
            return []
        found = list(user.fills)
        if body.get("aggregateByTime"):
            found = aggregated(found)
        return found[::-1][: spec.MAX_RESULTS]

    def _fills_by_time(self, body: Json) -> list[Json]:
        user = self._user(body)
        start, end = window(body, self._venue.now_ms)
        if user is None:
            return []
        found = [one for one in user.fills if start <= one["time"] <= end]
        if body.get("aggregateByTime"):
            found = aggregated(found)
        return (found[::-1] if body.get("reversed") else found)[: spec.MAX_RESULTS]

    def _twap_fills_by_time(self, body: Json) -> list[Json]:
        user = self._user(body)
        start, end = window(body, self._venue.now_ms)
        if user is None:
            return []
        return [one for one in user.twap_fills if start <= one["fill"]["time"] <= end][: spec.MAX_RESULTS]

    def _funding(self, body: Json) -> list[Json]:
        return self._between(body, "fundings")

    def _ledger(self, body: Json) -> list[Json]:
        return self._between(body, "ledger")

    def _between(self, body: Json, name: str) -> list[Json]:
        user = self._user(body)
        start, end = window({"startTime": 0, **body}, self._venue.now_ms)
        if user is None:
            return []
        return [one for one in getattr(user, name) if start <= one["time"] <= end][: spec.PAGE_RESULTS]

    # -- the front end's bundle -----------------------------------------------------------------------------

    def web_data(self, body: Json) -> Json:
        """Return what the venue's own page shows of a user and of the markets, in one piece."""
        user = self._user(body)
        venue = self._venue
        return {
            "clearinghouseState": clearinghouse_state(venue, user),
            "leadingVaults": [],
            "totalVaultEquity": "0.0",
            "openOrders": [frontend_order(venue, one) for one in self._open(body)],
            "agentAddress": None,
            "agentValidUntil": None,
            "cumLedger": money(sum(held.total for held in [user.perp.balance(venue.settle)]) if user else 0),
            "meta": venue.universe.meta(),
            "assetCtxs": [self._market.perp_context(coin) for coin in venue.universe.perps],
            "serverTime": venue.now_ms,
            "isVault": False,
            "user": str(body["user"]).lower(),
            "twapStates": self._twaps.states(user) if user else [],
            "spotState": spot_state(venue, user) if user else {"balances": []},
            "spotAssetCtxs": [self._market.spot_context(coin) for coin in venue.universe.spots],
            "perpsAtOpenInterestCap": [],
        }


def aggregated(fills: list[Json]) -> list[Json]:
    """Join fills of one order at one time; sizes, fees and profits add up, the price is their average."""
    from decimal import Decimal

    found: dict[tuple[Any, ...], Json] = {}
    for one in fills:
        key = (one["time"], one["oid"], one["coin"], one["dir"], one["crossed"])
        held = found.get(key)
        if held is None:
            found[key] = dict(one)
            continue
        size, more = Decimal(held["sz"]), Decimal(one["sz"])
        average = (Decimal(held["px"]) * size + Decimal(one["px"]) * more) / (size + more)
        held["px"] = text(round(average, 8).normalize() + 0)
        held["sz"] = text(size + more)
        for name in ("fee", "closedPnl", "builderFee"):
            if name in one:
                held[name] = text(Decimal(held.get(name, "0")) + Decimal(one[name]))
    return list(found.values())
