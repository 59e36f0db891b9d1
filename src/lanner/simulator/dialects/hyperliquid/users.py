"""Who may act for whom: wallets, agents, sub-accounts; and what each has used up."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from typing import Any

import msgspec

from lanner.simulator.accounts import Account, Agent
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.limits import AddressBudget
from lanner.simulator.dialects.hyperliquid.nonces import NonceWindow
from lanner.simulator.exchange import Exchange
from lanner.simulator.money import SCALE

SPOT_MARK = "spot:"
"""Assets of an account named ``spot:USDC`` belong to its spot balances from the start."""
HISTORY = 10_000
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_CLOID = re.compile(r"0x[0-9a-fA-F]{32}")


def is_address(value: Any) -> bool:
    """Tell whether a value is an address in hexadecimal."""
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def is_cloid(value: Any) -> bool:
    """Tell whether a value is a client order id: 16 bytes in hexadecimal."""
    return isinstance(value, str) and _CLOID.fullmatch(value) is not None


class Holding(msgspec.Struct):
    """A spot token as its owner's books show it: what is owned and what it cost, in atoms."""

    total: int = 0
    cost: int = 0


class User:
    """One address of the venue with its two purses: an account for perps and one for spot."""

    def __init__(self, address: str, perp: Account, spot: Account, name: str = "") -> None:
        self.address = address
        self.perp = perp
        self.spot = spot
        self.name = name
        self.subs: list[User] = []
        self.budget = AddressBudget()
        self.builders: dict[str, int] = {}
        """Approved builders: the largest fee in tenths of a basis point."""
        self.schedule_ms = 0
        self.triggers_day = -1
        self.triggers = 0
        self.referrer = ""
        self.fills: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self.fundings: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self.ledger: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self.refused: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        """Orders that were refused at once; they have order ids and a status too."""
        self.twap_fills: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self.twap_history: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self.values: deque[tuple[int, int, int]] = deque(maxlen=2_000)
        """Samples of (ms, account value, money moved in so far), for the portfolio's curves."""
        self.moved = 0
        """What came into the perps account from outside, less what left it, in atoms."""
        self.holdings: dict[str, Holding] = {}
        self.funding_by_coin: dict[str, list[int]] = {}
        """Funding received by coin: all time, since the position opened, since it last changed."""

    @property
    def accounts(self) -> tuple[Account, Account]:
        """Return both purses."""
        return self.perp, self.spot

    @property
    def volume_usd(self) -> int:
        """Return what was traded so far in whole dollars."""
        return (self.perp.volume + self.spot.volume) // SCALE

    def holding(self, asset: str) -> Holding:
        """Return the books of a token, opened with what is owned now at no cost."""
        found = self.holdings.get(asset)
        if found is None:
            found = self.holdings[asset] = Holding(self.spot.balance(asset).total)
        return found


