"""The names that reading a strategy's source looks for."""

from __future__ import annotations

CLOCK_CALLS = frozenset(
    {
        *(f"time.{name}{unit}" for name in ("time", "monotonic", "perf_counter") for unit in ("", "_ns")),
        "time.localtime", "time.gmtime", "time.ctime",
        *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
        "datetime.date.today", "pandas.Timestamp.now", "pandas.Timestamp.utcnow", "pandas.Timestamp.today",
    }
)  # fmt: skip

DICE_MODULES = ("random.", "numpy.random.", "secrets.")
SEEDABLE = frozenset({"Random", "default_rng", "RandomState", "Generator", "PCG64", "Philox", "SeedSequence"})
UNSTABLE_CALLS = frozenset({"hash", "id", "uuid.uuid1", "uuid.uuid4", "os.urandom", "os.getpid", "object"})
PEEKING_CALLS = frozenset(
    {
        "sys._getframe", "inspect.currentframe", "inspect.stack", "gc.get_objects", "gc.get_referrers",
        "lanner.Catalog", "lanner.storage.catalog.Catalog",
    }
)  # fmt: skip

READING_CALLS: dict[str, frozenset[str]] = {
    "open": frozenset(), "io.open": frozenset(), "os.open": frozenset(), "sqlite3.connect": frozenset(),
    "numpy.load": frozenset(), "numpy.loadtxt": frozenset(), "numpy.genfromtxt": frozenset(),
    "pickle.load": frozenset(), "json.load": frozenset(),
    "last": frozenset(
        {
            "read_csv", "scan_csv", "read_parquet", "scan_parquet", "read_ipc", "read_feather", "read_json",
            "read_excel", "read_ndjson", "scan_ndjson", "read_text", "read_bytes", "write_text", "write_bytes",
        }
    ),
}  # fmt: skip
"""Whole dotted names, and under ``last`` the last parts of names that read whatever they are called on."""

NETWORK_MODULES = frozenset(
    {
        "requests", "httpx", "aiohttp", "urllib.request", "urllib3", "http.client", "socket", "websockets",
        "websocket", "ccxt", "ftplib", "yfinance",
    }
)  # fmt: skip
PROGRAM_MODULES = frozenset({"subprocess", "threading", "multiprocessing", "concurrent", "asyncio"})

FILL_BACK = frozenset({"bfill", "backfill"})
MUTATORS = frozenset(
    {
        "append", "appendleft", "add", "update", "extend", "insert", "setdefault", "pop", "popleft", "popitem",
        "remove", "discard", "clear",
    }
)  # fmt: skip
PRICE_WORDS = (
    "bars", "candles", "closes", "opens", "highs", "lows", "close", "high", "low", "prices", "frame", "df",
    "data", "rows", "quotes", "trades", "history",
)  # fmt: skip
