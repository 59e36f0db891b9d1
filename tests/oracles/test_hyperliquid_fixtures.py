"""Recorded and documented messages of the venue become the right records, field by field."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lanner.model.market import Bar, BookUpdate, Quote, Trade
from lanner.venues.codec import Call
from lanner.venues.errors import VenueError
from lanner.venues.hyperliquid.codec import HyperliquidCodec
from lanner.venues.hyperliquid.spec import HYPERLIQUID
from lanner.venues.keys import Keys

MS = 1_000_000
NOW = 4_000_000_000_000 * MS
KEYS = Keys("wallet", "0x" + "11" * 32)


@pytest.fixture
def codec(shared_data: Path) -> HyperliquidCodec:
    """Return a codec that knows the recorded universe, and the coins that other messages name."""
    codec = HyperliquidCodec(HYPERLIQUID.mainnet, KEYS)
    cassette = shared_data / "fixtures/hyperliquid/python_sdk_cassettes/test_get_l2_snapshot.json"
    recorded = json.loads(cassette.read_text())
    universe = next(turn["response"] for turn in recorded if turn["request"]["type"] == "meta")["universe"]
    more = [
        {"name": name, "szDecimals": 2, "maxLeverage": 5} for name in ("HYPE", "COINALPHA", "JUP", "MANTA")
    ]
    call = codec.instruments_call()
    call.parse(json.dumps({"universe": universe + more}).encode(), 0)
    tokens = [
        {"name": name, "szDecimals": size, "index": i}
        for i, (name, size) in enumerate((("USDC", 8), ("HYPE", 2), ("USOL", 3), ("UBTC", 5)))
    ]
    pairs = [
        {"name": name, "tokens": [i + 1, 0], "index": int(name[1:])}
        for i, name in enumerate(("@107", "@156", "@142"))
    ]
    assert call.then is not None
    call.then.parse(json.dumps({"tokens": tokens, "universe": pairs}).encode(), 0)
    return codec


def load(shared_data: Path, name: str) -> Any:
    """Return a fixture."""
    return json.loads((shared_data / "fixtures/hyperliquid" / name).read_text())


def documented(shared_data: Path, name: str, section: str) -> Iterator[Any]:
    """Yield the documented payloads of a section."""
    for item in load(shared_data, f"official_docs/{name}"):
        if section in item["section"]:
            yield item["payload"]


def ask(call: Call[Any], body: Any) -> Any:
    """Return what a call makes of an answer."""
    return call.parse(json.dumps(body).encode(), NOW)


def same_book(book: BookUpdate, raw: dict[str, Any]) -> None:
    """Compare a book with the raw message it was made of."""
    assert book.ts_event == raw["time"] * MS
    assert book.snapshot
    for levels, told in zip((book.bids, book.asks), raw["levels"], strict=True):
        assert [(Decimal(repr(px)), Decimal(repr(qty))) for px, qty in levels] == [
            (Decimal(level["px"]), Decimal(level["sz"])) for level in told
        ]


# -- streams -------------------------------------------------------------------------------------------


def test_recorded_frames_of_books_and_prints_are_read_field_by_field(
    shared_data: Path, codec: HyperliquidCodec
) -> None:
    path = shared_data / "market/hftbacktest/hyperliquid_btcusd_20250126.gz"
    seen: dict[str, int] = {}
    with gzip.open(path, "rb") as lines:
        for line in lines:
            local, _, frame = line.strip().partition(b" ")
            raw = json.loads(frame)
            told = codec.decode(frame, int(local))
            seen[raw["channel"]] = seen.get(raw["channel"], 0) + 1
            if raw["channel"] == "l2Book":
                (book,) = told
                assert isinstance(book, BookUpdate)
                assert book.instrument_id == f"{raw['data']['coin']}-PERP.HYPERLIQUID"
                same_book(book, raw["data"])
            elif raw["channel"] == "trades":
                for trade, row in zip(told, raw["data"], strict=True):
                    assert isinstance(trade, Trade)
                    assert (trade.px, trade.qty, trade.ts_event, trade.ts_recv) == (
                        float(row["px"]),
                        float(row["sz"]),
                        row["time"] * MS,
                        int(local),
                    )
                    assert trade.aggressor == (1 if row["side"] == "B" else -1)
                    assert trade.trade_id == f"{row['time']}-{row['tid']}"
    assert seen["l2Book"] > 5
    assert seen["trades"] > 5


def test_subscription_scripts_of_another_client_are_read(shared_data: Path, codec: HyperliquidCodec) -> None:
    folder = shared_data / "fixtures/hyperliquid/jkorf/Subscriptions"
    seen = set()
    for path in sorted(folder.glob("*.json")):
        if path.name == "Concurrent.json":
            continue  # its candles have no prices
        for step in json.loads(path.read_text()):
            if step["dir"] == "client_sends":
                continue
            payload = step["payload"]
            told = codec.decode(json.dumps(payload).encode(), 5)
            seen.add(payload["channel"])
            if payload["channel"] == "bbo":
                (quote,) = told
                assert isinstance(quote, Quote)
                bid, ask_ = payload["data"]["bbo"]
                assert (quote.bid_px, quote.bid_qty) == (float(bid["px"]), float(bid["sz"]))
                assert (quote.ask_px, quote.ask_qty) == (float(ask_["px"]), float(ask_["sz"]))
            elif payload["channel"] == "orderUpdates":
                (order,) = told
                assert (order.instrument_id, order.lots, order.cum_lots, order.px_ticks) == (  # type: ignore[union-attr]
                    "HYPE-USDC.HYPERLIQUID",
                    49,
                    0,
                    30_000_000,
                )
    assert {"bbo", "candle", "orderUpdates", "allMids", "subscriptionResponse"} <= seen


def test_messages_of_yet_other_clients_are_read(shared_data: Path, codec: HyperliquidCodec) -> None:
    perp = load(
        shared_data,
        "hummingbot/hyperliquid_perpetual__test_hyperliquid_perpetual_api_order_book_data_source.json",
    )
    books = 0
    for message in perp.values():
        if isinstance(message, dict) and message.get("channel") == "l2Book":
            (book,) = codec.decode(json.dumps(message).encode(), 5)
            assert isinstance(book, BookUpdate)
            same_book(book, message["data"])
            books += 1
    assert books >= 3
    user = load(shared_data, "hummingbot/hyperliquid__test_hyperliquid_user_stream_data_source.json")
    for message in user.values():
        if "channel" in message:
            codec.decode(json.dumps(message).encode(), 5)
    codec.decode(json.dumps(load(shared_data, "nautilus/ws_allmids.json")).encode(), 5)
    book_data = load(shared_data, "nautilus/ws_book_data.json")
    (book,) = codec.decode(json.dumps({"channel": "l2Book", "data": book_data}).encode(), 5)
    assert isinstance(book, BookUpdate)
    same_book(book, book_data)


def test_a_documented_answer_over_the_socket_names_its_request(
    shared_data: Path, codec: HyperliquidCodec
) -> None:
    answers = [
        p for p in documented(shared_data, "websocket__post-requests.json", "") if p.get("channel") == "post"
    ]
    assert answers
    for payload in answers:
        (answer,) = codec.decode(json.dumps(payload).encode(), 5)
        assert answer.request_id == str(payload["data"]["id"])  # type: ignore[union-attr]


# -- answers to questions ------------------------------------------------------------------------------


def test_recorded_books_of_the_info_endpoint_are_read(shared_data: Path, codec: HyperliquidCodec) -> None:
    cassette = load(shared_data, "python_sdk_cassettes/test_get_l2_snapshot.json")
    raws = [turn["response"] for turn in cassette if turn["request"]["type"] == "l2Book"]
    raws += list(documented(shared_data, "info-endpoint.json", "L2 book snapshot"))
    raws += [
        load(shared_data, f"nautilus/{name}.json") for name in ("http_l2_book_btc", "http_l2_book_snapshot")
    ]
    raws.append(load(shared_data, "jkorf/Endpoints/Spot/ExchangeData/GetOrderBook.json")["response"])
    for raw in raws:
        quote = ask(codec.quote("BTC-PERP.HYPERLIQUID"), raw)
        bid, ask_ = raw["levels"][0][0], raw["levels"][1][0]
        assert (quote.bid_px, quote.bid_qty) == (float(bid["px"]), float(bid["sz"]))
        assert (quote.ask_px, quote.ask_qty) == (float(ask_["px"]), float(ask_["sz"]))


def test_recorded_candles_are_read(shared_data: Path, codec: HyperliquidCodec) -> None:
    raws = list(documented(shared_data, "info-endpoint.json", "Candle snapshot"))
    raws.append(load(shared_data, "jkorf/Endpoints/Spot/ExchangeData/GetKlines.json")["response"])
    for raw in raws:
        timeframe = raw[0]["i"]
        page = ask(codec.bars("BTC-PERP.HYPERLIQUID", timeframe, 0, NOW), raw)
        for bar, row in zip(page.rows, raw, strict=True):
            assert isinstance(bar, Bar)
            assert (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades) == (
                *(float(row[field]) for field in "ohlcv"),
                row["n"],
            )
            assert (bar.ts_open, bar.ts_event) == (row["t"] * MS, (row["T"] + 1) * MS)


def test_a_history_of_candles_as_saved_by_the_venues_client_is_read(
    shared_data: Path, codec: HyperliquidCodec
) -> None:
    with (shared_data / "market/hyperliquid_sdk/candleSnapshot_kPEPE_1h.csv").open() as file:
        rows = list(csv.DictReader(file))
    raw = [{**row, "t": int(row["t"]), "T": int(row["T"]), "n": int(row["n"])} for row in rows]
    page = ask(codec.bars("kPEPE-PERP.HYPERLIQUID", "1h", 0, NOW), raw)
    assert len(page.rows) == len(rows)
    assert page.rows[0].close == float(rows[0]["c"])


def test_recorded_accounts_are_read(shared_data: Path, codec: HyperliquidCodec) -> None:
    raws = [turn["response"] for turn in load(shared_data, "python_sdk_cassettes/test_get_user_state.json")]
    raws += list(documented(shared_data, "info-endpoint__perpetuals.json", "account summary"))
    raws.append(load(shared_data, "nautilus/http_clearinghouse_state_negative_total_raw_usd.json"))
    raws.append(load(shared_data, "jkorf/Endpoints/Futures/Account/GetAccountInfo.json")["response"])
    for raw in raws:
        state = ask(codec.account()[0], raw)
        margin = raw.get("marginSummary") or raw["crossMarginSummary"]
        assert state.equity == Decimal(margin["accountValue"])
        assert state.margin_used == Decimal(margin["totalMarginUsed"])
        (cash,) = state.balances
        assert cash.total == cash.available + cash.locked
        told = {
            p["position"]["coin"]: p["position"] for p in raw["assetPositions"] if float(p["position"]["szi"])
        }
        assert len(state.positions) == len(told)
        for position in state.positions:
            instrument = codec.instrument(position.instrument_id)
            row = told[instrument.symbol]
            assert instrument.qty(position.lots) == Decimal(row["szi"])
            assert position.entry_px == float(row["entryPx"])
            assert position.leverage == row["leverage"]["value"]
            assert position.unrealized_pnl == float(row["unrealizedPnl"])
            if row["liquidationPx"] is None:
                assert math.isnan(position.liquidation_px)
            else:
                assert position.liquidation_px == float(row["liquidationPx"])


def test_recorded_open_orders_are_read(shared_data: Path, codec: HyperliquidCodec) -> None:
    raws = [
        turn["response"]
        for turn in load(shared_data, "python_sdk_cassettes/test_get_frontend_open_orders.json")
    ]
    raws += list(documented(shared_data, "info-endpoint.json", "open orders"))
    raws += [
        load(shared_data, f"jkorf/Endpoints/Spot/Trading/{name}.json")["response"]
        for name in ("GetOpenOrders", "GetOpenOrdersExtended")
    ]
    for raw in raws:
        orders = {int(order.venue_order_id): order for order in ask(codec.open_orders(), raw)}
        assert set(orders) == {row["oid"] for row in raw}
        for row in raw:
            order = orders[row["oid"]]
            instrument = codec.instrument(order.instrument_id)
            assert instrument.qty(order.lots) == Decimal(row.get("origSz", row["sz"]))
            assert instrument.qty(order.lots - order.cum_lots) == Decimal(row["sz"])
            assert order.side == (1 if row["side"] == "B" else -1)
            assert order.reduce_only == row.get("reduceOnly", False)
            if row.get("isTrigger"):
                assert instrument.px(order.stop_ticks or 0) == Decimal(row["triggerPx"])
            else:
                assert instrument.px(order.px_ticks or 0) == Decimal(row["limitPx"])


def test_recorded_fills_are_read(shared_data: Path, codec: HyperliquidCodec) -> None:
    raws = list(documented(shared_data, "info-endpoint.json", "user's fills"))
    raws.append(load(shared_data, "nautilus/http_user_fills_dust_conversion.json"))
    raws.append(load(shared_data, "jkorf/Endpoints/Spot/Trading/GetUserTrades.json")["response"])
    for raw in raws:
        rows = ask(codec.fills(0), raw).rows
        trades = {
            f"{r['time']}-{r['coin']}-{r['tid']}": r
            for r in raw
            if ":" not in r["coin"] and "Dust" not in r["dir"]
        }
        assert {item.report.trade_id for item in rows} == set(trades)
        for item in rows:
            row, report = trades[item.report.trade_id], item.report
            instrument = codec.instrument(report.instrument_id)
            assert instrument.qty(report.lots) == Decimal(row["sz"])
            assert abs(instrument.px(report.px_ticks) - Decimal(row["px"])) <= instrument.tick / 2
            assert (report.side == 1) == (row["side"] == "B")
            fee = Decimal(row["fee"])
            paid_in_coin = row["feeToken"].strip() == instrument.base
            assert report.fee == (fee * Decimal(row["px"]) if paid_in_coin else fee)
            assert (report.liquidity == 2) == row["crossed"]
            assert item.venue_order_id == str(row["oid"])


def test_the_years_of_fills_that_the_venues_client_saved_are_read(
    shared_data: Path, codec: HyperliquidCodec
) -> None:
    with (shared_data / "market/hyperliquid_sdk/userFills_user_.csv").open() as file:
        rows = list(csv.DictReader(file))
    raw = [
        {**row, "time": int(row["time"]), "oid": int(row["oid"]), "crossed": row["crossed"] == "True"}
        for row in rows
    ]
    names = sorted({row["coin"] for row in rows if "@" not in row["coin"] and "/" not in row["coin"]})
    finest = {
        name: max(len(row["sz"].partition(".")[2].rstrip("0")) for row in rows if row["coin"] == name)
        for name in names
    }
    meta = {"universe": [{"name": name, "szDecimals": finest[name], "maxLeverage": 5} for name in names]}
    codec.instruments_call().parse(json.dumps(meta).encode(), 0)
    made = ask(codec.fills(0), raw).rows
    assert len(made) == sum(row["coin"] in names for row in rows)
    assert len({item.report.trade_id for item in made}) == len(made)
    assert [item.report.ts_event for item in made] == sorted(item.report.ts_event for item in made)


@pytest.mark.parametrize(
    ("name", "pick"),
    [
        (
            "documented",
            lambda root: next(documented(root, "info-endpoint__perpetuals.json", "historical funding rates")),
        ),
        (
            "jkorf",
            lambda root: load(root, "jkorf/Endpoints/Futures/ExchangeData/GetFundingRateHistory.json")[
                "response"
            ],
        ),
    ],
)
def test_documented_funding_rates_are_read(
    shared_data: Path, codec: HyperliquidCodec, name: str, pick: Callable[[Path], Any]
) -> None:
    raw = pick(shared_data)
    page = ask(codec.funding("ETH-PERP.HYPERLIQUID", 0, NOW), raw)
    assert [(rate.rate, rate.ts_event) for rate in page.rows] == [
        (float(row["fundingRate"]), row["time"] * MS) for row in raw
    ]


def test_recorded_universes_are_read(shared_data: Path) -> None:
    raws = [load(shared_data, "nautilus/http_meta_perp_sample.json")]
    raws += [
        payload[0] for payload in documented(shared_data, "info-endpoint__perpetuals.json", "asset contexts")
    ]
    raws.append(
        load(shared_data, "jkorf/Endpoints/Futures/ExchangeData/GetExchangeInfoAndTickers.json")["response"][
            0
        ]
    )
    raws += list(load(shared_data, "nautilus/http_all_perp_metas_non_usdc_collateral.json"))
    for raw in raws:
        codec = HyperliquidCodec(HYPERLIQUID.mainnet)
        made = ask(codec.instruments_call(), raw)
        assert [item.symbol for item in made] == [row["name"] for row in raw["universe"]]
        for item, row in zip(made, raw["universe"], strict=True):
            assert item.qty_decimals == row["szDecimals"]
            assert item.px_decimals == 6 - row["szDecimals"]
            assert item.max_leverage == row["maxLeverage"]


def test_documented_spot_balances_and_prints_are_read(shared_data: Path, codec: HyperliquidCodec) -> None:
    for raw in documented(shared_data, "info-endpoint__spot.json", "token balances"):
        balances = ask(codec.account()[1], raw).balances
        assert [(b.currency, b.total, b.locked) for b in balances] == [
            (row["coin"], Decimal(row["total"]), Decimal(row["hold"])) for row in raw["balances"]
        ]
    raw = load(shared_data, "nautilus/http_recent_trades_btc.json")
    page = ask(codec.trades("BTC-PERP.HYPERLIQUID", None, None), raw)
    assert [trade.px for trade in page.rows] == [float(row["px"]) for row in reversed(raw)]


def test_documented_roles_are_read(shared_data: Path, codec: HyperliquidCodec) -> None:
    call = codec.rights()
    assert call is not None
    told = {}
    for raw in documented(shared_data, "info-endpoint.json", "user's role"):
        if (
            raw["role"] == "agent"
        ):  # of somebody else, as documented: what it says of orders would be another account's
            with pytest.raises(VenueError, match=f"belongs to {raw['data']['user']}"):
                ask(call, raw)
            raw["data"]["user"] = KEYS.account
        told[raw["role"]] = ask(call, raw)
    assert not told["agent"].withdraw
    assert told["missing"].trade is False
    (turn,) = load(shared_data, "python_sdk_cassettes/test_user_role.json")
    assert ask(call, turn["response"]).trade


def test_documented_answers_to_actions_are_judged(shared_data: Path, codec: HyperliquidCodec) -> None:
    from lanner.model.commands import SubmitOrder
    from lanner.model.enums import OrderType, Side

    kinds = []
    for index, raw in enumerate(documented(shared_data, "exchange-endpoint.json", "Place an order")):
        command = SubmitOrder(
            f"O-{index}", "BTC-PERP.HYPERLIQUID", 0, Side.BUY, OrderType.LIMIT, 2_000, px_ticks=500_000
        )
        (call,) = codec.order(command)
        kinds += [type(report).__name__ for report in call.answer(200, json.dumps(raw).encode(), 1)]
    assert kinds == ["OrderAccepted", "OrderRejected", "OrderAccepted"]


def test_candles_without_prices_are_refused(shared_data: Path, codec: HyperliquidCodec) -> None:
    for step in load(shared_data, "jkorf/Subscriptions/Concurrent.json"):
        text = step["payload"].partition(" ")[2]
        if step["dir"] == "server_sends_expected_parsed":
            with pytest.raises(VenueError):
                codec.decode(text.encode(), 1)
        elif step["dir"] == "server_sends":
            assert codec.decode(text.encode(), 1)
