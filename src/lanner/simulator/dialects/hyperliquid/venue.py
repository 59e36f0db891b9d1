"""What all parts of the dialect share: the exchange, its names, its users, the clock of its blocks."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.coins import Coin, Universe
from lanner.simulator.dialects.hyperliquid.users import User, Users
from lanner.simulator.exchange import Exchange
from lanner.simulator.orders import SimOrder

REFUSED_OID = 900_000_000_000
"""Orders refused at once take their ids from here, so that they never meet those of the exchange."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How the venue behaves where a run may want it different."""

    chain: str = "any"
    """Which signatures count: ``mainnet``, ``testnet`` or ``any``."""
    block_ms: int = 20
    """How often events are told; the real venue's blocks take 70 ms and more."""
    limits: int = 1
    """Multiplies every limit on IP addresses; 0 switches them off."""
    address_limits: bool = True
    asset_suffix: bool = False
    """End order errors with `` asset=3``, as the live venue does and its documentation does not."""
    schedule_volume_usd: int = 0
    """Traded volume that ``scheduleCancel`` asks for; the real venue wants 1,000,000."""
    sub_account_volume_usd: int = 0
    """Traded volume that ``createSubAccount`` asks for; the real venue wants 100,000."""


class Tag(msgspec.Struct):
    """The dialect's notes on an order of the exchange."""

    tif: str | None = "Gtc"
    tpsl: str = ""
    position_tpsl: bool = False
    limit_ticks: int = 0
    """The price that a triggered market order was sent with."""
    market: bool = False
    """Sent as a market order by the venue itself or with the front end's tif."""
    builder: str = ""
    builder_tenths: int = 0
    twap_id: int | None = None
    children: list[SimOrder] = []


class Charge(msgspec.Struct, frozen=True):
    """Money to move once the exchange is at rest."""

    account: str
    asset: str
    atoms: int


class Venue:
    """The one object that every handler gets."""

    def __init__(self, exchange: Exchange, options: Options) -> None:
        self.exchange = exchange
        self.options = options
        self.universe = Universe(exchange.markets.values())
        self.settle = next((coin.market.settle for coin in self.universe.perps), "USDC")
        self.users = Users(exchange, self.settle)
        self.now_ns = exchange.now_ns
        self.charges: list[Charge] = []
        self._refused = REFUSED_OID

    @property
    def now_ms(self) -> int:
        """Return the venue's time in milliseconds."""
        return self.now_ns // spec.MS

    def move_clock(self, now_ns: int) -> None:
        """Let the venue's time go forward; it goes back only by a jump, when a fault skews the clock."""
        if now_ns > self.now_ns or self.now_ns - now_ns > spec.SECOND:
            self.now_ns = now_ns

    def refused_oid(self) -> int:
        """Return an id for an order that was refused at once."""
        self._refused += 1
        return self._refused

    def coin_of(self, order: SimOrder) -> Coin:
        """Return the coin of an order."""
        return self.universe.by_symbol[order.market]

    def user_of(self, account_id: str) -> User | None:
        """Return whose purse an account is; ``None`` for the house."""
        return self.users.of_account(account_id)

    def pay_charges(self) -> None:
        """Move what builders have earned; the exchange must be at rest."""
        due, self.charges = self.charges, []
        for one in due:
            self.exchange.deposit(one.account, one.asset, Decimal(one.atoms).scaleb(-12), self.now_ns)


def tag_of(order: SimOrder) -> Tag:
    """Return the dialect's notes; orders from elsewhere (control, liquidation) get plain ones."""
    return order.tag if isinstance(order.tag, Tag) else _PLAIN


_PLAIN = Tag()


@lru_cache(maxsize=4_096)
def tx_hash(ts_ns: int) -> str:
    """Return the hash of the transaction of a moment."""
    return "0x" + hashlib.blake2b(ts_ns.to_bytes(8, "big"), digest_size=32, person=b"lanner-tx").hexdigest()


def trade_tid(symbol: str, trade_id: int) -> int:
    """Return the 50-bit number of a trade."""
    raw = hashlib.blake2b(f"{symbol}/{trade_id}".encode(), digest_size=8).digest()
    return int.from_bytes(raw, "big") >> 14


def dumps(value: Any) -> bytes:
    """Write JSON."""
    return _ENCODER.encode(value)


_ENCODER = msgspec.json.Encoder()
