"""Commands as bytes: what leaves is exactly this."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lanner.model.accounts import MarginMode
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import GroupKind, OrderType, Side, TimeInForce
from lanner.net.ratelimit import Priority
from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.hyperliquid.auth import action_hash
from lanner.venues.hyperliquid.codec import HyperliquidCodec
from lanner.venues.keys import Keys
from lanner.venues.signing import recover_address
from tests.unit.venues.hyperliquid.conftest import SECRET, make_codec

ETH = "ETH-PERP.HYPERLIQUID"
HYPE = "HYPE-USDC.HYPERLIQUID"

Submit = Callable[..., SubmitOrder]


def action(codec: HyperliquidCodec, command: Any) -> dict[str, Any]:
    """Return the action that a command becomes."""
    (call,) = codec.order(command)
    told: dict[str, Any] = json.loads(call.request(1_000, 2_000).body)["action"]
    return told


GOLDEN = (
    b'{"method":"post","id":1,"request":{"type":"action","payload":{"action":{"type":"order","orders":[{"a":1,'
    b'"b":true,"p":"2000.1","s":"0.5","r":false,"t":{"limit":{"tif":"Gtc"}},"c":"0xcac72c834047a6ac233b8fa59af25e51"}],"grouping":"na"},'
    b'"nonce":1767225600001,"signature":{"r":"0x4f684c2e4e805ad793926cc7989cb8c81f7431fc26e843d160b901e123e2857a","s":"0x535d461947bbcd4edd659eaba53ad8c27cc36cdc8dfaa971e5332f583262ab39","v":27}}}}'
)
"""Nonce, fields and their order as told; the signature is that of the venue's own client for the same action."""


def test_a_limit_order_leaves_as_these_bytes(codec: HyperliquidCodec, submit: Submit) -> None:
    (call,) = codec.order(submit())
    frame = call.frame(1_767_225_600_000, 1_767_225_600_001)
    assert frame == GOLDEN
    request = call.request(1_767_225_600_000, 1_767_225_600_001)
    assert (request.method, request.path) == ("POST", "/exchange")
    assert frame.endswith(request.body + b"}}")
    assert (call.priority, call.order_ids) == (Priority.NEW, ("O-1",))


def test_client_ids_are_always_the_same_and_128_bits_of_hex(codec: HyperliquidCodec) -> None:
    told = codec.client_id("O-1")
    assert told == make_codec().client_id("O-1")
    assert told != codec.client_id("O-2")
    assert len(told) == 34
    assert int(told, 16) < 2**128


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"post_only": True}, {"limit": {"tif": "Alo"}}),
        ({"tif": TimeInForce.IOC}, {"limit": {"tif": "Ioc"}}),
        (
            {"type": OrderType.STOP_MARKET, "stop_ticks": 190_000, "px_ticks": None},
            {"trigger": {"isMarket": True, "triggerPx": "1900", "tpsl": "sl"}},
        ),
        (
            {"type": OrderType.TAKE_PROFIT_LIMIT, "stop_ticks": 210_000},
            {"trigger": {"isMarket": False, "triggerPx": "2100", "tpsl": "tp"}},
        ),
    ],
)
def test_order_types_are_written_in_the_venues_words(
    codec: HyperliquidCodec, submit: Submit, more: dict[str, Any], told: dict[str, Any]
) -> None:
    assert action(codec, submit(**more))["orders"][0]["t"] == told


