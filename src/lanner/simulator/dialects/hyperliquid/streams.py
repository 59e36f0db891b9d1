"""Who listens to what, and what is sent when: events once a block, states at their own pace."""

from __future__ import annotations

from typing import Any

import msgspec

from lanner.simulator.dialect import Kind, WsSession
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.coins import Coin
from lanner.simulator.dialects.hyperliquid.info_user import aggregated
from lanner.simulator.dialects.hyperliquid.limits import Visitor
from lanner.simulator.dialects.hyperliquid.topics import CHANNELS, Contents, Topic, frame
from lanner.simulator.dialects.hyperliquid.users import User
from lanner.simulator.dialects.hyperliquid.venue import Venue
from lanner.simulator.dialects.hyperliquid.views import Json


class Client(msgspec.Struct, eq=False):
    """One connection."""

    session: WsSession
    visitor: Visitor
    sent_ns: int
    topics: dict[Topic, Any] = {}
    """What it listens to, with its own words for each."""

    def send(self, payload: bytes, kind: Kind, now_ns: int) -> None:
        """Send a frame."""
        self.sent_ns = now_ns
        self.session.send(payload, kind)


class Pending(msgspec.Struct):
    """What happened to one user since the last block."""

    updates: list[Json] = []
    fills: list[Json] = []
    events: list[Json] = []
    fundings: list[Json] = []
    ledger: list[Json] = []
    twap_fills: list[Json] = []
    twap_steps: list[Json] = []


