"""What `lanner check` says of an order, what is denied before it leaves, and what the wire takes are one thing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.core.errors import InvalidOrderError
from lanner.engine.shapes import check_shape
from lanner.execution.abilities import Abilities
from lanner.execution.exits import ExitPlan
from lanner.model.commands import AmendOrder, Batch
from lanner.model.enums import GroupKind, OrderStatus, OrderType, Side, TimeInForce
from lanner.model.features import FEATURES, TIF_FEATURES, TYPE_FEATURES, Feature, features_of_order
from lanner.model.instruments import Instrument
from lanner.model.orders import PRICED_TYPES, TRIGGERED_TYPES, Order, command_of
from lanner.research.features_used import Asked
from lanner.venues.errors import Reason, VenueError
from lanner.venues.hyperliquid.codec import HyperliquidCodec
from lanner.venues.hyperliquid.spec import HYPERLIQUID
from lanner.venues.keys import Keys
from lanner.venues.registry import PRODUCTS, make_codec, product_spec
from lanner.venues.rules import Refuser, impossible_for
from tests.unit.venues.binance.material import BTC, PERP, keys
from tests.unit.venues.hyperliquid.conftest import META, SECRET, SPOT_META

REFUSED = frozenset({Reason.UNSUPPORTED, Reason.REDUCE_ONLY})
GROUPED = {Feature.OCO: GroupKind.OCO, Feature.BRACKET: GroupKind.BRACKET}


def hyperliquid() -> tuple[HyperliquidCodec, list[Instrument]]:
    codec = HyperliquidCodec(HYPERLIQUID.testnet, Keys("wallet", SECRET))
    perps = codec.instruments_call()
    assert perps.then is not None
    listed = perps.parse(json.dumps(META).encode(), 0)
    return codec, [*listed, *perps.then.parse(json.dumps(SPOT_META).encode(), 0)]


def codec_of(product: str) -> Any:
    if product == "hyperliquid":
        return hyperliquid()[0]
    codec = make_codec(product, product_spec(product).mainnet, keys())
    codec.use([BTC if product == "binance-spot" else PERP])
    return codec


PLACES: list[tuple[str, Instrument]] = [
    ("binance-spot", BTC),
    ("binance-usdm", PERP),
    *(
        (
            "hyperliquid",
            next(one for one in hyperliquid()[1] if one.is_spot is spot and one.id.startswith(name)),
        )
        for spot, name in ((False, "ETH"), (True, "PURR"))
    ),
]
at_each_place = pytest.mark.parametrize(
    ("product", "instrument"), PLACES, ids=[f"{product} {one.id}" for product, one in PLACES]
)


def order_of(instrument: Instrument, kind: OrderType, **more: Any) -> Order:
    """Return an order of a kind near a price of 2,000 ticks' worth, with what the kind needs."""
    px = 200_000
    facts: dict[str, Any] = {}
    if kind in PRICED_TYPES:
        facts["px_ticks"] = px
    if kind is OrderType.TRAILING_STOP:
        facts["trail_frac"] = 0.01
    elif kind in TRIGGERED_TYPES:
        facts["stop_ticks"] = px
    return Order("o-1", "s", instrument, more.pop("side", Side.SELL), kind, 100_000, 1, **{**facts, **more})


def with_feature(instrument: Instrument, feature: str) -> Order | None:
    """Return the plainest order that asks for a feature, None for what is no feature of orders."""
    for kind, name in TYPE_FEATURES.items():
        if name == feature:
            return order_of(instrument, kind)
    for tif, name in TIF_FEATURES.items():
        if name == feature:
            expire = 10**18 if tif is TimeInForce.GTD else None
            return order_of(instrument, OrderType.LIMIT, tif=tif, expire_ts=expire)
    if feature in GROUPED:
        return order_of(instrument, OrderType.LIMIT, group_id="g", group_kind=GROUPED[feature])
    more: dict[str, dict[str, Any]] = {
        Feature.POST_ONLY: {"post_only": True},
        Feature.REDUCE_ONLY: {"reduce_only": True},
        Feature.ICEBERG: {"display_lots": 10_000},
    }
    return order_of(instrument, OrderType.LIMIT, **more[feature]) if feature in more else None


ORDER_FEATURES = [one for one in FEATURES if with_feature(PERP, one) is not None]


def denied(product: str, order: Order, plan: ExitPlan | None = None) -> bool:
    """Tell whether a session denies an order before it leaves."""
    abilities = Abilities()
    instrument = order.instrument
    abilities.forbid(instrument.id, impossible_for(product, instrument), Refuser(product))
    return abilities.check(order, plan) is not None


def told_by_check(product: str, order: Order, plan: ExitPlan | None = None) -> bool:
    """Tell whether `lanner check --venue` finds fault with an order."""
    asked = Asked([product], Counter())
    assert asked.check(order, plan) is None
    return bool(asked.lacking[product]) or bool(asked.refusals)


