"""What the page of a comparison says of delays, people's actions and orders that are alike."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from lanner.live.parity.compare import ParityReport
from lanner.live.parity.page import render_parity
from lanner.live.parity.split import PARTS, Pair, _note
from lanner.live.parity.view import in_cents
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import OrderFilled

COIN = Instrument.spot("BTC-USDT.DEMO", tick="0.01", lot="0.001", maker="0.001", taker="0.001")
MS = 1_000_000


def pair(name: str, delay_ms: int, liquidity: Liquidity, gap: str = "0") -> Pair:
    orders = [Order(f"{name}{side}", "one", COIN, Side.BUY, OrderType.LIMIT, 5, MS) for side in "ab"]
    ts = MS + delay_ms * MS
    fills = [
        OrderFilled(
            one.order_id, COIN.id, ts, ts, f"t{one.order_id}", Side.BUY, 100, 5, Decimal(0), liquidity, 100
        )
        for one in orders
    ]
    parts = {part: Decimal(0) for part in PARTS} | {"queue_fill": Decimal(gap)}
    note = "filled at another price" if Decimal(gap) else ""
    return Pair(orders[0], orders[1], fills[:1], fills[1:], parts, note)


def page(pairs: list[Pair], controls: list[tuple[int, str, str]]) -> str:
    zero = {part: Decimal(0) for part in PARTS}
    report = ParityReport(
        "s1", "live", ["one"], [COIN.id], "USDT", 1, 2, Decimal(100), Decimal(100), Decimal(100), zero, pairs,
        True, False, 10, {}, controls, [],
    )  # fmt: skip
    return render_parity(report)


def test_the_delay_is_that_of_orders_that_took_and_not_of_those_that_rested() -> None:
    rested = [pair(f"r{n}", 60_000, Liquidity.MAKER) for n in range(3)]
    assert "7.0 ms" in page([*rested, pair("t", 7, Liquidity.TAKER)], [])
    assert "60,000.0 ms</span>" not in page(rested, [])


def test_orders_that_are_alike_can_be_hidden_and_are_where_there_are_many() -> None:
    alike = [pair(f"r{n}", 1, Liquidity.MAKER) for n in range(50)]
    few = page([pair("x", 1, Liquidity.MAKER, "-1"), *alike[:3]], [])
    assert few.count('<tr class="same">') == 3
    assert 'type="checkbox">' in few
    assert 'type="checkbox" checked>' in page([pair("x", 1, Liquidity.MAKER, "-1"), *alike], [])
    assert "checkbox" not in page(alike, [])


def test_what_people_did_is_told_with_its_particulars() -> None:
    assert "size 0.03" in page([], [(1, "params", "reload: values.size 0.03")])


def test_what_was_done_again_and_again_is_one_row() -> None:
    controls = [
        (1, "halt", "enough"),
        *((n, "flatten", "enough") for n in range(2, 6)),
        (9, "flatten", "more"),
    ]
    text = page([], controls)
    assert "flatten ×4" in text
    assert text.count(">flatten<") == 1  # the one with another reason


def test_a_cancel_that_was_asked_for_needs_no_reason() -> None:
    ours, theirs = pair("x", 1, Liquidity.MAKER).session, pair("y", 1, Liquidity.MAKER).session
    assert ours is not None
    assert theirs is not None
    ours.status, ours.cum_lots = OrderStatus.FILLED, 5
    theirs.status, theirs.reason = OrderStatus.CANCELED, "canceled on request"
    ours.reason = "no answer within 5 s"  # of the time when it was UNKNOWN
    assert _note(ours, theirs) == "filled in the session, canceled in the backtest"
    theirs.reason = "self-trade"
    assert _note(ours, theirs).endswith(": self-trade")


@given(st.lists(st.decimals(-100, 100, places=5), min_size=1, max_size=7))
def test_parts_in_cents_add_up_to_the_sum_in_cents(amounts: list[Decimal]) -> None:
    shown = in_cents({str(n): amount for n, amount in enumerate(amounts)})
    assert sum(shown.values()) == sum(amounts, Decimal(0)).quantize(Decimal("0.01"))
    assert all(abs(shown[str(n)] - amount) <= Decimal("0.01") for n, amount in enumerate(amounts))


def test_a_cent_that_rounding_makes_goes_to_the_part_that_was_rounded_most() -> None:
    parts = {
        "latency": Decimal("-0.373"),
        "queue_fill": Decimal("-0.484"),
        "manual_action": Decimal("11.955"),
    }
    assert {name: str(amount) for name, amount in in_cents({**parts, "rest": Decimal(0)}).items()} == {
        "latency": "-0.37",
        "queue_fill": "-0.48",
        "manual_action": "11.95",
        "rest": "0.00",
    }
