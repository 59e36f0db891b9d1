"""A Hyperliquid venue on loopback in a thread of its own, with books that the test lays out itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import requests
from eth_account import Account as Wallet
from eth_account.signers.local import LocalAccount
from hyperliquid.utils import signing  # type: ignore[import-untyped]

from lanner.model.enums import Side
from lanner.simulator.accounts import Account
from lanner.simulator.credentials import make_account
from lanner.simulator.dialects.hyperliquid import HyperliquidDialect, make
from lanner.simulator.exchange import Exchange
from lanner.simulator.faults import FaultPlan
from lanner.simulator.host import DialectHost
from lanner.simulator.journal import BookJournal
from lanner.simulator.listing import markets_of

T = TypeVar("T")
HOUSE = "house"
MIDS = {"BTC": 60_000, "ETH": 3_000, "SOL": 150, "HYPE": 40, "PURR/USDC": 0.2, "@107": 40}
STEP = {"BTC": 10, "ETH": 1, "SOL": 0.1, "HYPE": 0.01, "PURR/USDC": 0.0001, "@107": 0.01}
SIZE = {"BTC": 1, "ETH": 10, "SOL": 100, "HYPE": 1_000, "PURR/USDC": 100_000, "@107": 1_000}
LEVELS = 5
BLOCK_MS = 5


class LocalVenue:
    """The venue, its two users and the thread it lives in."""

    def __init__(self, **options: str) -> None:
        self.exchange = Exchange("hyperliquid", markets_of("hyperliquid"), now_ns=time.time_ns())
        self.wallets: list[LocalAccount] = []
        for name in ("alice", "bob"):
            account, credentials = make_account("hyperliquid", name, 7)
            self.exchange.add_account(account)
            self.wallets.append(Wallet.from_key(credentials.wallet_private_key))
            self.agent: LocalAccount = Wallet.from_key(credentials.agent_private_key)
        money: dict[str, Any] = {"USDC": 10**9, "PURR": 10**9, "HYPE": 10**9}
        self.exchange.add_account(Account(HOUSE, balances=money, house=True))
        settings = {"block_ms": str(BLOCK_MS), "limits": "0"} | options
        self.dialect: HyperliquidDialect = make(self.exchange, settings)
        self.notes: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._last_nonce = 0
        self.lay_out()

    # -- the thread ---------------------------------------------------------------------------------------

    def start(self) -> LocalVenue:
        self._thread.start()
        assert self._opened.wait(60)
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(60)
        self._loop.close()
        assert self.notes == []

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._live())

    async def _live(self) -> None:
        self._stopping = asyncio.Event()
        journal = BookJournal(self.exchange)
        self.faults = FaultPlan()
        self.host = DialectHost(
            self.dialect, self.exchange, self.faults, time.time_ns, journal=journal, note=self.notes.append
        )
        await self.host.start("127.0.0.1", 0, None)
        self._opened.set()
        while not self._stopping.is_set():
            self.host.tick()
            await asyncio.sleep(0.002)
        await self.host.stop()

    def do(self, work: Callable[[Exchange, int], T]) -> T:
        """Do something with the exchange in its own thread and wait for it."""

        async def call() -> T:
            answer = work(self.exchange, time.time_ns())
            self.host.flush()
            return answer

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(60)

    # -- the market ---------------------------------------------------------------------------------------

    def lay_out(self) -> None:
        """Put five levels on each side of every book, and the marks in the middle."""
        now = self.exchange.now_ns
        for symbol, middle in MIDS.items():
            for at in range(1, LEVELS + 1):
                self._level(symbol, Side.BUY, -at, SIZE[symbol], now)
                self._level(symbol, Side.SELL, at, SIZE[symbol], now)
            market = self.exchange.markets[symbol]
            if not market.is_spot:
                mid = self.ticks(symbol, middle)
                self.exchange.set_mark(symbol, mid, mid, now)

    def _level(self, symbol: str, side: Side, steps: int, size: float, now: int) -> None:
        market = self.exchange.markets[symbol]
        ticks = self.ticks(symbol, MIDS[symbol] + steps * STEP[symbol])
        lots = round(size / float(market.instrument.lot))
        self.exchange.set_level(HOUSE, symbol, side, ticks, lots, now)

    def ticks(self, symbol: str, px: float) -> int:
        return round(px / float(self.exchange.markets[symbol].instrument.tick))

    def set_mark(self, symbol: str, px: float) -> None:
        ticks = self.ticks(symbol, px)
        self.do(lambda exchange, now: exchange.set_mark(symbol, ticks, ticks, now))

    def sell_into_bids(self, symbol: str, px: float, size: float) -> None:
        """Let the house sell to whoever bids at least ``px``."""
        ticks = self.ticks(symbol, px)
        lots = round(size / float(self.exchange.markets[symbol].instrument.lot))
        self.do(lambda exchange, now: exchange.set_level(HOUSE, symbol, Side.SELL, ticks, lots, now))

    def clear(self, symbol: str) -> None:
        """Take the house's orders out of a book."""

        def work(exchange: Exchange, now: int) -> None:
            _, bids, asks = exchange.snapshot(symbol)
            for side, rows in ((Side.BUY, bids), (Side.SELL, asks)):
                for ticks, _ in rows:
                    exchange.set_level(HOUSE, symbol, side, ticks, 0, now)

        self.do(work)

    # -- the wire -----------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.host.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.host.port}/ws"

    def info(self, kind: str, **more: Any) -> Any:
        answer = requests.post(f"{self.url}/info", json={"type": kind, **more}, timeout=60)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def nonce(self) -> int:
        self._last_nonce = max(time.time_ns() // 1_000_000, self._last_nonce + 1)
        return self._last_nonce

    def signed(
        self,
        action: dict[str, Any],
        wallet: LocalAccount | None = None,
        *,
        nonce: int | None = None,
        vault: str | None = None,
        expires: int | None = None,
        mainnet: bool = False,
    ) -> dict[str, Any]:
        """Return a signed body."""
        moment = self.nonce() if nonce is None else nonce
        signature = signing.sign_l1_action(wallet or self.wallets[0], action, vault, moment, expires, mainnet)
        return {
            "action": action,
            "nonce": moment,
            "signature": signature,
            "vaultAddress": vault,
            "expiresAfter": expires,
        }

    def post(self, body: Any) -> requests.Response:
        return requests.post(f"{self.url}/exchange", json=body, timeout=60)

    def act(self, action: dict[str, Any], wallet: LocalAccount | None = None, **more: Any) -> Any:
        """Send a signed action and return the answer's body."""
        answer = self.post(self.signed(action, wallet, **more))
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def statuses(self, action: dict[str, Any], **more: Any) -> list[Any]:
        """Send an order action that is accepted as a whole and return its statuses."""
        answer = self.act(action, **more)
        assert answer["status"] == "ok", answer
        found: list[Any] = answer["response"]["data"]["statuses"]
        return found


def limit(
    asset: int, buy: bool, px: str, size: str, tif: str = "Gtc", *, reduce: bool = False, **more: Any
) -> dict[str, Any]:
    """Return a limit order in the venue's words."""
    return {"a": asset, "b": buy, "p": px, "s": size, "r": reduce, "t": {"limit": {"tif": tif}}, **more}


def trigger(asset: int, buy: bool, px: str, size: str, trigger_px: str, tpsl: str) -> dict[str, Any]:
    """Return a reduce-only market order that waits for a trigger."""
    kind = {"trigger": {"isMarket": True, "triggerPx": trigger_px, "tpsl": tpsl}}
    return {"a": asset, "b": buy, "p": px, "s": size, "r": True, "t": kind}


def place(*orders: dict[str, Any], grouping: str = "na") -> dict[str, Any]:
    """Return an action that places orders."""
    return {"type": "order", "orders": list(orders), "grouping": grouping}


def wait_for(check: Callable[[], T], seconds: float = 60.0) -> T:
    """Return the first true answer of a check."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError(f"not true within {seconds} s")