class Streams:
    """All subscriptions."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._contents: Contents
        self._clients: dict[Topic, list[Client]] = {}
        self._due: dict[Topic, int] = {}
        self._last: dict[Topic, bytes] = {}
        self._trades: dict[str, list[Json]] = {}
        self._moved: set[str] = set()
        self._pending: dict[str, Pending] = {}
        self._next_block = 0
        self.frozen = 0
        """Book snapshots to be sent again as they were (a fault)."""

    def show(self, contents: Contents) -> None:
        """Take what makes the contents; it needs the streams' own siblings first."""
        self._contents = contents

    # -- subscriptions --------------------------------------------------------------------------------------

    def subscribe(self, client: Client, topic: Topic, wish: Any) -> None:
        """Let a client listen; what has been so far is sent at once."""
        if topic.user in self._pending:
            self._flush_users()  # the history has it already: to this client it must not come as news again
        client.topics[topic] = wish
        alone = topic not in self._clients
        self._clients.setdefault(topic, []).append(client)
        now = self._venue.now_ns
        for channel, data in self._first(topic):
            payload = frame(channel, data)
            client.send(payload, topic.kind, now)
            if alone:
                self._last[topic] = frame("bbo", data["bbo"]) if topic.type == "bbo" else payload
        if topic.period_ns:
            self._due.setdefault(topic, now + topic.period_ns)

    def _first(self, topic: Topic) -> list[tuple[str, Any]]:
        """Return the frames a subscription starts with."""
        if topic.period_ns:
            return [self._contents.state(topic)]
        if topic.type == "bbo":
            return [("bbo", self._contents.bbo(topic))]
        if topic.type == "candle":
            candle = self._contents.candle(topic)
            return [("candle", candle)] if candle is not None else []
        history = self._contents.history(topic)
        return [(topic.type, history)] if history is not None else []

    def unsubscribe(self, client: Client, topic: Topic) -> None:
        """Let a client no longer listen."""
        client.topics.pop(topic, None)
        listeners = self._clients.get(topic)
        if listeners is not None and client in listeners:
            listeners.remove(client)
            if not listeners:
                del self._clients[topic]
                self._due.pop(topic, None)
                self._last.pop(topic, None)

    def _send(self, topic: Topic, payload: bytes) -> None:
        now = self._venue.now_ns
        for client in self._clients.get(topic, ()):
            client.send(payload, topic.kind, now)

    # -- what happened (``records.Listener``) ---------------------------------------------------------------

    def _of(self, user: User) -> Pending:
        found = self._pending.get(user.address)
        if found is None:
            found = self._pending[user.address] = Pending()
        return found

    def order_update(self, user: User, update: Json) -> None:
        """Keep a step of an order; one that was refused at once was never open."""
        updates = self._of(user).updates
        if update["status"].endswith("Rejected"):
            oid = update["order"]["oid"]
            updates[:] = [one for one in updates if one["order"]["oid"] != oid or one["status"] != "open"]
        updates.append(update)

    def user_event(self, user: User, event: Json) -> None:
        """Keep a fill, funding, liquidation or cancel."""
        pending = self._of(user)
        if "fills" in event:
            pending.fills.extend(event["fills"])
            pending.twap_fills.extend(one for one in event["fills"] if one["twapId"] is not None)
            return
        pending.events.append(event)
        if "funding" in event:
            pending.fundings.append(event["funding"])

    def ledger(self, user: User, entry: Json) -> None:
        """Keep a movement of money."""
        self._of(user).ledger.append(entry)

    def twap_step(self, user: User, step: Json) -> None:
        """Keep a step of a TWAP."""
        self._of(user).twap_steps.append(step)

    def trade(self, coin: Coin, trade: Json) -> None:
        """Keep a public trade."""
        self._trades.setdefault(coin.name, []).append(trade)

    def changed(self, coin: Coin) -> None:
        """Note that a book changed."""
        self._moved.add(coin.name)

    def account_changed(self, user: User) -> None:
        """States are compared when their time comes; nothing to note."""

    # -- blocks ---------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Close the block if its time has come, and send the states that are due."""
        now = self._venue.now_ns
        block = self._venue.options.block_ms * spec.MS
        if self._next_block - now > block:  # the clock went back
            self._due = dict.fromkeys(self._due, now)
        elif now < self._next_block:
            return
        self._next_block = now + block
        if self._trades or self._moved:
            self._flush_market()
        if self._pending:
            self._flush_users()
        for topic, moment in list(self._due.items()):
            if moment <= now:
                self._due[topic] = now + topic.period_ns
                self._send_state(topic)

    def _send_state(self, topic: Topic) -> None:
        if topic.type == "l2Book" and self.frozen:
            self.frozen -= 1
            if topic in self._last:
                self._send(topic, self._last[topic])
            return
        payload = frame(*self._contents.state(topic))
        if topic.type != "l2Book" and self._last.get(topic) == payload:
            return
        self._last[topic] = payload
        self._send(topic, payload)

    def _flush_market(self) -> None:
        trades, moved = self._trades, self._moved
        self._trades, self._moved = {}, set()
        for topic in list(self._clients):
            if topic.type == "trades" and topic.coin in trades:
                self._send(topic, frame("trades", trades[topic.coin]))
            elif topic.type == "candle" and topic.coin in trades:
                candle = self._contents.candle(topic)
                if candle is not None:
                    self._send(topic, frame("candle", candle))
            elif topic.type == "bbo" and topic.coin in moved:
                best = self._contents.bbo(topic)
                compared = frame("bbo", best["bbo"])
                if self._last.get(topic) != compared:
                    self._last[topic] = compared
                    self._send(topic, frame("bbo", best))

    def _flush_users(self) -> None:
        pending, self._pending = self._pending, {}
        topics = [topic for topic in self._clients if topic.user in pending]
        for topic in topics:
            for data in _news(topic, pending[topic.user]):
                self._send(topic, frame(CHANNELS.get(topic.type, topic.type), data))


def _news(topic: Topic, pending: Pending) -> list[Any]:
    """Return what a topic has to say about a block."""
    name = topic.type
    base: Json = {"isSnapshot": False, "user": topic.user}
    if name == "orderUpdates":
        return [pending.updates] if pending.updates else []
    if name == "userEvents":
        fills = [{"fills": pending.fills}] if pending.fills else []
        return [*fills, *pending.events]
    if name == "userFills" and pending.fills:
        return [{**base, "fills": aggregated(pending.fills) if topic.aggregate else pending.fills}]
    if name == "userFundings" and pending.fundings:
        return [{**base, "fundings": pending.fundings}]
    if name == "userNonFundingLedgerUpdates" and pending.ledger:
        return [{**base, "nonFundingLedgerUpdates": pending.ledger}]
    if name == "userTwapSliceFills" and pending.twap_fills:
        slices = [{"fill": one, "twapId": one["twapId"]} for one in pending.twap_fills]
        return [{**base, "twapSliceFills": slices}]
    if name == "userTwapHistory" and pending.twap_steps:
        return [{**base, "history": pending.twap_steps}]
    if name == "notification":
        return [{"notification": _words(one)} for one in pending.events if "liquidation" in one]
    return []


def _words(event: Json) -> str:
    return f"Liquidated: notional {event['liquidation']['liquidated_ntl_pos']} USDC"
