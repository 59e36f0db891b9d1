"""The run store: complete runs or none, and no traceback for a damaged one."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from lanner.core.errors import ConfigError, DataError, NotFoundError
from lanner.storage.runs import RECORD, DamagedRun, RunRecord, RunStore, new_run_id, write_record

NOW = datetime(2026, 11, 21, 3, 18, 24, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def record(run_id: str) -> RunRecord:
    return RunRecord(
        run_id=run_id,
        created_at="2026-11-21T03:18:24Z",
        name="n",
        strategy="s",
        lanner="0.1.0",
        python="3.11.0",
    )


def keep(store: RunStore, run_id: str) -> None:
    with store.create(run_id) as folder:
        write_record(folder, record(run_id))


def test_an_id_sorts_by_time_and_says_what_ran() -> None:
    run_id = new_run_id("my strategy/é", NOW)
    assert run_id.startswith("20261121-031824-my_strategy-")
    assert len({new_run_id("x", NOW) for _ in range(50)}) > 45


def test_a_kept_run_is_listed_and_loaded(store: RunStore) -> None:
    keep(store, "20260101-000000-a-0001")
    keep(store, "20260102-000000-b-0002")
    assert [run.run_id for run in store.list()] == ["20260102-000000-b-0002", "20260101-000000-a-0001"]
    assert store.load("last").run_id == "20260102-000000-b-0002"
    assert store.load("0001").run_id == store.load("20260101").run_id == "20260101-000000-a-0001"


def test_nothing_is_left_of_a_run_that_fails_while_it_is_kept(store: RunStore) -> None:
    def interrupted() -> None:
        with store.create("r1") as folder:
            (folder / "half.parquet").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(store.root.iterdir()) == []


def test_a_run_is_invisible_until_it_is_complete(store: RunStore) -> None:
    with store.create("r1") as folder:
        write_record(folder, record("r1"))
        assert store.list() == []
    assert [run.run_id for run in store.list()] == ["r1"]


def test_an_id_is_used_once(store: RunStore) -> None:
    keep(store, "r1")
    with pytest.raises(ConfigError, match="there is already a run r1"), store.create("r1"):
        pass
    assert len(store.list()) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no run.json"),
        (b"{", "run.json is not JSON"),
        (b"[]", "run.json lacks something"),
        (b'{"run_id": "r1"}', "run.json lacks something"),
        (msgspec.json.encode(record("other")), "run.json belongs to other"),
        (
            msgspec.json.encode(msgspec.structs.replace(record("r1"), version=99)),
            "it was written by a newer Lanner",
        ),
    ],
)
def test_a_damaged_run_is_listed_with_the_reason_and_can_be_deleted(
    store: RunStore, content: bytes | None, reason: str
) -> None:
    (store.root / "r1").mkdir(parents=True)
    if content is not None:
        (store.root / "r1" / RECORD).write_bytes(content)
    [damaged] = store.list()
    assert isinstance(damaged, DamagedRun)
    assert damaged.reason.startswith(reason)
    with pytest.raises(DataError, match="the run r1 is damaged"):
        store.load("r1")
    store.delete("r1")
    assert store.list() == []


def test_an_unknown_run_is_not_found_and_a_near_one_is_named(store: RunStore) -> None:
    with pytest.raises(NotFoundError, match="an empty run store"):
        store.load("x")
    keep(store, "20260101-000000-dual_ma-0001")
    with pytest.raises(NotFoundError, match=r"Did you mean 20260101-000000-dual_ma-0001\?"):
        store.load("20260101-000000-dual_ma-0002")


def test_a_part_that_fits_several_runs_is_refused(store: RunStore) -> None:
    keep(store, "20260101-000000-a-0001")
    keep(store, "20260101-000000-b-0002")
    with pytest.raises(ConfigError, match="2 runs match '20260101'"):
        store.load("20260101")


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b"])
def test_an_id_cannot_leave_the_store(store: RunStore, name: str) -> None:
    keep(store, "r1")
    with pytest.raises(ConfigError, match="not a run id"), store.create(name):
        pass
    with pytest.raises((ConfigError, NotFoundError)):
        store.delete(name)
    assert [run.run_id for run in store.list()] == ["r1"]


def test_what_killed_runs_left_behind_is_swept_after_a_day(store: RunStore) -> None:
    stale = store.root / ".r0.1.tmp"
    stale.mkdir(parents=True)
    os.utime(stale, (0, 0))
    keep(store, "r1")
    keep(store, "r2")
    assert not stale.exists()
