"""Money: nothing is made or lost; what is set aside is what orders need; margin and liquidation arithmetic."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.model.enums import OrderType, Side
from lanner.simulator.events import AccountChanged, ChangeReason, FundingPaid, Liquidated
from lanner.simulator.money import SCALE, atoms_text, fee_of, from_atoms, to_atoms
from lanner.simulator.orders import Ack, ListKind, NewList, PositionSide, RejectReason, SimStatus, StpMode
from tests.unit.simulator.venue import BUY, IOC, PERP, SELL, SPOT, Venue

USD = SCALE

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["limit", "limit", "market", "ioc", "stop", "cancel", "amend", "mark", "fund", "quote", "oco"]
        ),
        st.sampled_from("abc"),
        st.sampled_from([SPOT, PERP]),
        st.sampled_from([BUY, SELL]),
        st.integers(1, 40_000),
        st.integers(90, 130),
        st.integers(0, 50),
    ),
    max_size=50,
)


def play_oco(venue: Venue, owner: str, lots: int, px: int) -> None:
    """Send a take-profit above and a stop below the price."""
    legs = [
        venue.new(owner, SELL, lots, px + 5),
        venue.new(owner, SELL, lots, px - 9, type=OrderType.STOP_LIMIT, trigger_ticks=px - 6),
    ]
    venue.exchange.submit_list(NewList(account=owner, market=SPOT, kind=ListKind.OCO, orders=legs), venue.now)


def play(venue: Venue, steps: list[tuple[str, str, str, Side, int, int, int]]) -> None:
    """Do whatever the steps say, as far as the venue lets it."""
    exchange = venue.exchange
    orders: list[int] = []
    for what, owner, market, side, lots, px, pick in steps:
        venue.now += 1
        if what == "mark":
            exchange.set_mark(PERP, px, px, venue.now)
        elif what == "fund":
            exchange.set_funding_rate(PERP, Decimal(pick - 25) / 10_007, venue.now)
            exchange.settle_funding(PERP, venue.now)
        elif what == "oco":
            play_oco(venue, owner, lots, px)
        elif what in ("cancel", "amend"):
            if orders:
                play_change(venue, what, orders[pick % len(orders)], px, lots)
        else:
            ack = play_order(venue, what, owner, market, side, lots, px, pick)
            if ack.order is not None:
                orders.append(ack.order.order_id)


def play_change(venue: Venue, what: str, number: int, px: int, lots: int) -> None:
    order = venue.exchange.any_order(number)
    assert order is not None
    if what == "cancel":
        venue.exchange.cancel(order.account, venue.now, order_id=number)
    elif order.ticks:
        venue.exchange.amend(order.account, venue.now, order_id=number, ticks=px, lots=lots)


def play_order(
    venue: Venue, what: str, owner: str, market: str, side: Side, lots: int, px: int, pick: int
) -> Ack:
    more: dict[str, object] = {"market": market, "stp": StpMode(pick % 5)}
    if market == PERP and pick % 7 == 0:
        more["reduce_only"] = True
    if what == "market":
        px = 0
    elif what == "ioc":
        more["tif"] = IOC
    elif what == "stop":
        more |= {"type": OrderType.STOP_LIMIT, "trigger_ticks": px + (5 if side is BUY else -5)}
    elif what == "quote":
        px, lots = 0, 0
        more |= {"quote_atoms": pick * 100 * USD, "market": SPOT}
    return venue.send(owner, side, lots, px, **more)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_the_sum_of_all_money_and_open_profit_never_changes(
    steps: list[tuple[str, str, str, Side, int, int, int]],
) -> None:
    venue = Venue(usdt="20000")
    venue.exchange.set_mark(PERP, 110, 110, 0)
    before = venue.wealth()
    play(venue, steps)
    assert venue.wealth() == before


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_what_is_locked_is_what_the_open_spot_orders_need(
    steps: list[tuple[str, str, str, Side, int, int, int]],
) -> None:
    venue = Venue(usdt="20000")
    play(venue, steps)
    for account in venue.exchange.accounts.values():
        needed = {"USDT": 0, "BTC": 0}
        exposure = [0, 0, 0, 0]
        for order in account.open_orders.values():
            if order.list_id and order.is_triggered_type and not order.triggered_ns:
                continue  # its sibling has set the money aside for both
            if order.market == SPOT:
                asset, atoms = (
                    ("USDT", order.leaves * order.ticks * venue.spot.unit)
                    if order.side is BUY
                    else ("BTC", order.leaves * venue.spot.lot_atoms)
                )
                needed[asset] += atoms
            elif order.status is not SimStatus.PENDING_TRIGGER and not order.reduce_only:
                at = 0 if order.side is BUY else 2
                exposure[at] += order.leaves
                exposure[at + 1] += order.leaves * order.ticks * venue.perp.unit
        assert {asset: account.balance(asset).locked for asset in needed} == needed
        assert account.exposure.get((PERP, PositionSide.BOTH), [0, 0, 0, 0]) == exposure
        if not account.house:
            assert all(held.free >= 0 for asset, held in account.balances.items() if asset == "BTC")


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_the_same_calls_make_the_same_events(steps: list[tuple[str, str, str, Side, int, int, int]]) -> None:
    told = []
    for _ in range(2):
        venue = Venue(usdt="20000")
        play(venue, steps)
        told.append([repr(event) for event in venue.events])
    assert told[0] == told[1]


def test_spot_fees_are_taken_from_what_is_received() -> None:
    venue = Venue()
    venue.sell("a", 1000, 100)  # 1 BTC at 50
    venue.buy("b", 1000, 100)
    seller, buyer = venue.exchange.accounts["a"], venue.exchange.accounts["b"]
    assert from_atoms(seller.balance("USDT").total) == Decimal("1000049.95")
    assert from_atoms(buyer.balance("BTC").total) == Decimal("100.998")
    assert {asset: from_atoms(atoms) for asset, atoms in venue.exchange.treasury.items()} == {
        "USDT": Decimal("0.05"),
        "BTC": Decimal("0.002"),
    }


def test_fees_are_rounded_half_up_to_eight_decimals_and_rebates_are_negative() -> None:
    assert fee_of(15 * 10**6, 1_000_000) == 20_000  # 0.000015 × 0.1 % = 1.5e-8 → 2e-8
    assert fee_of(-15 * 10**6, 1_000_000) == -10_000
    assert fee_of(100 * USD, -50_000) == -to_atoms("0.005")


def test_amounts_are_written_with_eight_decimals() -> None:
    assert atoms_text(to_atoms("1.5")) == "1.50000000"
    assert atoms_text(to_atoms("-0.000000019")) == "-0.00000001"
    assert from_atoms(to_atoms("-12.340")) == Decimal("-12.34")


def test_an_order_beyond_the_free_balance_is_refused() -> None:
    venue = Venue(usdt="100")
    venue.buy("a", 1000, 100)
    assert venue.buy("a", 1001, 100).reason is RejectReason.INSUFFICIENT_BALANCE
    assert venue.buy("a", 1000, 100).ok
    assert venue.sell("a", 100_001, 100).reason is RejectReason.INSUFFICIENT_BALANCE


# -- perpetuals -----------------------------------------------------------------------------------------


def perp(px: int = 20_000, usdt: str = "10000", *, fees: bool = False) -> Venue:
    venue = Venue(usdt=usdt, fees=fees)
    venue.exchange.set_mark(PERP, px, px, 0)
    return venue


def open_long(venue: Venue, lots: int = 1000, px: int = 20_000, leverage: int = 10) -> None:
    for name in "ab":
        assert venue.exchange.set_leverage(name, PERP, leverage, venue.now) is RejectReason.NONE
    venue.sell("b", lots, px, market=PERP)
    venue.buy("a", lots, px, market=PERP)


def test_margin_figures_of_a_long_position_are_those_of_the_formulas() -> None:
    venue = perp()
    open_long(venue)  # 1 BTC at 10,000 with leverage 10
    venue.exchange.set_mark(PERP, 20_400, 20_400, venue.now)  # 10,200
    margin = venue.exchange.margin("a")
    assert margin.unrealized == 200 * USD
    assert margin.position_initial == 1_020 * USD
    assert margin.maintenance == 102 * USD
    assert margin.available == (10_000 + 200 - 1_020) * USD
    risk = venue.exchange.risk("a", PERP)
    assert risk is not None
    # equity 10,000 + (P − 10,000) = P, maintenance 0.01 P: a long backed in full cannot be liquidated
    assert risk.liquidation_ticks == 0
    risk = venue.exchange.risk("b", PERP)
    assert risk is not None
    # 10,000 − (P − 10,000) = 0.01 P  ⇒  P = 20,000 / 1.01
    assert risk.liquidation_ticks == int(20_000 / 1.01 / 0.5)


def test_open_orders_hold_margin_for_the_worse_side_only() -> None:
    venue = perp()
    assert venue.exchange.set_leverage("a", PERP, 10, 0) is RejectReason.NONE
    venue.buy("a", 1000, 19_000, market=PERP)
    venue.sell("a", 1000, 21_000, market=PERP)
    assert venue.exchange.margin("a").order_initial == 1_050 * USD
    assert venue.buy("a", 8_000, 20_000, market=PERP).ok
    refused = venue.buy("a", 2_000, 20_000, market=PERP)
    assert refused.reason is RejectReason.INSUFFICIENT_MARGIN


def test_reducing_realises_profit_in_proportion_and_flipping_opens_the_other_way() -> None:
    venue = perp()
    open_long(venue)
    venue.buy("c", 400, 22_000, market=PERP)
    ack = venue.sell("a", 400, market=PERP)
    assert ack.fills[0].realized_atoms == 400 * USD
    assert ack.fills[0].position_before == 1000
    venue.buy("c", 1000, 22_000, market=PERP)
    ack = venue.sell("a", 1000, market=PERP)
    assert ack.fills[0].realized_atoms == 600 * USD
    position = venue.exchange.accounts["a"].position(PERP)
    assert position is not None
    assert (position.lots, position.entry_px) == (-400, Decimal(11_000))


def test_a_cross_account_below_maintenance_is_liquidated_at_the_book() -> None:
    venue = perp(usdt="1000", fees=False)
    open_long(venue, leverage=10)
    venue.exchange.deposit("c", "USDT", Decimal(100_000), venue.now)
    venue.buy("c", 5_000, 18_100, market=PERP)  # 9,050
    venue.events.clear()
    venue.exchange.set_mark(PERP, 18_200, 18_200, venue.now)  # 9,100: equity 100 ≥ 91
    assert not [event for event in venue.events if isinstance(event, Liquidated)]
    venue.exchange.set_mark(PERP, 18_180, 18_180, venue.now)  # 9,090: equity 90 < 90.9
    (told,) = [event for event in venue.events if isinstance(event, Liquidated)]
    assert (told.lots, told.ticks, told.bankrupt_ticks) == (1000, 18_100, 18_000)
    # 1,000 − 950 lost = 50 left, the fee of 0.5 % of 9,050 is 45.25
    assert from_atoms(venue.exchange.accounts["a"].balance("USDT").total) == Decimal("4.75")
    position = venue.exchange.accounts["a"].position(PERP)
    assert position is not None
    assert position.lots == 0


def test_what_the_book_does_not_take_goes_to_the_insurance_and_a_hole_is_the_venues() -> None:
    venue = perp(usdt="1000", fees=False)
    before = venue.wealth()
    open_long(venue, leverage=10)
    venue.exchange.set_mark(PERP, 17_000, 17_000, venue.now)  # 8,500: 500 beyond the money
    account = venue.exchange.accounts["a"]
    assert account.balance("USDT").total == 0
    insurance = venue.exchange.accounts["~insurance"].position(PERP)
    assert insurance is not None
    assert insurance.lots == 1000
    assert venue.wealth() == before


def test_an_isolated_position_loses_its_own_margin_only() -> None:
    venue = perp()
    venue.exchange.set_margin_mode("a", PERP, False, 0)
    open_long(venue, leverage=10)
    position = venue.exchange.accounts["a"].position(PERP)
    assert position is not None
    assert position.margin == 1_000 * USD
    risk = venue.exchange.risk("a", PERP)
    assert risk is not None
    # 1,000 + P − 10,000 = 0.01 P  ⇒  P = 9,000 / 0.99
    assert risk.liquidation_ticks == -(-int(9_000 / 0.99 * 1000) // 500)
    assert venue.exchange.add_margin("a", PERP, 500 * USD, venue.now) is RejectReason.NONE
    assert position.margin == 1_500 * USD
    assert venue.exchange.add_margin("a", PERP, -600 * USD, venue.now) is RejectReason.INSUFFICIENT_MARGIN
    venue.exchange.set_mark(PERP, 10_000, 10_000, venue.now)
    assert position.lots == 0
    assert venue.exchange.accounts["a"].balance("USDT").total == 8_500 * USD


def test_funding_moves_money_from_longs_to_shorts() -> None:
    venue = perp()
    open_long(venue)
    venue.events.clear()
    venue.exchange.set_funding_rate(PERP, Decimal("0.0001"), venue.now)
    venue.exchange.settle_funding(PERP, venue.now)
    paid = {e.account: from_atoms(e.amount_atoms) for e in venue.events if isinstance(e, FundingPaid)}
    assert paid == {"a": Decimal(-1), "b": Decimal(1)}
    reasons = {event.reason for event in venue.events if isinstance(event, AccountChanged)}
    assert reasons == {ChangeReason.FUNDING}


def test_funding_falls_due_as_time_passes() -> None:
    venue = perp()
    open_long(venue)
    venue.perp.next_funding_ns = 10**12
    venue.perp.funding_rate = Decimal("0.001")
    venue.exchange.advance(10**12 - 1)
    assert not [event for event in venue.events if isinstance(event, FundingPaid)]
    venue.exchange.advance(10**12 + 1)
    assert [event.ts_ns for event in venue.events if isinstance(event, FundingPaid)] == [10**12, 10**12]
    assert venue.perp.next_funding_ns == 10**12 + venue.perp.rules.funding_interval_ns


def test_hedge_mode_keeps_a_long_and_a_short_side_by_side() -> None:
    venue = perp()
    assert venue.exchange.set_hedge_mode("a", True, 0) is RejectReason.NONE
    venue.sell("b", 500, 20_000, market=PERP)
    assert venue.buy("a", 500, 20_000, market=PERP).reason is RejectReason.POSITION_SIDE
    assert venue.buy("a", 500, 20_000, market=PERP, position_side=PositionSide.LONG).ok
    venue.buy("b", 300, 20_000, market=PERP)
    assert venue.sell("a", 300, market=PERP, position_side=PositionSide.SHORT).ok
    held = {side: position.lots for (_, side), position in venue.exchange.accounts["a"].positions.items()}
    assert held == {PositionSide.LONG: 500, PositionSide.SHORT: -300}
    refused = venue.sell("a", 501, 20_000, market=PERP, position_side=PositionSide.LONG)
    assert refused.reason is RejectReason.REDUCE_ONLY
    assert venue.exchange.set_hedge_mode("a", False, 0) is RejectReason.HAS_POSITION


def test_a_reduce_only_order_never_opens_a_position() -> None:
    venue = perp()
    assert venue.sell("a", 100, 20_000, market=PERP, reduce_only=True).reason is RejectReason.REDUCE_ONLY
    open_long(venue, lots=300)
    venue.buy("c", 1000, 20_000, market=PERP)
    ack = venue.sell("a", 500, 20_000, market=PERP, reduce_only=True)
    assert ack.order is not None
    assert (ack.order.cum_lots, ack.order.status) == (300, SimStatus.EXPIRED)
    position = venue.exchange.accounts["a"].position(PERP)
    assert position is not None
    assert position.lots == 0


def test_a_resting_reduce_only_order_ends_when_there_is_nothing_left_to_reduce() -> None:
    venue = perp()
    open_long(venue, lots=300)
    resting = venue.sell("a", 300, 21_000, market=PERP, reduce_only=True)
    venue.buy("c", 300, 20_000, market=PERP)
    venue.sell("a", 300, 20_000, market=PERP)
    ack = venue.buy("c", 100, 21_000, market=PERP)
    assert resting.order is not None
    assert resting.order.status is SimStatus.EXPIRED
    assert ack.fills == []


@pytest.mark.parametrize("leverage", [0, 51])
def test_leverage_outside_the_markets_range_is_refused(leverage: int) -> None:
    assert perp().exchange.set_leverage("a", PERP, leverage, 0) is RejectReason.LEVERAGE


def test_lower_leverage_needs_the_margin_for_what_is_open() -> None:
    venue = perp(usdt="1000")
    open_long(venue, leverage=20)
    assert venue.exchange.set_leverage("a", PERP, 5, venue.now) is RejectReason.INSUFFICIENT_MARGIN
    assert venue.exchange.set_leverage("a", PERP, 10, venue.now) is RejectReason.NONE


def test_a_transfer_takes_free_money_only() -> None:
    venue = Venue(usdt="100")
    venue.buy("a", 1000, 100)  # 50 set aside
    assert venue.exchange.transfer("a", "b", "USDT", 60 * USD, 9) is RejectReason.INSUFFICIENT_BALANCE
    assert venue.exchange.transfer("a", "b", "BTC", 100 * USD, 9) is RejectReason.NONE
    assert venue.exchange.accounts["b"].balance("BTC").total == 200 * USD
