"""Whatever bytes a file holds, an import ends with rows or with a message, never with another exception."""

from __future__ import annotations

import contextlib
import gzip
import json
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.core.errors import LannerError
from lanner.storage.catalog import Catalog
from lanner.storage.importers.run import import_files

T0 = 1_700_000_000_000
BARS = "timestamp,open,high,low,close,volume\n" + "".join(
    f"{T0 + i * 60_000},100,101,99,100.5,1\n" for i in range(30)
)
TARDIS = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n" + "".join(
    f"deribit,BTC-PERPETUAL,{T0 * 1000 + i},{T0 * 1000 + i + 5},false,bid,{100 + i},1\n" for i in range(30)
)
KLINES = "".join(f"{T0 + i * 60_000},1,2,1,2,5,{T0 + i * 60_000 + 59_999},10,3,2,4,0\n" for i in range(30))
FRAMES = "".join(
    f"{T0 * 10**6} "
    + json.dumps(
        {
            "stream": "btcusdt@depth",
            "data": {"e": "depthUpdate", "E": T0, "s": "BTCUSDT", "U": i, "u": i, "b": [["9", "1"]], "a": []},
        }
    )
    + "\n"
    for i in range(30)
)
CANDLES = json.dumps([[T0 + i * 60_000, 1, 2, 1, 2, 5] for i in range(30)])


def parquet() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.parquet"
        pl.DataFrame(
            {"timestamp": [T0 + i * 1000 for i in range(9)], "price": [1.0] * 9, "qty": [1.0] * 9}
        ).write_parquet(path)
        return path.read_bytes()


SEEDS = {
    "bars.csv": BARS.encode(),
    "book.csv": TARDIS.encode(),
    "BTCUSDT-1m-2023-11.csv": KLINES.encode(),
    "frames.txt": FRAMES.encode(),
    "candles-1m.json": CANDLES.encode(),
    "bars.csv.gz": gzip.compress(BARS.encode(), mtime=0),
    "trades.parquet": parquet(),
}

edits = st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=6), st.integers(0, 6)), max_size=6)


@pytest.mark.parametrize("name", SEEDS)
@given(changes=edits)
@settings(max_examples=60)
def test_a_file_with_random_damage_imports_or_is_refused(
    name: str, changes: list[tuple[int, bytes, int]]
) -> None:
    data = bytearray(SEEDS[name])
    for place, new, cut in changes:
        at = place % (len(data) + 1)
        data[at : at + cut] = new
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(bytes(data))
        catalog = Catalog(Path(folder) / "catalog")
        try:
            import_files([path], catalog)
        except LannerError:
            return
        for info in catalog.datasets():
            frames = list(catalog.scan(info.kind, info.instrument_id, info.spec))
            assert sum(frame.height for frame in frames) == info.rows > 0
            assert pl.concat(frames)["ts_event"].is_sorted()


@given(
    content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)),
    name=st.sampled_from(list(SEEDS)),
)
@settings(max_examples=200)
def test_a_file_of_random_content_imports_or_is_refused(content: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with contextlib.suppress(LannerError):
            import_files([path], Catalog(Path(folder) / "catalog"))
