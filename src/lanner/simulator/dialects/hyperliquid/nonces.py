"""The nonces a signer has used: the hundred highest, and a window of time around the block."""

from __future__ import annotations

import heapq

from lanner.simulator.dialects.hyperliquid import spec


class NonceWindow:
    """What keeps one signer's actions from being replayed."""

    def __init__(self, kept: int = spec.NONCES_KEPT) -> None:
        self._kept = kept
        self._heap: list[int] = []
        self._known: set[int] = set()

    def use(self, nonce: int, now_ms: int) -> str | None:
        """Take a nonce; return the venue's words where it is refused."""
        if not now_ms - spec.NONCE_PAST_MS < nonce < now_ms + spec.NONCE_FUTURE_MS:
            return spec.NONCE_TIME.format(nonce=nonce, time=now_ms)
        if nonce in self._known:
            return spec.DUPLICATE_NONCE.format(nonce=nonce)
        if len(self._heap) == self._kept and nonce < self._heap[0]:
            return spec.LOW_NONCE.format(nonce=nonce)
        self._known.add(nonce)
        if len(self._heap) < self._kept:
            heapq.heappush(self._heap, nonce)
        else:
            self._known.discard(heapq.heappushpop(self._heap, nonce))
        return None
