"""Nothing a client sends may end the venue: signed actions with strange values, and frames cut anywhere."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from eth_account import Account as Wallet
from hyperliquid.utils import signing  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.model.enums import Side
from lanner.simulator.accounts import Account
from lanner.simulator.credentials import make_account
from lanner.simulator.dialect import HttpRequest, Kind
from lanner.simulator.dialects.hyperliquid import HyperliquidDialect, make
from lanner.simulator.exchange import Exchange
from lanner.simulator.listing import markets_of

NOW_NS = 1_700_000_000_000 * 10**6
CLOID = "0x" + "1" * 32


class Venue:
    """A dialect without sockets, and a wallet with money."""

    def __init__(self) -> None:
        self.now = NOW_NS
        exchange = Exchange("hyperliquid", markets_of("hyperliquid"), now_ns=NOW_NS)
        account, credentials = make_account("hyperliquid", "alice", 7)
        exchange.add_account(account)
        exchange.add_account(Account("house", balances={"USDC": 10**9}, house=True))
        self.wallet = Wallet.from_key(credentials.wallet_private_key)
        self.dialect: HyperliquidDialect = make(exchange, {"limits": "0", "address_limits": "false"})
        exchange.listen(self.dialect.on_event)
        self.exchange = exchange
        for at in range(1, 4):
            exchange.set_level("house", "BTC", Side.BUY, 600_000 - 100 * at, 10**5, NOW_NS)
            exchange.set_level("house", "BTC", Side.SELL, 600_000 + 100 * at, 10**5, NOW_NS)
        exchange.set_mark("BTC", 600_000, 600_000, NOW_NS)

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        self.now += 10**6
        answer = self.dialect.http(HttpRequest(method="POST", path=path, body=body, now_ns=self.now))
        self.dialect.tick(self.now)
        return answer.status, answer.body

    def act(self, action: Any) -> tuple[int, bytes]:
        nonce = self.now // 10**6 + 1
        signature = signing.sign_l1_action(self.wallet, action, None, nonce, None, False)
        body = {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None}
        return self.post("/exchange", json.dumps(body).encode())


VENUE = Venue()
ORDER = {"a": 0, "b": True, "p": "59000", "s": "0.01", "r": False, "t": {"limit": {"tif": "Gtc"}}, "c": CLOID}
STOP = {
    **{key: ORDER[key] for key in ("a", "b", "p", "s")},
    "r": True,
    "t": {"trigger": {"isMarket": True, "triggerPx": "61000", "tpsl": "sl"}},
}
ACTIONS: list[dict[str, Any]] = [
    {"type": "order", "orders": [ORDER], "grouping": "na"},
    {"type": "order", "orders": [{**ORDER, "b": False}, STOP], "grouping": "normalTpsl"},
    {"type": "order", "orders": [STOP], "grouping": "positionTpsl"},
    {"type": "order", "orders": [ORDER], "grouping": "na", "builder": {"b": "0x" + "2" * 40, "f": 10}},
    {"type": "cancel", "cancels": [{"a": 0, "o": 1}]},
    {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]},
    {"type": "modify", "oid": 1, "order": ORDER},
    {"type": "batchModify", "modifies": [{"oid": CLOID, "order": ORDER}], "a": True},
    {"type": "scheduleCancel", "time": 1_700_000_100_000},
    {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5},
    {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": 1_000_000},
    {"type": "topUpIsolatedOnlyMargin", "asset": 0, "leverage": "3.0"},
    {"type": "twapOrder", "twap": {"a": 0, "b": True, "s": "1", "r": False, "m": 5, "t": False}},
    {"type": "twapCancel", "a": 0, "t": 1},
    {"type": "reserveRequestWeight", "weight": 1},
    {"type": "createSubAccount", "name": "x"},
    {"type": "subAccountTransfer", "subAccountUser": "0x" + "3" * 40, "isDeposit": True, "usd": 5},
    {
        "type": "subAccountSpotTransfer",
        "subAccountUser": "0x" + "3" * 40,
        "isDeposit": True,
        "token": "USDC",
        "amount": "1",
    },
    {
        "type": "agentSendAsset",
        "destination": "0x" + "3" * 40,
        "sourceDex": "",
        "destinationDex": "spot",
        "token": "USDC",
        "amount": "1",
        "fromSubAccount": "",
        "nonce": 1,
    },
]  # fmt: skip
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**53, 2**63 - 1, 0.5, "", "0", "-1", "1e400", "nan", "0.000000000001",
    "99999999999999999999", "0x", "0x" + "0" * 40, CLOID, "BTC", [], {}, [[]], {"p": 1}, "🦉", "1" * 400,
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where a value can be replaced."""
    found: list[tuple[Any, ...]] = []
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in rows:
        if (*path, key) != ("type",):
            found.append((*path, key))
        found += places(inner, (*path, key))
    return found


