"""Instruments both ways: the venue's coins and asset ids, our ids, ticks and lots."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from lanner.core.errors import ConfigError, NotFoundError
from lanner.model.instruments import Instrument, PriceRule
from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.hyperliquid import spec, wire
from lanner.venues.hyperliquid.wire import Meta_, Pair, Perp, SpotMeta, Token

_RULE = PriceRule(significant_figures=spec.SIGNIFICANT_FIGURES)
_LEGAL = re.compile(r"[^A-Za-z0-9_\-/:.]")


class Symbols:
    """What the codec knows of instruments.

    ``listed`` are the instruments that can be traded; delisted ones are known as well, since positions, orders and
    fills may name them. Asset ids are learned from the venue's own lists only.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Instrument] = {}
        self._by_coin: dict[str, Instrument] = {}
        self._assets: dict[str, int] = {}

    def use(self, instruments: Iterable[Instrument]) -> None:
        """Learn instruments; raise ``ConfigError`` for a grid that the venue cannot have."""
        for instrument in instruments:
            for name, step in (("tick", instrument.tick), ("lot", instrument.lot)):
                if step.normalize().as_tuple().digits != (1,):
                    raise ConfigError(
                        f"{instrument.id}: the {name} is none of Hyperliquid's",
                        expected="a power of ten",
                        found=step,
                        fix="Read the venue's own list of instruments.",
                    )
            coin = instrument.symbol or _coin_of(instrument.id)
            self._by_id[instrument.id] = instrument
            self._by_coin[coin] = instrument

    def instrument(self, instrument_id: str) -> Instrument:
        """Return a known instrument, or raise ``NotFoundError``."""
        found = self._by_id.get(instrument_id)
        if found is None:
            raise NotFoundError(
                f"hyperliquid does not know {instrument_id}",
                expected="an instrument of its list, e.g. BTC-PERP.HYPERLIQUID",
            )
        return found

    def of_coin(self, coin: str) -> Instrument | None:
        """Return the instrument of a coin, None when it is not known."""
        return self._by_coin.get(coin)

    def coin(self, instrument_id: str) -> str:
        """Return the venue's name of an instrument."""
        found = self._by_id.get(instrument_id)
        return (found.symbol if found is not None else "") or _coin_of(instrument_id)

    def id_of(self, coin: str) -> str:
        """Return our id for a coin; one that is not known is named by the venue's own rules."""
        found = self._by_coin.get(coin)
        if found is not None:
            return found.id
        if coin[:1] == "@":
            return f"SPOT-{_clean(coin)}.{spec.VENUE}"
        return f"{_clean(coin)}.{spec.VENUE}" if "/" in coin else _perp_id(coin)

    def asset(self, instrument: Instrument) -> int:
        """Return the number that orders name an instrument by, or raise ``VenueError`` REJECTED."""
        coin = instrument.symbol or _coin_of(instrument.id)
        asset = self._assets.get(coin)
        if asset is not None:
            return asset
        if coin[:1] == "@" and coin[1:].isdecimal():
            return spec.SPOT_ASSETS + int(coin[1:])
        raise VenueError(
            ErrorKind.REJECTED,
            f"{instrument.id}: its number at the venue is not known",
            reason=Reason.UNKNOWN_INSTRUMENT,
            fix="Ask the venue for its instruments first.",
        )

    def perps(self, meta: Meta_) -> list[Instrument]:
        """Learn the perpetuals of the first exchange; return those that can be traded."""
        listed = []
        for index, perp in enumerate(meta.universe):
            instrument = _perp(perp)
            self._assets[perp.name] = index
            self.use((instrument,))
            if not perp.isDelisted:
                listed.append(instrument)
        return listed

    def spots(self, meta: SpotMeta) -> list[Instrument]:
        """Learn the spot pairs; of several pairs of one name the canonical one keeps it."""
        tokens = {token.index: token for token in meta.tokens}
        listed, taken = [], set[str]()
        for pair in sorted(meta.universe, key=lambda pair: (not pair.isCanonical, pair.index)):
            base, quote = (tokens.get(index) for index in pair.tokens)
            if base is None or quote is None:
                continue
            instrument = _spot(pair, base, quote, taken)
            taken.add(instrument.id)
            self._assets[pair.name] = spec.SPOT_ASSETS + pair.index
            self.use((instrument,))
            listed.append(instrument)
        return listed


def _perp_id(coin: str) -> str:
    return f"{_clean(coin)}-PERP.{spec.VENUE}"


def _clean(coin: str) -> str:
    name = _LEGAL.sub("", coin.replace("/", "-"))
    if not name[:1].isalnum():
        raise wire.malformed(ValueError(f"not a coin: {coin!r}"))
    return name


def _coin_of(instrument_id: str) -> str:
    symbol = instrument_id.rpartition(".")[0]
    return symbol.removesuffix("-PERP") if symbol.endswith("-PERP") else symbol.replace("-", "/")


def _perp(perp: Perp) -> Instrument:
    return Instrument.perp(
        _perp_id(perp.name),
        tick=Decimal(1).scaleb(perp.szDecimals - spec.PERP_PX_DECIMALS),
        lot=Decimal(1).scaleb(-perp.szDecimals),
        quote="USDC",
        symbol=perp.name,
        min_notional=spec.MIN_NOTIONAL,
        price_rule=_RULE,
        fees=spec.PERP_FEES,
        max_leverage=perp.maxLeverage,
        # half of the initial margin at the highest leverage
        maintenance_margin=Decimal(1) / (2 * perp.maxLeverage),
        funding_interval_ns=spec.HOUR_NS,
    )


def _spot(pair: Pair, base: Token, quote: Token, taken: set[str]) -> Instrument:
    name = f"{_clean(base.name)}-{_clean(quote.name)}.{spec.VENUE}"
    if name in taken:
        name = f"{_clean(base.name)}:{pair.index}-{_clean(quote.name)}.{spec.VENUE}"
    return Instrument.spot(
        name,
        tick=Decimal(1).scaleb(base.szDecimals - spec.SPOT_PX_DECIMALS),
        lot=Decimal(1).scaleb(-base.szDecimals),
        symbol=pair.name,
        min_notional=spec.MIN_NOTIONAL,
        price_rule=_RULE,
        fees=spec.SPOT_FEES,
    )
