"""What a journal says that a session holds, and which of its orders may have traded unheard."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from lanner.live.aftermath import Holdings, holdings_of
from lanner.live.kill_reports import REPORT, last_report, sales_name, write_report
from lanner.live.killswitch import KillReport
from lanner.model.commands import AmendOrder, SubmitOrder
from lanner.model.enums import Liquidity, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.reports import CONCLUDED, OrderCanceled, OrderFilled, PositionAdjusted
from lanner.storage.journal import TYPES, Record
from lanner.storage.ledger.byhand import KILL_LOG

NAME = "BTC-USDT.TEST"


def held(*messages: Any) -> Holdings:
    return holdings_of(
        Record(number, number, TYPES[type(message)], message) for number, message in enumerate(messages, 1)
    )


def submit(order_id: str, lots: int) -> SubmitOrder:
    return SubmitOrder(order_id, NAME, 1, Side.BUY, OrderType.MARKET, lots)


def fill(order_id: str, lots: int, trade_id: str) -> OrderFilled:
    return OrderFilled(order_id, NAME, 1, 1, trade_id, Side.BUY, 100, lots, Decimal(0), Liquidity.TAKER, 100)


def test_an_order_is_settled_by_its_end_or_by_all_of_its_fills() -> None:
    told = held(
        submit("a", 5), submit("b", 5), submit("c", 5), fill("a", 5, "1"), OrderCanceled("b", NAME, 2, 2)
    )
    assert told.unsettled == {"c": 5}
    assert told.lots == {NAME: 5}


def test_a_fill_counts_once_and_a_part_leaves_the_rest_unsettled() -> None:
    told = held(submit("a", 5), fill("a", 2, "1"), fill("a", 2, "1"))
    assert told.unsettled == {"a": 3}
    assert told.lots == {NAME: 2}


def test_an_amend_never_makes_less_of_what_may_come() -> None:
    assert held(submit("a", 5), AmendOrder("a", NAME, 2, 3, None, None, 1)).unsettled == {"a": 5}
    assert held(submit("a", 5), AmendOrder("a", NAME, 2, 9, None, None, 1)).unsettled == {"a": 9}
    assert held(submit("a", 5), AmendOrder("a", NAME, 2, None, 7, None, 1)).unsettled == {"a": 5}


def test_a_fill_of_lots_that_were_concluded_counts_once() -> None:
    told = held(submit("a", 9), fill("a", 4, f"{CONCLUDED}-a-4"), fill("a", 3, "1"), fill("a", 3, "2"))
    assert told.unsettled == {"a": 3}
    assert told.lots == {NAME: 6}


def sale(folder: Path, started_ns: int, order_id: str, ts: int) -> None:
    """Leave behind what a kill switch does that sold something."""
    write_report(folder, KillReport("by hand", started_ns, sold={NAME: (5, 500)}), done=False)
    line = {"ts": ts, "product": "test", "order_id": order_id, "instrument_id": NAME}
    with (folder / KILL_LOG).open("a") as log:
        log.write(json.dumps(line) + "\n")


def test_sales_of_an_earlier_kill_switch_are_counted_until_the_session_has_learned_of_them(
    tmp_path: Path,
) -> None:
    sale(tmp_path, 10, "w1", 20)
    told, report = held(submit("a", 5), fill("a", 5, "1")), KillReport("again", 30)
    told.sold_before(tmp_path, report)
    assert told.orders["w1"] == NAME  # so the venue's fills of it are taken, too
    assert report.sold == {NAME: (5, 500)}
    learned = PositionAdjusted("s", NAME, 1, 1, -5, 100, sales_name(10))
    told, report = held(*[submit("a", 5)] * 24, fill("a", 5, "1"), learned), KillReport("again", 30)
    told.sold_before(tmp_path, report)
    assert "w1" not in told.orders
    assert report.sold == {}
    assert told.lots == {NAME: 0}


def test_a_draft_of_a_report_is_newer_than_the_report_beside_it(tmp_path: Path) -> None:
    write_report(tmp_path, KillReport("one", 1))
    write_report(tmp_path, KillReport("two", 2), done=False)
    assert json.loads((tmp_path / REPORT).read_text())["reason"] == "one"
    found = last_report(tmp_path)
    assert found is not None
    assert found["reason"] == "two"


def test_what_the_venue_kept_of_a_bought_coin_is_not_held() -> None:
    coin = Instrument.spot(NAME, tick="0.1", lot="0.001")
    fees = (Decimal("0.0031"), Decimal("0.0005"))
    told = held(
        submit("a", 50), *(replace(fill("a", 25, str(n)), base_fee=fee) for n, fee in enumerate(fees))
    )
    assert told.lots == {NAME: 50}
    assert told.lots_of(coin) == 46
