"""Which products there are, and how a codec for one is made. Nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from lanner.core.errors import ConfigError, NotFoundError
from lanner.model.instruments import check_instrument_id

if TYPE_CHECKING:
    from lanner.model.commands import SubmitOrder
    from lanner.model.instruments import Instrument
    from lanner.venues.codec import Codec, Endpoints, ProductSpec
    from lanner.venues.keys import Keys


@dataclass(frozen=True, slots=True)
class _Product:
    venue: str
    spec: str
    codec: str
    check: str


_PRODUCTS: Mapping[str, _Product] = {
    "hyperliquid": _Product(
        "HYPERLIQUID",
        "lanner.venues.hyperliquid.spec:HYPERLIQUID",
        "lanner.venues.hyperliquid.codec:HyperliquidCodec",
        "lanner.venues.hyperliquid.actions:check_order",
    ),
    "binance-spot": _Product(
        "BINANCE",
        "lanner.venues.binance.spec:BINANCE_SPOT",
        "lanner.venues.binance.spot:BinanceSpotCodec",
        "lanner.venues.binance.orders:check_spot",
    ),
    "binance-usdm": _Product(
        "BINANCE",
        "lanner.venues.binance.spec:BINANCE_USDM",
        "lanner.venues.binance.usdm:BinanceUsdmCodec",
        "lanner.venues.binance.orders:check_usdm",
    ),
}

PRODUCTS = tuple(_PRODUCTS)
VENUES = tuple(dict.fromkeys(product.venue for product in _PRODUCTS.values()))


def product_spec(product: str) -> ProductSpec:
    """Return the facts of a product, or raise ``NotFoundError`` naming those there are."""
    return cast("ProductSpec", _load(_entry(product).spec))


def products_of(venue: str) -> tuple[str, ...]:
    """Return the products of a venue, by its name in any case; a product's own name is taken too."""
    if venue.lower() in _PRODUCTS:
        return (venue.lower(),)
    found = tuple(name for name, product in _PRODUCTS.items() if product.venue == venue.upper())
    if not found:
        raise NotFoundError(
            f"no venue {venue!r}",
            expected=f"one of {', '.join((*VENUES, *PRODUCTS))}",
            fix="See `lanner venues`.",
        )
    return found


def product_of(instrument_id: str) -> str:
    """Return the product that trades an instrument: perpetuals and spot pairs of Binance have a wire each."""
    symbol, _, venue = check_instrument_id(instrument_id).rpartition(".")
    products = products_of(venue)
    if len(products) == 1:
        return products[0]
    return "binance-usdm" if symbol.upper().endswith("-PERP") else "binance-spot"


def instrument_at(text: str) -> str:
    """Turn ``BTC-PERP@hyperliquid`` (or an instrument id) into an instrument id; small letters mean the same."""
    symbol, found, venue = text.strip().rpartition("@")
    if not found:
        symbol, found, venue = text.strip().rpartition(".")
    if not found or not symbol or not venue:
        raise ConfigError(
            "not an instrument of a venue",
            expected="INSTRUMENT@VENUE, e.g. BTC-PERP@hyperliquid or BTC-USDT@binance",
            found=repr(text),
        )
    if venue.lower() in _PRODUCTS:
        venue = _PRODUCTS[venue.lower()].venue
    products_of(venue)
    # some symbols mix cases on purpose (kPEPE); one that is typed in small letters throughout is not meant so
    return check_instrument_id(f"{symbol.upper() if symbol.islower() else symbol}.{venue.upper()}")


def check_base_url(url: str) -> None:
    """Raise ``ConfigError`` for what is not the address of a server."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port out of range, brackets that are not closed
        fine = False
    if not fine:
        raise ConfigError("not a base URL", expected="http://HOST:PORT or https://HOST", found=repr(url))


def endpoints_of(spec: ProductSpec, *, url: str = "", testnet: bool = False) -> Endpoints:
    """Return where to go: a server of one's own at ``url``, else the test network or the venue itself."""
    if not url:
        return spec.testnet if testnet else spec.mainnet
    check_base_url(url)
    return spec.local(url.rstrip("/"))


def make_codec(product: str, endpoints: Endpoints, keys: Keys | None = None) -> Codec:
    """Build the codec of a product."""
    return cast("Codec", _load(_entry(product).codec)(endpoints, keys))  # type: ignore[operator]


def order_check(product: str) -> Callable[[SubmitOrder, Instrument], None]:
    """Return what raises ``VenueError`` for an order that a product does not have; nothing is sent by it."""
    return cast("Callable[[SubmitOrder, Instrument], None]", _load(_entry(product).check))


def _entry(product: str) -> _Product:
    found = _PRODUCTS.get(product.lower())
    if found is None:
        raise NotFoundError(f"no product {product!r}", expected=f"one of {', '.join(_PRODUCTS)}")
    return found


def _load(target: str) -> object:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
