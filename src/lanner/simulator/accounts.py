"""Accounts of the simulated venue: credentials, balances, positions, leverage, their orders and history."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from enum import IntEnum

import msgspec

from lanner.model.enums import Side
from lanner.simulator.money import SCALE, from_atoms, to_atoms
from lanner.simulator.orders import Fill, OrderList, PositionSide, SimOrder

HISTORY = 20_000
DEFAULT_PERMISSIONS = frozenset({"read", "spot", "futures"})


class KeyKind(IntEnum):
    """How requests with a key are signed."""

    HMAC = 1
    ED25519 = 2
    RSA = 3


class ApiKey(msgspec.Struct, kw_only=True):
    """An API key: ``verify_with`` is the HMAC secret, or the public key as PEM (Ed25519, RSA)."""

    key: str
    kind: KeyKind
    verify_with: bytes
    permissions: frozenset[str] = DEFAULT_PERMISSIONS
    """Of ``read``, ``spot``, ``futures``, ``withdraw``."""
    revoked: bool = False

    def allows(self, permission: str) -> bool:
        """Tell whether the key may be used for something."""
        return not self.revoked and permission in self.permissions

    def __repr__(self) -> str:
        return f"ApiKey({self.key[:6]}…, {self.kind.name})"


class Agent(msgspec.Struct, kw_only=True):
    """A wallet that may sign orders for an account (Hyperliquid). ``valid_until_ms`` 0: for ever."""

    address: str
    name: str = ""
    valid_until_ms: int = 0


class BalanceView(msgspec.Struct, frozen=True, gc=False):
    """A balance at one moment, in atoms; ``total`` includes ``locked``."""

    asset: str
    total: int
    locked: int

    @property
    def free(self) -> int:
        """Return what no order has set aside."""
        return self.total - self.locked


class PositionView(msgspec.Struct, frozen=True, gc=False):
    """A position at one moment. ``lots`` are signed; ``cost`` is its signed notional at entry in atoms."""

    market: str
    position_side: PositionSide
    lots: int
    cost: int
    cross: bool
    margin: int
    """Isolated margin in atoms; 0 for cross."""
    realized: int
    """Profit realised since the position opened, fees not counted."""
    entry_px: Decimal


class Balance:
    """What an account owns of one asset, in atoms. For perps ``total`` is the wallet without open profit."""

    __slots__ = ("locked", "total")

    def __init__(self, total: int = 0, locked: int = 0) -> None:
        self.total = total
        self.locked = locked

    @property
    def free(self) -> int:
        """Return what no order has set aside."""
        return self.total - self.locked


class Position:
    """A perpetual position: signed ``lots``, signed ``cost`` (notional at entry) and, if isolated, its margin."""

    __slots__ = (
        "cost",
        "cross",
        "funding",
        "lot_atoms",
        "lots",
        "margin",
        "market",
        "position_side",
        "realized",
        "ts_opened",
        "ts_updated",
    )

    def __init__(self, market: str, position_side: PositionSide, cross: bool, lot_atoms: int) -> None:
        self.market = market
        self.position_side = position_side
        self.cross = cross
        self.lot_atoms = lot_atoms
        self.lots = 0
        self.cost = 0
        self.margin = 0
        self.realized = 0
        self.funding = 0
        """Funding received (negative: paid) since the position opened."""
        self.ts_opened = 0
        self.ts_updated = 0

    @property
    def entry_px(self) -> Decimal:
        """Return the average entry price, 0 when flat; cut to 12 decimals."""
        if not self.lots:
            return Decimal(0)
        return from_atoms(self.cost * SCALE // (self.lots * self.lot_atoms))

    def view(self) -> PositionView:
        """Return the position as it is now."""
        return PositionView(
            self.market,
            self.position_side,
            self.lots,
            self.cost,
            self.cross,
            self.margin,
            self.realized,
            self.entry_px,
        )


class MarketSetting(msgspec.Struct):
    """What an account chose for one market."""

    leverage: int
    cross: bool = True


class Account:
    """One customer of the venue. Dialects read it; money and orders are written by the exchange only."""

    def __init__(
        self,
        account_id: str,
        *,
        balances: dict[str, Decimal | int | str] | None = None,
        address: str = "",
        maker: Decimal | None = None,
        taker: Decimal | None = None,
        house: bool = False,
        trade_group: str = "",
        keys: Iterable[ApiKey] = (),
    ) -> None:
        self.account_id = account_id
        self.address = address.lower()
        """The wallet's address (Hyperliquid), lower-case hex with ``0x``."""
        self.api_keys = {key.key: key for key in keys}
        self.agents: dict[str, Agent] = {}
        self.vault_of: str = ""
        """For a vault or sub-account: the account id of its master, who may trade for it."""
        self.balances = {name: Balance(to_atoms(amount)) for name, amount in (balances or {}).items()}
        self.maker = maker
        """Fee as a fraction of notional; ``None``: the market's."""
        self.taker = taker
        self.house = house
        """The venue's own background flow: may owe without limit, gets no private events, keeps no history."""
        self.trade_group = trade_group or account_id
        self.hedge_mode = False
        self.settings: dict[str, MarketSetting] = {}
        self.positions: dict[tuple[str, PositionSide], Position] = {}
        self.exposure: dict[tuple[str, PositionSide], list[int]] = {}
        """Resting orders that may open positions: [buy lots, buy notional, sell lots, sell notional]."""
        self.open_orders: dict[int, SimOrder] = {}
        self.open_count: dict[str, int] = {}
        """How many orders are open, by market."""
        self.by_client_id: dict[str, SimOrder] = {}
        """The latest order of each client id, open or ended."""
        self.orders: deque[SimOrder] = deque(maxlen=HISTORY)
        """All orders in the order of their ids, ended ones too."""
        self.lists: deque[OrderList] = deque(maxlen=HISTORY)
        self.fills: deque[Fill] = deque(maxlen=HISTORY)
        self.funding: deque[tuple[int, str, str, int, Decimal, int]] = deque(maxlen=HISTORY)
        """Paid or received: (ts_ns, market, asset, atoms, rate, signed lots)."""
        self.income: deque[tuple[int, str, str, str, int, int]] = deque(maxlen=HISTORY)
        """Changes of the wallet: (ts_ns, kind, market, asset, atoms, trade_id)."""
        self.levels: dict[tuple[str, Side, int], SimOrder] = {}
        """The house's liquidity set price by price."""
        self.volume: int = 0
        """Traded notional in atoms of the quote assets."""
        self.countdowns: dict[str, int] = {}
        """Dead-man's switches: deadline in ns by market, '' for all."""

    def balance(self, asset: str) -> Balance:
        """Return the live balance of an asset, made on first use."""
        found = self.balances.get(asset)
        if found is None:
            found = self.balances[asset] = Balance()
        return found

    def position(self, market: str, side: PositionSide = PositionSide.BOTH) -> Position | None:
        """Return the position, or ``None`` when there never was one; it may be flat."""
        return self.positions.get((market, side))

    def position_keys(self) -> list[tuple[str, PositionSide]]:
        """Return where the account has a position or orders that may open one."""
        if not self.exposure:
            return list(self.positions)
        return list({**self.positions, **self.exposure})

    def view(self, asset: str) -> BalanceView:
        """Return a balance as it is now."""
        held = self.balance(asset)
        return BalanceView(asset, held.total, held.locked)

    def __repr__(self) -> str:
        return f"Account({self.account_id!r})"
