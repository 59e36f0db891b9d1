"""What ``POST /exchange`` takes: one record per action, and the form in which the venue hashes it.

The venue reads JSON into typed records and hashes those, not the text. Numbers with trailing zeros,
upper-case addresses or optional fields written as ``null`` are therefore hashed differently from what a
careless client signed. ``hashed_forms`` does the same here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from lanner.simulator.dialects.hyperliquid.numbers import stripped

Text = str


class Signature(msgspec.Struct):
    """The three parts of a signature; ``r`` and ``s`` are hexadecimal with any number of leading zeros."""

    r: str
    s: str
    v: int


class Request(msgspec.Struct, rename="camel"):
    """The body of a signed request."""

    action: msgspec.Raw
    nonce: int
    signature: Signature
    vault_address: str | None = None
    expires_after: int | None = None


class LimitType(msgspec.Struct):
    """How a limit order behaves when it meets the book."""

    tif: Literal["Alo", "Ioc", "Gtc", "FrontendMarket", "LiquidationMarket"]


class TriggerType(msgspec.Struct, rename="camel"):
    """When and how a stop or take-profit order goes to work."""

    is_market: bool
    trigger_px: str
    tpsl: Literal["tp", "sl"]


class OrderType(msgspec.Struct):
    """One of the two."""

    limit: LimitType | None = None
    trigger: TriggerType | None = None

    def __post_init__(self) -> None:
        if (self.limit is None) == (self.trigger is None):
            raise ValueError("expected limit or trigger")


class OrderWire(msgspec.Struct):
    """An order in the venue's short words: asset, buy, price, size, reduce-only, type, client order id."""

    a: int
    b: bool
    p: str
    s: str
    r: bool
    t: OrderType
    c: str | None = None


class Builder(msgspec.Struct):
    """Who built the front end, and its fee in tenths of a basis point."""

    b: str
    f: int


class Priority(msgspec.Struct):
    """A grouping that buys priority."""

    p: int


class Order(msgspec.Struct, tag_field="type", tag="order"):
    """Place orders."""

    orders: list[OrderWire]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | Priority = "na"
    builder: Builder | None = None


class CancelWire(msgspec.Struct):
    """One order to cancel: asset and order id."""

    a: int
    o: int


class Cancel(msgspec.Struct, tag_field="type", tag="cancel"):
    """Cancel by order id."""

    cancels: list[CancelWire]
    f: bool = False


class CancelCloidWire(msgspec.Struct):
    """One order to cancel: asset and client order id."""

    asset: int
    cloid: str


class CancelByCloid(msgspec.Struct, tag_field="type", tag="cancelByCloid"):
    """Cancel by client order id."""

    cancels: list[CancelCloidWire]
    f: bool = False


class ModifyWire(msgspec.Struct):
    """The order to change, and the order that takes its place."""

    oid: int | str
    order: OrderWire


class Modify(msgspec.Struct, tag_field="type", tag="modify"):
    """Change one order."""

    oid: int | str
    order: OrderWire
    a: bool = False


class BatchModify(msgspec.Struct, tag_field="type", tag="batchModify"):
    """Change several orders."""

    modifies: list[ModifyWire]
    a: bool = False


class ScheduleCancel(msgspec.Struct, tag_field="type", tag="scheduleCancel"):
    """Set (or, without a time, unset) the dead-man's switch."""

    time: int | None = None


class UpdateLeverage(msgspec.Struct, tag_field="type", tag="updateLeverage", rename="camel"):
    """Choose leverage and margin mode of a coin."""

    asset: int
    is_cross: bool
    leverage: int


class UpdateIsolatedMargin(msgspec.Struct, tag_field="type", tag="updateIsolatedMargin", rename="camel"):
    """Move margin to or from an isolated position; ``ntli`` in millionths of a dollar."""

    asset: int
    is_buy: bool
    ntli: int


class TopUpIsolatedOnlyMargin(
    msgspec.Struct, tag_field="type", tag="topUpIsolatedOnlyMargin", rename="camel"
):
    """Add so much margin that an isolated position has this leverage."""

    asset: int
    leverage: str


