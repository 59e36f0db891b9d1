"""Conclude instrument, venue and timeframe from symbols and file names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lanner.core.errors import DataError
from lanner.model.timeframes import TIMEFRAMES_NS

QUOTES = (
    "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USDP", "USDD", "DAI", "USD", "EUR", "GBP", "JPY", "TRY", "BRL", "AUD",
    "CHF", "CAD", "KRW", "BTC", "XBT", "ETH", "BNB",
)  # fmt: skip
_CRYPTO_QUOTES = frozenset({"BTC", "XBT", "ETH", "BNB"})
_VENUE_NAMES = (
    "binance", "binanceus", "bitfinex", "bitget", "bitmex", "bitstamp", "bittrex", "bybit", "coinbase", "deribit",
    "dydx", "ftx", "gemini", "hyperliquid", "kraken", "kucoin", "mexc", "okx", "poloniex", "upbit",
)  # fmt: skip
_VENUE_NICKNAMES = {
    "okex": "OKX",
    "gdax": "COINBASE",
    "gateio": "GATEIO",
    "huobi": "HUOBI",
    "htx": "HUOBI",
    "candlesnapshot": "HYPERLIQUID",
}
VENUES = {name: name.upper() for name in _VENUE_NAMES} | _VENUE_NICKNAMES
LOCAL = "LOCAL"
"""Venue of data that does not tell where it was traded."""

_WORDS = {
    "d": "1d", "daily": "1d", "day": "1d", "1day": "1d", "h": "1h", "hour": "1h", "hourly": "1h", "1hour": "1h",
    "60m": "1h", "minute": "1m", "1min": "1m", "min": "1m", "5min": "5m", "15min": "15m", "30min": "30m",
    "240m": "4h", "1440m": "1d", "weekly": "1w", "week": "1w", "monthly": "1M", "1mo": "1M", "24h": "1d", "7d": "1w",
}  # fmt: skip
_NOISE_WORDS = (
    "test", "candles", "candle", "ohlcv", "ohlc", "bars", "bar", "trades", "trade", "quotes", "quote", "data",
    "book", "depth", "klines", "kline", "aggtrades", "history", "historical", "price", "prices", "spot",
    "futures", "perp", "swap", "mark", "public", "list", "csv", "feather", "json", "parquet", "arrow", "ipc",
    "txt", "gz", "zip", "snap", "update", "snapshot", "simple", "example", "part", "incremental", "l2", "df",
    "sample", "ticks", "tick", "perpetual",
)  # fmt: skip
_NOISE = frozenset(_NOISE_WORDS)
_ARCHIVE = re.compile(
    r"^[A-Z0-9_]+-(\d+[smhdwM]o?|trades|aggTrades|bookTicker|fundingRate)-\d{4}-\d{2}(-\d{2})?\b"
)
_MARKETS = {
    "binance-futures": ("BINANCE", True), "binance-delivery": ("BINANCE", True), "binance-us": ("BINANCEUS", False),
    "bitmex": ("BITMEX", True), "deribit": ("DERIBIT", True), "bybit": ("BYBIT", True), "bybit-spot": ("BYBIT", False),
    "huobi-dm-swap": ("HUOBI", True), "huobi-dm-linear-swap": ("HUOBI", True), "okex": ("OKX", False),
    "okex-swap": ("OKX", True), "hyperliquid": ("HYPERLIQUID", True), "dydx": ("DYDX", True),
    "gate-io-futures": ("GATEIO", True), "kucoin-futures": ("KUCOIN", True), "kraken-futures": ("KRAKEN", True),
    "cryptofacilities": ("KRAKEN", True), "bitget-futures": ("BITGET", True), "coinbase": ("COINBASE", False),
}  # fmt: skip


@dataclass(slots=True)
class Named:
    """An instrument's id with what is known about it."""

    id: str
    inverse: bool = False


