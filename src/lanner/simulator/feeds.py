"""The feed that a configuration names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.core.errors import ConfigError
from lanner.core.rng import Rng
from lanner.simulator.feed import Feed, SyntheticFeed, path_of
from lanner.simulator.listing import start_price

if TYPE_CHECKING:
    from lanner.simulator.config import ServeConfig
    from lanner.simulator.exchange import Exchange


def make_feed(config: ServeConfig, dialect: str, exchange: Exchange) -> Feed | None:
    """Return the feed of a dialect, ``None`` for an empty market."""
    text = config.feeds.get(dialect, config.feed)
    kind, _, what = text.partition(":")
    rng = Rng(config.seed).split(f"feed/{dialect}")
    if kind == "none":
        return None
    if kind == "synthetic":
        return SyntheticFeed(exchange, rng, rate=config.rate, prices=start_price, vol=config.vol)
    if kind == "recorded" and what:
        from lanner.simulator.recorded import RecordedFeed

        return RecordedFeed(exchange, Path(what))
    if kind == "catalog" and what:
        return _from_catalog(config, what, exchange, rng)
    raise ConfigError(
        "no feed of this name",
        expected="synthetic, none, recorded:FILE or catalog:INSTRUMENT[@1m|@trades]",
        found=text,
    )


def _from_catalog(config: ServeConfig, ref: str, exchange: Exchange, rng: Rng) -> Feed:
    """Let the agents follow the prices of a data set; it moves the market whose base currency is the same."""
    instrument_id, _, spec = ref.partition("@")
    points = _points(config, instrument_id, spec or "1m")
    base = instrument_id.split("-")[0].split(".")[0].upper()
    market = next((one for one in exchange.markets.values() if base in (one.base, one.symbol)), None)
    if market is None:
        raise ConfigError(
            f"the venue lists no market of {base}",
            expected=f"one of {', '.join(exchange.markets)}",
            found=instrument_id,
        )
    paths = {market.symbol: path_of(points)}
    return SyntheticFeed(exchange, rng, rate=config.rate, prices=start_price, vol=config.vol, paths=paths)


def _points(config: ServeConfig, instrument_id: str, spec: str) -> Iterator[tuple[int, float]]:
    """Return (ns since the first row, price), without holding more than a chunk of rows."""
    from lanner.storage.catalog import Catalog
    from lanner.storage.environment import default_catalog

    catalog = Catalog(Path(config.catalog) if config.catalog else default_catalog())
    kind, column = ("trades", "px") if spec == "trades" else ("bars", "close")
    name = "" if spec == "trades" else spec
    catalog.require(kind, instrument_id, name)

    def rows() -> Iterator[tuple[int, float]]:
        first: int | None = None
        for chunk in catalog.scan(kind, instrument_id, name):
            for moment, price in zip(chunk["ts_event"].to_list(), chunk[column].to_list(), strict=True):
                first = moment if first is None else first
                yield moment - first, price

    return rows()