class Users:
    """All users, found by address; agents lead to their masters."""

    def __init__(self, exchange: Exchange, settle: str) -> None:
        self._exchange = exchange
        self._settle = settle
        self._by_address: dict[str, User] = {}
        self._by_account: dict[str, User] = {}
        self._nonces: dict[str, NonceWindow] = {}
        self.used_agents: set[str] = set()
        for account in list(exchange.accounts.values()):
            if account.address and not account.house:
                self._open(account)

    def find(self, address: str) -> User | None:
        """Return the user of an address (not of an agent), also of accounts opened since."""
        found = self._by_address.get(address)
        if found is None:
            account = self._exchange.account_by_address(address)
            if account is not None and account.address == address and not account.house:
                found = self._open(account)
        return found

    def of_account(self, account_id: str) -> User | None:
        """Return the user whose purse an account is."""
        found = self._by_account.get(account_id)
        if found is None:
            account = self._exchange.accounts.get(account_id)
            if account is not None and account.address and not account.house:
                found = self._open(account)
        return found

    def all(self) -> list[User]:
        """Return all users known so far."""
        return list(self._by_address.values())

    def master_of_agent(self, address: str, now_ms: int) -> User | None:
        """Return the user for whom an agent may sign now."""
        account = self._exchange.account_by_address(address)
        if account is None:
            return None
        agent = account.agents.get(address)
        if agent is None or (agent.valid_until_ms and agent.valid_until_ms <= now_ms):
            return None
        return self.of_account(account.account_id)

    def signer(self, address: str, now_ms: int) -> User | None:
        """Return for whom a key signs: itself or, if it is an agent's, its master."""
        return self.find(address) or self.master_of_agent(address, now_ms)

    def nonces(self, signer: str) -> NonceWindow:
        """Return the nonces a key has used."""
        return self._nonces.setdefault(signer, NonceWindow())

    def forget_nonces(self, signer: str) -> None:
        """Prune what was kept of a key that may no longer sign."""
        self._nonces.pop(signer, None)

    def may_act_for(self, user: User, target: User) -> bool:
        """Tell whether ``target`` is a sub-account or vault of ``user``."""
        return target.perp.vault_of == user.perp.account_id

    def open_sub_account(self, master: User, name: str) -> User:
        """Open a sub-account; its address is made from its master's."""
        seed = f"{master.address}/{len(master.subs)}".encode()
        address = "0x" + hashlib.blake2b(seed, digest_size=20).hexdigest()
        account = Account(address, address=address)
        account.vault_of = master.perp.account_id
        self._exchange.add_account(account)
        sub = self._open(account)
        sub.name = name
        return sub

    def approve(self, user: User, agent: Agent) -> None:
        """Let a key sign for a user, in place of the one that had the same name."""
        self.revoke(user, agent.name)
        user.perp.agents[agent.address] = agent
        self.used_agents.add(agent.address)
        self._exchange.index_account(user.perp)

    def revoke(self, user: User, name: str) -> bool:
        """Take the right to sign from the agent of a name."""
        for address, agent in list(user.perp.agents.items()):
            if agent.name == name:
                del user.perp.agents[address]
                self.forget_nonces(address)
                return True
        return False

    def _open(self, account: Account) -> User:
        spot_id = f"{account.account_id}/spot"
        spot = self._exchange.accounts.get(spot_id)
        if spot is None:
            spot = Account(spot_id, maker=account.maker, taker=account.taker)
            self._exchange.add_account(spot)
        user = User(account.address, account, spot)
        self._by_address[account.address] = user
        self._by_account[account.account_id] = self._by_account[spot_id] = user
        self._sort_purses(account, spot)
        for market in self._exchange.markets.values():
            if market.is_spot:
                user.holding(market.base)
        master = self._by_account.get(account.vault_of) if account.vault_of else None
        if master is not None:
            master.subs.append(user)
            user.name = user.name or f"sub-{len(master.subs)}"
        return user

    def _sort_purses(self, perp: Account, spot: Account) -> None:
        """Put tokens where they belong: the settle asset behind perps, all others into the spot purse."""
        for asset in [name for name in perp.balances if name != self._settle]:
            held = perp.balances.pop(asset)
            spot.balance(asset.removeprefix(SPOT_MARK)).total += held.total


def agent_name(raw: str | None, now_ms: int) -> tuple[str, int] | str:
    """Split ``name valid_until 1790000000000``; returns (name, ms) or the venue's words for a refusal."""
    name, _, until = (raw or "").partition(" valid_until ")
    if len(name) > spec.AGENT_NAME_LENGTH:
        return spec.AGENT_NAME
    if not until:
        return name, now_ms + spec.AGENT_DAYS * spec.DAY_MS
    if not until.isdigit():
        return spec.AGENT_EXPIRED
    moment = int(until)
    if not now_ms < moment <= now_ms + spec.AGENT_MAX_DAYS * spec.DAY_MS:
        return spec.AGENT_EXPIRED
    return name, moment
