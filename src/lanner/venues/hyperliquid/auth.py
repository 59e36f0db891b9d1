"""Signatures of Hyperliquid: EIP-712 over an action's hash (L1 actions) or over its fields (user-signed actions).

An L1 action (orders, cancels, leverage) is hashed as MessagePack with nonce, vault and expiry, and a "phantom agent" of
that hash is signed: source ``a`` on the main network, ``b`` everywhere else. Agents (API wallets) sign L1 actions in
their master's stead; user-signed actions (transfers, approvals) need the master's own key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lanner.venues.errors import ErrorKind, VenueError
from lanner.venues.keys import Keys
from lanner.venues.signing import keccak

Field = tuple[str, str]
"""Name and EIP-712 type (string, uint64, bool or address) of a user-signed action's field."""

APPROVE_AGENT: tuple[str, tuple[Field, ...]] = (
    "HyperliquidTransaction:ApproveAgent",
    (
        ("hyperliquidChain", "string"),
        ("agentAddress", "address"),
        ("agentName", "string"),
        ("nonce", "uint64"),
    ),
)
"""EIP-712 type and fields of the one user-signed action that we send; nothing here can move money."""


_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_AGENT_TYPE = keccak(b"Agent(string source,bytes32 connectionId)")


def _domain(name: bytes, chain_id: int) -> bytes:
    parts = (_DOMAIN_TYPE, keccak(name), keccak(b"1"), chain_id.to_bytes(32), bytes(32))
    return b"\x19\x01" + keccak(b"".join(parts))


_EXCHANGE = _domain(b"Exchange", 1337)


def action_hash(packed: bytes, nonce: int, vault: str = "", expires_after: int | None = None) -> bytes:
    """Return the hash of an L1 action given as MessagePack; ``vault`` is a 0x address or empty."""
    who = b"\x01" + bytes.fromhex(vault[2:]) if vault else b"\x00"
    until = b"" if expires_after is None else b"\x00" + expires_after.to_bytes(8)
    return keccak(packed + nonce.to_bytes(8) + who + until)


class Signer:
    """Sign actions with one key; raise ``VenueError`` AUTH where there is none.

    The parts of the digest that never change are made once.
    """

    def __init__(self, keys: Keys | None, *, mainnet: bool) -> None:
        self.keys = keys
        self.mainnet = mainnet
        self.vault = keys.vault if keys else ""
        self._who = b"\x01" + bytes.fromhex(self.vault[2:]) if self.vault else b"\x00"
        self._agent = _AGENT_TYPE + keccak(b"a" if mainnet else b"b")

    def payload(self, action: object, nonce: int, expires_after: int | None = None) -> bytes:
        """Return the JSON body of a signed L1 action; the order of the action's fields is part of what is signed."""
        if self.keys is None:
            raise no_keys()
        until = b"" if expires_after is None else b"\x00" + expires_after.to_bytes(8)
        told = keccak(msgspec.msgpack.encode(action) + nonce.to_bytes(8) + self._who + until)
        r, s, v = self.keys.sign_digest(keccak(_EXCHANGE + keccak(self._agent + told)))
        vault = f',"vaultAddress":"{self.vault}"' if self.vault else ""
        expires = "" if expires_after is None else f',"expiresAfter":{expires_after}'
        tail = f',"nonce":{nonce},"signature":{{"r":"{r:#x}","s":"{s:#x}","v":{v}}}{vault}{expires}}}'
        return b'{"action":' + msgspec.json.encode(action) + tail.encode()

    def approval(self, address: str, name: str, nonce: int) -> bytes:
        """Return the JSON body that approves an agent, signed with the main wallet's own key."""
        if self.keys is None:
            raise no_keys()
        action = {
            "type": "approveAgent",
            "agentAddress": address,
            "agentName": name,
            "nonce": nonce,
            "signatureChainId": "0x66eee",
            "hyperliquidChain": "Mainnet" if self.mainnet else "Testnet",
        }
        r, s, v = self.keys.sign_digest(user_digest(action, *APPROVE_AGENT))
        body = {"action": action, "nonce": nonce, "signature": {"r": f"{r:#x}", "s": f"{s:#x}", "v": v}}
        return msgspec.json.encode(body)


def user_digest(action: Mapping[str, object], primary: str, fields: Sequence[Field]) -> bytes:
    """Return the EIP-712 digest of a user-signed action of a type with these fields; its chain id is the domain's."""
    kind = f"{primary}({','.join(f'{what} {name}' for name, what in fields)})"
    values = [keccak(kind.encode()), *_values(action, fields)]
    domain = _domain(b"HyperliquidSignTransaction", int(str(action["signatureChainId"]), 16))
    return keccak(domain + keccak(b"".join(values)))


def _values(action: Mapping[str, object], fields: Sequence[Field]) -> list[bytes]:
    """Encode the fields of a flat struct by the rules of EIP-712."""
    out = []
    for name, kind in fields:
        value = action[name]
        if kind == "string":
            out.append(keccak(str(value).encode()))
        elif kind == "address":
            out.append(bytes.fromhex(str(value)[2:]).rjust(32, b"\x00"))
        else:
            out.append(int(value).to_bytes(32))  # type: ignore[call-overload]
    return out


def no_keys() -> VenueError:
    """Return the fault of asking for the account without keys."""
    return VenueError(
        ErrorKind.AUTH, "hyperliquid: this needs a key", fix="Store one: lanner keys add hyperliquid"
    )
