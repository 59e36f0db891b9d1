"""The records of the HTTP client: settings going in, answers and counts coming out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import msgspec


@dataclass(frozen=True, slots=True)
class Timeouts:
    """``connect_s`` until a connection stands, ``answer_s`` from sending to the whole answer, ``deadline_s`` for
    everything together: waiting for a turn, connecting, attempts. Idle connections are kept for ``keep_s``."""

    connect_s: float = 5.0
    answer_s: float = 10.0
    deadline_s: float = 30.0
    keep_s: float = 45.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Which answers to an idempotent request are worth another attempt, how often and how soon.

    ``attempts`` counts repetitions: 3 means up to four sendings. Answers 429 have a count of their own, ``limited``,
    and the server names the wait; where it names none, it is ``wait_s``, doubled each time up to ``wait_cap_s``.
    """

    attempts: int = 3
    limited: int = 6
    wait_s: float = 1.0
    wait_cap_s: float = 15.0
    base_s: float = 0.2
    cap_s: float = 5.0
    jitter: float = 0.0
    statuses: frozenset[int] = frozenset({500, 502, 503, 504})


class HttpAnswer(msgspec.Struct, frozen=True):
    """An answer. Header names are lower case; ``ts_sent`` is taken when the request begins to leave, ``ts_recv``
    when the head of the answer is there (UNIX ns)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    ts_sent: int
    ts_recv: int


@dataclass(slots=True)
class HttpStats:
    """Counts of one client since it was made."""

    requests: int = 0
    answered: int = 0
    unanswered: int = 0
    connect_failed: int = 0
    told_to_wait: int = 0
    retries: int = 0
    connections: int = 0
    last_latency_ns: int = 0


def retry_after_s(answer: HttpAnswer, otherwise: float) -> float:
    """Read the answer's Retry-After, in seconds or as a date; ``otherwise`` where there is none that makes sense."""
    text = answer.headers.get("retry-after", "").strip()
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(text).timestamp() - answer.ts_recv / 1e9, 0.0)
    except ValueError:
        return otherwise