def refused_by_the_wire(product: str, order: Order) -> bool:
    """Tell whether the codec refuses to write an order because the venue does not have it."""
    try:
        codec_of(product).order(command_of(order))
    except VenueError as error:
        if error.reason not in {*REFUSED, Reason.NO_LIQUIDITY}:
            raise
        return error.reason in REFUSED
    return False


@at_each_place
@pytest.mark.parametrize("feature", ORDER_FEATURES)
def test_the_table_the_denial_the_check_and_the_wire_agree_on_each_feature(
    product: str, instrument: Instrument, feature: str
) -> None:
    order = with_feature(instrument, feature)
    assert order is not None
    assert feature in features_of_order(order)
    impossible = feature in impossible_for(product, instrument)
    assert denied(product, order) == impossible
    assert told_by_check(product, order) == impossible
    assert refused_by_the_wire(product, order) == impossible


def amendable(product: str, instrument: Instrument, kind: OrderType) -> Iterator[bool]:
    """Say whether an accepted order may be amended: by the table, and by the wire."""
    order = order_of(instrument, kind)
    if denied(product, order):
        return
    abilities = Abilities()
    abilities.forbid(instrument.id, impossible_for(product, instrument), Refuser(product))
    order.status = OrderStatus.ACCEPTED
    yield abilities.check_amend(order) is None
    codec = codec_of(product)
    codec.order(command_of(order))
    try:
        px = None if order.px_ticks is None else order.px_ticks - 1_000
        stop = None if order.stop_ticks is None else order.stop_ticks - 1_000
        codec.order(AmendOrder(order.order_id, instrument.id, 2, None, px, stop, 1))
    except VenueError as error:
        yield error.reason not in REFUSED
    else:
        yield True


@at_each_place
@pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT])
def test_what_may_be_amended_is_one_thing(product: str, instrument: Instrument, kind: OrderType) -> None:
    assert len(set(amendable(product, instrument, kind))) <= 1


def test_a_change_of_what_waits_for_its_trigger_is_told_as_such() -> None:
    asked = Asked(PRODUCTS, Counter())
    for kind in (OrderType.LIMIT, OrderType.STOP_MARKET):
        assert asked.check_amend(order_of(PERP, kind)) is None
    assert asked.found == {Feature.AMEND: 2, Feature.AMEND_TRIGGER: 1}


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_batch_leaves_wherever_it_is_not_impossible(product: str) -> None:
    instrument = next(one for name, one in PLACES if name == product)
    order = order_of(instrument, OrderType.LIMIT)
    other = Order("o-2", "s", instrument, Side.SELL, OrderType.LIMIT, 100_000, 1, px_ticks=210_000)
    assert product_spec(product).capabilities[Feature.BATCH].name != "IMPOSSIBLE"
    assert codec_of(product).order(Batch((command_of(order), command_of(other)), 1))


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an order that a strategy can send: the engine's own rules about shapes hold."""
    kind = draw(st.sampled_from(list(OrderType)))
    tif = draw(st.sampled_from(list(TimeInForce)))
    more: dict[str, Any] = {
        "side": draw(st.sampled_from(list(Side))),
        "tif": tif,
        "expire_ts": 10**18 if tif is TimeInForce.GTD else None,
        "post_only": draw(st.booleans()),
        "reduce_only": draw(st.booleans()),
        "display_lots": draw(st.sampled_from([None, None, 10_000])),
    }
    if kind is OrderType.TRAILING_STOP:
        by_fraction = draw(st.booleans())
        more["trail_frac"] = draw(st.sampled_from([0.0005, 0.01, 0.0123, 0.2])) if by_fraction else None
        more["trail_ticks"] = None if by_fraction else 100
    return {"kind": kind, **more}


@at_each_place
@settings(max_examples=120, deadline=None)
@given(shape=shapes())
def test_whatever_is_combined_the_three_say_the_same(
    product: str, instrument: Instrument, shape: dict[str, Any]
) -> None:
    order = order_of(instrument, **shape)
    trail = order.trail_frac or order.trail_ticks
    try:
        check_shape(order.type, order.px, order.stop_px, trail, order.tif, order.expire_ts, order.post_only)
    except InvalidOrderError:
        return
    verdict = denied(product, order)
    assert told_by_check(product, order) == verdict
    if refused_by_the_wire(product, order):
        assert verdict, "the wire refuses what was let through"


@at_each_place
@pytest.mark.parametrize("trail", [0.01, 0.3])
def test_an_entry_is_denied_when_its_exits_could_not_be_placed(
    product: str, instrument: Instrument, trail: float
) -> None:
    entry = order_of(instrument, OrderType.MARKET, side=Side.BUY)
    plan = ExitPlan(trail_frac=trail)
    exit_ = order_of(instrument, OrderType.TRAILING_STOP, trail_frac=trail)
    expected = refused_by_the_wire(product, exit_)
    assert denied(product, entry, plan) == expected
    assert told_by_check(product, entry, plan) == expected