@dataclass(slots=True)
class Namer:
    """Turn the symbols of one source into instrument ids: the user's word first, then content, then file name."""

    path: Path
    given: str = ""
    venue: str = ""
    perp: bool = False
    symbol: str = ""
    timeframe: str = ""
    notes: list[str] = field(default_factory=list)
    inverse: set[str] = field(default_factory=set)
    seen: dict[str, str] = field(default_factory=dict)
    only: str = ""
    stored: Mapping[tuple[str, str, bool], str] = field(default_factory=dict)

    def id_of(self, symbol: str = "", *, venue: str = "", perp: bool | None = None) -> str:
        """Return the instrument id for a symbol as the file writes it (empty: the file has none)."""
        known = self.seen.get(symbol)
        if known is not None:
            return known
        if self.unwanted(symbol):
            return ""
        if self.given:
            if self.seen:
                raise DataError(
                    f"{self.path.name} holds several symbols but --instrument names only one",
                    expected=f"only {next(iter(self.seen))!r}",
                    found=repr(symbol),
                    fix="Leave --instrument out to import each under its own name, or pick one with --symbol.",
                )
            self.seen[symbol] = self.given
            return self.given
        text = symbol or self.symbol
        at = venue or self.venue
        if not text:
            text = _plain(self.path)
            self.notes.append(f"no symbol found; named after the file: {text}")
        if not at:
            at = LOCAL
            self.notes.append(f"the venue is not known; named {LOCAL}")
        is_perp = self.perp if perp is None else perp
        named = name_instrument(text, at, is_perp)
        told = self.stored.get(
            (plain_symbol(text), at, is_perp or named.id.rpartition(".")[0].endswith("-PERP"))
        )
        if told is not None:
            named = Named(told)
        if named.inverse:
            self.inverse.add(named.id)
        self.seen[symbol] = named.id
        return named.id

    def unwanted(self, symbol: str) -> bool:
        """Tell whether the user asked for another symbol only; such rows have the empty id and are dropped."""
        return bool(self.only) and symbol.upper() != self.only.upper()

    def note_text(self, instrument_id: str) -> str:
        """Return how the name was concluded, for the user."""
        more = f" ({'; '.join(self.notes)})" if self.notes else ""
        return f"instrument {instrument_id} concluded from the {'content' if any(self.seen) else 'file name'}{more}"


def names_of(instrument_ids: Iterable[str]) -> dict[tuple[str, str, bool], str]:
    """Return ids by bare symbol, venue and whether perpetual, so that ``BTCUAH`` finds ``BTC-UAH.BINANCE``."""
    names = {}
    for instrument_id in instrument_ids:
        symbol, _, venue = instrument_id.rpartition(".")
        names[plain_symbol(symbol.removesuffix("-PERP")), venue, symbol.endswith("-PERP")] = instrument_id
    return names


def plain_symbol(symbol: str) -> str:
    """Return a symbol without what separates base, quote and kind of contract."""
    upper = re.sub(r"[_-](PERP|PERPETUAL|SWAP)$", "", symbol.strip().upper())
    return re.sub(r"[^A-Z0-9]", "", upper)


def namer_for(
    path: Path, inner_name: str, given: str, stored: Mapping[tuple[str, str, bool], str] | None = None
) -> Namer:
    """Return a namer that knows what the path of a file says, and the instruments that are stored."""
    namer = Namer(path, given, stored=stored or {})
    tokens = _tokens(path, inner_name)
    for token in tokens:
        namer.venue = namer.venue or VENUES.get(token.lower(), "")
        namer.timeframe = namer.timeframe or timeframe_word(token)
    namer.symbol = _symbol_in(tokens)
    if _ARCHIVE.match(inner_name):
        namer.venue = namer.venue or "BINANCE"
    name = inner_name.lower()
    namer.perp = bool(
        re.search(r"(?<![a-z])(perp|perpetual|swap|usdm|futures)(?![a-z])", f"{path.parent.name}/{name}")
    )
    return namer


