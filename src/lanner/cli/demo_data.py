"""The invented market of ``lanner demo``, in the catalog like any other data set."""

from __future__ import annotations

from lanner.core.errors import ConfigError
from lanner.marketdata.synth import Market, bar_frames
from lanner.model.instruments import Instrument
from lanner.model.timeframes import TIMEFRAMES_NS
from lanner.storage.catalog import Catalog
from lanner.storage.environment import default_catalog
from lanner.storage.passport import Passport
from lanner.storage.schema import DatasetKey

INSTRUMENT = "BTC-USDT.DEMO"
SINCE_NS = 1_672_531_200_000_000_000  # 2023-01-01 UTC
_FINEST_NS = TIMEFRAMES_NS["1m"]


def check_demo(timeframe: str, years: int, seed: int) -> None:
    """Raise ``ConfigError`` for a market that cannot be made."""
    if not 1 <= years <= 10:
        raise ConfigError("--years is out of range", expected="1 to 10", found=years)
    if not 0 <= seed < 2**63:
        raise ConfigError("--seed is out of range", expected="a whole number >= 0", found=seed)
    if not _FINEST_NS <= TIMEFRAMES_NS.get(timeframe, 0) <= TIMEFRAMES_NS["1d"]:
        known = [name for name, ns in TIMEFRAMES_NS.items() if _FINEST_NS <= ns <= TIMEFRAMES_NS["1d"]]
        raise ConfigError(
            "--timeframe is wrong", expected=f"one of {', '.join(known)}", found=repr(timeframe)
        )


def make_demo_data(timeframe: str, years: int, seed: int) -> str:
    """Write the demo's bars into the catalog, unless the same are there, and return their reference."""
    check_demo(timeframe, years, seed)
    catalog = Catalog(default_catalog())
    key = DatasetKey("bars", INSTRUMENT, timeframe)
    recipe = {"source": f"lanner demo, seed {seed}, {years} years"}
    found = catalog.passport(*key)
    if found is not None and found.inferred == recipe:
        return key.ref
    market = Market(start_price=16_500.0, vol=0.55, drift=0.1)
    catalog.save_instrument(
        Instrument.spot(INSTRUMENT, tick=market.tick, lot=market.lot, maker="0.001", taker="0.001")
    )
    passport = Passport(
        kind="bars", instrument_id=INSTRUMENT, spec=timeframe, synthetic=True, inferred=recipe
    )
    frames = bar_frames(timeframe, since_ns=SINCE_NS, days=365 * years, seed=seed, market=market)
    catalog.write("bars", INSTRUMENT, timeframe, frames, passport, replace=True)
    return key.ref
