"""The fill specification is true: every worked example on the page runs through a real backtest.

An example is a ``yaml`` block whose first key is ``example``; the page explains the rest.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import lanner as ln
from lanner.backtest.memory import memory_stream
from lanner.backtest.result import BacktestResult
from lanner.backtest.run import run_backtest
from lanner.backtest.spec import BacktestSpec, StrategyEntry, Stream
from lanner.model.enums import OrderType, TimeInForce
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.sim.settings import (
    FillSettings,
    FundingMode,
    GapFill,
    Latency,
    LatencySettings,
    LimitOn,
    MarketOn,
    Slippage,
    SlippageModel,
    VenueSettings,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "fill-specification.md"
BLOCK = re.compile(r"^```yaml\n(example: .*?)^```", re.M | re.S)
DAY = 1_704_067_200 * 10**9  # 2024-01-01
MINUTE = 60 * 10**9
MS = 10**6
FILL_KEYS = {"at", "order", "px", "qty", "as", "fee", "slippage"}

SPOT = Instrument.spot(
    "BTC-USDT.SIM", tick="0.01", lot="0.001", min_qty="0.01", min_notional="5", maker="0.0002", taker="0.001"
)
PERP = Instrument.perp(
    "BTCUSDT-PERP.SIM",
    tick="0.01",
    lot="0.001",
    min_qty="0.01",
    min_notional="5",
    maker="0.0002",
    taker="0.001",
    max_leverage=20,
)


def examples() -> list[dict[str, Any]]:
    return [yaml.safe_load(block[1]) for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]


def moment(text: str) -> int:
    """Turn ``00:01:00.005 +1ns`` into UNIX nanoseconds."""
    clock, _, more = text.partition(" +")
    hours, minutes, seconds = clock.split(":")
    whole = (int(hours) * 60 + int(minutes)) * MINUTE + int(Decimal(seconds) * 10**9)
    return DAY + whole + int(more.removesuffix("ns") or 0)


class Scripted(ln.Strategy):
    """Does what an example says, at the events it names: ``bar 1``, ``quote 2``, ``fill 1``, ``at 00:01:30``."""

    def __init__(self, actions: list[dict[str, Any]], spec: str) -> None:
        super().__init__()
        self.spec = spec
        self.actions = actions
        self.seen: dict[str, int] = {}
        self.sent: list[Any] = []

    def on_start(self) -> None:
        for action in self.actions:
            if action["when"].startswith("at "):
                self.set_timer(action["when"], at=moment(action["when"].removeprefix("at ")))

    def on_fill(self, fill: Any) -> None:
        self.happens("fill")

    def on_timer(self, timer: Any) -> None:
        self.act(timer.name)

    def happens(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1
        self.act(f"{what} {self.seen[what]}")

    def act(self, when: str) -> None:
        for action in self.actions:
            if action["when"] == when:
                for verb, options in action.items():
                    if verb != "when":
                        self.do(verb, options)

    def do(self, verb: str, options: Any) -> None:
        if verb == "batch":
            with self.batch():
                for one in options:
                    for inner, what in one.items():
                        self.do(inner, what)
        elif verb == "oco":
            self.oco(*(self.sent[number - 1] for number in options))
        elif verb == "cancel":
            self.cancel(self.sent[options - 1])
        elif verb == "amend":
            changes = {key: value for key, value in options.items() if key != "order"}
            self.amend(self.sent[options["order"] - 1], **changes)
        else:
            known = typed(options)
            if "after" in known:
                known["after"] = self.sent[known["after"] - 1]
            self.sent.append(getattr(self, verb)(**known))


class OnBars(Scripted):
    def on_start(self) -> None:
        self.bars(self.spec)
        super().on_start()

    def on_bar(self, bar: Any) -> None:
        self.happens("bar")


class OnQuotes(Scripted):
    def on_quote(self, quote: Any) -> None:
        self.happens("quote")


class OnTrades(Scripted):
    def on_trade(self, trade: Any) -> None:
        self.happens("trade")


def typed(options: dict[str, Any]) -> dict[str, Any]:
    found = dict(options)
    if "type" in found:
        found["type"] = OrderType[found["type"]]
    if "tif" in found:
        found["tif"] = TimeInForce[found["tif"]]
    if "expire" in found:
        found["expire"] = moment(found["expire"])
    return found


def venue_settings(given: dict[str, Any], currency: str) -> VenueSettings:
    """Build the venue of an example: 10 000 of cash, 5 bps slippage, no delays unless it says otherwise."""
    left = dict(given)
    fills = FillSettings(
        market_on=MarketOn(left.pop("market_on", "next_open")),
        limit_on=LimitOn(left.pop("limit_on", "through")),
        gap_fill=GapFill(left.pop("gap_fill", "limit")),
        participation=left.pop("participation", 1.0),
        bar_participation=left.pop("bar_participation", 0.0),
        walk_ticks=left.pop("walk_ticks", 50),
    )
    model, _, value = str(left.pop("slippage", "bps 5")).partition(" ")
    delays = {name: Latency(mean_ns=ms * MS) for name, ms in left.pop("latency_ms", {}).items()}
    settings = VenueSettings(
        "SIM",
        {currency: Decimal(str(left.pop("cash", 10_000)))},
        slippage=Slippage(SlippageModel(model), Decimal(value or 0)),
        latency=LatencySettings(**delays),
        fills=fills,
        leverage=Decimal(str(left.pop("leverage", 1))),
        funding=FundingMode.DATA,
    )
    if "maker" in left or "taker" in left:
        fees = FeeSchedule(
            Decimal(str(left.pop("maker", "0.0002"))), Decimal(str(left.pop("taker", "0.001")))
        )
        settings = replace(settings, fees=fees)
    assert not left, f"unknown settings: {sorted(left)}"
    return settings


def bar_stream(instrument: Instrument, rows: list[list[float]], spec: str, length: int) -> Stream:
    opened = [DAY + number * length for number in range(len(rows))]
    columns = dict(zip(("open", "high", "low", "close", "volume"), zip(*rows, strict=True), strict=True))
    frame = pl.DataFrame(
        {
            "ts_open": opened,
            "ts_event": [ts + length for ts in opened],
            "ts_recv": [ts + length for ts in opened],
            **{name: [float(value) for value in values] for name, values in columns.items()},
        }
    ).with_columns(
        pl.lit(None, pl.Float64).alias("quote_volume"),
        pl.lit(None, pl.Int64).alias("trades"),
        pl.lit(None, pl.Float64).alias("taker_buy_volume"),
    )
    return memory_stream("bars", instrument.id, frame, spec)


def tick_stream(
    instrument: Instrument, kind: str, rows: list[list[Any]], names: tuple[str, ...], **more: Any
) -> Stream:
    times = [moment(row[0]) for row in rows]
    values = zip(*(row[1:] for row in rows), strict=True)
    frame = pl.DataFrame({"ts_event": times, "ts_recv": times}).with_columns(
        *(
            pl.Series(name, column, strict=False, dtype=pl.Int8 if name == "aggressor" else pl.Float64)
            for name, column in zip(names, values, strict=True)
        ),
        *(pl.lit(value, dtype).alias(name) for name, (value, dtype) in more.items()),
    )
    return memory_stream(kind, instrument.id, frame)


def streams(example: dict[str, Any], instrument: Instrument) -> list[Stream]:
    found = []
    if "detail" in example:
        found.append(bar_stream(instrument, example["bars"], "3m", 3 * MINUTE))
        found.append(bar_stream(instrument, example["detail"], "1m", MINUTE))
    elif "bars" in example:
        found.append(bar_stream(instrument, example["bars"], "1m", MINUTE))
    if "quotes" in example:
        sides = ("bid_px", "bid_qty", "ask_px", "ask_qty")
        found.append(tick_stream(instrument, "quotes", example["quotes"], sides, seq=(0, pl.Int64)))
    if "trades" in example:
        names = ("px", "qty", "aggressor")
        found.append(tick_stream(instrument, "trades", example["trades"], names, trade_id=("", pl.String)))
    if "funding" in example or not instrument.is_spot:
        rows = example.get("funding", [["00:00:00", 0.0]])
        more = {"interval_ns": (None, pl.Int64), "predicted": (False, pl.Boolean)}
        found.append(tick_stream(instrument, "funding", rows, ("rate",), **more))
    return found


def run(example: dict[str, Any]) -> BacktestResult:
    instrument = PERP if example.get("instrument") == "perp" else SPOT
    data = streams(example, instrument)
    bars = "3m" if "detail" in example else "1m"
    kind = OnBars if "bars" in example else OnQuotes if "quotes" in example else OnTrades
    strategy = kind(example["orders"], bars)
    spec = BacktestSpec(
        "fill specification",
        "r1",
        [StrategyEntry(strategy, 1.0)],
        data,
        {instrument.id: instrument},
        {"SIM": venue_settings(example.get("settings", {}), instrument.settle)},
        instrument.settle,
        detail="1m" if "detail" in example else None,
    )
    return run_backtest(spec)


def fills_of(result: BacktestResult) -> list[dict[str, Any]]:
    numbers = {row.order_id: number for number, row in enumerate(result.orders, 1)}
    return [
        {
            "at": row.ts,
            "order": numbers[row.order_id],
            "px": row.px,
            "qty": row.side * row.qty,
            "as": row.liquidity,
            "fee": row.fee,
            "slippage": row.slippage,
        }
        for row in result.fills
    ]


@pytest.mark.parametrize("example", examples(), ids=lambda example: example["example"])
def test_a_worked_example_happens_as_written(example: dict[str, Any]) -> None:
    result = run(example)
    found = fills_of(result)
    wanted = example["expect"].get("fills", [])
    assert len(found) == len(wanted), found
    for have, want in zip(found, wanted, strict=True):
        assert set(want) == FILL_KEYS
        assert have["at"] == moment(want["at"]), (have["at"] - DAY, want)
        assert (have["order"], have["as"]) == (want["order"], want["as"]), have
        for name in ("px", "qty", "fee", "slippage"):
            assert have[name] == pytest.approx(want[name], abs=1e-9), (name, have)
    states = example["expect"]["orders"]
    assert [row.status for row in result.orders] == [state.partition(":")[0] for state in states]
    for row, state in zip(result.orders, states, strict=True):
        assert state.partition(": ")[2] in row.reason, row
    text = " ".join(result.warnings)
    for warning in example["expect"].get("warnings", []):
        assert warning in text, result.warnings
    if "funding" in example["expect"]:
        assert result.funding == Decimal(str(example["expect"]["funding"]))
    if "equity" in example["expect"]:
        assert result.end_equity == Decimal(str(example["expect"]["equity"]))


def test_the_page_has_an_example_for_every_order_type_and_time_in_force() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for kind in OrderType:
        assert f"`{kind.name}`" in text
    options = [value for example in examples() for action in example["orders"] for value in action.values()]
    used = [option for option in options if isinstance(option, dict)]
    assert {option["type"] for option in used if "type" in option} >= {
        "TAKE_PROFIT_MARKET",
        "TAKE_PROFIT_LIMIT",
    }
    assert {option["tif"] for option in used if "tif" in option} == {"IOC", "FOK", "GTD"}


def test_names_of_examples_are_unique() -> None:
    names = [example["example"] for example in examples()]
    assert len(names) == len(set(names)) >= 40