class TwapWire(msgspec.Struct):
    """A size to trade in slices over ``m`` minutes; ``t`` makes the slices irregular."""

    a: int
    b: bool
    s: str
    r: bool
    m: int
    t: bool


class TwapOrder(msgspec.Struct, tag_field="type", tag="twapOrder"):
    """Start a TWAP."""

    twap: TwapWire


class TwapCancel(msgspec.Struct, tag_field="type", tag="twapCancel"):
    """Stop a TWAP."""

    a: int
    t: int


class Noop(msgspec.Struct, tag_field="type", tag="noop"):
    """Use up a nonce."""


class ReserveRequestWeight(msgspec.Struct, tag_field="type", tag="reserveRequestWeight"):
    """Buy requests for the address budget."""

    weight: int


class SetReferrer(msgspec.Struct, tag_field="type", tag="setReferrer"):
    """Name the referrer."""

    code: str


class CreateSubAccount(msgspec.Struct, tag_field="type", tag="createSubAccount"):
    """Open a sub-account."""

    name: str


class SubAccountTransfer(msgspec.Struct, tag_field="type", tag="subAccountTransfer", rename="camel"):
    """Move USDC (millionths) between perps accounts of master and sub-account."""

    sub_account_user: str
    is_deposit: bool
    usd: int


class SubAccountSpotTransfer(msgspec.Struct, tag_field="type", tag="subAccountSpotTransfer", rename="camel"):
    """Move a token between spot accounts of master and sub-account."""

    sub_account_user: str
    is_deposit: bool
    token: str
    amount: str


class VaultTransfer(msgspec.Struct, tag_field="type", tag="vaultTransfer", rename="camel"):
    """Pay into or out of a vault."""

    vault_address: str
    is_deposit: bool
    usd: int


class AgentSendAsset(msgspec.Struct, tag_field="type", tag="agentSendAsset", rename="camel"):
    """Move a token between the user's own accounts; an agent may sign it."""

    destination: str
    source_dex: str
    destination_dex: str
    token: str
    amount: str
    from_sub_account: str
    nonce: int


class UserSigned(msgspec.Struct, rename="camel"):
    """What all user-signed actions carry."""

    hyperliquid_chain: Literal["Mainnet", "Testnet"]
    signature_chain_id: str


class UsdSend(UserSigned, tag_field="type", tag="usdSend", kw_only=True):
    """Send USDC of the perps account to another address."""

    destination: str
    amount: str
    time: int


class SpotSend(UserSigned, tag_field="type", tag="spotSend", kw_only=True):
    """Send a token of the spot account to another address."""

    destination: str
    token: str
    amount: str
    time: int


class Withdraw(UserSigned, tag_field="type", tag="withdraw3", kw_only=True):
    """Withdraw USDC over the bridge."""

    destination: str
    amount: str
    time: int


class UsdClassTransfer(UserSigned, tag_field="type", tag="usdClassTransfer", rename="camel", kw_only=True):
    """Move USDC between the spot and the perps account."""

    amount: str
    to_perp: bool
    nonce: int


class SendAsset(UserSigned, tag_field="type", tag="sendAsset", rename="camel", kw_only=True):
    """Send a token anywhere."""

    destination: str
    source_dex: str
    destination_dex: str
    token: str
    amount: str
    from_sub_account: str
    nonce: int


class ApproveAgent(UserSigned, tag_field="type", tag="approveAgent", rename="camel", kw_only=True):
    """Let another key sign; the zero address takes the right back."""

    agent_address: str
    nonce: int
    agent_name: str | None = None


class ApproveBuilderFee(UserSigned, tag_field="type", tag="approveBuilderFee", rename="camel", kw_only=True):
    """Let a builder charge up to a fee, e.g. ``0.01%``."""

    max_fee_rate: str
    builder: str
    nonce: int


Action = (
    Order
    | Cancel
    | CancelByCloid
    | Modify
    | BatchModify
    | ScheduleCancel
    | UpdateLeverage
    | UpdateIsolatedMargin
    | TopUpIsolatedOnlyMargin
    | TwapOrder
    | TwapCancel
    | Noop
    | ReserveRequestWeight
    | SetReferrer
    | CreateSubAccount
    | SubAccountTransfer
    | SubAccountSpotTransfer
    | VaultTransfer
    | AgentSendAsset
    | UsdSend
    | SpotSend
    | Withdraw
    | UsdClassTransfer
    | SendAsset
    | ApproveAgent
    | ApproveBuilderFee
)

