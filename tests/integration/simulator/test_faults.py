"""Every fault of the catalogue over real sockets, each by its name, drawn from a seed and repeatable."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from lanner.core.errors import ConfigError
from lanner.simulator.dialect import Kind
from lanner.simulator.faults import FAULTS, FaultPlan, LogLine, Point, parse_fault
from lanner.simulator.orders import SimStatus
from tests.integration.simulator.tiny import Booth, Client, Json, run


def kinds(told: list[Json]) -> list[str]:
    return [next(iter(message)) for message in told]


async def orders(client: Client, booth: Booth, count: int) -> list[Json]:
    """Send orders that rest over the WebSocket and return all that came."""
    await client.connect()
    for number in range(count):
        await client.send(booth.order(lots=1, ticks=50 + number, id=number))
    return await client.all()


def test_latency_delays_frames_and_answers() -> None:
    booth = Booth(("latency", {"ms": "120"}))

    async def scene(client: Client) -> None:
        start = time.perf_counter()
        status, _ = await client.post(booth.order())
        assert status == 200
        assert time.perf_counter() - start > 0.1

    run(booth, scene)


@pytest.mark.parametrize("dist", ["fixed", "uniform", "normal", "lognormal", "exponential"])
def test_each_distribution_of_latency_has_its_mean(dist: str) -> None:
    plan = FaultPlan(5)
    plan.add("latency", {"dist": dist, "ms": "20", "spread": "5"})
    drawn = [plan.at(Point.FRAME, "x", Kind.BOOK, 0)[0].ms() for _ in range(4_000)]
    assert sum(drawn) / len(drawn) == pytest.approx(20, rel=0.06)
    assert (len(set(drawn)) == 1) == (dist == "fixed")


def test_drop_loses_frames() -> None:
    booth = Booth(("drop", {"kind": "book", "count": "2"}))

    async def scene(client: Client) -> None:
        told = kinds(await orders(client, booth, 4))
        assert (told.count("book"), told.count("answer")) == (2, 4)

    run(booth, scene)


def test_duplicate_sends_frames_twice() -> None:
    booth = Booth(("duplicate", {"kind": "user", "count": "1"}))

    async def scene(client: Client) -> None:
        assert kinds(await orders(client, booth, 2)).count("user") == 3

    run(booth, scene)


def test_reorder_sends_a_frame_after_the_next() -> None:
    booth = Booth(("reorder", {"kind": "book", "count": "1"}))

    async def scene(client: Client) -> None:
        told = await orders(client, booth, 3)
        assert kinds(told)[:2] == ["answer", "book"]

    run(booth, scene)


def test_garble_spoils_the_text() -> None:
    booth = Booth(("garble", {"kind": "book", "count": "3"}))

    async def scene(client: Client) -> None:
        assert kinds(await orders(client, booth, 3)).count("spoiled") == 3

    run(booth, scene)


def test_sequence_gap_loses_book_deltas() -> None:
    booth = Booth(("sequence-gap", {"after": "1", "count": "1"}))

    async def scene(client: Client) -> None:
        numbers = [message["book"] for message in await orders(client, booth, 3) if "book" in message]
        assert numbers == [2, 4]

    run(booth, scene)


def test_late_user_events_come_after_their_time() -> None:
    booth = Booth(("late-user-events", {"ms": "200"}))

    async def scene(client: Client) -> None:
        await client.connect()
        start = time.perf_counter()
        await client.send(booth.order())
        while "user" not in await client.receive():
            pass
        assert time.perf_counter() - start > 0.19

    run(booth, scene)


def test_stall_sends_nothing_on_an_open_connection() -> None:
    booth = Booth(("stall", {"for": "0.4", "after": "2", "count": "1"}))

    async def scene(client: Client) -> None:
        assert kinds(await orders(client, booth, 5))[-1] in ("book", "answer")
        assert client.socket is not None
        assert not client.socket.closed
        await asyncio.sleep(0.4)
        await client.send(booth.order())
        assert kinds(await client.all()).count("answer") == 1

    run(booth, scene)


@pytest.mark.parametrize("code", [1000, 1001, 1006])
def test_close_ends_a_session_with_its_code(code: int) -> None:
    booth = Booth(("close", {"code": str(code), "after": "3", "count": "1"}))

    async def scene(client: Client) -> None:
        assert (await orders(client, booth, 5))[-1] == {"closed": code}

    run(booth, scene)


def test_half_open_leaves_a_connection_that_never_answers_again() -> None:
    booth = Booth(("half-open", {}))

    async def scene(client: Client) -> None:
        await client.connect()
        booth.strike()
        for _ in range(3):
            await client.send(booth.order())
        assert await client.all() == []
        assert client.socket is not None
        assert not client.socket.closed
        assert booth.venue.exchange.open_orders("a") == []
        await client.connect()  # a new connection works

    run(booth, scene)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (("rate-limit", {"retry": "7", "count": "1"}), 429),
        (("ban", {"retry": "7", "count": "1"}), 418),
        (("server-error", {"status": "502", "count": "1"}), 500),
        (("server-error", {"status": "503", "count": "1"}), 503),
    ],
)
def test_refusals_do_nothing_and_say_when_to_come_again(
    fault: tuple[str, dict[str, str]], status: int
) -> None:
    booth = Booth(fault)

    async def scene(client: Client) -> None:
        async with client.http.post(client.url + "/order", json=booth.order()) as answer:
            assert answer.status == status
            assert answer.headers.get("Retry-After") == ("7" if status in (429, 418) else None)
        assert booth.venue.exchange.open_orders("a") == []
        assert (await client.post(booth.order()))[0] == 200

    run(booth, scene)


def test_lose_request_swallows_it() -> None:
    booth = Booth(("lose-request", {"method": "POST"}))

    async def scene(client: Client) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.post(booth.order())
        assert booth.venue.exchange.open_orders("a") == []

    run(booth, scene)


def test_lose_answer_accepts_the_order_and_never_answers() -> None:
    booth = Booth(("lose-answer", {"count": "2"}))

    async def scene(client: Client) -> None:
        with pytest.raises(aiohttp.ClientError):
            await client.post(booth.order(ticks=90))
        told = kinds(await orders(client, booth, 1))
        assert "answer" not in told
        assert told.count("user") == 1
        assert len(booth.venue.exchange.open_orders("a")) == 2

    run(booth, scene)


def test_answer_twice_repeats_it() -> None:
    booth = Booth(("answer-twice", {}))

    async def scene(client: Client) -> None:
        assert kinds(await orders(client, booth, 1)).count("answer") == 2
        assert len(booth.venue.exchange.open_orders("a")) == 1

    run(booth, scene)


def test_error_after_accept_lies_about_an_order_that_works() -> None:
    booth = Booth(("error-after-accept", {"status": "503"}))

    async def scene(client: Client) -> None:
        assert (await client.post(booth.order()))[0] == 503
        assert len(booth.venue.exchange.open_orders("a")) == 1

    run(booth, scene)


def test_fill_before_ack_tells_the_fill_first() -> None:
    booth = Booth(("fill-before-ack", {"ms": "80"}))

    async def scene(client: Client) -> None:
        booth.venue.sell("b", 4, 100)
        await client.connect()
        await client.send(booth.order())
        told = await client.all()
        order = kinds(told)
        assert max(at for at, kind in enumerate(order) if kind == "user") < order.index("answer")

    run(booth, scene)


def test_partial_fill_fills_a_share_of_a_resting_order() -> None:
    booth = Booth(("partial-fill", {"share": "0.3", "count": "1"}))

    async def scene(client: Client) -> None:
        await client.connect()
        await client.send(booth.order(lots=10))
        told = await client.all()
        assert [message["cum"] for message in told if message.get("user") == "TRADE"] == [3]
        answer = next(message for message in told if "answer" in message)
        assert answer["cum"] == 0

    run(booth, scene)


def test_fill_after_cancel_fills_what_was_cancelled() -> None:
    booth = Booth(("fill-after-cancel", {"share": "0.5"}))

    async def scene(client: Client) -> None:
        await client.connect()
        await client.send(booth.order(lots=10))
        (answer,) = [message for message in await client.all() if "answer" in message]
        await client.send({"op": "cancel", "order": answer["order"]})
        told = await client.all()
        assert [message["user"] for message in told if "user" in message] == ["CANCELED", "TRADE"]
        order = booth.venue.exchange.any_order(answer["order"])
        assert order is not None
        assert (order.status, order.cum_lots) == (SimStatus.CANCELED, 5)

    run(booth, scene)


def test_fill_after_cancel_leaves_alone_what_waited_for_its_trigger() -> None:
    booth = Booth(("fill-after-cancel", {"share": "0.5"}))

    async def scene(client: Client) -> None:
        await client.connect()
        await client.send(booth.order(lots=10, ticks=200, stop=150))
        (answer,) = [message for message in await client.all() if "answer" in message]
        await client.send({"op": "cancel", "order": answer["order"]})
        told = await client.all()
        assert [message["user"] for message in told if "user" in message] == ["CANCELED"]
        order = booth.venue.exchange.any_order(answer["order"])
        assert order is not None
        assert (order.status, order.cum_lots) == (SimStatus.CANCELED, 0)

    run(booth, scene)


def test_refuse_connect_closes_the_port_for_a_while() -> None:
    booth = Booth(("refuse-connect", {"for": "2"}))

    async def scene(client: Client) -> None:
        booth.strike()
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.post(booth.order())
        async with asyncio.timeout(60):
            while await refused(client, booth):
                await asyncio.sleep(0.1)

    run(booth, scene)


async def refused(client: Client, booth: Booth) -> bool:
    try:
        return (await client.post(booth.order()))[0] != 200
    except aiohttp.ClientConnectorError:
        return True


def test_clock_skew_moves_the_venues_clock_and_takes_it_back() -> None:
    booth = Booth(("clock-skew", {"ms": "-600000", "for": "2"}))

    async def scene(client: Client) -> None:
        async def off() -> float:
            async with client.http.get(client.url + "/time") as answer:
                return float((await answer.json())["now"] - time.time_ns()) / 1e9

        booth.strike()
        assert await off() == pytest.approx(-600, abs=60)
        async with asyncio.timeout(60):
            while await off() < -60:
                await asyncio.sleep(0.1)

    run(booth, scene)


def test_maintenance_refuses_requests_and_sessions() -> None:
    booth = Booth(("maintenance", {"for": "3"}))

    async def scene(client: Client) -> None:
        booth.strike()
        assert await client.post(booth.order()) == (503, {"refused": "MAINTENANCE"})
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.connect()
        async with asyncio.timeout(60):
            while await refused(client, booth):
                await asyncio.sleep(0.1)

    run(booth, scene)


def test_listen_key_expiry_and_stale_snapshot_are_the_dialects_to_act_out() -> None:
    booth = Booth(("listen-key-expiry", {"account": "a"}), ("stale-snapshot", {"by": "7"}))

    async def scene(client: Client) -> None:
        booth.strike()

    run(booth, scene)
    assert booth.dialect.commands == [
        ("listen-key-expiry", {"account": "a"}),
        ("stale-snapshot", {"by": "7"}),
    ]


def test_step_size_makes_lots_coarser() -> None:
    booth = Booth(("step-size", {"factor": "10", "market": "BTCUSDT"}))

    async def scene(client: Client) -> None:
        booth.strike()
        assert (await client.post(booth.order(lots=15)))[1]["reason"] == "LOT_SIZE"
        assert (await client.post(booth.order(lots=20)))[1]["reason"] == "NONE"

    run(booth, scene)


def mixed(booth: Booth) -> list[str]:
    """Play a fixed scene and return what came, as the client saw it."""
    seen: list[str] = []

    async def scene(client: Client) -> None:
        await client.connect()
        for number in range(30):
            await client.send(booth.order(lots=1, ticks=50 + number, id=number))
            seen.extend(str(message) for message in await client.all(0.045))

    run(booth, scene)
    return seen


def test_the_same_seed_makes_the_same_faults_and_a_log_repeats_them() -> None:
    faults = (
        ("drop", {"p": "0.2"}),
        ("garble", {"p": "0.2", "kind": "book"}),
        ("answer-twice", {"p": "0.3"}),
    )
    first, second, other = Booth(*faults), Booth(*faults), Booth(*faults, seed=4)
    seen = mixed(first)
    assert mixed(second) == seen
    assert mixed(other) != seen
    strip = [(line.fault, line.kind, line.n, line.params) for line in first.faults.lines]
    assert strip == [(line.fault, line.kind, line.n, line.params) for line in second.faults.lines]
    assert len(strip) > 10
    assert mixed(Booth(replay=first.faults.lines)) == seen


def test_rules_count_their_acts_and_can_be_taken_back() -> None:
    plan = FaultPlan(1)
    rule = plan.add("drop", {"after": "2", "count": "1"})
    acts = [len(plan.at(Point.FRAME, "x", Kind.BOOK, 0)) for _ in range(5)]
    assert acts == [0, 0, 1, 0, 0]
    assert plan.remove(rule.number) == 1
    assert plan.points == set()


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("nonsense", {}),
        ("drop", {"colour": "red"}),
        ("drop", {"kind": "nonsense"}),
        ("latency", {"ms": "soon"}),
        ("drop", {"p": "often"}),
    ],
)
def test_faults_that_cannot_be_are_refused(name: str, params: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        FaultPlan().add(name, params)


def test_faults_are_written_as_name_and_parameters() -> None:
    assert parse_fault("latency:ms=5,kind=book+user") == ("latency", {"ms": "5", "kind": "book+user"})
    assert parse_fault("half-open") == ("half-open", {})
    with pytest.raises(ConfigError):
        parse_fault("latency:ms")


def test_every_fault_has_a_test_of_its_name() -> None:
    names = {name.replace("-", "_") for name in FAULTS}
    tests = {name for name in globals() if name.startswith("test_")}
    refusals = {"rate_limit", "ban", "server_error"}
    untested = {name for name in names - refusals if not any(name in test for test in tests)}
    assert untested == set()
    assert LogLine.__struct_fields__[0] == "t_ns"
