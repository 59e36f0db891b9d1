"""What stands after ``--data``: references, bare ids, files; and what is said when it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from lanner.core.errors import ConfigError, DataError, NotFoundError
from lanner.storage.catalog import Catalog
from lanner.storage.export import export_rows, parse_time
from lanner.storage.importers.run import import_files
from lanner.storage.importers.table import Options
from lanner.storage.open_data import open_source

HEAD = "timestamp,open,high,low,close,volume\n"


def bars(minutes: int, count: int = 30) -> str:
    return HEAD + "".join(
        f"{1_600_000_200_000 + i * 60_000 * minutes},100,101,99,100,1\n" for i in range(count)
    )


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog(tmp_path / "catalog")
    for minutes in (1, 60):
        path = tmp_path / f"{minutes}.csv"
        path.write_text(bars(minutes))
        import_files([path], made, options=Options(instrument="BTC-USDT.BINANCE"))
    return made


def opened(ref: str, catalog: Catalog, **more: str) -> list[str]:
    source = open_source(ref, catalog=catalog, cache_dir=catalog.root.parent / "cache", **more)
    return [entry.ref for entry in source.datasets]


def test_a_reference_opens_one_data_set(catalog: Catalog) -> None:
    assert opened("BTC-USDT.BINANCE@1h", catalog) == ["BTC-USDT.BINANCE@1h"]


def test_a_bare_id_needs_a_timeframe_when_there_are_several(catalog: Catalog) -> None:
    assert opened("BTC-USDT.BINANCE", catalog, timeframe="1m") == ["BTC-USDT.BINANCE@1m"]
    with pytest.raises(NotFoundError, match=r"several data sets; expected one of BTC-USDT\.BINANCE@1h"):
        opened("BTC-USDT.BINANCE", catalog)


@pytest.mark.parametrize(
    "ref", ["BTC-USDT.BINANCE@2h", "BTC-USD.BINANCE@1h", "BTC-USDT.BINANCE@trades", "ETH"]
)
def test_what_is_not_there_is_answered_with_what_is_near(ref: str, catalog: Catalog) -> None:
    with pytest.raises(NotFoundError, match=r"expected one of BTC-USDT\.BINANCE@1") as missing:
        opened(ref, catalog)
    assert missing.value.exit_code == 2


def test_an_empty_catalog_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="lanner data import"):
        opened("BTC-USDT.BINANCE@1h", Catalog(tmp_path / "none"))


@pytest.mark.parametrize("ref", ["prices.csv", "./prices", "/nowhere/prices.parquet"])
def test_a_path_that_is_missing_is_called_a_file(ref: str, catalog: Catalog) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        opened(ref, catalog)


def test_a_file_is_imported_once_and_found_again_by_content(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "prices_5m.csv"
    path.write_text(bars(5))
    cache = tmp_path / "cache"
    first = open_source(str(path), catalog=catalog, instrument="ETH-USDT.BINANCE", cache_dir=cache)
    assert [(entry.ref, entry.passport.rows) for entry in first.datasets] == [("ETH-USDT.BINANCE@5m", 30)]
    assert first.datasets[0].instrument is not None
    again = open_source(str(path), catalog=catalog, instrument="ETH-USDT.BINANCE", cache_dir=cache)
    assert again.datasets[0].catalog.root == first.datasets[0].catalog.root
    path.write_text(bars(5, count=40))
    changed = open_source(str(path), catalog=catalog, instrument="ETH-USDT.BINANCE", cache_dir=cache)
    assert changed.datasets[0].passport.rows == 40
    assert [info.instrument_id for info in catalog.datasets()] == ["BTC-USDT.BINANCE"] * 2


def test_a_timeframe_helps_a_file_that_does_not_tell_its_own_but_does_not_argue(
    tmp_path: Path, catalog: Catalog
) -> None:
    single = tmp_path / "single.csv"
    single.write_text(bars(60, count=1))
    assert opened(str(single), catalog, timeframe="1h") == ["SINGLE-USD.LOCAL@1h"]
    other = tmp_path / "other.csv"
    other.write_text(bars(1))
    assert opened(str(other), catalog, timeframe="1h") == ["OTHER-USD.LOCAL@1m"]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".arrow"])
def test_an_export_imports_again_with_the_same_content(ending: str, tmp_path: Path, catalog: Catalog) -> None:
    source = open_source("BTC-USDT.BINANCE@1h", catalog=catalog, cache_dir=tmp_path / "cache")
    path = tmp_path / f"export{ending}"
    assert export_rows(source.datasets[0], path) == 30
    back = open_source(
        str(path), catalog=catalog, instrument="BTC-USDT.BINANCE", cache_dir=tmp_path / "cache"
    )
    assert back.datasets[0].passport.content_hash == source.datasets[0].passport.content_hash


def test_an_export_without_rows_or_with_a_strange_ending_is_refused(tmp_path: Path, catalog: Catalog) -> None:
    entry = open_source("BTC-USDT.BINANCE@1h", catalog=catalog, cache_dir=tmp_path / "cache").datasets[0]
    with pytest.raises(DataError, match="no rows in that span"):
        export_rows(entry, tmp_path / "x.csv", until_ns=5)
    with pytest.raises(ConfigError, match="cannot tell the format"):
        export_rows(entry, tmp_path / "x.xlsx")
    assert not (tmp_path / "x.csv").exists()


def test_times_of_options_are_read() -> None:
    assert parse_time("", "--since") is None
    assert parse_time("2024", "--since") == parse_time("2024-01-01T00:00", "--since") == 1_704_067_200 * 10**9
    assert parse_time("2024-01-01T01:00+01:00", "--since") == parse_time("2024-01", "--since")
    with pytest.raises(ConfigError, match="--since is not a time"):
        parse_time("yesterday", "--since")


def test_a_damaged_passport_is_named(catalog: Catalog) -> None:
    path = next((catalog.root / "passports").glob("*1h.json"))
    path.write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        opened("BTC-USDT.BINANCE@1h", catalog)


def test_a_missing_partition_is_named(catalog: Catalog) -> None:
    next(catalog.root.glob("bars/*/1h/*.parquet")).unlink()
    with pytest.raises(DataError, match="import the data again"):
        list(catalog.scan("bars", "BTC-USDT.BINANCE", "1h"))