def name_instrument(symbol: str, venue: str, perp: bool) -> Named:
    """Return the house's id for a venue's symbol, e.g. ``BTCUSDT`` → ``BTC-USDT.BINANCE``."""
    text = symbol.strip()
    upper = text.upper()
    if venue == "HYPERLIQUID" and not re.search(r"[/@]", text):
        return Named(f"{text.removesuffix('-PERP')}-PERP.{venue}")
    if upper.endswith(("_PERP", "-PERPETUAL", "-SWAP", "-PERP")):
        stem = re.sub(r"[_-](PERP|PERPETUAL|SWAP)$", "", upper).replace("-", "").replace("_", "")
        inverse = (
            upper.endswith(("_PERP",)) or (venue == "DERIBIT" and "USDC" not in upper) or stem.endswith("USD")
        )
        return Named(f"{stem}-PERP.{venue}", inverse and venue != "DYDX")
    if re.search(r"[_-]\d{6}$", upper):
        return Named(f"{upper.replace('_', '-')}.{venue}", True)
    base, quote = split_symbol(upper)
    if perp:
        inverse = quote == "USD" and venue not in ("HYPERLIQUID", "DYDX", "KRAKEN")
        return Named(f"{base}{quote}-PERP.{venue}", inverse)
    return Named(f"{base}-{quote or 'USD'}.{venue}")


def tardis_market(exchange: str) -> tuple[str, bool]:
    """Return venue and whether it lists perpetuals for a Tardis exchange name."""
    return _MARKETS.get(exchange, (VENUES.get(exchange, exchange.upper().replace(".", "-")), False))


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return base and quote of ``BTCUSDT``, ``BTC-USDT``, ``BTC/USDT`` or ``BTC_USDT``; the quote may be empty."""
    text = symbol.upper()
    for separator in "-/_:":
        base, found, quote = text.partition(separator)
        if found and base and quote:
            return base, re.split(r"[-/_:]", quote)[0]
    for quote in QUOTES:
        # XBTUSD is XBT in USD, not XB in TUSD; BTCTUSD is BTC in TUSD.
        shortest = 3 if quote == "TUSD" else 2
        if text.endswith(quote) and len(text) >= len(quote) + shortest and text != "USDTUSD":
            return text[: -len(quote)], quote
    return text, ""


def timeframe_word(token: str) -> str:
    """Return the timeframe a word of a file name means, or an empty string."""
    if token in TIMEFRAMES_NS:
        return token
    lower = token.lower()
    return lower if lower in TIMEFRAMES_NS and token != "1M" else _WORDS.get(lower, "")


def _tokens(path: Path, inner_name: str) -> list[str]:
    """Return the words of the content's name, then those of the path, without dates and numbers."""
    words: list[str] = []
    for part in (inner_name, path.name, *list(reversed(path.parts[:-1]))[:3]):
        words += [word for word in re.split(r"[_\-. ]", part) if word]
    return [word for word in words if not re.fullmatch(r"\d+", word)]


def _symbol_in(tokens: list[str]) -> str:
    """Return the first pair in the words: ``BTCUSDT``, or two words ``LTC BTC``."""
    for first, second in zip(tokens, [*tokens[1:], ""], strict=True):
        if timeframe_word(first) or first.lower() in _NOISE or first.lower() in VENUES or not first.isalnum():
            continue
        if second.upper() in QUOTES and (first.upper() not in QUOTES or first.upper() in _CRYPTO_QUOTES):
            return f"{first.upper()}-{second.upper()}"
        base, quote = split_symbol(first)
        if quote and len(base) <= 12 and base.isalnum() and base.lower() not in _NOISE:
            return f"{base}-{quote}" if quote != "XBT" else f"{base}-BTC"
    return ""


def _plain(path: Path) -> str:
    words = [word for word in re.split(r"[^A-Za-z0-9]+", path.name.split(".")[0]) if word]
    useful = [
        word
        for word in words
        if word.lower() not in _NOISE and not word.isdigit() and not timeframe_word(word)
    ]
    return (useful or words or ["DATA"])[0].upper()
