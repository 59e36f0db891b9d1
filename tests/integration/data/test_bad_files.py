"""Damaged and foreign files: each is refused with its own message and exit code, or its bad rows are named."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lanner.core.errors import ConfigError, DataError, LannerError, NotFoundError
from lanner.storage.catalog import Catalog
from lanner.storage.importers.run import import_files
from lanner.storage.importers.table import Options

HEAD = "timestamp,open,high,low,close,volume\n"
BODY = "".join(f"{1_600_000_020_000 + i * 60_000},100,101,99,100,1\n" for i in range(400))
NOISE = random.Random(1).randbytes(5000)


def zipped(*members: tuple[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return buffer.getvalue()


PACKED = gzip.compress((HEAD + BODY).encode())
FLIPPED = bytearray(PACKED)
FLIPPED[len(PACKED) // 2] ^= 0xFF

REFUSED: dict[str, tuple[bytes | str, str]] = {
    "empty.csv": ("", "empty.csv is empty; expected market data; found 0 bytes"),
    "blank.csv": ("\n \n\n", "blank.csv is empty; expected rows of data; found only white space"),
    "header.csv": (HEAD, "header.csv has a header but no rows"),
    "nohigh.csv": (
        HEAD.replace("high,", "") + "1600000020000,1,1,1,1\n" * 3,
        "no column for high; expected columns for",
    ),
    "noise.csv": (NOISE, "noise.csv is not a text file"),
    "noise.bin": (NOISE, "noise.bin is not a text file"),
    "prose.txt": ("once upon a time\nthere was no data\n", "prose.txt is not a table"),
    "foreign.csv": ("a,b,c\n1,2,3\n4,5,6\n", "cannot tell what the columns are; expected e.g. time, open"),
    "wide.csv": (",".join("123456789") + "\n", "the file has no header, and its 9 columns"),
    "words.csv": (HEAD + "x,y,z,a,b,c\n" * 9, "column 'timestamp': cannot read the time column"),
    "dates.csv": (
        "Date,Open,High,Low,Close,Volume\n" + "01/03/2020,1,2,0.5,1,1\n02/03/2020,1,2,0.5,1,1\n",
        "two ways",
    ),
    "utf16.csv": ((HEAD + BODY).encode("utf-16"), "utf16.csv is UTF-16 text; expected UTF-8"),
    "mac.csv": ((HEAD + BODY).replace("\n", "\r"), "mac.csv ends its lines like an old Macintosh"),
    "one.csv": (HEAD + BODY.split("\n")[0] + "\n", "cannot tell the timeframe from a single bar. Name it"),
    "odd.csv": (
        HEAD + "".join(f"{1_600_000_020_000 + i * 70_000},1,1,1,1,1\n" for i in range(9)),
        "the bars are 70 s apart, which is no timeframe",
    ),
    "mostly.csv": (
        HEAD + BODY.split("\n")[0] + "\n" + "1600000080000,1,,1,1,1\n" * 9,
        "9 of 10 rows cannot be used",
    ),
    "cut.csv.gz": (PACKED[: len(PACKED) // 2], "cut.csv.gz is damaged or cut short"),
    "flipped.csv.gz": (
        bytes(FLIPPED),
        "flipped.csv.gz is damaged or cut short; expected a complete gzip file",
    ),
    "plain.csv.gz": (HEAD + BODY, "plain.csv.gz is not what its name says; expected a gz file"),
    "cut.zip": (
        zipped(("a.csv", HEAD + BODY))[:200],
        "cut.zip is damaged or cut short; expected a complete zip file",
    ),
    "none.zip": (zipped(), "none.zip holds no files"),
    "cut.parquet": (
        b"PAR1" + b"x" * 99,
        "cut.parquet cannot be read; expected a complete Parquet or Arrow file",
    ),
    "cut.feather": (
        b"ARROW1\0\0" + b"x" * 99,
        "cut.feather cannot be read; expected a complete Parquet or Arrow",
    ),
    "old.feather": (b"FEA1" + b"x" * 99, "old.feather is a feather file of version 1; expected version 2"),
    "cut.json": ("[[1,2,", "cut.json is not complete JSON"),
    "list.json": ("[1,2,3]", "this JSON is no market data that Lanner knows"),
    "object.json": ('{"a": 1}', "this JSON is no market data that Lanner knows"),
    "ragged.json": ("[[1600000020000,1,1,1,1,1],[1600000080000,1,1]]", "rows of 6 values; expected 6"),
    "frames.txt": ('1723161255030314667 {"stream":"x\n' * 3, "no usable row; expected rows of frames"),
    "answers.txt": (
        '{"recv_ts":1.5,"frame":{"event":"subscribe"}}\n',
        "no usable row; expected rows of frames",
    ),
}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def files_of(catalog: Catalog) -> list[Path]:
    return [path for path in catalog.root.rglob("*") if path.is_file() and path.name != ".lock"]


@pytest.mark.parametrize("name", REFUSED)
def test_an_unusable_file_is_refused_with_its_reason_and_leaves_nothing(
    name: str, make: Callable[[str, bytes | str], Path], catalog: Catalog
) -> None:
    content, message = REFUSED[name]
    with pytest.raises(DataError) as refused:
        import_files([make(name, content)], catalog)
    assert message in str(refused.value)
    assert refused.value.exit_code == 1
    assert files_of(catalog) == []


def test_a_missing_file_is_not_found(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(NotFoundError, match="no such file") as refused:
        import_files([tmp_path / "nothing.csv"], catalog)
    assert refused.value.exit_code == 2


def test_a_folder_is_no_file(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(DataError, match="is a folder; expected a file"):
        import_files([tmp_path], catalog)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "xml"}, "unknown format; expected auto, ohlcv-csv"),
        ({"options": Options(instrument="BTC")}, "not an instrument id; expected SYMBOL.VENUE"),
        ({"options": Options(timeframe="7m")}, "unknown --timeframe; expected 1s, 1m"),
        ({"options": Options(timeframe="1h")}, "--timeframe does not fit the file; expected 1m"),
        ({"options": Options(tick="-1")}, "--tick must be positive"),
        ({"options": Options(lot="many")}, "--lot is not a number"),
        ({"options": Options(stamp="middle")}, "unknown --stamp; expected open or close"),
    ],
)
def test_a_wrong_option_is_a_configuration_error(
    arguments: dict[str, object], message: str, make: Callable[[str, bytes | str], Path], catalog: Catalog
) -> None:
    with pytest.raises(ConfigError) as refused:
        import_files([make("bars.csv", HEAD + BODY)], catalog, **arguments)  # type: ignore[arg-type]
    assert message in str(refused.value)
    assert refused.value.exit_code == 4


@pytest.mark.parametrize(
    "format_name", ["binance-klines", "binance-trades", "tardis-book", "lean", "parquet", "hyperliquid-fills"]
)
def test_a_format_that_does_not_fit_says_what_it_expected(
    format_name: str, make: Callable[[str, bytes | str], Path], catalog: Catalog
) -> None:
    with pytest.raises(DataError) as refused:
        import_files([make("bars.csv", HEAD + BODY)], catalog, format=format_name)
    assert "bars.csv" in str(refused.value)
    assert refused.value.expected or refused.value.found


BAD_ROWS = [
    ("1600024080000,abc,101,99,100,1", "open is missing or not a number"),
    ("1600024140000,100,90,99,100,1", "high is below low"),
    ("1600024200000,100,101,99,100,-1", "volume is negative"),
    ("1600024260000,nan,101,99,100,1", "open is missing or not a number"),
    ("1600024320000,100,101,99", "close is missing or not a number"),
    ("1600024380000,100,101,99,100,1,7", "more than 6 fields"),
    (",100,101,99,100,1", "the time is missing or not between 1970 and 2100"),
    ("1600024440000,100,101,-6,100,1", "low is not positive"),
    ("1600024500000,100,100.5,99,101,1", "high is below open or close"),
    ("1600024560000,100,101,99.5,99,1", "low is above open or close"),
    ("1600024620000,inf,inf,99,100,1", "open is missing or not a number"),
    ("garbage", "the time is missing or not between 1970 and 2100"),
]


def test_bad_rows_are_left_out_with_file_line_and_reason(
    make: Callable[[str, bytes | str], Path], catalog: Catalog
) -> None:
    path = make("bars.csv", HEAD + BODY + "".join(f"{row}\n" for row, _ in BAD_ROWS))
    result = import_files([path], catalog)
    told = [(item.file, item.line, item.text, item.reason) for item in result.rejections]
    assert told == [("bars.csv", 402 + index, row, reason) for index, (row, reason) in enumerate(BAD_ROWS)]
    passport = result.datasets[0].passport
    assert (passport.rows, passport.rejected_rows, passport.ohlc_violations) == (400, len(BAD_ROWS), 4)
    assert any(text.startswith("12 rows of the source") for text in passport.problems())


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
def test_strict_refuses_the_file_at_the_first_bad_row(
    row: str, reason: str, make: Callable[[str, bytes | str], Path], catalog: Catalog
) -> None:
    path = make("bars.csv", HEAD + BODY + row + "\n")
    with pytest.raises(DataError) as refused:
        import_files([path], catalog, strict=True)
    assert f"bars.csv, line 402: {reason}" in str(refused.value)
    assert files_of(catalog) == []


def test_one_bad_file_among_several_stops_all(
    make: Callable[[str, bytes | str], Path], catalog: Catalog
) -> None:
    good, bad = make("BTCUSDT-1m.csv", HEAD + BODY), make("ETHUSDT-1m.csv", HEAD)
    with pytest.raises(LannerError):
        import_files([good, bad], catalog)
    assert files_of(catalog) == []


READABLE = {
    "semicolon.csv": (HEAD + BODY).replace(",", ";"),
    "tab.tsv": (HEAD + BODY).replace(",", "\t"),
    "windows.csv": (HEAD + BODY).replace("\n", "\r\n"),
    "mark.csv": "\ufeff" + HEAD + BODY,
    "quoted.csv": "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in (HEAD + BODY).split()
    ),
    "padded.csv": (HEAD + BODY).replace(",", " , "),
    "cut_end.csv": (HEAD + BODY).rstrip("\n"),
    "blank_lines.csv": (HEAD + BODY).replace("\n", "\n\n"),
    "preamble.csv": "# downloaded from somewhere\nhttps://example.org\n" + HEAD + BODY,
    "upper.csv": HEAD.upper() + BODY,
    "headless.csv": BODY,
    "newest.csv": HEAD + "\n".join(reversed(BODY.split())) + "\n",
    "german.csv": HEAD.replace(",", ";")
    + "".join(f"{1_600_000_020 + i * 60};100,0;101,0;99,0;100,0;1,0\n" for i in range(400)),
    "iso.csv": HEAD
    + "".join(
        f"2020-09-13T{12 + (27 + i) // 60:02d}:{(27 + i) % 60:02d}:00Z,100,101,99,100,1\n" for i in range(400)
    ),
}


@pytest.mark.parametrize("name", READABLE)
def test_ways_of_writing_the_same_bars_give_the_same_rows(
    name: str, make: Callable[[str, bytes | str], Path], catalog: Catalog, tmp_path: Path
) -> None:
    options = Options(instrument="BTC-USDT.BINANCE")
    plain = Catalog(tmp_path / "plain")
    import_files([make("plain.csv", HEAD + BODY)], plain, options=options)
    result = import_files([make(name, READABLE[name])], catalog, options=options)
    assert result.rejected == 0
    assert catalog.datasets()[0].content_hash == plain.datasets()[0].content_hash


def test_a_change_of_the_time_unit_inside_a_file_is_read_and_told(
    make: Callable[[str, bytes | str], Path], catalog: Catalog
) -> None:
    first = "".join(f"{1_600_000_020_000 + i * 60_000},1,1,1,1,1\n" for i in range(9))
    second = "".join(f"{1_600_000_560_000_000 + i * 60_000_000},1,1,1,1,1\n" for i in range(9))
    result = import_files([make("mixed.csv", HEAD + first + second)], catalog)
    assert result.datasets[0].passport.rows == 18
    assert result.datasets[0].passport.gap_count == 0
    assert any("changes from ms to us" in note for note in result.notes)


def test_a_file_with_several_symbols_is_not_forced_under_one_name(
    make: Callable[[str, bytes | str], Path], catalog: Catalog
) -> None:
    rows = "".join(
        f"{1_600_000_020_000 + i * 60_000},{s},1,1,1,1,1\n" for s in ("AAA", "BBB") for i in range(5)
    )
    path = make("many.csv", "timestamp,symbol,open,high,low,close,volume\n" + rows)
    with pytest.raises(DataError, match="several symbols"):
        import_files([path], catalog, options=Options(instrument="AAA-USD.X"))
    import_files([path], catalog, options=Options(instrument="AAA-USD.X", symbol="AAA"))
    assert [info.ref for info in catalog.datasets()] == ["AAA-USD.X@1m"]