KNOWN_ELSEWHERE = frozenset(
    {
        "multiSig",
        "convertToMultiSigUser",
        "evmUserModify",
        "agentEnableDexAbstraction",
        "agentSetAbstraction",
        "userDexAbstraction",
        "userSetAbstraction",
        "userPortfolioMargin",
        "tokenDelegate",
        "cDeposit",
        "cWithdraw",
        "spotDeploy",
        "perpDeploy",
        "CSignerAction",
        "CValidatorAction",
        "gossipPriorityBid",
        "createVault",
        "vaultModify",
        "vaultDistribute",
        "registerReferrer",
        "setDisplayName",
        "claimRewards",
        "subAccountModify",
        "sendToEvmWithData",
        "borrowLend",
        "spotUser",
        "linkStakingUser",
        "validatorL1Stream",
        "finalizeEvmContract",
        "userOutcome",
    }
)
"""Actions of the real venue that this one refuses by name, signature checked or not."""

_ORDER_KEYS = ("a", "b", "p", "s", "r", "t", "c")
_KEYS = {
    "order": ("type", "orders", "grouping", "builder"),
    "orders": _ORDER_KEYS,
    "order_": _ORDER_KEYS,
    "trigger": ("isMarket", "triggerPx", "tpsl"),
    "builder": ("b", "f"),
    "cancel": ("type", "cancels", "f"),
    "cancelByCloid": ("type", "cancels", "f"),
    "cancels": ("a", "o", "asset", "cloid"),
    "modify": ("type", "oid", "order", "a"),
    "batchModify": ("type", "modifies", "a"),
    "modifies": ("oid", "order"),
    "scheduleCancel": ("type", "time"),
    "updateLeverage": ("type", "asset", "isCross", "leverage"),
    "updateIsolatedMargin": ("type", "asset", "isBuy", "ntli"),
    "twapOrder": ("type", "twap"),
    "twap": ("a", "b", "s", "r", "m", "t"),
    "twapCancel": ("type", "a", "t"),
}
_DECIMALS = frozenset({"p", "s", "triggerPx"})
_LOWERED = frozenset(
    {"c", "cloid", "vaultAddress", "subAccountUser", "destination", "fromSubAccount", "agentAddress"}
)
_OMITTED_WHEN_FALSE = frozenset({"f", "a"})


def _normal(value: Any, name: str) -> Any:
    """Write a value as the venue's own records are written; the order of keys is left as it is."""
    if isinstance(value, dict):
        out = {}
        for key, inner in value.items():
            if inner is None or (inner is False and key in _OMITTED_WHEN_FALSE):
                continue
            out[key] = _normal(inner, key)
        return out
    if isinstance(value, list):
        return [_normal(inner, name) for inner in value]
    if isinstance(value, str):
        if name in _DECIMALS:
            return stripped(value)
        return value.lower() if name in _LOWERED else value
    return value


def _ordered(value: Any, table: str) -> Any:
    """Put the keys of a normal form into the order of the venue's records."""
    if isinstance(value, list):
        return [_ordered(inner, table) for inner in value]
    if not isinstance(value, dict):
        return value
    keys = _KEYS.get(table, ())
    names = [key for key in keys if key in value] + [key for key in value if key not in keys]
    inner_table = {"order": "order_"}
    return {key: _ordered(value[key], inner_table.get(key) or key) for key in names}


def hashed_forms(raw: bytes | msgspec.Raw) -> Iterator[dict[str, Any]]:
    """Yield the forms of an action that its signature may belong to: keys as received, then in record order."""
    plain = msgspec.json.decode(raw, type=dict[str, Any])
    received = _normal(plain, "")
    yield received
    ordered = _ordered(received, str(received.get("type")))
    if list(_key_order(ordered)) != list(_key_order(received)):
        yield ordered


def _key_order(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _key_order(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _key_order(inner)