@given(st.data())
@settings(max_examples=300)
def test_strange_values_in_signed_actions_are_answered(data: st.DataObject) -> None:
    action = copy.deepcopy(data.draw(st.sampled_from(ACTIONS)))
    for _ in range(data.draw(st.integers(0, 2))):
        *way, last = data.draw(st.sampled_from(places(action)))
        held = action
        for key in way:
            held = held[key] if isinstance(held, (dict, list)) else {}
        if isinstance(held, (dict, list)) and held:
            held[last] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    status, body = VENUE.act(action)
    assert status in (200, 422)
    if status == 200:
        answer = json.loads(body)
        assert set(answer) == {"status", "response"}
        assert answer["status"] in ("ok", "err")


QUESTIONS = sorted(VENUE.dialect._handlers)


@given(
    st.sampled_from(QUESTIONS),
    st.dictionaries(
        st.sampled_from(
            ["user", "coin", "startTime", "endTime", "oid", "req", "nSigFigs", "dex", "builder", "id"]
        ),
        st.sampled_from(
            [*ODD, {"coin": "BTC", "interval": "1m", "startTime": 0}, {"coin": "BTC", "interval": 5}]
        ),
    ),
)
@settings(max_examples=300)
def test_strange_questions_are_answered(kind: str, fields: dict[str, Any]) -> None:
    status, body = VENUE.post("/info", json.dumps({"type": kind, **fields}).encode())
    assert status in (200, 422, 500)
    if status == 500:
        assert body == b"null"


class Listener:
    """A session that keeps what it is sent."""

    session_id = 1
    remote = "somewhere"
    state: Any = None

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def send(self, payload: bytes, kind: Kind = Kind.OTHER) -> None:
        self.heard.append(payload)

    def ping(self, payload: bytes = b"") -> None:
        raise AssertionError("the venue sends no pings")

    def close(self, code: int = 1000, reason: str = "") -> None:
        raise AssertionError("a bad frame must not end the connection")


FRAMES = [
    b'{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}}',
    b'{"method":"unsubscribe","subscription":{"type":"l2Book","coin":"BTC"}}',
    b'{"method":"post","id":1,"request":{"type":"info","payload":{"type":"meta"}}}',
    b'{"method":"post","id":2,"request":{"type":"action","payload":{"action":{"type":"noop"},"nonce":1}}}',
    b'{"method":"subscribe","subscription":{"type":"userFills","user":"0x0000000000000000000000000000000000000000"}}',
    b'{"method":"ping"}',
]


@given(st.sampled_from(FRAMES), st.integers(0, 120), st.binary(max_size=4), st.integers(0, 4))
@settings(max_examples=300)
def test_damaged_frames_get_one_answer_or_more(frame: bytes, at: int, put: bytes, cut: int) -> None:
    session = Listener()
    VENUE.dialect.ws_opened(session, "/ws", "")
    session.heard.clear()
    VENUE.dialect.ws_frame(session, frame[:at] + put + frame[at + cut :], VENUE.now)
    assert session.heard
    assert all(json.loads(one)["channel"] for one in session.heard)
    VENUE.dialect.ws_closed(session, VENUE.now)


@pytest.mark.parametrize(("remote", "room"), [("192.0.2.1", 10), ("127.0.0.1", 100)])
def test_connections_of_an_address_are_counted(remote: str, room: int) -> None:
    dialect = make(Exchange("hyperliquid", markets_of("hyperliquid"), now_ns=NOW_NS), {})
    sessions = []
    for number in range(room):
        session = Listener()
        session.session_id, session.remote = number, remote
        sessions.append(session)
        assert dialect.ws_opened(session, "/ws", "")
    assert not dialect.ws_opened(Listener(), "/stream", "")
    late = Listener()
    late.session_id, late.remote = 1_000, remote
    assert not dialect.ws_opened(late, "/ws", "")
    dialect.ws_closed(sessions[0], NOW_NS)
    assert dialect.ws_opened(late, "/ws", "")


@pytest.mark.parametrize("body", [b"", b"null", b"0", b"[1]", b"\xff", b'{"type":' + b"[" * 9_000])
def test_bodies_that_are_no_objects_are_422(body: bytes) -> None:
    assert VENUE.post("/info", body)[0] == 422
    assert VENUE.post("/exchange", body)[0] == 422
