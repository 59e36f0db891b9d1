"""The message bus: who is called, in which order, and what happens when a handler fails."""

from __future__ import annotations

from typing import Any

import pytest

from lanner.core.bus import MAX_TOPIC, EndpointNotFoundError, EndpointTakenError, MessageBus
from lanner.core.errors import ConfigError


class Heard:
    """Listeners that write down what they hear, under their own name."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, object]] = []

    def listener(self, name: str) -> Any:
        def handler(topic: str, event: object) -> None:
            self.calls.append((name, topic, event))

        return handler

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.calls]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_exact_subscribers_come_before_wildcards_each_in_order_of_subscription(heard: Heard) -> None:
    bus = MessageBus()
    for name, topic in (("w1", "a.*"), ("e1", "a.b"), ("w2", "*"), ("e2", "a.b"), ("w3", "a.b*")):
        bus.subscribe(topic, heard.listener(name))
    bus.publish("a.b", 7)
    assert heard.calls == [(name, "a.b", 7) for name in ("e1", "e2", "w1", "w2", "w3")]


@pytest.mark.parametrize(
    ("pattern", "topic", "matches"),
    [
        ("a.*", "a.b", True),
        ("a.*", "a.b.c.d", True),
        ("a.*", "a.", True),
        ("a.*", "a", False),
        ("a.*", "ab", False),
        ("a*", "a", True),
        ("*", "anything.at.all", True),
        ("*.b", "a.b", False),
        ("*.b", "*.b", True),
        ("a*b", "axb", False),
        ("a*b", "a*b", True),
        ("a.b", "a.b.c", False),
    ],
)
def test_a_star_is_a_wildcard_only_as_the_last_character(
    heard: Heard, pattern: str, topic: str, matches: bool
) -> None:
    bus = MessageBus()
    bus.subscribe(pattern, heard.listener("x"))
    bus.publish(topic, None)
    assert bool(heard.calls) is matches
    assert bus.has_subscribers(topic) is matches


def test_a_subscriber_that_matches_twice_is_called_twice(heard: Heard) -> None:
    bus = MessageBus()
    handler = heard.listener("x")
    bus.subscribe("a.b", handler)
    bus.subscribe("a.*", handler)
    bus.publish("a.b", 1)
    assert heard.names == ["x", "x"]


def test_unsubscribing_removes_every_entry_of_the_same_topic_text_and_handler(heard: Heard) -> None:
    bus = MessageBus()
    one, two = heard.listener("one"), heard.listener("two")
    for topic in ("a.b", "a.b", "a.*", "a.*"):
        bus.subscribe(topic, one)
    bus.subscribe("a.b", two)
    bus.publish("a.b", None)
    assert heard.names == ["one", "one", "two", "one", "one"]
    assert bus.unsubscribe("a.b", one) == 2
    heard.calls.clear()
    bus.publish("a.b", None)
    assert heard.names == ["two", "one", "one"]
    assert bus.unsubscribe("a.*", one) == 2
    assert bus.unsubscribe("a.*", one) == 0
    assert bus.unsubscribe("never.heard.of", one) == 0
    assert bus.stats().subscribers_count == 1


def test_a_subscription_made_after_a_publication_is_heard_of_from_then_on(heard: Heard) -> None:
    bus = MessageBus()
    bus.publish("a", 1)
    bus.subscribe("a", heard.listener("x"))
    bus.publish("a", 2)
    bus.subscribe("*", heard.listener("y"))
    bus.publish("a", 3)
    assert heard.calls == [("x", "a", 2), ("x", "a", 3), ("y", "a", 3)]


def test_a_handler_that_leaves_while_it_is_called_does_not_disturb_the_round(heard: Heard) -> None:
    bus = MessageBus()
    second = heard.listener("second")

    def first(topic: str, event: object) -> None:
        heard.calls.append(("first", topic, event))
        bus.unsubscribe("a", first)
        bus.unsubscribe("a", second)

    bus.subscribe("a", first)
    bus.subscribe("a", second)
    bus.publish("a", 1)
    bus.publish("a", 2)
    assert heard.names == ["first", "second"]


def test_a_failing_handler_is_reported_and_the_others_still_hear(heard: Heard) -> None:
    faults: list[tuple[str, object, Exception]] = []
    bus = MessageBus(lambda topic, handler, fault: faults.append((topic, handler, fault)))

    def broken(topic: str, event: object) -> None:
        raise ZeroDivisionError("mine")

    bus.subscribe("a", broken)
    bus.subscribe("a", heard.listener("after"))
    bus.subscribe("*", heard.listener("wild"))
    bus.publish("a", 1)
    assert heard.names == ["after", "wild"]
    assert [(topic, handler, str(fault)) for topic, handler, fault in faults] == [("a", broken, "mine")]
    assert bus.stats().handler_faults == 1


def test_a_failing_handler_is_counted_when_nobody_asked_for_reports() -> None:
    bus = MessageBus()
    bus.subscribe("a", lambda topic, event: 1 // 0)  # type: ignore[arg-type]
    bus.publish("a", 1)
    bus.publish("a", 2)
    assert bus.stats().handler_faults == 2


def test_a_request_returns_the_answer_and_passes_errors_through() -> None:
    bus = MessageBus()
    bus.register("double", lambda payload: payload * 2)

    def refuses(payload: object) -> None:
        raise KeyError("not today")

    bus.register("refuse", refuses)
    assert bus.request("double", 21) == 42
    with pytest.raises(KeyError, match="not today"):
        bus.request("refuse", None)
    assert bus.stats().requests_handled == 2


def test_an_endpoint_is_registered_once_and_missing_ones_are_named_with_the_known() -> None:
    bus = MessageBus()
    bus.register("order.query", str)
    with pytest.raises(EndpointTakenError, match=r"order\.query.*already registered"):
        bus.register("order.query", repr)
    with pytest.raises(EndpointNotFoundError, match=r"no endpoint 'risk\.check'.*order\.query"):
        bus.request("risk.check", None)
    bus.unregister("order.query")
    with pytest.raises(EndpointNotFoundError, match="one of: none"):
        bus.unregister("order.query")
    bus.register("order.query", repr)
    assert bus.request("order.query", "x") == "'x'"


def test_commands_go_to_one_handler_and_are_dropped_without_one() -> None:
    bus = MessageBus()
    bus.send("lost")
    got: list[object] = []
    other: list[object] = []
    bus.set_command_handler(got.append)
    bus.send("one")
    bus.set_command_handler(other.append)
    bus.send("two")
    bus.set_command_handler(None)
    bus.send("lost too")
    assert (got, other) == (["one"], ["two"])
    assert bus.stats().commands_sent == 4


def test_statistics_count_and_a_reset_keeps_what_describes_the_present(heard: Heard) -> None:
    bus = MessageBus()
    bus.subscribe("a", heard.listener("x"))
    bus.subscribe("b*", heard.listener("y"))
    bus.register("e", str)
    bus.publish("a", 1)
    bus.publish("nobody", 1)
    bus.request("e", 1)
    bus.send(1)
    stats = bus.stats()
    assert (stats.events_published, stats.requests_handled, stats.commands_sent) == (2, 1, 1)
    assert (stats.subscribers_count, stats.endpoints_count) == (2, 1)
    bus.reset_stats()
    after = bus.stats()
    assert (after.events_published, after.requests_handled, after.commands_sent, after.handler_faults) == (
        0,
        0,
        0,
        0,
    )
    assert (after.subscribers_count, after.endpoints_count) == (2, 1)
    assert stats.events_published == 2, "a copy, not a window"


def test_the_bus_tells_when_it_gets_its_first_listener_and_loses_its_last(heard: Heard) -> None:
    bus = MessageBus()
    told: list[bool] = []
    bus.on_change = told.append
    handler = heard.listener("x")
    bus.subscribe("a", handler)
    bus.subscribe("b", handler)
    bus.unsubscribe("a", handler)
    assert bus.active
    bus.unsubscribe("b", handler)
    assert not bus.active
    assert told == [True, False]


@pytest.mark.parametrize("topic", ["", "x" * (MAX_TOPIC + 1)])
def test_topics_that_are_empty_or_too_long_are_refused(topic: str) -> None:
    bus = MessageBus()
    with pytest.raises(ConfigError, match="1 to 256 characters"):
        bus.subscribe(topic, print)
    with pytest.raises(ConfigError):
        bus.publish(topic, None)
    with pytest.raises(ConfigError):
        bus.register(topic, print)


def test_endlessly_many_topics_do_not_make_the_bus_forget_its_subscribers(heard: Heard) -> None:
    bus = MessageBus()
    bus.subscribe("order.*", heard.listener("x"))
    for number in range(5_000):
        bus.publish(f"order.{number}", number)
    assert [event for _, _, event in heard.calls] == list(range(5_000))
    assert len(bus._routes) <= 4_096
