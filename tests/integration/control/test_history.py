"""The past on the bus: bars from files and data sets of the catalog, replayed in order, at a pace, with pauses."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import lanner as ln
from lanner.control.errors import NotRunningError
from lanner.core.errors import ConfigError, DataError, NotFoundError
from tests.integration.control.conftest import until

pytestmark = pytest.mark.timeout(120)
MINUTE = 60_000
START = 1_704_067_200_000  # 2024-01-01 UTC
NAME = "BTC-USDT.BINANCE"


def rows(count: int, step: float = 1.0) -> str:
    lines = ["timestamp_ms,open,high,low,close,volume"]
    for number in range(count):
        px = 40_000 + step * number
        lines.append(f"{START + number * MINUTE},{px},{px + 2},{px - 2},{px + 1},{1 + number % 3}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in whose ``data`` the seed's files lie."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "BTC-USDT_1m.csv").write_text(rows(100))
    (tmp_path / "data" / "ETHUSDT_1m.csv").write_text(rows(5))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def engine() -> tuple[ln.DataEngine, ln.MessageBus, ln.Cache]:
    bus, cache = ln.MessageBus(), ln.Cache()
    return ln.DataEngine(bus=bus, cache=cache), bus, cache


def test_bars_of_a_file_are_loaded_as_the_seed_names_it(folder: Path) -> None:
    data, _, _ = engine()
    bars = data.load_historical_candles("BTC-USDT@binance", "1m")
    assert len(bars) == 100
    assert (bars[0].instrument_id, bars[0].timeframe) == (NAME, "1m")
    assert (bars[0].ts_open, bars[0].open, bars[0].close) == (START * 1_000_000, 40_000, 40_001)
    part = data.load_historical_candles(NAME, "1m", START + 10 * MINUTE, "2024-01-01T00:20")
    assert [bar.ts_open // 1_000_000 for bar in (part[0], part[-1])] == [
        START + 10 * MINUTE,
        START + 20 * MINUTE,
    ]
    assert len(part) == 11
    assert len(data.load_historical_candles("ETH/USDT", "1m", folder=folder / "data")) == 5
    assert data.load_historical_candles("BTC-USDT@binance", "1h") == []
    (folder / "data" / "SOL-USDT_1m.csv").write_text("timestamp_ms,open\n1,2\n")
    with pytest.raises(DataError):
        data.load_historical_candles("SOL-USDT", "1m")


def test_a_replay_goes_through_cache_and_bus_and_says_when_it_is_over(folder: Path) -> None:
    data, bus, cache = engine()
    bars = data.load_historical_candles("BTC-USDT@binance", "1m")
    heard: list[str] = []
    done: list[Any] = []
    seen: list[int] = []

    def on_market_data(bar: ln.Bar) -> None:
        assert cache.series(NAME, "1m")[-1] == bar  # cache before handler
        seen.append(bar.ts_open)

    bus.subscribe("market_data.*", on_market_data)
    bus.subscribe("*", lambda topic, _event: heard.append(topic))
    report = data.replay_historical_data(bars, on_complete=done.append)
    assert (report.candles_replayed, report.complete) == (100, True)
    assert done == [report]
    assert seen == [bar.ts_open for bar in bars]
    assert heard.count("bar.closed") == heard.count(f"candle.{NAME}.1m") == 100
    assert heard[-1] == "data_engine.replay_complete"
    assert data.get_historical_bars(NAME, "1m", 3) == bars[-3:]
    assert len(data.get_historical_bars(NAME, "1m")) == 100
    assert data.stats.messages == 100

    heard.clear()
    data.replay_historical_data(bars, publish_events=False)
    assert heard == ["data_engine.replay_complete"]
    other, _, unseen = engine()
    other.replay_historical_data(bars[:2], update_cache=False)
    assert not unseen.series(NAME, "1m")
    with pytest.raises(ConfigError):
        ln.DataEngine().replay_historical_data(bars)
    with pytest.raises(ConfigError):
        data.replay_historical_data(bars, speed_multiplier=-1)


def test_a_replay_keeps_the_pace_rests_and_goes_step_by_step(folder: Path) -> None:
    data, bus, _ = engine()
    bars = data.load_historical_candles("BTC-USDT@binance", "1m")
    with pytest.raises(NotRunningError):
        data.pause()
    seen: list[Any] = []
    bus.subscribe("bar.closed", seen.append)
    bus.subscribe("bar.closed", lambda _bar: data.pause() if len(seen) == 3 else None)
    reports: list[Any] = []
    thread = threading.Thread(
        target=lambda: reports.append(data.replay_historical_data(bars, speed_multiplier=6_000))
    )
    thread.start()  # a bar every 10 ms
    until(lambda: len(seen) == 3)
    assert data.step(2) == 2
    assert len(seen) == 5
    assert thread.is_alive()
    data.resume()
    thread.join(60)
    assert [bar.ts_open for bar in seen] == [bar.ts_open for bar in bars]
    assert reports[0].complete
    assert reports[0].duration_ms >= 900  # 95 bars at least, after the rest


def test_whoever_pauses_a_replay_at_full_speed_gets_nothing_more(folder: Path) -> None:
    data, bus, _ = engine()
    bars = data.load_historical_candles("BTC-USDT@binance", "1m")
    seen: list[Any] = []
    after_pause: list[int] = []

    def on_bar(bar: ln.Bar) -> None:
        seen.append(bar)
        if len(seen) == 3:
            data.pause()
            threading.Thread(target=look).start()

    def look() -> None:
        after_pause.append(data.step(2))
        data.resume()

    bus.subscribe("bar.closed", on_bar)
    bus.subscribe("bar.closed", lambda _bar: after_pause.append(len(seen)) if len(seen) == 4 else None)
    report = data.replay_historical_data(bars)
    assert after_pause == [4, 2]  # the fourth came by a step
    assert report.candles_replayed == len(seen) == 100


def test_whatever_breaks_a_replay_is_told(folder: Path) -> None:
    def strict(_topic: str, _handler: Any, fault: Exception) -> None:
        raise fault

    bus, cache = ln.MessageBus(strict), ln.Cache()
    trading = ln.LiveTradingEngine(bus, cache)
    data = ln.DataEngine(history=["data/BTC-USDT_1m.csv"], timeframe="1m")
    trading.set_data_engine(data)
    told: list[Any] = []
    states: list[str] = []

    def on_error(error: Any) -> None:
        told.append(error)
        states.append(data.state)
        trading.stop()

    def on_bar(_bar: ln.Bar) -> None:
        raise ZeroDivisionError

    bus.subscribe("data_engine.error", on_error)
    bus.subscribe("bar.closed", on_bar)
    watch = threading.Timer(100, trading.stop)
    watch.start()
    trading.start()
    watch.cancel()
    assert [type(error) for error in told] == [ZeroDivisionError]
    assert states == ["failed"]


def test_what_comes_before_the_start_is_refused() -> None:
    quote = ln.Quote(NAME, 1, 1, 1.0, 1.0, 2.0, 1.0)
    with pytest.raises(NotRunningError):
        ln.DataEngine().take(quote)


def test_a_trading_engine_runs_on_a_history_until_it_is_stopped(folder: Path) -> None:
    bus, cache = ln.MessageBus(), ln.Cache()
    trading = ln.LiveTradingEngine(bus, cache)
    data = ln.DataEngine(history=["data/BTC-USDT_1m.csv"], timeframe="1m")
    data.set_time_range(START, START + 49 * MINUTE)
    trading.set_data_engine(data)
    topics: list[str] = []
    closes: list[float] = []

    def over(report: Any) -> None:
        assert report.candles_replayed == 50
        trading.stop()

    bus.subscribe("data_engine.*", lambda topic, _event: topics.append(topic))
    bus.subscribe("market_data.*", lambda bar: closes.append(bar.close))
    bus.subscribe("data_engine.replay_complete", over)
    trading.start()
    assert closes == [40_001.0 + number for number in range(50)]
    assert topics == ["data_engine.started", "data_engine.replay_complete", "data_engine.stopped"]
    with pytest.raises(ConfigError):
        ln.DataEngine(["BTC-USDT@binance"], history=["data/BTC-USDT_1m.csv"])
    trading.set_data_engine(ln.DataEngine(history=["data/NOSUCH_1m.csv"]))
    with pytest.raises(NotFoundError):
        trading.start()


HEARD: list[ln.Bar] = []


class Listens(ln.Strategy):
    """Keep the bars that are seen."""

    def on_start(self) -> None:
        self.bars("1m")

    def on_bar(self, bar: ln.Bar) -> None:
        HEARD.append(bar)


def test_a_replay_shows_the_bars_that_a_backtest_sees(folder: Path) -> None:
    HEARD.clear()
    ln.backtest(Listens, "data/BTC-USDT_1m.csv", keep=False)
    data, bus, _ = engine()
    seen: list[ln.Bar] = []
    bus.subscribe("bar.closed", seen.append)
    data.replay_historical_data(data.load_historical_candles("BTC-USDT", "1m"))
    assert len(seen) == 100
    assert [(bar.ts_event, bar.close) for bar in seen] == [(bar.ts_event, bar.close) for bar in HEARD]
