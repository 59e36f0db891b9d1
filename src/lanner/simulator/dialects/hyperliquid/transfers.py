"""Moving money and rights: transfers, sub-accounts, agents, builders, leverage and margin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from lanner.simulator.accounts import Agent
from lanner.simulator.dialects.hyperliquid import actions, spec
from lanner.simulator.dialects.hyperliquid.numbers import money, parse
from lanner.simulator.dialects.hyperliquid.orders import ActionError, Desk
from lanner.simulator.dialects.hyperliquid.records import Records
from lanner.simulator.dialects.hyperliquid.users import User, agent_name, is_address
from lanner.simulator.dialects.hyperliquid.venue import Venue
from lanner.simulator.money import SCALE
from lanner.simulator.orders import RejectReason

WITHDRAW_FEE = SCALE
USD_UNIT = SCALE // 1_000_000
RESERVE_PRICE = SCALE // 2_000
"""What one more request costs: 0.0005 USDC."""


class Office:
    """Does for users what is not trading."""

    def __init__(self, venue: Venue, records: Records, desk: Desk) -> None:
        self._venue = venue
        self._records = records
        self._desk = desk

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        self._records.quiet = True
        try:
            yield
        finally:
            self._records.quiet = False

    # -- money ----------------------------------------------------------------------------------------------

    def _move(self, source: str, target: str, asset: str, atoms: int, words: str) -> None:
        with self._quiet():
            refusal = self._venue.exchange.transfer(source, target, asset, atoms, self._venue.now_ns)
        if refusal is not RejectReason.NONE:
            raise ActionError(words)

    def _take(self, user: User, atoms: int, words: str) -> None:
        """Take USDC of the perps account out of the venue."""
        held = self._venue.exchange.margin(user.perp.account_id, self._venue.settle)
        if atoms <= 0 or atoms > held.available:
            raise ActionError(words)
        self._pay(user.perp.account_id, -atoms)

    def _pay(self, account_id: str, atoms: int) -> None:
        with self._quiet():
            amount = Decimal(atoms).scaleb(-12)
            self._venue.exchange.deposit(account_id, self._venue.settle, amount, self._venue.now_ns)

    def class_transfer(self, user: User, action: actions.UsdClassTransfer) -> None:
        """Move USDC between a user's spot and perps accounts."""
        raw, _, sub = action.amount.partition(" subaccount:")
        if sub:
            user = self._target(user, sub)
        atoms = _atoms(raw)
        purses = (user.spot, user.perp) if action.to_perp else (user.perp, user.spot)
        self._move(purses[0].account_id, purses[1].account_id, self._venue.settle, atoms, spec.TRANSFER)
        self._records.note(
            user, {"type": "accountClassTransfer", "usdc": money(atoms), "toPerp": action.to_perp}
        )

    def _target(self, user: User, address: str) -> User:
        found = self._venue.users.find(address.lower()) if is_address(address) else None
        if found is None or not self._venue.users.may_act_for(user, found):
            raise ActionError(spec.SUB_TRANSFER.format(source=user.address, target=address))
        return found

    def usd_send(self, user: User, action: actions.UsdSend) -> None:
        """Send USDC of the perps account to another user."""
        atoms = _atoms(action.amount)
        self._send(user, "perp", action.destination, "perp", self._venue.settle, atoms)
        delta = {
            "type": "internalTransfer",
            "usdc": money(atoms),
            "user": user.address,
            "destination": action.destination.lower(),
            "fee": "0.0",
        }
        self._tell_both(user, action.destination, delta)

    def spot_send(self, user: User, action: actions.SpotSend) -> None:
        """Send a token of the spot account to another user."""
        self._send_token(user, action.destination, action.token, action.amount)

    def _send_token(self, user: User, destination: str, token: str, amount: str) -> None:
        asset = self._asset(token)
        atoms = _atoms(amount)
        self._send(user, "spot", destination, "spot", asset, atoms)
        delta = {
            "type": "spotTransfer",
            "token": asset,
            "amount": money(atoms, 8),
            "usdcValue": "0.0",
            "user": user.address,
            "destination": destination.lower(),
            "fee": "0.0",
        }
        self._tell_both(user, destination, delta)

    def _asset(self, token: str) -> str:
        asset = self._venue.universe.token_named(token)
        if asset is None:
            raise ActionError(f"Unknown token: {token}")
        return asset

    def _send(self, user: User, source: str, to: str, target: str, asset: str, atoms: int) -> None:
        if not is_address(to):
            raise ActionError(f"Invalid destination: {to}")
        taker = self._venue.users.find(to.lower())
        giver = user.spot if source == "spot" else user.perp
        if taker is None:
            if atoms <= 0 or atoms > giver.balance(asset).free:
                raise ActionError(spec.TRANSFER)
            with self._quiet():
                self._venue.exchange.deposit(
                    giver.account_id, asset, Decimal(-atoms).scaleb(-12), self._venue.now_ns
                )
            return
        purse = taker.spot if target == "spot" else taker.perp
        self._move(giver.account_id, purse.account_id, asset, atoms, spec.TRANSFER)

    def _tell_both(self, user: User, destination: str, delta: dict[str, Any]) -> None:
        self._records.note(user, delta)
        taker = self._venue.users.find(destination.lower())
        if taker is not None and taker is not user:
            self._records.note(taker, delta)

    def send_asset(self, user: User, action: actions.SendAsset | actions.AgentSendAsset) -> None:
        """Send a token from anywhere to anywhere; an agent only within its master's accounts."""
        source = self._target(user, action.from_sub_account) if action.from_sub_account else user
        destination = action.destination.lower()
        if isinstance(action, actions.AgentSendAsset) and destination != source.address:
            raise ActionError(spec.AGENT_SEND)
        if action.source_dex not in ("", "spot") or action.destination_dex not in ("", "spot"):
            raise ActionError("Invalid perp DEX")
        asset = self._asset(action.token)
        places = ["spot" if dex == "spot" else "perp" for dex in (action.source_dex, action.destination_dex)]
        if asset != self._venue.settle and "perp" in places:
            raise ActionError("Only the collateral token can be transferred to or from a perp DEX")
        atoms = _atoms(action.amount)
        self._send(source, places[0], destination, places[1], asset, atoms)
        delta: dict[str, Any] = {
            "type": "send",
            "user": source.address,
            "destination": destination,
            "sourceDex": action.source_dex,
            "destinationDex": action.destination_dex,
            "token": asset,
            "amount": money(atoms, 8),
            "usdcValue": "0.0",
            "fee": "0.0",
            "nativeTokenFee": "0.0",
            "nonce": action.nonce,
            "feeToken": "",
        }
        self._tell_both(source, destination, delta)

    def withdraw(self, user: User, action: actions.Withdraw) -> None:
        """Let USDC leave over the bridge; the venue keeps a dollar."""
        atoms = _atoms(action.amount)
        if atoms <= WITHDRAW_FEE:
            raise ActionError(spec.WITHDRAWAL)
        self._take(user, atoms, spec.WITHDRAWAL)
        self._records.note(
            user,
            {
                "type": "withdraw",
                "usdc": money(atoms - WITHDRAW_FEE),
                "nonce": action.time,
                "fee": money(WITHDRAW_FEE),
            },
        )

    def reserve(self, user: User, weight: int) -> None:
        """Sell requests for the address budget."""
        if weight <= 0:
            raise ActionError("Invalid weight")
        self._take(user, weight * RESERVE_PRICE, spec.NO_MARGIN)
        user.budget.reserved += weight

    # -- sub-accounts ---------------------------------------------------------------------------------------

    def create_sub_account(self, user: User, name: str) -> str:
        """Open a sub-account and return its address."""
        required = self._venue.options.sub_account_volume_usd
        if user.volume_usd < required:
            raise ActionError(spec.SUB_ACCOUNT_VOLUME.format(required=required, traded=user.volume_usd))
        if not 0 < len(name) <= spec.AGENT_NAME_LENGTH or any(sub.name == name for sub in user.subs):
            raise ActionError("Invalid sub-account name")
        return self._venue.users.open_sub_account(user, name).address

    def sub_transfer(self, user: User, action: actions.SubAccountTransfer) -> None:
        """Move USDC between the perps accounts of master and sub-account."""
        sub = self._target(user, action.sub_account_user)
        giver, taker = (user, sub) if action.is_deposit else (sub, user)
        atoms = action.usd * USD_UNIT
        self._move(giver.perp.account_id, taker.perp.account_id, self._venue.settle, atoms, spec.TRANSFER)
        delta: dict[str, Any] = {
            "type": "subAccountTransfer",
            "usdc": money(atoms),
            "user": giver.address,
            "destination": taker.address,
        }
        self._tell_both(giver, taker.address, delta)

    def sub_spot_transfer(self, user: User, action: actions.SubAccountSpotTransfer) -> None:
        """Move a token between the spot accounts of master and sub-account."""
        sub = self._target(user, action.sub_account_user)
        giver, taker = (user, sub) if action.is_deposit else (sub, user)
        self._send_token(giver, taker.address, action.token, action.amount)

    # -- rights ---------------------------------------------------------------------------------------------

    def approve_agent(self, user: User, action: actions.ApproveAgent) -> None:
        """Let a key sign for a user, or take the right back where the address is zero."""
        if not is_address(action.agent_address):
            raise ActionError("Invalid agent address")
        address = action.agent_address.lower()
        named = agent_name(action.agent_name, self._venue.now_ms)
        if isinstance(named, str):
            raise ActionError(named)
        name, until = named
        users = self._venue.users
        if address == spec.ZERO_ADDRESS:
            users.revoke(user, name)
            return
        if users.find(address) is not None or address in users.used_agents or address in user.perp.agents:
            raise ActionError(spec.AGENT_USED)
        limit = spec.NAMED_AGENTS + spec.AGENTS_PER_SUB_ACCOUNT * len(user.subs)
        others = [one for one in user.perp.agents.values() if one.name and one.name != name]
        if name and len(others) >= limit:
            raise ActionError(spec.AGENT_LIMIT.format(limit=limit))
        users.approve(user, Agent(address=address, name=name, valid_until_ms=until))

    def approve_builder(self, user: User, action: actions.ApproveBuilderFee) -> None:
        """Let a builder charge up to a fee."""
        percent = parse(action.max_fee_rate.removesuffix("%"))
        if percent is None or not action.max_fee_rate.endswith("%") or not is_address(action.builder):
            raise ActionError("Invalid builder fee")
        tenths = int(percent * 1_000)
        if tenths > 1_000:
            raise ActionError("Builder fee too large")
        user.builders[action.builder.lower()] = tenths

    # -- margin ---------------------------------------------------------------------------------------------

    def leverage(self, user: User, action: actions.UpdateLeverage) -> None:
        """Set leverage and margin mode of a coin."""
        coin = self._desk.coin(action.asset)
        if coin.spot:
            raise ActionError(spec.LEVERAGE)
        refusal = self._venue.exchange.set_leverage(
            user.perp.account_id,
            coin.symbol,
            action.leverage,
            self._venue.now_ns,
            cross=action.is_cross,
        )
        if refusal in (RejectReason.NONE, RejectReason.NO_CHANGE):
            return
        if refusal in (RejectReason.HAS_POSITION, RejectReason.HAS_ORDERS):
            raise ActionError(spec.LEVERAGE_TYPE)
        if refusal is RejectReason.INSUFFICIENT_MARGIN:
            raise ActionError(spec.LEVERAGE_CROSS if action.is_cross else spec.LEVERAGE_ISOLATED)
        raise ActionError(spec.LEVERAGE)

    def isolated_margin(self, user: User, asset: int, atoms: int) -> None:
        """Move margin to or from an isolated position."""
        coin = self._desk.coin(asset)
        if not atoms:
            raise ActionError(spec.ZERO_MARGIN)
        position = user.perp.position(coin.symbol)
        if position is None or not position.lots or position.cross:
            raise ActionError(spec.NOT_ISOLATED)
        refusal = self._venue.exchange.add_margin(
            user.perp.account_id, coin.symbol, atoms, self._venue.now_ns
        )
        if refusal is not RejectReason.NONE:
            raise ActionError(spec.NO_MARGIN)

    def top_up(self, user: User, action: actions.TopUpIsolatedOnlyMargin) -> None:
        """Move margin so that an isolated position has a leverage."""
        coin = self._desk.coin(action.asset)
        wanted = parse(action.leverage)
        risk = self._venue.exchange.risk(user.perp.account_id, coin.symbol)
        position = user.perp.position(coin.symbol)
        if risk is None or position is None or position.cross or not wanted:
            raise ActionError(spec.NOT_ISOLATED)
        target = int(risk.notional / wanted)
        self.isolated_margin(user, action.asset, target - position.margin - risk.unrealized)


def _atoms(raw: str) -> int:
    value = parse(raw)
    if value is None or not value:
        raise ActionError("Invalid amount")
    return int(value * SCALE)
