"""How people write what they trade (``BTC``, ``BTC/USDT``, ``BTCUSDT``), and which instrument of a venue that is."""

from __future__ import annotations

from lanner.core.errors import ConfigError
from lanner.venues.registry import instrument_at, products_of

QUOTES = ("USDT", "USDC", "USD", "BTC", "ETH")
"""Currencies that a symbol without a separator may end with."""


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return base and quote of ``BTC-USDT``, ``BTC/USDT``, ``BTCUSDT`` or ``BTC`` (whose quote is USDT)."""
    text = symbol.strip().upper().removesuffix("-PERP")
    for mark in ("/", "-", "_"):
        base, found, quote = text.partition(mark)
        if found and base and quote:
            return base, quote
    for quote in QUOTES:
        if text.endswith(quote) and len(text) > len(quote):
            return text.removesuffix(quote), quote
    return text, "USDT"


def instrument_of(exchange: str, symbol: str) -> str:
    """Return the instrument id of a symbol at a venue or product; an instrument id is taken as it is."""
    text = symbol.strip()
    if not text:
        raise ConfigError("no symbol is given", expected="e.g. BTC-USDT, or an instrument id")
    if "@" in text or text.rpartition(".")[0]:
        return instrument_at(text)
    product = exchange.strip().lower().replace("_", "-") or "hyperliquid"
    products = products_of(product)
    venue = products[0].partition("-")[0].upper()
    if venue == "HYPERLIQUID":
        is_spot = any(mark in text for mark in "/-") and not text.upper().endswith("-PERP")
        base, quote = split_symbol(text)
        name = f"{base}-{quote}" if is_spot and quote != "USD" else f"{base}-PERP"
        return instrument_at(f"{name}.{venue}")
    base, quote = split_symbol(text)
    if products == ("binance-usdm",) or text.upper().endswith("-PERP"):
        return instrument_at(f"{base}{quote}-PERP.{venue}")
    return instrument_at(f"{base}-{quote}.{venue}")
