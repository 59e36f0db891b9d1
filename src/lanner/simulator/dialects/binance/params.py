"""Parameters of one request: read by name, each refused with the venue's code and text when it is not right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.errors import ApiError

SYMBOL = r"^[\w\-._&&[^a-z]]{1,50}$"
DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
INTEGER = r"^[0-9]{1,20}$"
SPOT_CLIENT_ID = r"^[a-zA-Z0-9-_]{1,36}$"
USDM_CLIENT_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"

_SYMBOL = re.compile(r"[\w\-.]{1,50}")
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_INTEGER = re.compile(r"[0-9]{1,20}")
_CLIENT_ID = {SPOT_CLIENT_ID: re.compile(SPOT_CLIENT_ID), USDM_CLIENT_ID: re.compile(USDM_CLIENT_ID)}
_TIMING = frozenset({"timestamp", "recvWindow", "signature", "apiKey", "returnRateLimits"})


def split_pairs(text: str) -> list[tuple[str, str]]:
    """Split a query or a form into decoded pairs, in order."""
    found = []
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            found.append((unquote_plus(name), unquote_plus(value)))
    return found


def without_signature(text: str) -> tuple[str, str | None]:
    """Take ``signature=…`` out of a raw query or form; return the rest as it came, and the signature decoded."""
    if "signature=" not in text:
        return text, None
    kept, signature = [], None
    for part in text.split("&"):
        if part.startswith("signature="):
            signature = unquote_plus(part[10:])
        else:
            kept.append(part)
    return "&".join(kept), signature


def as_text(value: Any) -> str:
    """Write a JSON value of a WebSocket request as it would stand in a query."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return msgspec.json.encode(value).decode()


@lru_cache(maxsize=65_536)
def decimals_of(text: str) -> int | None:
    """Return how many decimals a number in plain text needs, −1 for zero, ``None`` for what is no number."""
    if _DECIMAL.fullmatch(text) is None:
        return None
    whole, _, rest = text.partition(".")
    rest = rest.rstrip("0")
    return len(rest) if rest or whole.strip("0") else -1


class Params:
    """Read parameters by name. What was sent but never read can be asked for at the end."""

    def __init__(self, values: Mapping[str, str], *, client_id_rule: str = SPOT_CLIENT_ID) -> None:
        self._values = values
        self._read: set[str] = set()
        self._client_id_rule = client_id_rule

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]], *, client_id_rule: str = SPOT_CLIENT_ID) -> Params:
        """Build from decoded pairs; the first of two equal names counts, as a query counts before a body."""
        values: dict[str, str] = {}
        for name, value in pairs:
            values.setdefault(name, value)
        return cls(values, client_id_rule=client_id_rule)

    @classmethod
    def from_json(cls, params: Mapping[str, Any] | None, *, client_id_rule: str = SPOT_CLIENT_ID) -> Params:
        """Build from the ``params`` of a WebSocket request; null is the same as not sent."""
        found = {
            name: value if type(value) is str else as_text(value)
            for name, value in (params or {}).items()
            if value is not None
        }
        return cls(found, client_id_rule=client_id_rule)

    def with_value(self, name: str, value: str) -> Params:
        """Return the same parameters with one more that the venue knows by itself; reads count for both."""
        found = Params({**self._values, name: value}, client_id_rule=self._client_id_rule)
        found._read = self._read
        return found

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def text(self, name: str, default: str = "") -> str:
        """Return a text, or the default when it was not sent or is empty."""
        found = self._values.get(name)
        if not found:
            return default
        self._read.add(name)
        return found

    def need(self, name: str) -> str:
        """Return a text that must be there."""
        found = self.text(name)
        if not found:
            raise errors.missing(name)
        return found

    def symbol(self, name: str = "symbol") -> str:
        """Return a symbol that must be there; whether it exists is the caller's question."""
        found = self.need(name)
        if _SYMBOL.fullmatch(found) is None or found != found.upper():
            raise errors.illegal(name, SYMBOL)
        return found

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Return a whole number, or the default."""
        found = self.text(name)
        if not found:
            return default
        if _INTEGER.fullmatch(found) is None:
            raise errors.illegal(name, INTEGER)
        return int(found)

    def limit(self, default: int, most: int, name: str = "limit") -> int:
        """Return how many rows are wanted: the default when not sent, never more than ``most``."""
        found = self.integer(name, default)
        if found is None or found < 1:
            raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")
        return min(found, most)

    def decimal(self, name: str) -> Decimal | None:
        """Return a decimal number, or None when it was not sent."""
        found = self.text(name)
        if not found:
            return None
        if _DECIMAL.fullmatch(found) is None:
            raise errors.illegal(name, DECIMAL)
        return Decimal(found)

    def number(self, name: str) -> tuple[str, int] | None:
        """Return a decimal number as text with its decimals (−1: it is zero), or None when it was not sent."""
        found = self.text(name)
        if not found:
            return None
        decimals = decimals_of(found)
        if decimals is None:
            raise errors.illegal(name, DECIMAL)
        return found, decimals

    def need_decimal(self, name: str) -> Decimal:
        """Return a decimal number that must be there."""
        found = self.decimal(name)
        if found is None:
            raise errors.missing(name)
        return found

    def boolean(self, name: str) -> bool | None:
        """Return true or false, or None when it was not sent."""
        found = self.text(name).lower()
        if not found:
            return None
        if found not in ("true", "false"):
            raise errors.invalid_data(name)
        return found == "true"

    def client_id(self, name: str) -> str:
        """Return a client's own id in the venue's form, or ``""`` when it was not sent."""
        found = self.text(name)
        if found and _CLIENT_ID[self._client_id_rule].fullmatch(found) is None:
            if self._client_id_rule == USDM_CLIENT_ID and len(found) > 36:
                raise ApiError(-4015, "Client order id length should not be more than 36 chars.")
            raise errors.illegal(name, self._client_id_rule)
        return found

    def json(self, name: str) -> Any:
        """Return a parameter that holds JSON, or None when it was not sent."""
        found = self.text(name)
        if not found:
            return None
        try:
            return msgspec.json.decode(found)
        except msgspec.DecodeError as reason:
            raise ApiError(-1135, f"JSON sent for parameter '{name}' is not valid") from reason

    def names(self, name: str) -> list[str]:
        """Return a JSON list of texts, ``[]`` when not sent."""
        found = self.json(name)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise errors.invalid_data(name)
        return found

    def allow(self, *names: str) -> None:
        """Count parameters as read that this venue takes and does nothing with."""
        self._read.update(names)

    def refuse_unread(self) -> None:
        """Refuse the request if it carries parameters that nobody asked for."""
        sent = [name for name, value in self._values.items() if value != ""]
        unread = [name for name in sent if name not in self._read and name not in _TIMING]
        if not unread:
            return
        read = len(sent) - len(unread)
        if not read:
            raise ApiError(-1101, f"Too many parameters; expected '0' and received '{len(sent)}'.")
        raise ApiError(
            -1104,
            f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{len(sent)}'.",
        )
