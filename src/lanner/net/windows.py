"""How much of a rate limit is used up: counted over a sliding window, in memory that processes can share.

A token comes back one interval after it was spent, never earlier, so that no window of that length, wherever a
venue lets its own begin, ever holds more than the limit. Weight spent by strangers behind the same address is
known only from the venue's own count, and is kept apart, so that the next count can correct it.
"""

from __future__ import annotations

from lanner.core.errors import ConfigError

SLOTS = 60
_RING = SLOTS + 1  # the slot being filled, and one whole interval of older ones
_HEAD, _TOTAL, _FOREIGN, _FOREIGN_SLOT, _FIRST = 0, 1, 2, 3, 4

CELLS = _FIRST + _RING
"""The 64-bit integers of one window: head slot, total, strangers' weight and its slot, ring of slots."""


class Window:
    """One limit: at most ``limit`` weight in any ``interval_s`` seconds. Times are nanoseconds of one clock."""

    __slots__ = ("_cells", "interval_s", "limit", "slot_ns")

    def __init__(self, limit: int, interval_s: float, cells: memoryview) -> None:
        if limit <= 0 or interval_s <= 0:
            raise ConfigError(
                "a rate limit cannot be kept",
                expected="limit > 0, interval > 0",
                found=f"{limit} per {interval_s} s",
            )
        self.limit = limit
        self.interval_s = interval_s
        self.slot_ns = max(int(interval_s * 1e9) // SLOTS, 1)
        self._cells = cells

    def used(self, now_ns: int) -> int:
        """Return the weight that counts now, strangers' included."""
        self._advance(now_ns)
        return self._cells[_TOTAL] + self._cells[_FOREIGN]

    def foreign(self, now_ns: int) -> int:
        """Return the strangers' part of ``used``."""
        self._advance(now_ns)
        return self._cells[_FOREIGN]

    def spend(self, now_ns: int, weight: int) -> None:
        """Count weight that is being sent now."""
        self._advance(now_ns)
        cells = self._cells
        cells[_FIRST + cells[_HEAD] % _RING] += weight
        cells[_TOTAL] += weight

    def has_room(self, now_ns: int, weight: int, share: float) -> bool:
        """Tell whether ``weight`` fits under ``share`` of the limit now."""
        cells = self._cells
        if now_ns // self.slot_ns != cells[_HEAD]:
            self._advance(now_ns)
        return cells[_TOTAL] + cells[_FOREIGN] + weight <= int(self.limit * share)

    def add(self, weight: int) -> None:
        """Count weight in the slot that ``has_room`` has just looked at."""
        cells = self._cells
        cells[_FIRST + cells[_HEAD] % _RING] += weight
        cells[_TOTAL] += weight

    def feed(self, now_ns: int, used: int) -> None:
        """Believe the venue's count where it is higher than ours; what is above ours belongs to strangers."""
        self._advance(now_ns)
        cells = self._cells
        cells[_FOREIGN] = max(0, used - cells[_TOTAL])
        cells[_FOREIGN_SLOT] = cells[_HEAD]

    def wait_ns(self, now_ns: int, weight: int, share: float = 1.0) -> int:
        """Return how long until ``weight`` fits under ``share`` of the limit; 0 when it fits now."""
        missing = self.used(now_ns) + weight - int(self.limit * share)
        if missing <= 0:
            return 0
        cells = self._cells
        head = cells[_HEAD]
        for slot in range(head - SLOTS, head + 1):
            missing -= cells[_FIRST + slot % _RING]
            if slot == cells[_FOREIGN_SLOT]:
                missing -= cells[_FOREIGN]
            if missing <= 0:
                return max((slot + _RING) * self.slot_ns - now_ns, 1)
        return max((head + _RING) * self.slot_ns - now_ns, 1)

    def _advance(self, now_ns: int) -> None:
        cells = self._cells
        slot = now_ns // self.slot_ns
        head = cells[_HEAD]
        if slot == head:
            return
        if slot < head:
            # The clock stepped back. A little: the old slot goes on. A lot: all that is known counts from now.
            if head - slot > SLOTS:
                self._restart(slot, cells[_TOTAL])
            return
        if slot - head > SLOTS:
            self._restart(slot, 0)
        else:
            for passed in range(head + 1, slot + 1):
                index = _FIRST + passed % _RING
                cells[_TOTAL] -= cells[index]
                cells[index] = 0
            cells[_HEAD] = slot
        if slot - cells[_FOREIGN_SLOT] > SLOTS:
            cells[_FOREIGN] = 0

    def _restart(self, slot: int, total: int) -> None:
        cells = self._cells
        for index in range(_FIRST, CELLS):
            cells[index] = 0
        cells[_HEAD] = slot
        cells[_TOTAL] = total
        cells[_FIRST + slot % _RING] = total
        cells[_FOREIGN_SLOT] = min(cells[_FOREIGN_SLOT], slot)
