"""Operations on columns give the bits of the texts that the streaming form evaluates, for every kind of operand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from lanner.kernels import elementwise
from lanner.research.evaluate_operations import agrees, one_by_one, operation
from lanner.strategy.graph import FUNCTIONS, OPERATIONS, Latch

Array = np.ndarray[Any, np.dtype[Any]]

EDGES = [
    *(0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, -3.0, 7.25, -7.25, 100.0, 710.0, -746.0, 1.0000000000000002),
    *(1e-308, 5e-324, -5e-324, 1e308, -1e308, 2.0**53, -(2.0**53) - 2.0, 0.1, 0.3, -0.7, 1e-9, 1023.0, -1075.0),
    *(math.inf, -math.inf, math.nan),
]  # fmt: skip
TAKES_CONDITIONS = {"and": 2, "or": 2, "not": 1, "number": 1, "where": 1}
NUMERIC = sorted(set(OPERATIONS) - set(TAKES_CONDITIONS))
LIBRARY = ("power", "exp", "log", "log1p", "tanh")


def operands(text: str) -> int:
    return 1 + max(index for index in range(3) if f"{{{index}}}" in text)


def judged(op: str, rows: list[tuple[Any, ...]]) -> Array:
    """Evaluate the text of an operation row by row, as the streaming form does."""
    text, logical = OPERATIONS[op]
    code = compile(text.format("a", "b", "c"), "op", "eval")
    values = [eval(code, dict(FUNCTIONS), dict(zip("abc", row, strict=False))) for row in rows]
    return np.array(values, dtype=np.bool_ if logical else np.float64)


def same_bits(one: Array, other: Array) -> bool:
    if one.dtype != other.dtype:
        return False
    if one.dtype == np.bool_:
        return bool(np.array_equal(one, other))
    both_nan = np.isnan(one) & np.isnan(other)
    return bool(np.all((one.view(np.int64) == other.view(np.int64)) | both_nan))


def computed(op: str, count: int, *given: Any) -> Array:
    out: Array = np.empty(count, dtype=np.bool_ if OPERATIONS[op][1] else np.float64)
    operation(op)(*given, out)
    return out


@pytest.mark.parametrize("op", NUMERIC)
def test_numbers_at_the_edges_give_the_bits_of_the_text(op: str) -> None:
    rows = list(itertools.product(EDGES, repeat=operands(OPERATIONS[op][0])))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    assert same_bits(computed(op, len(rows), *columns), judged(op, rows))


@pytest.mark.parametrize("op", [op for op in NUMERIC if operands(OPERATIONS[op][0]) == 2])
def test_one_number_for_all_rows_is_the_same_as_a_column_of_it(op: str) -> None:
    column = np.array(EDGES)
    for value in (0.0, -0.0, 2.0, -1.5, math.inf, math.nan):
        count = len(EDGES)
        assert same_bits(computed(op, count, column, value), judged(op, [(x, value) for x in EDGES]))
        assert same_bits(computed(op, count, value, column), judged(op, [(value, x) for x in EDGES]))


@pytest.mark.parametrize("op", NUMERIC)
def test_random_numbers_give_the_bits_of_the_text(op: str) -> None:
    rng = np.random.default_rng(3)
    count = operands(OPERATIONS[op][0])
    columns = [rng.normal(size=20_000) * np.exp(3.0 * rng.normal(size=20_000)) for _ in range(count)]
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert same_bits(computed(op, 20_000, *columns), judged(op, rows))


@pytest.mark.parametrize("op", ["and", "or", "not", "equal", "not_equal", "number"])
def test_conditions_give_the_truth_table(op: str) -> None:
    rows = list(itertools.product([False, True], repeat=operands(OPERATIONS[op][0])))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    assert same_bits(computed(op, len(rows), *columns), judged(op, rows))
    if len(columns) == 2:
        for value in (False, True):
            expected = judged(op, [(value, row) for row in (False, True)])
            assert same_bits(computed(op, 2, value, np.array([False, True])), expected)


def test_where_takes_columns_and_single_values_on_either_side() -> None:
    test = np.array([True, False, True])
    a, b = np.array([1.0, math.nan, -0.0]), np.array([4.0, 5.0, 6.0])
    for x, y in itertools.product((a, np.full(3, 9.0)), (b, np.full(3, -0.0))):
        rows = zip(test.tolist(), x.tolist(), y.tolist(), strict=True)
        expected = np.array([p if c else q for c, p, q in rows])
        one, other = x if x is a else 9.0, y if y is b else -0.0
        assert same_bits(computed("where", 3, test, one, other), expected)
    out = np.empty(3, dtype=np.bool_)
    operation("where")(test, np.array([False, True, True]), True, out)
    assert out.tolist() == [False, True, True]


def test_a_latch_holds_from_piece_to_piece_as_the_streaming_one() -> None:
    rng = np.random.default_rng(4)
    enter, leave = rng.random(200) < 0.1, rng.random(200) < 0.1
    twin, expected = Latch(), []
    for x, y in zip(enter.tolist(), leave.tolist(), strict=True):
        twin.update(x, y)
        expected.append(bool(twin.value))
    state, out = np.zeros(1, dtype=np.bool_), np.empty(200, dtype=np.bool_)
    for start in range(0, 200, 7):
        piece = slice(start, start + 7)
        elementwise.latch(state, enter[piece], leave[piece], out[piece])
    assert out.tolist() == expected
    assert 0 < sum(expected) < 200


@pytest.mark.parametrize("name", LIBRARY)
def test_functions_of_the_c_library_agree_with_python_here_and_a_last_digit_would_be_noticed(
    name: str,
) -> None:
    kernel = operation(name)
    assert agrees(name, kernel)

    def off_by_one_digit(*arrays: Any) -> None:
        kernel(*arrays)
        arrays[-1][1234] = np.nextafter(arrays[-1][1234], math.inf)

    assert not agrees(name, off_by_one_digit)


@pytest.mark.parametrize("name", LIBRARY)
def test_the_slow_way_out_gives_the_bits_of_the_text(name: str) -> None:
    count = operands(OPERATIONS[name][0])
    rows = list(itertools.product(EDGES, repeat=count))
    out = np.empty(len(rows))
    one_by_one(FUNCTIONS[name])(*(np.array(column) for column in zip(*rows, strict=True)), out)
    assert same_bits(out, judged(name, rows))
    if name == "power":
        out = np.empty(len(EDGES))
        one_by_one(FUNCTIONS[name])(2.0, np.array(EDGES), out)
        assert same_bits(out, judged(name, [(2.0, x) for x in EDGES]))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (-10.0, 309.0, -math.inf),
        (-10.0, 310.0, math.inf),
        (-0.0, -3.0, -math.inf),
        (0.0, -3.0, math.inf),
        (-0.0, -2.0, math.inf),
        (-2.0, 0.5, math.nan),
        (-64.2, 181.9, math.nan),
    ],
)
def test_powers_beyond_the_numbers_are_those_of_ieee_754(a: float, b: float, expected: float) -> None:
    with np.errstate(all="ignore"):
        assert same_bits(np.array([expected]), np.power(np.array([a]), b))
    assert same_bits(np.array([expected]), np.array([FUNCTIONS["power"](a, b)]))
