"""The data passport: what is known about the quality of one data set, and said in plain sentences."""

from __future__ import annotations

import msgspec

from lanner.storage.schema import DatasetKey

PASSPORT_VERSION = 1
LEDGER_LIMIT = 500
"""Longest list of gaps, rejections or breaks that is kept; totals are always complete."""

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""Points of the latency distribution that are kept for each partition."""


class Gap(msgspec.Struct, frozen=True):
    """A stretch without data: from the last row before to the first row after, and how many bars lack.

    ``missing`` is 0 for kinds without a fixed spacing.
    """

    start_ns: int
    end_ns: int
    missing: int = 0


class Rejection(msgspec.Struct, frozen=True):
    """A row that was refused: file, line (1-based, 0 when unknown), reason and the start of its text."""

    file: str
    line: int
    reason: str
    text: str = ""


class SequenceBreak(msgspec.Struct, frozen=True):
    """A place where the venue's numbering of messages does not continue."""

    ts_event: int
    expected: int
    found: int
    rule: str


class LatencyStats(msgspec.Struct, frozen=True):
    """Distribution of ``ts_recv − ts_event`` in nanoseconds over the rows that know both times."""

    rows: int
    min_ns: int
    p1_ns: int
    p50_ns: int
    p99_ns: int
    max_ns: int


class PartitionStats(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the catalog: where it is and what its rows, in order of time, look like."""

    label: str
    file: str
    rows: int
    start_ns: int
    end_ns: int
    first_open_ns: int = 0
    last_open_ns: int = 0
    content_hash: str
    size: int = 0
    gaps: list[Gap] = []
    gap_count: int = 0
    missing_rows: int = 0
    crossed: int = 0
    locked: int = 0
    zero_volume: int = 0
    outliers: int = 0
    missing_ids: int = 0
    first_id: int = 0
    last_id: int = 0
    latency_rows: int = 0
    latency_ns: list[int] = []


class SourceRecord(msgspec.Struct, kw_only=True):
    """One file that was imported: identity, and what its reading met before the rows were sorted."""

    file: str
    sha256: str = ""
    size: int = 0
    format: str = ""
    rows: int = 0
    rejected: int = 0
    reasons: dict[str, int] = {}
    out_of_order: int = 0
    newest_first: bool = False
    duplicates_exact: int = 0
    duplicates_conflicting: int = 0
    ohlc_violations: int = 0
    crossed_books: int = 0
    sequence_checked: int = 0
    sequence_breaks: int = 0
    breaks: list[SequenceBreak] = []
    checksums_checked: int = 0
    checksum_failures: int = 0
    rejections: list[Rejection] = []
    notes: list[str] = []


class Passport(msgspec.Struct, kw_only=True):
    """Describe one data set of the catalog.

    The writer of a data set gives ``kind``, ``instrument_id``, ``spec``, ``synthetic``, ``sources``,
    ``warnings`` and ``inferred``; the catalog fills in everything that it can measure on the rows.
    Counts are totals; lists are cut at ``LEDGER_LIMIT``.
    """

    kind: str
    instrument_id: str
    spec: str = ""
    version: int = PASSPORT_VERSION
    synthetic: bool = False
    rows: int = 0
    start_ns: int = 0
    end_ns: int = 0
    content_hash: str = ""
    gap_count: int = 0
    missing_rows: int = 0
    gaps: list[Gap] = []
    duplicates_exact: int = 0
    duplicates_conflicting: int = 0
    out_of_order: int = 0
    newest_first: bool = False
    rejected_rows: int = 0
    rejected_reasons: dict[str, int] = {}
    rejections: list[Rejection] = []
    ohlc_violations: int = 0
    zero_volume: int = 0
    outliers: int = 0
    crossed: int = 0
    locked: int = 0
    missing_ids: int = 0
    sequence_checked: int = 0
    sequence_breaks: int = 0
    breaks: list[SequenceBreak] = []
    checksums_checked: int = 0
    checksum_failures: int = 0
    latency: LatencyStats | None = None
    clock_offset_ns: int = 0
    inferred: dict[str, str] = {}
    warnings: list[str] = []
    sources: list[SourceRecord] = []
    partitions: list[PartitionStats] = []

    @property
    def key(self) -> DatasetKey:
        """Return the name of the data set."""
        return DatasetKey(self.kind, self.instrument_id, self.spec)

    @property
    def ref(self) -> str:
        """Return the reference a user gives to ``--data``."""
        return self.key.ref

    @property
    def size(self) -> int:
        """Return the size of the data set's files."""
        return sum(part.size for part in self.partitions)

    def problems(self) -> list[str]:
        """Say in sentences what a reader of a result made from this data should know."""
        from lanner.storage.problems import problems_of

        return problems_of(self)

    def to_json(self) -> bytes:
        """Encode the passport for the catalog."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1)

    @classmethod
    def from_json(cls, data: bytes) -> Passport:
        """Decode what ``to_json`` wrote."""
        return msgspec.json.decode(data, type=cls)


def ratio_text(part: int, whole: int) -> str:
    """Return a share as per cent with a sensible number of digits."""
    if whole <= 0:
        return "0 %"
    share = 100 * part / whole
    return f"{share:.2g} %" if share < 10 else f"{share:.0f} %"
