"""Random rules over random bars with holes: whole columns and pieces of any size give the streaming form's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.research.evaluate import SignalProgram
from lanner.strategy.vector import signal, signal_array
from tests.unit.research.rules import Array, Make, conditions, numbers, odd_columns, same_bits

RULES = st.one_of(numbers(3), conditions(3))


@settings(max_examples=300)
@given(rule=RULES, bars=odd_columns(), block=st.integers(1, 200))
def test_any_rule_gives_the_bits_of_the_streaming_form(
    rule: Make, bars: dict[str, Array], block: int
) -> None:
    strategy = signal("1h")(lambda bars: rule(bars))
    expected = np.array(signal_array(strategy, bars))
    program = SignalProgram(strategy)
    assert same_bits(program.columns(bars).weights(0), expected)
    pieces = [piece.copy() for *_, piece in program.blocks(0, bars, block)]
    assert same_bits(np.concatenate(pieces), expected)
    if program.logical(0):
        signals = program.columns(bars).signals_int8(0)
        assert same_bits(signals.astype(float), np.nan_to_num(expected))
        parts = [piece[0].copy() for *_, piece in program.blocks_int8([0], bars, block)]
        assert np.array_equal(np.concatenate(parts), signals)


@settings(max_examples=60)
@given(
    rules=st.lists(RULES, min_size=2, max_size=4),
    bars=odd_columns(),
    room=st.integers(0, 6),
    data=st.data(),
)
def test_rules_that_share_parts_do_not_disturb_each_other(
    rules: list[Make], bars: dict[str, Array], room: int, data: st.DataObject
) -> None:
    def rule(bars: Any, which: int = 0, other: int = 0) -> Any:
        return rules[which](bars) * 1.0 - rules[other](bars)

    strategy = signal("1h")(rule)
    count = len(rules)
    sets = [{"which": which, "other": other} for which in range(count) for other in range(count)]
    program = SignalProgram(strategy, sets)
    evaluated = program.columns(bars, cache_bytes=room * 8 * len(bars["close"]))
    for index in data.draw(st.lists(st.integers(0, len(sets) - 1), min_size=1, max_size=8)):
        expected = np.array(signal_array(strategy, bars, **sets[index]))
        assert same_bits(evaluated.weights(index), expected)
