"""The venue's names for its markets: asset numbers, coins, tokens; and the grid in its own words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.numbers import decimals_of, parse, price_fault, text
from lanner.simulator.markets import Market

TEXTS_KEPT = 50_000


class OrderError(Exception):
    """An order cannot be taken: the venue's words, and the status its history keeps (``""``: none)."""

    def __init__(self, words: str, status: str = "", *, whole_batch: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.status = status
        self.whole_batch = whole_batch


class Coin:
    """One market as the venue names it."""

    __slots__ = ("_px", "_sz", "asset", "base_token", "market", "name", "quote_token", "spot", "sz_decimals")

    def __init__(self, market: Market, asset: int, name: str) -> None:
        self.market = market
        self.asset = asset
        self.name = name
        self.spot = market.is_spot
        self.sz_decimals = decimals_of(market.instrument.lot)
        self.base_token = 0
        self.quote_token = 0
        self._px: dict[int, str] = {}
        self._sz: dict[int, str] = {}

    @property
    def symbol(self) -> str:
        """Return the exchange's name of the market."""
        return self.market.symbol

    def px(self, ticks: int) -> str:
        """Write a price."""
        found = self._px.get(ticks)
        if found is None:
            if len(self._px) > TEXTS_KEPT:
                self._px.clear()
            found = self._px[ticks] = text(self.market.px(ticks))
        return found

    def sz(self, lots: int) -> str:
        """Write a size; short ones are negative."""
        found = self._sz.get(lots)
        if found is None:
            if len(self._sz) > TEXTS_KEPT:
                self._sz.clear()
            found = self._sz[lots] = text(self.market.qty(lots))
        return found

    def ticks(self, raw: str) -> int:
        """Read a price; raise ``OrderError`` where the rules of decimals and figures are broken."""
        value = parse(raw)
        if value is None or not value:
            raise OrderError(spec.INVALID_PRICE, whole_batch=True)
        fault = price_fault(value, self.sz_decimals, spot=self.spot)
        if fault == "decimals":
            raise OrderError(spec.INVALID_PRICE, whole_batch=True)
        steps = value / self.market.instrument.tick
        if fault or steps != steps.to_integral_value():
            raise OrderError(spec.TICK, "tickRejected")
        return int(steps)

    def lots(self, raw: str) -> int:
        """Read a size; raise ``OrderError`` where it has too many decimals."""
        value = parse(raw)
        if value is None:
            raise OrderError(spec.INVALID_SIZE, whole_batch=True)
        steps = value / self.market.instrument.lot
        if steps != steps.to_integral_value() or steps >= 10**18:
            raise OrderError(spec.INVALID_SIZE, whole_batch=True)
        return int(steps)

    @property
    def reference(self) -> int:
        """Return the ticks that prices are measured against: the mark, else the last trade, else the middle."""
        return self.market.reference_ticks

    def mid(self) -> Decimal | None:
        """Return the middle of the book; the last price where a side is empty; ``None`` without either."""
        bid, ask = self.market.best_bid, self.market.best_ask
        if bid and ask:
            return self.market.px(bid[0] + ask[0]) / 2
        return self.market.px(self.market.last_ticks) if self.market.last_ticks else None


_TOKENS = {
    "USDC": ("0x6d1e7cde53ba9467b783cb7c530ce054", 8),
    "PURR": ("0xc1fb593aeffbeb02f85e0308e9956a90", 5),
    "HYPE": ("0x0d01dc56dcaaca66ad901c959b4011ec", 8),
}
"""Ids and wei decimals of tokens that clients know by heart."""


def _token_id(name: str) -> str:
    if name in _TOKENS:
        return _TOKENS[name][0]
    return "0x" + hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


class Universe:
    """All coins of a venue, by every name they have.

    Perps are numbered in the order of the exchange's markets, spot pairs by the ``@n`` of their symbol or in
    order. The venue's own pair ``PURR/USDC`` keeps its name, all others are called ``@n``.
    """

    def __init__(self, markets: Iterable[Market]) -> None:
        self.perps: list[Coin] = []
        self.spots: list[Coin] = []
        self.tokens: list[dict[str, Any]] = [self._token("USDC", 0, 8)]
        self._token_index = {"USDC": 0}
        self.by_asset: dict[int, Coin] = {}
        self.by_name: dict[str, Coin] = {}
        self.by_symbol: dict[str, Coin] = {}
        for market in markets:
            coin = self._spot(market) if market.is_spot else self._perp(market)
            self.by_asset[coin.asset] = coin
            self.by_name[coin.name] = coin
            self.by_symbol[market.symbol] = coin
        self.coins = [*self.perps, *self.spots]

    def _perp(self, market: Market) -> Coin:
        coin = Coin(market, len(self.perps), market.base)
        self.perps.append(coin)
        return coin

    def _spot(self, market: Market) -> Coin:
        name = f"{market.base}/{market.quote}"
        marked = market.symbol[1:] if market.symbol.startswith("@") else ""
        taken = {coin.asset - spec.SPOT_OFFSET for coin in self.spots}
        index = int(marked) if marked.isdigit() else 0 if name == "PURR/USDC" else 1
        while index in taken:
            index += 1
        coin = Coin(market, spec.SPOT_OFFSET + index, name if name == "PURR/USDC" else f"@{index}")
        coin.base_token = self._add_token(market.base, coin.sz_decimals)
        coin.quote_token = self._add_token(market.quote, 8)
        self.spots.append(coin)
        return coin

    def _add_token(self, name: str, size_decimals: int) -> int:
        index = self._token_index.get(name)
        if index is None:
            index = self._token_index[name] = len(self.tokens)
            self.tokens.append(self._token(name, index, size_decimals))
        return index

    @staticmethod
    def _token(name: str, index: int, size_decimals: int) -> dict[str, Any]:
        return {
            "name": name,
            "szDecimals": size_decimals,
            "weiDecimals": _TOKENS[name][1] if name in _TOKENS else size_decimals + 5,
            "index": index,
            "tokenId": _token_id(name),
            "isCanonical": name in ("USDC", "PURR"),
            "evmContract": None,
            "fullName": None,
            "deployerTradingFeeShare": "0.0",
        }

    def token_named(self, wire: str) -> str | None:
        """Return the asset behind ``NAME:0xid`` or ``NAME``, or ``None``."""
        name, _, token_id = wire.partition(":")
        index = self._token_index.get(name)
        if index is None or (token_id and self.tokens[index]["tokenId"] != token_id):
            return None
        return name

    def token_index(self, name: str) -> int:
        """Return a token's number, −1 for one that has none."""
        return self._token_index.get(name, -1)

    def meta(self) -> dict[str, Any]:
        """Return the perps as ``meta`` describes them."""
        tables: dict[int, Any] = {}
        universe = []
        for coin in self.perps:
            leverage = coin.market.max_leverage
            tables[leverage] = self._margin_table(coin.market)
            universe.append(
                {
                    "szDecimals": coin.sz_decimals,
                    "name": coin.name,
                    "maxLeverage": leverage,
                    "marginTableId": leverage,
                }
            )
        return {
            "universe": universe,
            "marginTables": [[key, table] for key, table in sorted(tables.items())],
            "collateralToken": 0,
        }

    @staticmethod
    def _margin_table(market: Market) -> dict[str, Any]:
        tiers = []
        lower = "0.0"
        for bracket in market.brackets:
            tiers.append({"lowerBound": lower, "maxLeverage": bracket.max_leverage})
            lower = text(Decimal(bracket.cap_atoms) / 10**12)
        return {
            "description": "" if len(tiers) == 1 else f"tiered {market.max_leverage}x",
            "marginTiers": tiers,
        }

    def spot_meta(self) -> dict[str, Any]:
        """Return tokens and pairs as ``spotMeta`` describes them."""
        universe = [
            {
                "tokens": [coin.base_token, coin.quote_token],
                "name": coin.name,
                "index": coin.asset - spec.SPOT_OFFSET,
                "isCanonical": not coin.name.startswith("@"),
            }
            for coin in self.spots
        ]
        return {"universe": universe, "tokens": self.tokens}