def test_a_market_order_is_an_ioc_limit_five_per_cent_through_the_last_mid(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    market = {"type": OrderType.MARKET, "px_ticks": None}
    with pytest.raises(VenueError) as caught:
        codec.order(submit(**market))
    assert caught.value.reason == Reason.NO_LIQUIDITY
    codec.decode(b'{"channel":"allMids","data":{"mids":{"ETH":"2000.5","#12":"0.5"}}}', 1)
    bought = action(codec, submit(**market))["orders"][0]
    assert (bought["p"], bought["t"]) == ("2100.5", {"limit": {"tif": "Ioc"}})
    sold = action(codec, submit("O-2", side=Side.SELL, **market))["orders"][0]
    assert sold["p"] == "1900.5"
    codec.decode(
        b'{"channel":"bbo","data":{"coin":"ETH","time":1,"bbo":[{"px":"999","sz":"1"},{"px":"1001","sz":"1"}]}}',
        1,
    )
    assert action(codec, submit("O-3", **market))["orders"][0]["p"] == "1050"


def test_a_stop_by_market_is_limited_ten_per_cent_through_its_trigger(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    stop = submit(
        type=OrderType.STOP_MARKET, side=Side.SELL, stop_ticks=190_000, px_ticks=None, reduce_only=True
    )
    told = action(codec, stop)["orders"][0]
    assert (told["p"], told["r"]) == ("1710", True)
    (call,) = codec.order(stop)
    assert call.priority is Priority.STOP


@pytest.mark.parametrize(
    ("ticks", "text"),
    [(200_010, "2000.1"), (200_000, "2000"), (12_345_600, "123456"), (1, "0.01"), (123_45, "123.45")],
)
def test_prices_lose_their_trailing_zeros(
    codec: HyperliquidCodec, submit: Submit, ticks: int, text: str
) -> None:
    assert action(codec, submit(px_ticks=ticks))["orders"][0]["p"] == text


def test_a_price_of_six_significant_figures_is_refused_before_it_leaves(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    with pytest.raises(VenueError) as caught:
        codec.order(submit(px_ticks=200_011))
    assert (caught.value.kind, caught.value.reason) == (ErrorKind.REJECTED, Reason.PRICE_GRID)


@pytest.mark.parametrize(
    "more",
    [
        {"tif": TimeInForce.FOK},
        {"tif": TimeInForce.GTD, "expire_ts": 5},
        {"display_lots": 5},
        {"type": OrderType.TRAILING_STOP, "trail_frac": 0.01, "px_ticks": None},
        {"post_only": True, "tif": TimeInForce.IOC},
        {"instrument_id": HYPE, "type": OrderType.STOP_MARKET, "stop_ticks": 5, "px_ticks": None},
    ],
)
def test_what_the_venue_does_not_have_is_refused(
    codec: HyperliquidCodec, submit: Submit, more: dict[str, Any]
) -> None:
    with pytest.raises(VenueError) as caught:
        codec.order(submit(**more))
    assert (caught.value.kind, caught.value.reason) == (ErrorKind.REJECTED, Reason.UNSUPPORTED)


def test_spot_pairs_have_their_own_numbers_decimals_and_no_reduce_only(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    sale = submit(instrument_id=HYPE, side=Side.SELL, lots=1_234, px_ticks=23_757_000, reduce_only=True)
    told = action(codec, sale)["orders"][0]
    assert (told["a"], told["p"], told["s"], told["r"]) == (10_107, "23.757", "12.34", False)
    purr = submit("O-2", instrument_id="PURR-USDC.HYPERLIQUID", lots=7, px_ticks=20_432_000)
    assert action(codec, purr)["orders"][0]["a"] == 10_000


def test_a_bracket_leaves_as_one_action_whose_exits_wait_for_the_entry(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    group: dict[str, Any] = {"group_id": "G", "group_kind": GroupKind.BRACKET}
    out: dict[str, Any] = {**group, "side": Side.SELL, "reduce_only": True, "px_ticks": None}
    entry = submit("E", **group)
    stop = submit("S", type=OrderType.STOP_MARKET, stop_ticks=190_000, **out)
    take = submit("T", type=OrderType.TAKE_PROFIT_MARKET, stop_ticks=210_000, **out)
    told = action(codec, Batch((entry, stop, take), 0))
    assert told["grouping"] == "normalTpsl"
    assert told["orders"][0]["t"] == {"limit": {"tif": "Gtc"}}
    pair = [
        submit(
            o.order_id + "2",
            **{**out, "group_kind": GroupKind.OCO, "type": o.type, "stop_ticks": o.stop_ticks},
        )
        for o in (stop, take)
    ]
    assert action(codec, Batch(tuple(pair), 0))["grouping"] == "positionTpsl"
    alone = [submit("A", group_id="H"), submit("B", group_id="I")]
    assert action(codec, Batch(tuple(alone), 0))["grouping"] == "na"


def test_a_batch_makes_one_action_for_each_run_of_one_kind(codec: HyperliquidCodec, submit: Submit) -> None:
    codec.order(submit("A"))
    batch = Batch((CancelOrder("A", ETH, 0, 1), submit("B"), submit("C"), CancelOrder("B", ETH, 0, 1)), 0)
    calls = codec.order(batch)
    assert [call.name for call in calls] == ["cancelByCloid", "order", "cancelByCloid"]
    assert [call.order_ids for call in calls] == [("A",), ("B", "C"), ("B",)]
    assert len({call.request_id for call in calls}) == 3
    large = codec.order(Batch(tuple(submit(f"L{i}") for i in range(79)), 0))
    assert large[0].costs["weight"] == 2


def test_a_cancel_names_the_order_by_our_id(codec: HyperliquidCodec, submit: Submit) -> None:
    codec.order(submit())
    told = action(codec, CancelOrder("O-1", ETH, 0, 1))
    assert told == {"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": codec.client_id("O-1")}]}


def test_a_change_sends_the_whole_order_again_with_what_is_left(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    (call,) = codec.order(submit(post_only=True))
    call.answer(
        200, b'{"status":"ok","response":{"type":"order","data":{"statuses":[{"resting":{"oid":77}}]}}}', 1
    )
    told = action(codec, AmendOrder("O-1", ETH, 0, px_ticks=200_020, request=1))
    assert told["type"] == "batchModify"
    assert told["modifies"] == [
        {
            "oid": 77,
            "order": {
                "a": 1,
                "b": True,
                "p": "2000.2",
                "s": "0.5",
                "r": False,
                "t": {"limit": {"tif": "Alo"}},
                "c": codec.client_id("O-1"),
            },
        }
    ]


def test_only_changes_that_could_not_be_made_else_are_placed_whatever_became_of_the_order(
    codec: HyperliquidCodec, submit: Submit
) -> None:
    bbo = (
        b'{"channel":"bbo","data":{"coin":"ETH","time":1,"bbo":[{"px":"2000","sz":"1","n":1},'
        b'{"px":"2000.2","sz":"1","n":1}]}}'
    )
    codec.decode(bbo, 1)
    for name, more in (
        ("rests", {}),
        ("takes", {}),
        ("maker", {"post_only": True}),
        ("stop", {"type": OrderType.STOP_MARKET, "px_ticks": None, "stop_ticks": 210_000}),
    ):
        codec.order(submit(name, **more))
    told = [
        json.loads(call.request(1, 2).body)["action"]
        for call in codec.order(
            Batch(
                (
                    AmendOrder("rests", ETH, 0, px_ticks=199_000, request=1),
                    AmendOrder("maker", ETH, 0, px_ticks=200_100, request=1),
                    AmendOrder("takes", ETH, 0, px_ticks=200_100, request=1),
                    AmendOrder("stop", ETH, 0, stop_ticks=220_000, request=1),
                ),
                0,
            )
        )
    ]
    assert [list(action) for action in told] == [["type", "modifies"], ["type", "modifies", "a"]]
    assert [len(action["modifies"]) for action in told] == [3, 1]
    assert told[1]["a"] is True


def test_a_change_of_an_order_that_is_not_known_is_refused(codec: HyperliquidCodec) -> None:
    with pytest.raises(VenueError) as caught:
        codec.order(AmendOrder("nobody", ETH, 0, lots=5, request=1))
    assert caught.value.reason == Reason.UNKNOWN_ORDER


def test_vault_and_expiry_are_part_of_what_is_signed(submit: Submit) -> None:
    vault = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
    codec = make_codec(Keys("wallet", SECRET, vault=vault), expire_after_s=2.5)
    told = json.loads(codec.order(submit())[0].request(10_000, 20_000).body)
    assert (told["vaultAddress"], told["expiresAfter"], told["nonce"]) == (vault, 12_500, 20_000)


def test_the_signature_recovers_the_signers_address(
    codec: HyperliquidCodec, keys: Keys, submit: Submit
) -> None:
    import msgspec

    from lanner.venues.signing import keccak

    body = codec.order(submit())[0].request(1, 7).body
    told = json.loads(body)
    domain = keccak(
        keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        + keccak(b"Exchange")
        + keccak(b"1")
        + (1337).to_bytes(32)
        + bytes(32)
    )
    agent = keccak(b"Agent(string source,bytes32 connectionId)") + keccak(b"b")
    struct = keccak(agent + action_hash(msgspec.msgpack.encode(told["action"]), 7))
    digest = keccak(b"\x19\x01" + domain + struct)
    signature = told["signature"]
    found = recover_address(digest, int(signature["r"], 16), int(signature["s"], 16), signature["v"])
    assert found == keys.api_key


def test_leverage_is_set_in_the_asked_mode_and_within_the_venues_bounds(codec: HyperliquidCodec) -> None:
    (call,) = codec.set_leverage(ETH, 5, MarginMode.ISOLATED)
    told = json.loads(call.build(1, 2).body)["action"]
    assert told == {"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 5}
    assert not call.idempotent
    assert call.parse(b'{"status":"ok","response":{"type":"default"}}', 1) is None
    for leverage, name in ((26, ETH), (0, ETH), (2, HYPE)):
        with pytest.raises(VenueError) as caught:
            codec.set_leverage(name, leverage, MarginMode.CROSS)
        assert caught.value.reason == Reason.LEVERAGE


def test_the_dead_mans_switch_is_armed_from_the_time_of_sending(codec: HyperliquidCodec) -> None:
    (armed,) = codec.dead_man(30.0, ())
    assert json.loads(armed.build(1_000_000, 2).body)["action"] == {
        "type": "scheduleCancel",
        "time": 1_030_000,
    }
    (disarmed,) = codec.dead_man(None, ())
    assert json.loads(disarmed.build(1, 2).body)["action"] == {"type": "scheduleCancel"}
    with pytest.raises(VenueError):
        codec.dead_man(4.0, ())


def test_cancel_all_takes_back_what_is_known_to_work(codec: HyperliquidCodec, submit: Submit) -> None:
    assert codec.cancel_all(()) == []
    (call,) = codec.order(submit())
    call.answer(
        200, b'{"status":"ok","response":{"type":"order","data":{"statuses":[{"resting":{"oid":77}}]}}}', 1
    )
    foreign = {
        "coin": "BTC",
        "side": "A",
        "limitPx": "29792.0",
        "sz": "5.0",
        "oid": 9,
        "timestamp": 1,
        "origSz": "5.0",
    }
    codec.open_orders().parse(json.dumps([foreign]).encode(), 1)
    (everything,) = codec.cancel_all(())
    told = json.loads(everything.build(1, 2).body)["action"]
    assert told == {"type": "cancel", "cancels": [{"a": 0, "o": 9}, {"a": 1, "o": 77}]}
    (eth,) = codec.cancel_all([ETH])
    assert json.loads(eth.build(1, 2).body)["action"]["cancels"] == [{"a": 1, "o": 77}]
    assert eth.parse(b'{"status":"ok","response":{"type":"cancel","data":{"statuses":["success"]}}}', 1) == 1


def test_an_order_of_anybody_is_taken_back_by_the_venues_id(codec: HyperliquidCodec) -> None:
    call = codec.cancel_order("HYPE-USDC.HYPERLIQUID", "77")
    assert json.loads(call.build(1, 2).body)["action"] == {
        "type": "cancel",
        "cancels": [{"a": 10_107, "o": 77}],
    }
    assert call.priority is Priority.CANCEL
    with pytest.raises(VenueError) as caught:
        call.parse(
            b'{"status":"ok","response":{"type":"cancel","data":{"statuses":[{"error":'
            b'"Order was never placed, already canceled, or filled."}]}}}',
            1,
        )
    assert caught.value.reason == Reason.UNKNOWN_ORDER


def test_without_keys_no_command_leaves(submit: Submit) -> None:
    with pytest.raises(VenueError) as caught:
        make_codec().order(submit())
    assert caught.value.kind is ErrorKind.AUTH
