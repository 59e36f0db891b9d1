"""Market data of the past, brought onto a bus as if they came now: read with the backtest's readers, in their order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.backtest.dates import parse_time
from lanner.core.errors import ConfigError
from lanner.model.market import Bar, MarketData
from lanner.net.wallclock import mono_ns

if TYPE_CHECKING:
    from lanner.model.instruments import Instrument
    from lanner.storage.open_data import Dataset

AT_ONCE = 256
"""So many messages are told before others on the loop have their turn."""
STEP_S = 0.2


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay came to; ``candles_replayed`` counts messages of any kind, ``complete`` says that none is left."""

    candles_replayed: int
    duration_ms: int
    complete: bool = True


def load_candles(
    symbol: str, timeframe: str, start: Any = None, end: Any = None, *, folder: Path | str = "data"
) -> list[Bar]:
    """Return the bars of ``FOLDER/SYMBOL_TIMEFRAME.csv`` that opened from ``start`` to ``end``, both included.

    Without a file there are none. ``symbol`` may name its venue (``BTC-USDT@binance``), its file does not. Times are
    whatever a backtest's ``since`` takes, UNIX milliseconds among them. Raises ``DataError`` for a file that is wrong.
    """
    from lanner.venues.registry import instrument_at

    plain = symbol.partition("@")[0]
    instrument = instrument_at(symbol) if plain != symbol or "." in symbol else None
    if instrument is not None and plain == symbol:
        plain = symbol.rpartition(".")[0]
    for name in dict.fromkeys((plain.replace("/", "-"), plain.replace("/", "").replace("-", ""))):
        path = Path(folder).expanduser() / f"{name}_{timeframe}.csv"
        if path.is_file():
            datasets = _opened(str(path), instrument, timeframe)
            bars = messages_of(datasets, start, end)
            return [bar for bar in bars if isinstance(bar, Bar) and bar.timeframe == timeframe]
    return []


def open_history(
    refs: Sequence[str], *, instrument: str | None = None, timeframe: str | None = None
) -> list[Dataset]:
    """Open data sets of the catalog (``BTC-USDT.BINANCE@trades``) and files; raise ``NotFoundError`` for others."""
    found = list(chain.from_iterable(_opened(ref, instrument, timeframe) for ref in refs))
    seen: set[str] = set()
    for dataset in found:
        if dataset.ref in seen:
            raise ConfigError(f"the data set {dataset.ref} is given twice", expected="every data set once")
        seen.add(dataset.ref)
    return found


def _opened(ref: str, instrument: str | None, timeframe: str | None) -> list[Dataset]:
    from lanner.storage.catalog import Catalog
    from lanner.storage.environment import default_cache, default_catalog
    from lanner.storage.open_data import open_source

    catalog = Catalog(default_catalog())
    return open_source(
        ref, catalog=catalog, instrument=instrument, timeframe=timeframe, cache_dir=default_cache()
    ).datasets


def messages_of(datasets: Iterable[Dataset], start: Any = None, end: Any = None) -> Iterator[MarketData]:
    """Yield the messages of data sets in the order in which a backtest sees them; bars count by their opening."""
    from lanner.marketdata.merge import Stream, merge

    first = None if start is None else parse_time(start, "start")
    last = None if end is None else parse_time(end, "end")
    streams = [
        Stream(
            one.kind,
            one.instrument_id,
            one.catalog.scan(one.kind, one.instrument_id, one.spec, since_ns=first),
            one.spec,
        )
        for one in datasets
    ]
    for message in chain.from_iterable(merge(streams)):
        ts = message.ts_open if isinstance(message, Bar) else message.ts_event
        if (first is None or ts >= first) and (last is None or ts <= last):
            yield message


def instruments_of(datasets: Iterable[Dataset]) -> dict[str, Instrument]:
    """Return the instruments that data sets know."""
    return {one.instrument_id: one.instrument for one in datasets if one.instrument is not None}


class Replay:
    """Hand messages over one after the other, at ``speed`` times their own pace (0: as fast as possible).

    ``pause``, ``resume``, ``step`` and ``stop`` may be called from any thread, and by whoever gets the messages.
    """

    def __init__(
        self, messages: Iterable[MarketData], take: Callable[[MarketData], None], speed: float = 0.0
    ) -> None:
        if not speed >= 0:
            raise ConfigError("a replay cannot run backwards", expected="speed >= 0", found=speed)
        self.count = 0
        self.speed = speed
        self._messages = iter(messages)
        self._take = take
        self._lock = threading.RLock()
        self._paused = self._over = self._complete = False
        self._waiting: MarketData | None = None
        self._anchor: tuple[int, int] | None = None
        """Our time and that of the messages, at the beginning or a resume."""

    def pause(self) -> None:
        """Hand nothing over until ``resume``; ``step`` still does."""
        self._paused = True

    def resume(self) -> None:
        """Go on from where it was paused."""
        self._anchor = None
        self._paused = False

    def stop(self) -> None:
        """End it for good."""
        self._over = True

    def step(self, count: int = 1) -> int:
        """Hand the next messages over at once; return how many there were."""
        done = 0
        with self._lock:
            while done < count and not self._over:
                message = self._next()
                if message is None:
                    break
                self._waiting = None
                self.count += 1
                done += 1
                self._take(message)
        return done

    def run(self) -> ReplayReport:
        """Hand everything over in this thread; return what came of it."""
        began, pause = mono_ns(), threading.Event()
        while (wait_s := self._turn()) is not None:
            if wait_s:
                pause.wait(wait_s)
        return self._report(began)

    async def play(self) -> ReplayReport:
        """Hand everything over on this loop; others have their turns in between."""
        began = mono_ns()
        while (wait_s := self._turn()) is not None:
            await asyncio.sleep(wait_s)
        return self._report(began)

    def _report(self, began: int) -> ReplayReport:
        return ReplayReport(self.count, (mono_ns() - began) // 1_000_000, self._complete)

    def _next(self) -> MarketData | None:
        if self._waiting is None:
            self._waiting = next(self._messages, None)
            self._complete = self._waiting is None
        return self._waiting

    def _turn(self) -> float | None:
        """Hand over what is due; return how long to wait for more, or None at the end."""
        if self._over or self._complete:
            return None
        if self._paused:
            return STEP_S
        if not self.speed:
            for _ in range(AT_ONCE):  # who gets a message may pause it with that one
                if not self.step() or self._paused:
                    break
            return 0.0
        with self._lock:
            message = self._next()
            if message is None:
                return None
            ours, theirs = self._anchor = self._anchor or (mono_ns(), message.ts_recv)
        wait_ns = ours + round((message.ts_recv - theirs) / self.speed) - mono_ns()
        if wait_ns > 0:
            return min(STEP_S, wait_ns / 1e9)
        self.step()
        return 0.0
