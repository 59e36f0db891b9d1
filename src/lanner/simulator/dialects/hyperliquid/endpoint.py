"""``POST /exchange``: read, verify, count, obey, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.hyperliquid import actions, signatures, spec
from lanner.simulator.dialects.hyperliquid.orders import ActionError, Desk
from lanner.simulator.dialects.hyperliquid.transfers import USD_UNIT, Office
from lanner.simulator.dialects.hyperliquid.twap import Twaps
from lanner.simulator.dialects.hyperliquid.users import User, is_address
from lanner.simulator.dialects.hyperliquid.venue import Venue

Json = dict[str, Any]
DEFAULT: Json = {"type": "default"}
KINDS = {
    "order": Kind.ORDER,
    "twapOrder": Kind.ORDER,
    "cancel": Kind.CANCEL,
    "cancelByCloid": Kind.CANCEL,
    "twapCancel": Kind.CANCEL,
    "scheduleCancel": Kind.CANCEL,
    "modify": Kind.AMEND,
    "batchModify": Kind.AMEND,
}
CANCELS = frozenset({"cancel", "cancelByCloid", "scheduleCancel", "twapCancel"})
_ACTION = msgspec.json.Decoder(actions.Action)
_REQUEST = msgspec.json.Decoder(actions.Request)


class UnreadableError(Exception):
    """The body cannot be read as a signed action: HTTP 422."""


class Signed(msgspec.Struct):
    """A request that could be read. ``action`` is None for actions that this venue does not have."""

    request: actions.Request
    raw: Json
    kind: str
    action: actions.Action | None

    @property
    def batch(self) -> int:
        """Return how many orders or cancels the action carries; 1 for anything else."""
        for name in ("orders", "cancels", "modifies"):
            held = getattr(self.action, name, None)
            if isinstance(held, list):
                return max(1, len(held))
        return 1


def read(body: bytes | msgspec.Raw) -> Signed:
    """Read a body or raise ``UnreadableError``."""
    try:
        request = _REQUEST.decode(body)
        raw = msgspec.json.decode(request.action, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(str(error)) from error
    kind = raw.get("type")
    if request.vault_address is not None and not is_address(request.vault_address):
        raise UnreadableError("vaultAddress")
    if isinstance(kind, str) and kind in actions.KNOWN_ELSEWHERE:
        return Signed(request, raw, kind, None)
    try:
        return Signed(request, raw, str(kind), _ACTION.decode(request.action))
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnreadableError(str(error)) from error


class Endpoint:
    """Takes signed actions."""

    def __init__(self, venue: Venue, desk: Desk, office: Office, twaps: Twaps) -> None:
        self._venue = venue
        self._desk = desk
        self._office = office
        self._twaps = twaps
        self._obey: dict[type, Callable[[User, Any], Json]] = {
            actions.Order: self._order,
            actions.Cancel: self._cancel,
            actions.CancelByCloid: self._cancel,
            actions.Modify: self._modify,
            actions.BatchModify: self._batch_modify,
            actions.ScheduleCancel: self._schedule,
            actions.TwapOrder: self._twap_order,
            actions.TwapCancel: self._twap_cancel,
            actions.CreateSubAccount: self._create_sub_account,
            actions.SetReferrer: self._set_referrer,
            actions.VaultTransfer: self._vault_transfer,
        }
        plain: dict[type, Callable[[User, Any], None]] = {
            actions.Noop: _nothing,
            actions.UpdateLeverage: office.leverage,
            actions.UpdateIsolatedMargin: self._isolated_margin,
            actions.TopUpIsolatedOnlyMargin: office.top_up,
            actions.ReserveRequestWeight: lambda user, action: office.reserve(user, action.weight),
            actions.SubAccountTransfer: office.sub_transfer,
            actions.SubAccountSpotTransfer: office.sub_spot_transfer,
            actions.AgentSendAsset: office.send_asset,
            actions.SendAsset: office.send_asset,
            actions.UsdSend: office.usd_send,
            actions.SpotSend: office.spot_send,
            actions.Withdraw: office.withdraw,
            actions.UsdClassTransfer: office.class_transfer,
            actions.ApproveAgent: office.approve_agent,
            actions.ApproveBuilderFee: office.approve_builder,
        }
        for kind, work in plain.items():
            self._obey[kind] = _default(work)

    def handle(self, signed: Signed) -> Json:
        """Obey a signed action and return the answer's body."""
        try:
            return {"status": "ok", "response": self._handle(signed)}
        except ActionError as fault:
            return {"status": "err", "response": fault.words}
        finally:
            self._venue.pay_charges()

    def _handle(self, signed: Signed) -> Json:
        user_signed = signed.kind in signatures.USER_SIGNED
        signer, user = self._user_signer(signed) if user_signed else self._l1_signer(signed)
        request, now_ms = signed.request, self._venue.now_ms
        if user_signed:
            stated = signed.raw.get("nonce", signed.raw.get("time"))
            if stated != request.nonce:
                raise ActionError(spec.NONCE_MISMATCH)
            if request.expires_after is not None:
                raise ActionError(spec.NO_EXPIRES)
        refusal = self._venue.users.nonces(signer).use(request.nonce, now_ms)
        if refusal is not None:
            raise ActionError(refusal)
        target = user
        if request.vault_address is not None and not user_signed:
            target = self._vault(user, request.vault_address.lower())
        stale = request.expires_after is not None and request.expires_after < now_ms
        self._count(target, signed, stale)
        if stale:
            raise ActionError(spec.EXPIRED.format(expires=request.expires_after, time=now_ms))
        if signed.action is None:
            raise ActionError(spec.UNSUPPORTED.format(type=signed.kind))
        return self._obey[type(signed.action)](target, signed.action)

    # -- who signed -----------------------------------------------------------------------------------------

    def _l1_signer(self, signed: Signed) -> tuple[str, User]:
        request = signed.request
        vault = request.vault_address.lower() if request.vault_address else None
        chains = (
            ("testnet", "mainnet") if self._venue.options.chain == "any" else (self._venue.options.chain,)
        )
        first = ""
        try:
            r, s, v = _parts(request.signature)
            for form in actions.hashed_forms(request.action):
                hashed = signatures.action_hash(form, request.nonce, vault, request.expires_after)
                for chain in chains:
                    address = signatures.recover(signatures.l1_digest(hashed, chain), r, s, v)
                    first = first or address
                    user = self._venue.users.signer(address, self._venue.now_ms)
                    if user is not None:
                        return address, user
        except (signatures.BadSignatureError, OverflowError, TypeError) as error:
            raise ActionError("L1 error: invalid signature") from error
        raise ActionError(spec.NO_SIGNER.format(address=first))

    def _user_signer(self, signed: Signed) -> tuple[str, User]:
        chain = signed.raw.get("hyperliquidChain")
        wanted = self._venue.options.chain
        if wanted != "any" and str(chain).lower() != wanted:
            raise ActionError("Mainnet and testnet require different signature.")
        try:
            digest = signatures.user_digest(signed.kind, signed.raw)
            address = signatures.recover(digest, *_parts(signed.request.signature))
        except signatures.BadSignatureError as error:
            raise ActionError("L1 error: invalid signature") from error
        user = self._venue.users.find(address)
        if user is None:
            raise ActionError(spec.MUST_DEPOSIT.format(address=address))
        return address, user

    def _vault(self, user: User, address: str) -> User:
        target = self._venue.users.find(address)
        if target is user:
            raise ActionError(spec.NO_VAULT.format(address=address))
        if target is None or not self._venue.users.may_act_for(user, target):
            raise ActionError(spec.NO_VAULT.format(address=address))
        return target

    def _count(self, user: User, signed: Signed, stale: bool) -> None:
        """Charge the address budget."""
        if not self._venue.options.address_limits:
            return
        cost = signed.batch * (spec.STALE_COST if stale else 1)
        volume = user.volume_usd
        if user.budget.take(cost, volume, self._venue.now_ns, cancel=signed.kind in CANCELS):
            return
        raise ActionError(
            spec.TOO_MANY_REQUESTS.format(
                used=user.budget.used + cost,
                cap=user.budget.cap(volume) + user.budget.reserved,
                volume=volume,
            )
        )

    # -- obeying --------------------------------------------------------------------------------------------

    def _order(self, user: User, action: actions.Order) -> Json:
        return {"type": "order", "data": {"statuses": self._desk.place(user, action)}}

    def _cancel(self, user: User, action: actions.Cancel | actions.CancelByCloid) -> Json:
        return {"type": "cancel", "data": {"statuses": self._desk.cancel(user, action)}}

    def _modify(self, user: User, action: actions.Modify) -> Json:
        self._desk.modify(user, action)
        return DEFAULT

    def _batch_modify(self, user: User, action: actions.BatchModify) -> Json:
        return {"type": "order", "data": {"statuses": self._desk.batch_modify(user, action)}}

    def _schedule(self, user: User, action: actions.ScheduleCancel) -> Json:
        venue = self._venue
        if action.time is not None:
            self._check_schedule(user, action.time)
        deadline = (action.time or 0) * spec.MS
        for purse in user.accounts:
            venue.exchange.set_countdown(purse.account_id, deadline, venue.now_ns)
        user.schedule_ms = action.time or 0
        return DEFAULT

    def _check_schedule(self, user: User, moment: int) -> None:
        required = self._venue.options.schedule_volume_usd
        if user.volume_usd < required:
            raise ActionError(spec.SCHEDULE_VOLUME.format(required=required, traded=user.volume_usd))
        if moment < self._venue.now_ms + spec.SCHEDULE_AHEAD_MS:
            raise ActionError(spec.SCHEDULE_SOON)
        today = self._venue.now_ms // spec.DAY_MS
        if user.triggers_day == today and user.triggers >= spec.SCHEDULE_TRIGGERS_PER_DAY:
            raise ActionError(spec.SCHEDULE_DAY)

    def _isolated_margin(self, user: User, action: actions.UpdateIsolatedMargin) -> None:
        self._office.isolated_margin(user, action.asset, action.ntli * USD_UNIT)

    def _twap_order(self, user: User, action: actions.TwapOrder) -> Json:
        coin = self._desk.coin(action.twap.a)
        return {"type": "twapOrder", "data": {"status": self._twaps.place(user, coin, action.twap)}}

    def _twap_cancel(self, user: User, action: actions.TwapCancel) -> Json:
        return {"type": "twapCancel", "data": {"status": self._twaps.cancel(user, action.a, action.t)}}

    def _create_sub_account(self, user: User, action: actions.CreateSubAccount) -> Json:
        return {"type": "createSubAccount", "data": self._office.create_sub_account(user, action.name)}

    def _set_referrer(self, user: User, action: actions.SetReferrer) -> Json:
        raise ActionError(spec.NO_REFERRAL)

    def _vault_transfer(self, user: User, action: actions.VaultTransfer) -> Json:
        raise ActionError(spec.NO_VAULT.format(address=action.vault_address.lower()))


def _nothing(user: User, action: Any) -> None:
    """Do nothing: the nonce is used, that is all."""


def _default(work: Callable[[User, Any], None]) -> Callable[[User, Any], Json]:
    def obey(user: User, action: Any) -> Json:
        work(user, action)
        return DEFAULT

    return obey


def _parts(signature: actions.Signature) -> tuple[int, int, int]:
    try:
        return int(signature.r, 16), int(signature.s, 16), signature.v
    except ValueError as error:
        raise signatures.BadSignatureError("not hexadecimal") from error
