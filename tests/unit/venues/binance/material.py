"""Codecs, instruments and recorded messages that the tests of Binance share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lanner.model.instruments import Instrument
from lanner.venues.binance.spec import BINANCE_SPOT, BINANCE_USDM
from lanner.venues.binance.spot import BinanceSpotCodec
from lanner.venues.binance.usdm import BinanceUsdmCodec
from lanner.venues.keys import Keys

BTC = Instrument.spot("BTC-USDT.BINANCE", tick="0.01", lot="0.00001", symbol="BTCUSDT")
PERP = Instrument.perp("BTCUSDT-PERP.BINANCE", tick="0.1", lot="0.001", symbol="BTCUSDT")
FINE = "0.00000001"
QUOTES = ("USDT", "USDC", "BTC", "BNB", "ETH", "USD")
DAY_MS = 86_400_000
Codec = BinanceSpotCodec | BinanceUsdmCodec
_STRIPPED = (
    "binance_connector_python/websocket_streams",
    "binance_connector_python/rest_api/market_api",
)
"""Files whose source kept no prices and quantities: they show which fields there are, not what they hold."""


def keys(kind: str = "hmac") -> Keys:
    """Return a throw-away key."""
    return Keys(kind, "devA" * 16, api_key="keyA" * 16)


def spot(signer: Keys | None = None) -> BinanceSpotCodec:
    """Return a codec of spot that knows BTC-USDT on the venue's real grid."""
    codec = BinanceSpotCodec(BINANCE_SPOT.mainnet, signer or keys())
    codec.use([BTC])
    return codec


def usdm(signer: Keys | None = None) -> BinanceUsdmCodec:
    """Return a codec of USD-M that knows the perpetual on BTCUSDT."""
    codec = BinanceUsdmCodec(BINANCE_USDM.mainnet, signer or keys())
    codec.use([PERP])
    return codec


@dataclass(frozen=True)
class Sample:
    """One recorded or documented message; ``path`` is empty for a frame of a socket."""

    name: str
    method: str
    path: str
    body: Any

    @property
    def raw(self) -> bytes:
        """Return the message as bytes."""
        return self.body.encode() if isinstance(self.body, str) else msgspec.json.encode(self.body)


def samples(folder: Path) -> list[Sample]:
    """Read all messages of a venue's folder, whatever form their source keeps them in."""
    found = []
    for file in sorted(folder.rglob("*.json")):
        name = str(file.relative_to(folder))
        if name.startswith(_STRIPPED):
            continue
        content = json.loads(file.read_text())
        found += [Sample(f"{name}#{i}", *one) for i, one in enumerate(_messages(content))]
    return found


def _messages(content: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(content, dict) and "path" in content and "response" in content:
        yield content["method"], content["path"], content["response"]
    elif isinstance(content, dict) and any(_is_call(part) for part in content.values()):
        for part in content.values():
            if _is_call(part):
                yield part.get("method", ""), part.get("path", ""), part["expected_response"]
    elif isinstance(content, list) and content and isinstance(content[0], dict) and "section" in content[0]:
        yield from _documented(content)
    elif isinstance(content, list) and content and isinstance(content[0], dict) and "dir" in content[0]:
        for part in content:
            if part["dir"].startswith("server") and not isinstance(part["payload"], str):
                yield "", "", part["payload"]
    else:
        yield "", "", content


def _is_call(part: Any) -> bool:
    return isinstance(part, dict) and "expected_response" in part


def _documented(content: list[Any]) -> Iterator[tuple[str, str, Any]]:
    place, section = "", ""
    for part in content:
        if "http" in part:
            place, section = part["http"], part["section"]
        elif "payload" in part:
            method, _, path = place.partition(" ") if part["section"] == section else ("", "", "")
            yield method, path, part["payload"]


def symbols_of(body: Any) -> set[str]:
    """Return all symbols that a message names."""
    if isinstance(body, dict):
        own = {body[key] for key in ("s", "symbol") if isinstance(body.get(key), str)}
        return own.union(*(symbols_of(part) for part in body.values())) if body else own
    if isinstance(body, list):
        return set().union(*(symbols_of(part) for part in body)) if body else set()
    return set()


def fine_instruments(symbols: set[str], *, perp: bool) -> list[Instrument]:
    """Make instruments on a grid so fine that no recorded number falls between its points."""
    found = []
    for symbol in sorted(symbols):
        quote = next((one for one in QUOTES if symbol.endswith(one) and symbol != one), "")
        if not quote or not symbol.isascii():
            continue
        base = symbol.removesuffix(quote)
        if perp:
            name = f"{symbol}-PERP.BINANCE"
            found.append(Instrument.perp(name, tick=FINE, lot=FINE, symbol=symbol))
        else:
            found.append(Instrument.spot(f"{base}-{quote}.BINANCE", tick=FINE, lot=FINE, symbol=symbol))
    return found


def fixture_codec(product: str, messages: list[Sample]) -> Codec:
    """Return a codec that knows every symbol of these messages."""
    perp = product == "binance_usdm"
    codec: Codec = usdm() if perp else spot()
    codec.use(fine_instruments(set().union(*(symbols_of(one.body) for one in messages)), perp=perp))
    return codec
