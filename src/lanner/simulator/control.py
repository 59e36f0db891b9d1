"""The control endpoint: what tests ask and order beside the venue's own protocol. JSON over HTTP, no keys.

``GET /health /state /accounts /book?dialect=&market=&seq=&depth= /faults /log?since=``;
``POST /faults /fill /mark /funding /deposit /feed``; ``DELETE /faults[?number=]``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from lanner.core.errors import ConfigError, LannerError, NotFoundError
from lanner.simulator.connection import Connection
from lanner.simulator.dialect import HttpResponse, Kind
from lanner.simulator.faults import FAULTS, describe
from lanner.simulator.money import from_atoms

if TYPE_CHECKING:
    from lanner.simulator.accounts import Account
    from lanner.simulator.host import DialectHost
    from lanner.simulator.markets import Market
    from lanner.simulator.server import VenueServer
    from lanner.simulator.wire_http import RawRequest

Json = dict[str, Any]


class Control:
    """Serve the control endpoint of a venue."""

    def __init__(self, venue: VenueServer) -> None:
        self._venue = venue
        self.connections: set[Connection] = set()
        self.unsent: list[Connection] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._routes: dict[tuple[str, str], Callable[[Json], Json]] = {
            ("GET", "/health"): self._health,
            ("GET", "/state"): self._state,
            ("GET", "/accounts"): self._accounts,
            ("GET", "/book"): self._book,
            ("GET", "/faults"): self._faults,
            ("POST", "/faults"): self._add_fault,
            ("DELETE", "/faults"): self._remove_faults,
            ("GET", "/log"): self._log,
            ("POST", "/fill"): self._fill,
            ("POST", "/mark"): self._mark,
            ("POST", "/funding"): self._funding,
            ("POST", "/deposit"): self._deposit,
            ("POST", "/feed"): self._feed,
        }

    async def start(self, address: str, port: int) -> None:
        """Open the port."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self), address, port, reuse_address=True
            )
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {address}:{port}",
                found=error.strerror or error,
                fix="Choose another port.",
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.drop()
        await asyncio.sleep(0)

    # -- what a connection asks of its host --------------------------------------------------------------

    def http(self, connection: Connection, raw: RawRequest) -> None:
        """Serve one request."""
        status, answer = self._serve(raw)
        body = msgspec.json.encode(answer)
        connection.answer(HttpResponse(status=status, body=body), keep_alive=raw.keep_alive)

    def _serve(self, raw: RawRequest) -> tuple[int, Json]:
        route = self._routes.get((raw.method, raw.path))
        if route is None:
            return 404, {"error": "no such route", "routes": [f"{one} {path}" for one, path in self._routes]}
        try:
            asked: Json = dict(parse_qsl(raw.query))
            if raw.body:
                asked |= msgspec.json.decode(raw.body, type=Json)
            return 200, route(asked)
        except NotFoundError as error:
            return 404, error.as_dict()
        except LannerError as error:
            return 400, error.as_dict()
        except (KeyError, ValueError, InvalidOperation, msgspec.MsgspecError) as error:
            return 400, {"error": type(error).__name__, "message": str(error)}

    def refuses_sessions(self) -> bool:
        """Turn WebSockets away."""
        return True

    def ws_opened(self, connection: Connection, raw: RawRequest) -> bool:
        """Turn WebSockets away."""
        return False

    def ws_frame(self, connection: Connection, payload: bytes) -> None:
        """Never called: there are no sessions."""

    def ws_pong(self, connection: Connection, payload: bytes) -> None:
        """Never called: there are no sessions."""

    def ws_closed(self, connection: Connection) -> None:
        """Never called: there are no sessions."""

    def send(self, connection: Connection, payload: bytes, kind: Kind) -> None:
        """Never called: there are no sessions."""

    def flush(self) -> None:
        """Nothing is ever queued."""
        self.unsent.clear()

    def note(self, text: str) -> None:
        """Nobody listens."""

    # -- questions ----------------------------------------------------------------------------------------

    def _host(self, asked: Json) -> DialectHost:
        name = str(asked.get("dialect", ""))
        hosts = self._venue.hosts
        found = hosts[0] if not name and len(hosts) == 1 else self._venue.host(name)
        if found is None:
            raise NotFoundError(
                "no such dialect here", expected=", ".join(one.name for one in hosts), found=name
            )
        return found

    def _market(self, asked: Json) -> tuple[DialectHost, Market]:
        host = self._host(asked)
        market = host.exchange.markets.get(str(asked.get("market", "")))
        if market is None:
            raise NotFoundError(
                "no such market", expected=", ".join(host.exchange.markets), found=asked.get("market")
            )
        return host, market

    def _account(self, asked: Json) -> tuple[DialectHost, Account]:
        host = self._host(asked)
        account = host.exchange.accounts.get(str(asked.get("account", "test")))
        if account is None:
            raise NotFoundError("no such account", found=asked.get("account"))
        return host, account

    def _health(self, asked: Json) -> Json:
        return {"ok": True}

    def _state(self, asked: Json) -> Json:
        return {
            "now_ns": self._venue.now_ns(),
            "paused": self._venue.paused,
            "dialects": {host.name: _host_state(host) for host in self._venue.hosts},
        }

    def _accounts(self, asked: Json) -> Json:
        host = self._host(asked)
        return {
            name: {
                "balances": {
                    asset: {"total": from_atoms(held.total), "locked": from_atoms(held.locked)}
                    for asset, held in account.balances.items()
                },
                "positions": [
                    {
                        "market": one.market,
                        "side": one.position_side.name,
                        "qty": host.exchange.markets[one.market].qty(one.lots),
                        "entry_px": one.entry_px,
                        "cross": one.cross,
                    }
                    for one in account.positions.values()
                    if one.lots
                ],
                "open_orders": len(account.open_orders),
            }
            for name, account in host.exchange.accounts.items()
            if not account.house
        }

    def _book(self, asked: Json) -> Json:
        host, market = self._market(asked)
        wanted = int(asked["seq"]) if "seq" in asked else None
        found = host.journal.at(market.symbol, wanted)
        if found is None:
            raise NotFoundError(
                "the book of this number is not known", expected=f"up to {market.book.seq}", found=wanted
            )
        seq, bids, asks = found
        depth = int(asked.get("depth", 0)) or None
        return {
            "market": market.symbol,
            "seq": seq,
            "bids": [[market.px_text(px), market.qty_text(lots)] for px, lots in bids[:depth]],
            "asks": [[market.px_text(px), market.qty_text(lots)] for px, lots in asks[:depth]],
        }

    def _faults(self, asked: Json) -> Json:
        return {
            "active": [describe(rule) for rule in self._venue.faults.rules],
            "known": {
                name: {"point": one.point.value, "summary": one.summary, "defaults": dict(one.defaults)}
                for name, one in FAULTS.items()
            },
        }

    def _log(self, asked: Json) -> Json:
        since = int(asked.get("since", 0))
        lines = self._venue.faults.lines
        return {"next": len(lines), "lines": lines[since:], "started_ns": self._venue.faults.started_ns}

    # -- orders -------------------------------------------------------------------------------------------

    def _add_fault(self, asked: Json) -> Json:
        params = {
            str(key): str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in asked.items()
        }
        name = params.pop("name", "")
        return describe(self._venue.faults.add(name, params, self._venue.now_ns()))

    def _remove_faults(self, asked: Json) -> Json:
        number = int(asked.get("number", 0))
        removed = self._venue.faults.remove(number)
        for host in () if number else self._venue.hosts:
            host.recover()
        return {"removed": removed}

    def _fill(self, asked: Json) -> Json:
        host = self._host(asked)
        order = host.exchange.any_order(int(asked["order_id"]))
        if order is None:
            raise NotFoundError("no such order", found=asked["order_id"])
        market = host.exchange.markets[order.market]
        lots = market.parse_qty(str(asked["qty"])) if "qty" in asked else order.leaves
        ack = host.exchange.fill_order(order.order_id, lots, host.now_ns())
        host.flush()
        return {
            "ok": ack.ok,
            "reason": ack.reason.name,
            "filled": market.qty(sum(one.lots for one in ack.fills)),
        }

    def _mark(self, asked: Json) -> Json:
        host, market = self._market(asked)
        ticks = round(Decimal(str(asked["px"])) / market.instrument.tick)
        index = round(Decimal(str(asked.get("index", asked["px"]))) / market.instrument.tick)
        host.exchange.set_mark(market.symbol, ticks, index, host.now_ns())
        host.flush()
        return {"mark": market.px(ticks), "index": market.px(index)}

    def _funding(self, asked: Json) -> Json:
        host, market = self._market(asked)
        if "rate" in asked:
            host.exchange.set_funding_rate(market.symbol, Decimal(str(asked["rate"])), host.now_ns())
        host.exchange.settle_funding(market.symbol, host.now_ns())
        host.flush()
        return {"rate": market.funding_rate}

    def _deposit(self, asked: Json) -> Json:
        host, account = self._account(asked)
        asset = str(asked["asset"])
        host.exchange.deposit(account.account_id, asset, Decimal(str(asked["amount"])), host.now_ns())
        host.flush()
        return {"asset": asset, "total": from_atoms(account.balance(asset).total)}

    def _feed(self, asked: Json) -> Json:
        self._venue.paused = not asked.get("on", True)
        return {"paused": self._venue.paused}


def _host_state(host: DialectHost) -> Json:
    exchange = host.exchange
    return {
        "port": host.port,
        "now_ns": host.now_ns(),
        "connections": len(host.connections),
        "sessions": sum(one.is_session for one in host.connections),
        "requests": host.requests,
        "frames_in": host.frames_in,
        "frames_out": host.frames_out,
        "treasury": {asset: from_atoms(atoms) for asset, atoms in exchange.treasury.items()},
        "markets": {
            symbol: {
                "seq": market.book.seq,
                "last": market.px(market.last_ticks),
                "mark": market.px(market.mark_ticks),
                "index": market.px(market.index_ticks),
                "bid": None if market.best_bid is None else market.px(market.best_bid[0]),
                "ask": None if market.best_ask is None else market.px(market.best_ask[0]),
                "trades": market.next_trade_id - 1,
                "funding_rate": market.funding_rate,
                "trading": market.trading,
            }
            for symbol, market in exchange.markets.items()
        },
    }
