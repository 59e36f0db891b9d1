"""Rows made from a journal alone: complete, exact, the same however often, and whatever stood there before."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lanner.core.errors import NotFoundError
from lanner.model.reports import PositionAdjusted
from lanner.storage.ledger.reading import LedgerView
from lanner.storage.ledger.rebuild import is_complete, rebuild, rebuild_all
from lanner.storage.ledger.store import Ledger
from tests.unit.storage.ledger.journals import PERP, SECOND, START, Book, whole_session


def everything(ledger: Ledger, session: str = "s1") -> dict[str, Any]:
    view = LedgerView(ledger)
    return {
        "session": view.session(session),
        "orders": view.orders(session),
        "fills": view.fills(session),
        "equity": view.equity(session),
        "adjustments": view.adjustments(session),
        "events": view.events(session),
    }


def test_a_journal_becomes_rows_and_numbers_stay_exact(url: str, tmp_path: Path) -> None:
    whole_session(tmp_path / "s1")
    ledger = Ledger(url)
    told = rebuild(ledger, tmp_path / "s1")
    assert (told.orders, told.fills, told.state) == (8, 9, "ended")
    found = everything(ledger)
    first, last = found["orders"][0], found["orders"][-2]
    assert first["strategy"] == "Flip"
    assert first["status"] == "FILLED"
    assert first["ts_init"] == START + 1_499_999_999
    assert (first["qty"], first["px"]) == (Decimal("0.010"), Decimal("100.0"))
    assert first["fees"] == Decimal("0.0246913578")
    assert first["venue_order_id"] == "v1"
    assert last["status"] == "PENDING_CANCEL"
    denied = found["orders"][-1]
    assert (denied["status"], denied["reason"], denied["reject_code"]) == ("DENIED", "too large", "max_order")
    amended = found["orders"][1]
    assert amended["px"] == Decimal("101.0")
    fill = found["fills"][0]
    assert fill["fee"] == Decimal("0.0123456789")
    assert (fill["px"], fill["qty"], fill["liquidity"]) == (Decimal("100.0"), Decimal("0.004"), "TAKER")
    kinds = {row["kind"]: row for row in found["adjustments"]}
    assert kinds["funding"]["amount"] == Decimal("-0.00012")
    assert kinds["position"]["qty"] == Decimal("-0.002")
    assert found["session"]["fees"] == Decimal("0.1111111101")
    assert found["session"]["complete"]
    assert [event["topic"] for event in found["events"]] == ["control.start", "control.stop"]
    ledger.close()


def test_a_fill_told_late_stands_beside_what_it_takes_back_of_an_adjustment(url: str, tmp_path: Path) -> None:
    book = Book(tmp_path / "s1")
    order = book.order()
    book.put(PositionAdjusted("Flip", PERP.id, book.ts, book.ts, 10, 1005, "a difference", book.ts + SECOND))
    book.fill(order, lots=4, px_ticks=1001)
    book.fill(order, lots=6, px_ticks=1001)
    book.quote(100.1)
    book.end()
    ledger = Ledger(url)
    rebuild(ledger, tmp_path / "s1")
    found = everything(ledger)
    assert sorted(row["qty"] for row in found["adjustments"]) == [
        Decimal("-0.006"),
        Decimal("-0.004"),
        Decimal("0.010"),
    ]
    assert {row["px"] for row in found["adjustments"]} == {Decimal("100.5")}
    assert sum(row["qty"] for row in found["fills"]) == Decimal("0.010")
    assert found["session"]["pnl"] == pytest.approx(-2 * 0.0123456789, abs=1e-9), (
        "bought at the market's price"
    )


def test_equity_is_the_capital_and_what_was_made_with_it(url: str, tmp_path: Path) -> None:
    whole_session(tmp_path / "s1")
    ledger = Ledger(url)
    rebuild(ledger, tmp_path / "s1", equity_s=5)
    points = LedgerView(ledger).equity("s1")
    assert points[0] == {"strategy": "", "ts": START, "equity": 1000.0}
    assert [point["ts"] % 5_000_000_000 for point in points[1:-1]] == [0] * (len(points) - 2)
    # three times 0.010 bought at 100 and sold at 101, nine fees, and -0.002 held from 100 to 102
    made = 3 * 0.010 * 1.0 - 9 * 0.0123456789 - 0.002 * 2.0
    assert points[-1]["equity"] == pytest.approx(1000 + made, abs=1e-9)
    assert LedgerView(ledger).session("s1")["pnl"] == pytest.approx(made, abs=1e-9)
    ledger.close()


def test_a_second_rebuild_changes_nothing(url: str, tmp_path: Path) -> None:
    whole_session(tmp_path / "s1")
    ledger = Ledger(url)
    rebuild(ledger, tmp_path / "s1")
    before = everything(ledger)
    rebuild(ledger, tmp_path / "s1")
    assert everything(ledger) == before
    ledger.close()


def test_wrong_and_foreign_rows_of_a_session_go_but_other_sessions_stay(url: str, tmp_path: Path) -> None:
    whole_session(tmp_path / "s1")
    whole_session(tmp_path / "s2", session="s2")
    ledger = Ledger(url)
    rebuild(ledger, tmp_path / "s1")
    rebuild(ledger, tmp_path / "s2")
    right, other = everything(ledger), everything(ledger, "s2")
    fill = LedgerView(ledger).fills("s1")[0]
    wrong = {**fill, "session": "s1", "qty": Decimal(99)}
    ledger.write({"fills": [wrong, {**wrong, "trade_id": "never"}]})
    assert everything(ledger) != right
    rebuild(ledger, tmp_path / "s1")
    assert everything(ledger) == right
    assert everything(ledger, "s2") == other
    ledger.close()


def test_whose_orders_are_is_kept_where_a_journal_does_not_say(url: str, tmp_path: Path) -> None:
    whole_session(tmp_path / "s1", notes=False)
    ledger = Ledger(url)
    rebuild(ledger, tmp_path / "s1")
    orders = LedgerView(ledger).orders("s1")
    assert {order["strategy"] for order in orders if order["status"] != "DENIED"} == {""}
    ledger.write({"orders": [{**orders[0], "session": "s1", "strategy": "Known", "tag": "mine"}]})
    rebuild(ledger, tmp_path / "s1")
    found = LedgerView(ledger).orders("s1")[0]
    assert (found["strategy"], found["tag"]) == ("Known", "mine")
    assert LedgerView(ledger).fills("s1")[0]["strategy"] == "Known"
    ledger.close()


def test_a_row_that_knows_less_does_not_erase_whose_an_order_is(url: str, tmp_path: Path) -> None:
    whole_session(tmp_path / "s1")
    ledger = Ledger(url)
    rebuild(ledger, tmp_path / "s1")
    order = LedgerView(ledger).orders("s1")[0]
    ledger.write({"orders": [{**order, "session": "s1", "strategy": "", "status": "CANCELED"}]})
    found = LedgerView(ledger).orders("s1")[0]
    assert (found["strategy"], found["status"]) == ("Flip", "CANCELED")
    ledger.close()


def test_a_fill_told_twice_is_one_row_and_one_trade_between_own_orders_is_two(
    url: str, tmp_path: Path
) -> None:
    book = Book(tmp_path / "s1")
    buy, sell = book.order(), book.order()
    book.fill(buy)
    ledger = Ledger(url)
    rebuild(ledger, tmp_path / "s1", running=True)
    [row] = LedgerView(ledger).fills("s1")
    again = {**row, "session": "s1"}
    ledger.write({"fills": [again]})
    ledger.write({"fills": [{**again, "order_id": sell, "side": "SELL"}]})
    found = LedgerView(ledger).fills("s1")
    assert sorted(fill["order_id"] for fill in found) == [buy, sell]
    assert {fill["instrument"] for fill in found} == {PERP.id}
    ledger.close()


def test_all_that_lack_something_are_rebuilt_and_one_that_cannot_be_read_is_named(
    url: str, tmp_path: Path
) -> None:
    whole_session(tmp_path / "s1")
    whole_session(tmp_path / "s2", session="s2")
    (tmp_path / "bad" / "journal").mkdir(parents=True)
    (tmp_path / "bad" / "journal" / "000001.journal").write_bytes(b"no journal at all")
    folders = [(tmp_path / name, False) for name in ("s1", "s2", "bad")]
    ledger = Ledger(url)
    rebuild(ledger, tmp_path / "s1")
    told = {one.session: one for one in rebuild_all(ledger, folders, every=False)}
    assert sorted(told) == ["bad", "s2"]
    assert "not a journal" in told["bad"].left_out
    assert is_complete(ledger, tmp_path / "s2")
    assert len(rebuild_all(ledger, folders, every=True)) == 3
    with pytest.raises(NotFoundError):
        rebuild(ledger, tmp_path / "nowhere")
    ledger.close()


def test_a_session_without_an_end_is_interrupted_or_goes_on(url: str, tmp_path: Path) -> None:
    book = Book(tmp_path / "s1")
    book.fill(book.order())
    ledger = Ledger(url)
    assert rebuild(ledger, tmp_path / "s1", running=True).state == "running"
    assert LedgerView(ledger).session("last")["ended_ns"] is None
    assert not is_complete(ledger, tmp_path / "s1")
    assert rebuild(ledger, tmp_path / "s1").state == "interrupted"
    assert is_complete(ledger, tmp_path / "s1")
    ledger.close()


def test_an_empty_ledger_says_how_it_is_filled(url: str) -> None:
    with pytest.raises(NotFoundError, match="lanner ledger rebuild"):
        LedgerView(Ledger(url)).session("last")
