"""Our own orders as the venue tells of them: which ids are one order, and which reports its news make.

The venue knows an order by ``oid`` and, where we gave one, by ``cloid``. Three things make that less than simple:

* a changed order gets a new ``oid`` and keeps its ``cloid``: the end of the old ``oid`` is no end of the order;
* fills name the ``oid`` only, and may come before anybody has told whose it is: they wait until it is known;
* the end of an order may be told before its last fills: it waits for them, but no longer than ``HOLD_NS``.

What is told twice (snapshots after a reconnect) is told on once.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

from lanner.model.commands import AmendOrder, SubmitOrder
from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.model.reports import OrderAccepted, OrderAmended, OrderCanceled, OrderReport
from lanner.venues.errors import ErrorKind, Reason, VenueError

HOLD_NS = 2_000_000_000
"""How long the end of an order waits for fills that the venue says there are."""
WITHHOLD_NS = 10_000_000_000
"""How long the end of an ``oid`` waits for the answer to a change that may have caused it."""
KEPT_ENDED = 20_000
"""So many orders that have ended are remembered, for late fills."""
KEPT_STRANGERS = 5_000
UNKNOWN_LOTS = 2**62
"""Stands for the size of an order of ours of which only the name is known."""


_CLOID = re.compile(r"0x[0-9a-f]{32}").fullmatch
_NUMBERED = re.compile(r"oid-([0-9]{1,19})").fullmatch


@lru_cache(maxsize=65_536)
def cloid_of(order_id: str) -> str:
    """Return the 128-bit client id that the venue gets for an order id; one that is such an id already stays."""
    if _CLOID(order_id):
        return order_id
    return "0x" + blake2b(order_id.encode(), digest_size=16, person=b"lanner").hexdigest()


def number_of(order_id: str) -> int:
    """Return the venue's number that an id of ours stands for, 0 where it stands for none.

    Orders of other programs have no client id where nobody gave them one; adopted, they are ``oid-…``.
    """
    found = _NUMBERED(order_id)
    return int(found[1]) if found else 0


@dataclass(slots=True)
class Change:
    """A change that was asked for: the terms as they were sent."""

    lots: int
    px_ticks: int | None
    stop_ticks: int | None


@dataclass(slots=True)
class Own:
    """One order of ours. ``lots`` are those of the present ``oid``; ``prior`` were filled under earlier ones.

    ``filled`` counts the fills that were told here, ``told`` what the venue said was filled when it was asked about an
    order from before; ``here`` says that this process sent it, ``counted`` are numbers whose fills are in ``prior``.
    """

    order_id: str
    instrument_id: str
    side: Side
    type: OrderType
    lots: int
    px_ticks: int | None
    stop_ticks: int | None
    tif: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    post_only: bool = False
    oid: int = 0
    prior: int = 0
    filled: int = 0
    told: int = 0
    here: bool = False
    counted: tuple[int, ...] = ()
    accepted: bool = False
    triggered: bool = False
    ended: bool = False
    cancel_asked: bool = False
    old_oids: tuple[int, ...] = ()
    changes: dict[int, Change] = field(default_factory=dict)
    trades: set[str] = field(default_factory=set)
    withheld: OrderReport | None = None

    @property
    def total(self) -> int:
        """Return the whole quantity, as the engine counts it."""
        return self.lots + self.prior

    def learn(self, terms: Own) -> None:
        """Take the terms of an order of which only the name was known."""
        self.side, self.type, self.lots, self.tif = terms.side, terms.type, terms.lots, terms.tif
        self.px_ticks, self.stop_ticks = terms.px_ticks, terms.stop_ticks
        self.reduce_only, self.post_only = terms.reduce_only, terms.post_only

    def change(self, command: AmendOrder) -> Change:
        """Return the terms of a changed order: the venue takes what is left, the engine tells the whole quantity."""
        asked = self.total if command.lots is None else command.lots
        filled = max(self.filled, self.told)
        left = asked - filled
        if left <= 0 or self.lots >= UNKNOWN_LOTS:
            raise VenueError(
                ErrorKind.REJECTED,
                f"{self.order_id}: {filled} of {asked} lots are filled already"
                if left <= 0
                else f"{self.order_id}: its terms are not known",
                reason=Reason.UNKNOWN_ORDER,
            )
        px = self.px_ticks if command.px_ticks is None else command.px_ticks
        stop = self.stop_ticks if command.stop_ticks is None else command.stop_ticks
        return Change(left, px, stop)


@dataclass(slots=True)
class _Held:
    own: Own
    report: OrderReport
    need: int
    due: int


class OwnOrders:
    """All orders of ours that the codec has heard of.

    ``heard`` says that the account's stream has spoken, ``unsought`` that there are names from before whose numbers at
    the venue have not been looked for. ``gone`` tells which ended orders need not be remembered; None: the newest are.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._numbers: dict[int, str] = {}
        self._by_id: dict[str, Own] = {}
        self._by_oid: dict[int, Own] = {}
        self._strangers: OrderedDict[int, None] = OrderedDict()
        self._ended: deque[str] = deque()
        self._held: list[_Held] = []
        self._foreign: dict[int, str] = {}
        self._fresh: list[Own] = []
        self.gone: Callable[[str], bool] | None = None
        self.heard = False
        self.unsought = False

    @property
    def restless(self) -> bool:
        """Tell whether something waits to be told: ends that wait for fills, fills whose order was found."""
        return bool(self._held or self._fresh)

    def remember(self, order_ids: Iterable[str]) -> None:
        """Learn the ids of orders that were made earlier."""
        for order_id in order_ids:
            self.unsought = self.unsought or cloid_of(order_id) not in self._names
            self.name(order_id)

    def name(self, order_id: str) -> None:
        """Learn one id that is about to be asked for."""
        if order_id:
            self._names[cloid_of(order_id)] = order_id
        if number := number_of(order_id):
            self._numbers[number] = order_id

    def adopt(self, cloid: str, oid: int) -> str:
        """Take a stranger's order for ours; return the id that it has from now on."""
        order_id = cloid or f"oid-{oid}"
        self.name(order_id)
        self._strangers.pop(oid, None)
        self._foreign.pop(oid, None)
        return order_id

    def recall(self, own: Own, told: Sequence[tuple[int, int, int]]) -> None:
        """Learn what an order from before went through: (oid, lots, filled lots), oldest first.

        Fills under earlier numbers count towards the whole. What this process has sent it knows better.
        """
        if own.here:
            return
        own.old_oids = own.counted = tuple(oid for oid, _, _ in told[:-1])
        own.oid = told[-1][0]
        for oid, _, _ in told:
            self._by_oid[oid] = own
            self._strangers.pop(oid, None)
            self._foreign.pop(oid, None)
        self._fresh.append(own)
        own.lots = told[-1][1]
        own.prior = sum(filled for _, _, filled in told[:-1])
        own.told = own.prior + told[-1][2]

    def sent(self, command: SubmitOrder) -> Own:
        """Note an order that is about to leave."""
        own = Own(
            command.order_id,
            command.instrument_id,
            command.side,
            command.type,
            command.lots,
            command.px_ticks,
            command.stop_ticks,
            command.tif,
            command.reduce_only,
            command.post_only,
        )
        own.here = True
        self.add(own)
        return own

    def add(self, own: Own) -> None:
        """Take an order in."""
        self._by_id[own.order_id] = own
        self._names[cloid_of(own.order_id)] = own.order_id

    def get(self, order_id: str) -> Own | None:
        """Return an order of ours whose terms are known."""
        return self._by_id.get(order_id)

    def order_id(self, cloid: str | None, oid: int) -> str:
        """Return our id for an order, empty for a stranger's."""
        own = self._by_oid.get(oid)
        if own is not None:
            return own.order_id
        return self._names.get(cloid or "", "") or self._numbers.get(oid, "")

    def number(self, order_id: str) -> int:
        """Return the present ``oid`` of an adopted order that has no client id, 0 for every other order."""
        number = number_of(order_id)
        own = self._by_id.get(order_id) if number else None
        return number if own is None else own.oid or number

    def by_oid(self, oid: int) -> Own | None:
        """Return the order that has or had an ``oid``."""
        return self._by_oid.get(oid)

    def bind(self, own: Own, oid: int) -> None:
        """Note that an ``oid`` is this order's present one."""
        if own.oid != oid:
            if own.oid:
                own.old_oids = (*own.old_oids, own.oid)
            own.oid = oid
            self._fresh.append(own)
        self._by_oid[oid] = own
        self._strangers.pop(oid, None)

    def outlived(self, own: Own, oid: int) -> bool:
        """Tell whether an ``oid`` is an earlier one of an order, and remember it: the venue counts them upwards."""
        if oid >= own.oid:
            return False
        if oid not in own.old_oids:
            own.old_oids = (*own.old_oids, oid)
            self._by_oid[oid] = own
            self._strangers.pop(oid, None)
            self._fresh.append(own)
        return True

    def stranger(self, oid: int) -> None:
        """Note that an ``oid`` is not ours."""
        self._strangers[oid] = None
        while len(self._strangers) > KEPT_STRANGERS:
            self._strangers.popitem(last=False)

    def is_stranger(self, oid: int) -> bool:
        """Tell whether an ``oid`` is known not to be ours."""
        return oid in self._strangers

    # -- what news make ------------------------------------------------------------------------------------

    def accept(self, own: Own, oid: int, ts_event: int, ts_recv: int) -> list[OrderReport]:
        """Report once that the venue has an order; ``oid`` is 0 for one that waits for its parent."""
        if oid and own.oid in (0, oid):
            self.bind(own, oid)
        elif oid:
            self.outlived(own, oid)
        if own.accepted or own.ended:
            return []
        own.accepted = True
        return [OrderAccepted(own.order_id, own.instrument_id, ts_event, ts_recv, str(oid) if oid else "")]

    def changed(
        self, own: Own, oid: int, change: Change, request: int, ts_event: int, ts_recv: int
    ) -> list[OrderReport]:
        """Report a change that took effect; the end of the order's old ``oid`` is forgotten."""
        own.changes.pop(request, None)
        own.withheld = None
        self._held = [held for held in self._held if held.own is not own]
        if oid != own.oid:
            self.bind(own, oid)
            own.prior = own.filled
        own.lots, own.px_ticks, own.stop_ticks = change.lots, change.px_ticks, change.stop_ticks
        return [self.amended(own, request, ts_event, ts_recv)]

    def amended(self, own: Own, request: int, ts_event: int, ts_recv: int) -> OrderReport:
        """Report an order's present terms."""
        name = (own.order_id, own.instrument_id, ts_event, ts_recv)
        return OrderAmended(*name, own.total, own.px_ticks, own.stop_ticks, request)

    def unchanged(self, own: Own, request: int, ts_recv: int) -> list[OrderReport]:
        """Note that a change was refused; the end that was withheld for its sake is told now."""
        own.changes.pop(request, None)
        report, own.withheld = own.withheld, None
        return [] if report is None or own.changes else self.end(own, report, own.filled, ts_recv)

    def end(self, own: Own, report: OrderReport, need: int, ts_recv: int) -> list[OrderReport]:
        """Report an order's end once ``need`` lots in all are known to be filled."""
        if own.ended:
            return []
        waiting = next((held for held in self._held if held.own is own), None)
        if own.filled < need and self.heard:
            if waiting is None:
                self._held.append(_Held(own, report, need, ts_recv + HOLD_NS))
            else:
                waiting.report, waiting.need = report, need
            return []
        if waiting is not None:
            self._held.remove(waiting)
        return [self._finish(own, report)]

    def withhold(self, own: Own, report: OrderReport, need: int, ts_recv: int) -> None:
        """Keep the end of an ``oid`` while a change is under way: a change ends the old order by itself.

        The change's answer decides; where none comes, the end is told after ``WITHHOLD_NS``.
        """
        own.withheld = report
        self._held = [held for held in self._held if held.own is not own]
        self._held.append(_Held(own, report, need, ts_recv + WITHHOLD_NS))

    def canceled(self, own: Own, ts_recv: int) -> list[OrderReport]:
        """Report a cancel that was answered with success.

        Where the account's stream is heard, its news say how much was filled before; they are waited for.
        """
        report = OrderCanceled(own.order_id, own.instrument_id, ts_recv, ts_recv)
        if own.ended or any(held.own is own for held in self._held):
            return []
        return self.end(own, report, own.total + 1 if self.heard else own.filled, ts_recv)

    def fill(self, own: Own, oid: int, trade_id: str, lots: int) -> bool:
        """Note a fill; False when it was told before."""
        if trade_id in own.trades:
            return False
        own.trades.add(trade_id)
        own.filled += lots
        if self.raced(own, oid):
            own.prior += lots
        return True

    @staticmethod
    def raced(own: Own, oid: int) -> bool:
        """Tell whether a fill belongs to an earlier ``oid`` and was not counted when the order was changed."""
        return oid in own.old_oids and oid not in own.counted

    def settled(self, own: Own) -> list[OrderReport]:
        """Report the end that waited for an order's fills, if they are all there; a whole fill is an end by itself."""
        for held in self._held:
            if held.own is own and own.filled >= held.need and not own.changes:
                self._held.remove(held)
                return [self._finish(own, held.report)]
        if own.filled >= own.total and not own.changes:
            self._held = [held for held in self._held if held.own is not own]
            self._forget_later(own)
        return []

    def due(self, ts_recv: int) -> list[OrderReport]:
        """Report the ends that have waited long enough."""
        ripe = [held for held in self._held if held.due <= ts_recv]
        self._held = [held for held in self._held if held.due > ts_recv]
        if not ripe:
            return []
        for held in ripe:
            held.own.changes.clear()
            held.own.withheld = None
        return [self._finish(held.own, held.report) for held in ripe if not held.own.ended]

    def _finish(self, own: Own, report: OrderReport) -> OrderReport:
        self._forget_later(own)
        return report

    def _forget_later(self, own: Own) -> None:
        if own.ended:
            return
        own.ended = True
        self._ended.append(own.order_id)
        while len(self._ended) > KEPT_ENDED or (self.gone is not None and self.gone(self._ended[0])):
            old = self._by_id.pop(self._ended.popleft(), None)
            if old is not None:
                self._names.pop(cloid_of(old.order_id), None)
                self._numbers.pop(number_of(old.order_id), None)
                for oid in (old.oid, *old.old_oids):
                    self._by_oid.pop(oid, None)

    def take_fresh(self) -> list[Own]:
        """Return the orders that got an ``oid`` since the last time."""
        fresh, self._fresh = self._fresh, []
        return fresh

    # -- what works ----------------------------------------------------------------------------------------

    def workable(self, command: AmendOrder) -> Own:
        """Return the order that a change is about, or raise ``VenueError`` REJECTED."""
        own = self._by_id.get(command.order_id)
        if own is None:
            raise VenueError(
                ErrorKind.REJECTED,
                f"{command.order_id}: its terms are not known",
                reason=Reason.UNKNOWN_ORDER,
                fix="Ask for the open orders first.",
            )
        return own

    def seen_open(self, oid: int, instrument_id: str) -> None:
        """Note a working order that is not ours."""
        if oid not in self._by_oid:
            self._foreign[oid] = instrument_id

    def seen_ended(self, oid: int) -> None:
        """Note that a working order that is not ours has ended."""
        self._foreign.pop(oid, None)

    def open_oids(self, instrument_ids: frozenset[str]) -> list[tuple[int, str]]:
        """Return ``oid`` and instrument of the orders that are known to work; an empty set means all instruments."""
        ours = [(own.oid, own.instrument_id) for own in self._by_id.values() if own.oid and not own.ended]
        pairs = [*ours, *self._foreign.items()]
        return sorted(pair for pair in pairs if not instrument_ids or pair[1] in instrument_ids)
