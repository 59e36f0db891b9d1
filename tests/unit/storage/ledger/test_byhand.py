"""The order log of orders by hand, and the rows that are made of it, in both kinds of ledger."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from lanner.execution.lifecycle import apply_report, move
from lanner.live.orderlog import OrderLog, order_of_line
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import OrderFilled
from lanner.storage.ledger.byhand import SESSION, LogKeeper, is_kept, keep_log, read_lines
from lanner.storage.ledger.reading import LedgerView
from lanner.storage.ledger.rebuild import rebuild_manual
from lanner.storage.ledger.store import Ledger

SPOT = Instrument.spot("BTC-USDT.BINANCE", tick="0.01", lot="0.00001")


def order(number: int, lots: int = 1_000) -> Order:
    made = Order(
        f"cli-{number}",
        "cli",
        SPOT,
        Side.BUY,
        OrderType.LIMIT,
        lots,
        number,
        px_ticks=6_000_000,
        intent="manual",
    )
    move(made, OrderStatus.SUBMITTED, number)
    return made


def fill(of: Order, lots: int, trade: str) -> OrderFilled:
    made = OrderFilled(
        of.order_id,
        SPOT.id,
        5,
        6,
        trade,
        Side.BUY,
        5_999_999,
        lots,
        Decimal("0.123"),
        Liquidity.MAKER,
        5_999_999,
    )
    apply_report(of, made)
    return made


def everything(ledger: Ledger) -> dict[str, list[dict[str, Any]]]:
    view = LedgerView(ledger)
    return {"orders": view.orders(SESSION), "fills": view.fills(SESSION), "events": view.events(SESSION)}


def test_rows_come_from_the_log_alone_piece_by_piece_or_at_once(empty_url: str, tmp_path: Path) -> None:
    ledger, path = Ledger(empty_url), tmp_path / "orders.jsonl"
    log, one, two = OrderLog(path), order(1), order(2)
    log.write("sent", one, "binance-spot")
    assert keep_log(ledger, path, SESSION) == 2, "the order, and the row of all orders by hand"
    fills = [fill(one, 400, "a"), fill(one, 600, "b")]
    log.write("told", one, "binance-spot", fills)
    log.write("sent", two, "binance-spot")
    log.note("manual.cancel", "order 7 of somebody asked back")
    with path.open("a") as file:
        file.write('{"ts": 1, "what": "sent", "product": "binance-')  # a crash
    assert not is_kept(ledger, path)
    keep_log(ledger, path, SESSION)
    kept = everything(ledger)
    first, second = kept["orders"]
    assert (first["status"], first["cum_qty"], first["fees"]) == ("FILLED", Decimal("0.01"), Decimal("0.246"))
    assert (first["avg_px"], first["intent"]) == (Decimal("59999.99"), "manual")
    assert second["status"] == "SUBMITTED"
    assert [(one["trade_id"], one["qty"]) for one in kept["fills"]] == [
        ("a", Decimal("0.004")),
        ("b", Decimal("0.006")),
    ]
    assert [event["topic"] for event in kept["events"]] == ["manual.cancel"]
    assert keep_log(ledger, path, SESSION) == 0, "nothing is written twice"
    ledger.forget(SESSION)
    told = rebuild_manual(ledger, path)
    assert told is not None
    assert (told.orders, told.fills) == (2, 2)
    assert everything(ledger) == kept
    assert LedgerView(ledger).session(SESSION)["mode"] == "manual"
    ledger.close()


def test_an_order_comes_back_from_its_line_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    log, one = OrderLog(path), order(1)
    log.write("told", one, "binance-spot", [fill(one, 400, "a")])
    [line], _ = read_lines(path)
    again, fills = order_of_line(line, SPOT)
    names = (
        "order_id",
        "status",
        "lots",
        "cum_lots",
        "notional",
        "fees",
        "px_ticks",
        "side",
        "intent",
        "ts_init",
    )
    assert [getattr(again, name) for name in names] == [getattr(one, name) for name in names]
    assert [one.trade_id for one in fills] == ["a"]
    [(unended, _)] = OrderLog(path).open_orders("binance-spot", {SPOT.id: SPOT})
    assert unended.order_id == "cli-1"


def test_a_fill_comes_back_with_what_the_venue_kept_of_the_coin(tmp_path: Path) -> None:
    path, one = tmp_path / "orders.jsonl", order(1)
    kept = replace(fill(one, 400, "a"), base_fee=Decimal("0.000004"))
    OrderLog(path).write("told", one, "binance-spot", [kept])
    [line], _ = read_lines(path)
    assert order_of_line(line, SPOT)[1] == [kept]
    del line["fills"][0]["base_fee"]  # a line of before
    assert order_of_line(line, SPOT)[1] == [replace(kept, base_fee=Decimal(0))]


def test_an_order_is_named_once_however_often_it_is_written_of(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    log = OrderLog(path)
    for what in ("sent", "told", "told"):
        log.write(what, order(1), "binance-spot")
    assert log.ids == OrderLog(path).ids == {"binance-spot": ["cli-1"]}


def test_a_line_that_a_crash_cut_off_costs_no_other_one(empty_url: str, tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    OrderLog(path).write("sent", order(1), "binance-spot")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    ledger = Ledger(empty_url)
    keep_log(ledger, path, SESSION)
    assert is_kept(ledger, path), "there is nothing more to keep"
    OrderLog(path).write("sent", order(2), "binance-spot")
    assert not is_kept(ledger, path)
    assert OrderLog(path).ids == {"binance-spot": ["cli-1", "cli-2"]}
    keep_log(ledger, path, SESSION)
    assert is_kept(ledger, path)
    assert {row["order_id"] for row in everything(ledger)["orders"]} == {"cli-1", "cli-2"}
    ledger.close()


def test_a_keeper_whose_ledger_does_not_close_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    OrderLog(path).write("sent", order(1), "binance-spot")
    opened: list[Ledger] = []

    class Stubborn(Ledger):
        def close(self) -> None:
            super().close()
            if len(opened) == 1:
                raise OSError("it does not close")

    def open_ledger() -> Ledger:
        opened.append(Stubborn(f"sqlite:///{tmp_path / 'ledger.db'}"))
        return opened[-1]

    keeper = LogKeeper(path, SESSION, open_ledger)
    keeper.wake()
    assert "does not close" in keeper.finish(30)
    keeper.wake()
    assert keeper.finish(30) == ""
    assert len(opened) == 2


def test_a_ledger_that_cannot_be_opened_is_told_and_made_up_for(tmp_path: Path) -> None:
    path, file = tmp_path / "orders.jsonl", tmp_path / "is-a-file"
    file.write_text("")
    OrderLog(path).write("sent", order(1), "binance-spot")
    away = LogKeeper(path, SESSION, lambda: Ledger(f"sqlite:///{file}/ledger.db"))
    away.wake()
    assert away.finish(30.0)
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    there = LogKeeper(path, SESSION, lambda: Ledger(f"sqlite:///{tmp_path}/ledger.db"))
    there.wake()
    assert there.finish(30.0) == ""
    assert [row["order_id"] for row in everything(ledger)["orders"]] == ["cli-1"]
    ledger.close()
