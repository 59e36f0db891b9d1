"""What numba's loops cannot say: sums in eight lanes, a hint to fetch memory early, the place of a lowest set bit.

Written in LLVM's own terms. The order of every addition is fixed, eight lanes whatever the processor has, so results
have the same bits on every machine. The twins in plain Python are in ``tests/unit/kernels/test_lanes.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types as untyped_types
from numba.core import cgutils as untyped_tools
from numba.extending import intrinsic

from lanner.kernels.account import Array

types: Any = untyped_types
cgutils: Any = untyped_tools

LANES, SHORT = 8, 4
SUMS = 4
"""Sums that ``held_sums`` adds to: of returns r, of r², of min(r, 0) and of min(r, 0)², each in eight lanes."""

NEAR = 512
"""How many values ahead a long walk asks for."""

_F8, _I1, _I64 = ir.DoubleType(), ir.IntType(1), ir.IntType(64)
_VECTOR = ir.VectorType(_F8, LANES)
_HALF = ir.VectorType(_F8, SHORT)
_MASK = ir.VectorType(_I1, LANES)

Emitted = tuple[Any, Callable[..., Any]]
Emitter = Callable[[Callable[..., Emitted]], Any]
emitted: Emitter = intrinsic  # callers leave out the first argument


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


def _splat(builder: Any, value: Any, lanes: int = LANES) -> Any:
    """Return a vector with one value in all lanes."""
    nothing = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    one = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(
        one, nothing, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    )


def _least(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _greatest(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


class _Held:
    """The body of ``held_sums``: what every eight bars add, whether all of them count or only the first ones."""

    def __init__(self, builder: Any, close: Any, per_px: Any, base: Any) -> None:
        self.builder, self.close = builder, close
        self.per_px, self.base = _splat(builder, per_px), _splat(builder, base)
        self.zero = ir.Constant(_VECTOR, [0.0] * LANES)

    def address(self, index: Any) -> Any:
        """Return where eight prices lie."""
        return self.builder.bitcast(self.builder.gep(self.close, [index]), _VECTOR.as_pointer())

    def add(self, before: Any, now: Any, carried: list[Any]) -> list[Any]:
        """Add the returns between two rows of prices to the sums; follow the least and greatest price."""
        b = self.builder
        moved = b.fmul(self.per_px, b.fsub(now, before))
        change = b.fdiv(moved, b.fadd(self.base, b.fmul(self.per_px, before)))
        fall = _least(b, change, self.zero)
        total, squares, falls, fall_squares, low, high = carried
        return [
            b.fadd(total, change), b.fadd(squares, b.fmul(change, change)), b.fadd(falls, fall),
            b.fadd(fall_squares, b.fmul(fall, fall)), _least(b, low, now), _greatest(b, high, now),
        ]  # fmt: skip


def _masked_load(builder: Any, address: Any, mask: Any, other: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [address.type, ir.IntType(32), _MASK, _VECTOR])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.load.v8f64.p0")
    return builder.call(function, [address, ir.Constant(ir.IntType(32), 8), mask, other])


def _prefetch(builder: Any, place: Any) -> None:
    address, word = builder.bitcast(place, ir.IntType(8).as_pointer()), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [address.type, word, word, word])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [address, *(ir.Constant(word, flag) for flag in (0, 3, 1))])


def _across(builder: Any, vector: Any, choose: Callable[[Any, Any, Any], Any]) -> Any:
    """Reduce eight lanes to one number."""
    lanes = [
        builder.extract_element(vector, ir.Constant(ir.IntType(32), k)) for k in range(vector.type.count)
    ]
    while len(lanes) > 1:
        lanes = [choose(builder, lanes[k], lanes[k + 1]) for k in range(0, len(lanes), 2)]
    return lanes[0]


@emitted
def held_sums(
    typing: Any, close: Array, first: int, count: int, per_px: float, base: float, sums: Array
) -> Emitted:
    """Add ``count`` returns of the equity base + per_px · close, the first from bar ``first`` to the next, to sums.

    ``sums`` is float64[32]. Returns the least and the greatest of the count + 1 prices; the sums are left alone, and
    the least is NaN, when the equity is not safely above 0.
    """
    del typing, first, count, per_px, base
    kinds = (close, types.int64, types.int64, types.float64, types.float64, sums)
    return types.UniTuple(types.float64, 2)(*kinds), _emit_held_sums


def _emit_held_sums(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    close, first, count, per_px, base, sums = arguments
    data = _data(context, builder, signature.args[0], close)
    room = _data(context, builder, signature.args[5], sums)
    held = _Held(builder, data, per_px, base)
    start = _splat(builder, builder.load(builder.gep(data, [first])))
    rooms = [
        builder.bitcast(builder.gep(room, [ir.Constant(_I64, LANES * k)]), _VECTOR.as_pointer())
        for k in range(SUMS)
    ]
    values = [builder.load(place, align=8) for place in rooms] + [start, start]
    slots = [cgutils.alloca_once(builder, _VECTOR) for _ in values]
    for slot, value in zip(slots, values, strict=True):
        builder.store(value, slot)
    one, whole = ir.Constant(_I64, 1), builder.and_(count, ir.Constant(_I64, -LANES))
    with cgutils.for_range_slice(builder, ir.Constant(_I64, 0), whole, ir.Constant(_I64, LANES), _I64) as (
        k,
        _,
    ):
        at = builder.add(first, k)
        before = builder.load(held.address(at), align=8)
        now = builder.load(held.address(builder.add(at, one)), align=8)
        for slot, value in zip(
            slots, held.add(before, now, [builder.load(slot) for slot in slots]), strict=True
        ):
            builder.store(value, slot)
    rest = builder.sub(count, whole)
    with builder.if_then(builder.icmp_signed(">", rest, ir.Constant(_I64, 0))):
        many = ir.VectorType(_I64, LANES)
        lane = builder.insert_element(ir.Constant(many, ir.Undefined), rest, ir.Constant(ir.IntType(32), 0))
        spread = builder.shuffle_vector(
            lane,
            ir.Constant(many, ir.Undefined),
            ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES),
        )
        mask = builder.icmp_signed("<", ir.Constant(many, list(range(LANES))), spread)
        at = builder.add(first, whole)
        before = _masked_load(builder, held.address(at), mask, start)
        now = _masked_load(builder, held.address(builder.add(at, one)), mask, start)
        for slot, value in zip(
            slots, held.add(before, now, [builder.load(slot) for slot in slots]), strict=True
        ):
            builder.store(value, slot)
    ends = [builder.load(slot) for slot in slots]
    low, high = _across(builder, ends[4], _least), _across(builder, ends[5], _greatest)
    worst = builder.fadd(base, _least(builder, builder.fmul(per_px, low), builder.fmul(per_px, high)))
    scale = builder.fmul(ir.Constant(_F8, 1e-9), high)
    size = _greatest(builder, per_px, builder.fsub(ir.Constant(_F8, 0.0), per_px))
    safe = builder.fcmp_ordered(">", worst, builder.fmul(scale, size))
    with builder.if_then(safe):
        for place, value in zip(rooms, ends[:SUMS], strict=True):
            builder.store(value, place, align=8)
    found = builder.select(safe, low, ir.Constant(_F8, float("nan")))
    return context.make_tuple(builder, signature.return_type, (found, high))


@emitted
def running_totals(typing: Any, x: Array, first: int, count: int, centre: float, totals: Array) -> Emitted:
    """Write the running totals of x[first:] − centre to totals[1:], ``count`` values, a multiple of 8 and not 0.

    Returns the last total, the least and the greatest value of x.
    """
    del typing, first, count, centre
    kinds = (x, types.int64, types.int64, types.float64, totals)
    return types.UniTuple(types.float64, 3)(*kinds), _emit_running_totals


def _emit_running_totals(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    x, first, count, centre, totals = arguments
    data = builder.gep(_data(context, builder, signature.args[0], x), [first])
    room = builder.gep(_data(context, builder, signature.args[4], totals), [ir.Constant(_I64, 1)])
    middle, nothing = _splat(builder, centre, SHORT), ir.Constant(_HALF, [0.0] * SHORT)
    start = _splat(builder, builder.load(data), SHORT)
    slots = [cgutils.alloca_once(builder, _HALF) for _ in range(3)]
    for slot, value in zip(slots, (nothing, start, start), strict=True):
        builder.store(value, slot)
    places = ir.VectorType(ir.IntType(32), SHORT)
    with cgutils.for_range_slice(builder, ir.Constant(_I64, 0), count, ir.Constant(_I64, SHORT), _I64) as (
        k,
        _,
    ):
        carried, least, most = (builder.load(slot) for slot in slots)
        address = builder.bitcast(builder.gep(data, [k]), _HALF.as_pointer())
        _prefetch(builder, builder.gep(data, [builder.add(k, ir.Constant(_I64, NEAR))]))
        values = builder.load(address, align=8)
        sums = builder.fsub(values, middle)
        for step in (1, 2):  # each lane takes what lies so many lanes before it
            moved = ir.Constant(places, [*range(SHORT, SHORT + step), *range(SHORT - step)])
            sums = builder.fadd(sums, builder.shuffle_vector(sums, nothing, moved))
        whole = builder.shuffle_vector(sums, nothing, ir.Constant(places, [SHORT - 1] * SHORT))
        target = builder.bitcast(builder.gep(room, [k]), _HALF.as_pointer())
        builder.store(builder.fadd(sums, carried), target, align=8)
        after = (
            builder.fadd(carried, whole),
            _least(builder, least, values),
            _greatest(builder, most, values),
        )
        for slot, value in zip(slots, after, strict=True):
            builder.store(value, slot)
    last, least, most = (builder.load(slot) for slot in slots)
    zero = ir.Constant(ir.IntType(32), 0)
    found = (
        builder.extract_element(last, zero), _across(builder, least, _least), _across(builder, most, _greatest),
    )  # fmt: skip
    return context.make_tuple(builder, signature.return_type, found)


@emitted
def lowest_bit(typing: Any, word: int) -> Emitted:
    """Return the place of the lowest set bit of a word that is not 0."""
    del typing, word

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.cttz(arguments[0], ir.Constant(_I1, 1))

    return types.int64(types.int64), emit


@emitted
def fetch(typing: Any, values: Array, index: int) -> Emitted:
    """Ask for the element at a place of an array's memory to be brought near; nothing depends on it."""
    del typing, index

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = _data(context, builder, signature.args[0], arguments[0])
        _prefetch(builder, builder.gep(data, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(values, types.int64), emit


WORD = 64
"""How many comparisons ``apart`` answers at a time: the bits of a word."""


@emitted
def apart(typing: Any, totals: Array, row: int, n: int, m: int, bound: float) -> Emitted:
    """Compare averages of n and of m values in 64 rows; return bits of which differ upwards, and of which unclearly.

    ``totals[row]`` is the running total up to the first row, its value included; n and m are at least 1. A bit is
    that of (totals[row] − totals[row − n]) · m − (totals[row] − totals[row − m]) · n, against 0 and ``bound``.
    """
    del typing, row, n, m, bound
    kinds = (totals, types.int64, types.int64, types.int64, types.float64)
    return types.UniTuple(types.int64, 2)(*kinds), _emit_apart


def _emit_apart(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    totals, row, n, m, bound = arguments
    data = _data(context, builder, signature.args[0], totals)
    wide, narrow = (_splat(builder, builder.sitofp(length, _F8)) for length in (m, n))
    near, nothing = _splat(builder, bound), ir.Constant(_VECTOR, [0.0] * LANES)
    below = builder.fsub(nothing, near)
    above = unclear = ir.Constant(_I64, 0)

    def load(index: Any, k: int) -> Any:
        place = builder.gep(data, [builder.add(index, ir.Constant(_I64, k))])
        return builder.load(builder.bitcast(place, _VECTOR.as_pointer()), align=8)

    def bits(mask: Any, k: int) -> Any:
        return builder.shl(builder.zext(builder.bitcast(mask, ir.IntType(LANES)), _I64), ir.Constant(_I64, k))

    for k in range(0, WORD, LANES):
        last, far, close = load(row, k), load(builder.sub(row, n), k), load(builder.sub(row, m), k)
        one = builder.fmul(builder.fsub(last, far), wide)
        value = builder.fsub(one, builder.fmul(builder.fsub(last, close), narrow))
        above = builder.or_(above, bits(builder.fcmp_ordered(">", value, nothing), k))
        within = builder.and_(
            builder.fcmp_ordered("<=", value, near), builder.fcmp_ordered(">=", value, below)
        )
        unclear = builder.or_(unclear, bits(within, k))
    return context.make_tuple(builder, signature.return_type, (above, unclear))
