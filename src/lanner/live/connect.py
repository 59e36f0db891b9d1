"""Reach a product: codec, link, clock and instruments, ready to be asked."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lanner.core.errors import ConfigError, NotFoundError
from lanner.net.sharing import can_share, remove_unused
from lanner.net.wallclock import wall_ns
from lanner.storage.environment import default_home, venue_urls
from lanner.venues.link import Link
from lanner.venues.registry import (
    PRODUCTS,
    check_base_url,
    endpoints_of,
    make_codec,
    product_of,
    product_spec,
)

if TYPE_CHECKING:
    from lanner.model.instruments import Instrument
    from lanner.venues.codec import Codec, ProductSpec
    from lanner.venues.keys import Keys

_LOCAL = ("127.0.0.1", "localhost")
KEPT_LOCAL_S = 86_400.0
"""Servers on loopback come and go with their ports; what was shared about them is removed after a day of disuse."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which network: the venue itself, its test network, or servers at URLs of one's own (by product; ``""``: all)."""

    urls: Mapping[str, str] = field(default_factory=dict)
    testnet: bool = False
    ca_file: str = ""

    def url(self, product: str) -> str:
        """Return the base URL for a product, empty for the venue's own."""
        return self.urls.get(product) or self.urls.get("", "")


def parse_urls(texts: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Read ``--url`` options: ``URL`` (for whatever is asked), or ``PRODUCT=URL``; else ``ConfigError``."""
    urls: dict[str, str] = {}
    for text in texts:
        product, found, url = text.partition("=")
        if text.startswith(("http://", "https://")) or not found:
            product, url = "", text
        if product and product not in PRODUCTS:
            raise ConfigError(
                "no such product", expected=f"one of {', '.join(PRODUCTS)}", found=repr(product)
            )
        try:
            check_base_url(url)
        except ConfigError:
            raise ConfigError(
                "not a base URL", expected="http://HOST:PORT or PRODUCT=http://HOST:PORT", found=repr(text)
            ) from None
        urls[product] = url
    return urls


def servers(told: Mapping[str, str], *, testnet: bool) -> dict[str, str]:
    """Return the servers to use instead of the venues: those that were told, else those of ``LANNER_URL``."""
    return dict(told) or ({} if testnet else parse_urls(venue_urls()))


@asynccontextmanager
async def connect(
    product: str, where: Where, *, keys: Keys | None = None, urgent: bool = False
) -> AsyncIterator[Link]:
    """Open a link to a product; its clock is compared now and every minute until it is closed at the end.

    ``urgent`` as in ``Link``.
    """
    spec = product_spec(product)
    endpoints = endpoints_of(spec, url=where.url(product), testnet=where.testnet)
    link = _shared_link(make_codec(product, endpoints, keys), where.ca_file, keys, urgent=urgent)
    if keys is not None and _tells_rights(spec, where):
        link.rights_from = partial(connect, spec.rights_at, where, keys=keys, urgent=urgent)
    try:
        await link.open(follow=True)
        yield link
    finally:
        await link.close()


def _tells_rights(spec: ProductSpec, where: Where) -> bool:
    """Tell whether another product's server knows a key: the venue's own does, test networks have keys for each."""
    return bool(spec.rights_at) and not where.testnet and not where.url(spec.product)


def shared_files(codec: Codec, account: str = "") -> tuple[Path, Path, Path]:
    """Return the files in which all processes of this machine keep one server's budget, an account's own budget and
    the nonces used there."""
    spec = codec.spec
    buckets = [(name, bucket.limit, bucket.interval_s) for name, bucket in spec.buckets.items()]
    digest = hashlib.sha256(f"{codec.endpoints.rest} {buckets}".encode()).hexdigest()[:12]
    host = urlsplit(codec.endpoints.rest).netloc.rpartition("@")[2].replace(":", "_")
    stem = default_home() / "shared" / f"{spec.product}-{host}-{digest}"
    own = f"{stem.name}-{hashlib.sha256(account.encode()).hexdigest()[:12]}.orders"
    return stem.with_name(stem.name + ".budget"), stem.with_name(own), stem.with_name(stem.name + ".nonces")


def _shared_link(codec: Codec, ca_file: str, keys: Keys | None, *, urgent: bool) -> Link:
    """Open a link that shares budget and nonces.

    Where the home folder cannot hold them, whoever has no keys gets a link of its own, and so does a kill switch, which
    nothing may stop. With keys it is a ``ConfigError`` otherwise: programs that know nothing of each other give nonces
    twice and overdraw the limits of orders.
    """
    if can_share():
        account = keys.api_key if keys is not None else ""
        budget, own_budget, nonces = shared_files(codec, account)
        try:
            for local in _LOCAL:
                remove_unused(budget.parent, f"*-{local}_*", KEPT_LOCAL_S, wall_ns() / 1e9)
            return Link(
                codec,
                key_id=account,
                budget=budget,
                own_budget=own_budget if account else None,
                nonces=nonces if keys is not None and keys.kind == "wallet" else None,
                ca_file=ca_file,
                urgent=urgent,
            )
        except OSError as error:
            if keys is not None and not urgent:
                raise ConfigError(
                    "what the programs of this machine share about orders cannot be kept",
                    expected=f"a folder that can be written: {budget.parent}",
                    found=str(error),
                    fix="Make the folder writable, or name another home folder in LANNER_HOME.",
                ) from error
            # a home that cannot be written stops nobody from looking at a market
    return Link(codec, ca_file=ca_file, urgent=urgent)


async def load_instruments(link: Link) -> dict[str, Instrument]:
    """Fetch what the product trades and teach it to the codec."""
    instruments = await link.ask(link.codec.instruments_call())
    link.codec.use(instruments)
    return {instrument.id: instrument for instrument in instruments}


@asynccontextmanager
async def connect_for(instrument_id: str, where: Where) -> AsyncIterator[tuple[Link, Instrument]]:
    """Open a link to the product that trades an instrument; raise ``NotFoundError`` when it does not."""
    product = product_of(instrument_id)
    async with connect(product, where) as link:
        known = await load_instruments(link)
        if instrument_id not in known:
            raise unknown_instrument(instrument_id, product, known)
        yield link, known[instrument_id]


def unknown_instrument(instrument_id: str, product: str, known: Mapping[str, Instrument]) -> NotFoundError:
    """Say that a product does not trade an instrument, and which names come near."""
    from difflib import get_close_matches

    near = get_close_matches(instrument_id, list(known), n=4, cutoff=0.5) or list(known)[:4]
    return NotFoundError(
        f"{product} does not trade {instrument_id}",
        expected=f"one of its {len(known)} instruments, e.g. {', '.join(near)}",
    )
