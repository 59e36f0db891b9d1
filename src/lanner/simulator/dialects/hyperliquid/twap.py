"""TWAP orders: a size traded in equal slices every thirty seconds, each as a market order within 3 %."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.actions import TwapWire
from lanner.simulator.dialects.hyperliquid.coins import Coin, OrderError
from lanner.simulator.dialects.hyperliquid.numbers import money
from lanner.simulator.dialects.hyperliquid.users import User
from lanner.simulator.dialects.hyperliquid.venue import Tag, Venue
from lanner.simulator.money import SCALE
from lanner.simulator.orders import NewOrder, StpMode

Json = dict[str, Any]
CATCH_UP = 3
"""A slice may be at most so many times the usual one when it makes up for lost size."""


class Twap(msgspec.Struct):
    """One running TWAP."""

    twap_id: int
    user: User
    coin: Coin
    side: Side
    lots: int
    reduce_only: bool
    minutes: int
    randomize: bool
    started_ns: int
    next_ns: int
    slices: int
    done_slices: int = 0
    executed: int = 0
    executed_atoms: int = 0

    def state(self) -> Json:
        """Return what the venue shows of it."""
        return {
            "coin": self.coin.name,
            "user": self.user.address,
            "side": "B" if self.side is Side.BUY else "A",
            "sz": self.coin.sz(self.lots),
            "executedSz": self.coin.sz(self.executed),
            "executedNtl": money(self.executed_atoms),
            "minutes": self.minutes,
            "reduceOnly": self.reduce_only,
            "randomize": self.randomize,
            "timestamp": self.started_ns // spec.MS,
        }


class Twaps:
    """All running TWAPs."""

    def __init__(self, venue: Venue, on_step: Callable[[User, Json], None]) -> None:
        self._venue = venue
        self._on_step = on_step
        self._running: dict[int, Twap] = {}
        self._last_id = 0

    def states(self, user: User) -> list[list[Any]]:
        """Return [id, state] of a user's running TWAPs."""
        return [[one.twap_id, one.state()] for one in self._running.values() if one.user is user]

    def place(self, user: User, coin: Coin, wire: TwapWire) -> Json:
        """Start a TWAP; returns its status."""
        fault = self._fault(user, coin, wire)
        if fault:
            return {"error": fault}
        self._last_id += 1
        now = self._venue.now_ns
        one = Twap(
            self._last_id,
            user,
            coin,
            Side.BUY if wire.b else Side.SELL,
            coin.lots(wire.s),
            wire.r,
            wire.m,
            wire.t,
            now,
            now,
            wire.m * 60 * spec.SECOND // spec.TWAP_SLICE_NS + 1,
        )
        self._running[one.twap_id] = one
        self._note(one, "activated", "")
        return {"running": {"twapId": one.twap_id}}

    def _fault(self, user: User, coin: Coin, wire: TwapWire) -> str:
        if not spec.TWAP_MIN_MINUTES <= wire.m <= spec.TWAP_MAX_MINUTES:
            return spec.TWAP_DURATION.format(minutes=wire.m)
        try:
            lots = coin.lots(wire.s)
        except OrderError as fault:
            return fault.words
        if not lots:
            return spec.ZERO_SIZE
        if coin.market.notional(lots, coin.reference) < spec.TWAP_MIN_USD * SCALE:
            each = f"{spec.TWAP_MIN_USD / wire.m:g}"
            return spec.TWAP_SMALL.format(minimum=spec.TWAP_MIN_USD, slice=each)
        if wire.r and not coin.spot:
            position = user.perp.position(coin.symbol)
            held = position.lots if position is not None else 0
            if held == 0 or (held > 0) == wire.b:
                return spec.TWAP_REDUCE_ONLY
        return ""

    def cancel(self, user: User, asset: int, twap_id: int) -> Any:
        """Stop a TWAP; returns its status."""
        one = self._running.get(twap_id)
        if one is None or one.user is not user or one.coin.asset != asset:
            return {"error": spec.TWAP_MISSING}
        del self._running[twap_id]
        self._note(one, "terminated", "")
        return "success"

    def tick(self) -> None:
        """Send the slices that are due."""
        now = self._venue.now_ns
        for one in list(self._running.values()):
            while one.next_ns <= now and one.twap_id in self._running:
                self._slice(one)

    def _slice(self, one: Twap) -> None:
        one.next_ns += spec.TWAP_SLICE_NS
        usual = -(-one.lots // one.slices)
        due = min(one.lots, usual * (one.done_slices + 1)) - one.executed
        one.done_slices += 1
        if one.randomize:
            due = due * _percent(one) // 100 if one.done_slices < one.slices else due
        lots = min(due, usual * CATCH_UP, one.lots - one.executed)
        if lots > 0:
            self._trade(one, lots)
        if one.executed >= one.lots or one.done_slices >= one.slices:
            del self._running[one.twap_id]
            self._note(one, "finished", "")

    def _trade(self, one: Twap, lots: int) -> None:
        coin = one.coin
        best = coin.market.best_ask if one.side is Side.BUY else coin.market.best_bid
        if best is None:
            return
        move = best[0] * spec.TWAP_SLIPPAGE_BPS // 10_000
        ack = self._venue.exchange.submit(
            NewOrder(
                account=(one.user.spot if coin.spot else one.user.perp).account_id,
                market=coin.symbol,
                side=one.side,
                type=OrderType.LIMIT,
                tif=TimeInForce.IOC,
                lots=lots,
                ticks=max(1, best[0] + move if one.side is Side.BUY else best[0] - move),
                reduce_only=one.reduce_only and not coin.spot,
                stp=StpMode.EXPIRE_MAKER,
                tag=Tag(tif="Ioc", market=True, twap_id=one.twap_id),
            ),
            self._venue.now_ns,
        )
        one.executed += sum(fill.lots for fill in ack.fills)
        one.executed_atoms += sum(fill.quote_atoms for fill in ack.fills)

    def _note(self, one: Twap, status: str, description: str) -> None:
        step = {
            "time": self._venue.now_ms // 1_000,
            "state": one.state(),
            "status": {"status": status, **({"description": description} if description else {})},
            "twapId": one.twap_id,
        }
        one.user.twap_history.append(step)
        self._on_step(one.user, step)


def _percent(one: Twap) -> int:
    """Return between 80 and 120 %, the same for the same slice in every run."""
    raw = hashlib.blake2b(f"{one.twap_id}/{one.done_slices}".encode(), digest_size=2).digest()
    return 80 + int.from_bytes(raw, "big") % 41
