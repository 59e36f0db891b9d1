"""The journal gives back what was written, cuts what a crash tore, and refuses what was changed."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from lanner.core.errors import DataError, NotFoundError
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import Liquidity, OrderType, Side
from lanner.model.market import Bar, BookUpdate, Quote, Trade
from lanner.model.reports import FundingPaid, OrderAccepted, OrderFilled, OrderUnanswered
from lanner.storage.journal import Control, JournalWriter, Kind, SessionHead, Sync, read_journal

SUBMIT = SubmitOrder("s-o1", "BTC-USDT.BINANCE", 5, Side.BUY, OrderType.LIMIT, 3, px_ticks=100)
FILL = OrderFilled(
    "s-o1", "BTC-USDT.BINANCE", 6, 7, "t1", Side.BUY, 100, 3, Decimal("0.0123"), Liquidity.MAKER, 100
)
MESSAGES = [
    SessionHead("s", "paper", "0.1.0", 1, {"seed": 1}),
    Bar("BTC-USDT.BINANCE@1h", 2, 3, 1, 1.0, 2.0, 0.5, 1.5, 10.0),
    Quote("BTC-USDT.BINANCE", 4, 4, 99.5, 1.0, 100.5, 2.0, 8),
    Trade("BTC-USDT.BINANCE", 4, 5, 100.0, 0.25, -1, "17"),
    BookUpdate("BTC-USDT.BINANCE", 4, 5, ((99.0, 1.0),), ((101.0, 2.0), (102.0, 0.0)), True, 1, 9, 3),
    SUBMIT,
    Batch((SUBMIT, CancelOrder("s-o0", "BTC-USDT.BINANCE", 5, 2)), 5),
    AmendOrder("s-o2", "BTC-USDT.BINANCE", 5, lots=4),
    OrderAccepted("s-o1", "BTC-USDT.BINANCE", 5, 6, "v1"),
    FILL,
    OrderUnanswered("s-o3", "BTC-USDT.BINANCE", 5, 6, "silence"),
    FundingPaid("BTCUSDT-PERP.BINANCE", 5, 6, Decimal("-1.5"), 0.0001),
    Control("pause", "lunch", {"by": "me"}),
]  # fmt: skip


def write(folder: Path, **options: object) -> None:
    writer = JournalWriter(folder, **options)  # type: ignore[arg-type]
    for ts, message in enumerate(MESSAGES):
        writer.append(message, ts)
    writer.close()


def test_every_kind_of_message_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path)
    records = list(read_journal(tmp_path))
    assert [record.message for record in records] == MESSAGES
    assert [record.seq for record in records] == list(range(1, len(MESSAGES) + 1))
    assert [record.ts for record in records] == list(range(len(MESSAGES)))


def test_a_journal_is_continued_and_turns_its_segments_over(tmp_path: Path) -> None:
    write(tmp_path, segment_bytes=200)
    write(tmp_path, segment_bytes=200)
    assert len(list(tmp_path.glob("*.journal"))) > 5
    assert [record.message for record in read_journal(tmp_path)] == MESSAGES * 2
    assert [record.seq for record in read_journal(tmp_path, after=20)] == list(
        range(21, len(MESSAGES) * 2 + 1)
    )


def test_a_torn_tail_of_any_length_is_cut_and_told(tmp_path: Path) -> None:
    write(tmp_path)
    [path] = tmp_path.glob("*.journal")
    whole = path.read_bytes()
    last = list(read_journal(tmp_path))[-1]
    for cut in range(1, 40):
        path.write_bytes(whole[:-cut])
        assert [record.message for record in read_journal(tmp_path)] == MESSAGES[:-1]
        writer = JournalWriter(tmp_path)
        assert writer.torn is not None
        assert writer.torn.bytes > 0
        assert writer.append(MESSAGES[-1], last.ts) == last.seq
        writer.close()
        assert path.read_bytes() == whole


@pytest.mark.parametrize("first", [2, 9, 10, 11, 30])
def test_records_are_cut_from_one_on_and_the_next_one_takes_its_number(tmp_path: Path, first: int) -> None:
    writer = JournalWriter(tmp_path, sync=Sync.NONE, segment_bytes=300)
    for number in range(30):
        writer.append(Control("pause", f"n{number + 1}"), number)
    assert len(list(tmp_path.iterdir())) > 3
    writer.cut(first)
    assert writer.append(Control("pause", "new"), 99) == first
    writer.close()
    assert [record.seq for record in read_journal(tmp_path)] == list(range(1, first + 1))
    told = [record.message.reason for record in read_journal(tmp_path)]
    assert told == [*(f"n{number}" for number in range(1, first)), "new"]
    again = JournalWriter(tmp_path)
    assert (again.seq, again.torn) == (first, None)
    again.close()


def test_zeros_behind_the_last_record_are_a_torn_tail_too(tmp_path: Path) -> None:
    write(tmp_path)
    [path] = tmp_path.glob("*.journal")
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert len(list(read_journal(tmp_path))) == len(MESSAGES)
    assert JournalWriter(tmp_path).torn is not None


def test_a_changed_byte_in_the_middle_is_damage_and_names_its_place(tmp_path: Path) -> None:
    write(tmp_path)
    [path] = tmp_path.glob("*.journal")
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"damaged at byte 12"):
        list(read_journal(tmp_path))
    with pytest.raises(DataError):
        JournalWriter(tmp_path)


def test_a_missing_segment_in_the_middle_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, segment_bytes=200)
    sorted(tmp_path.glob("*.journal"))[2].unlink()
    with pytest.raises(DataError, match="records are missing"):
        list(read_journal(tmp_path))


def test_an_empty_folder_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        list(read_journal(tmp_path))


def test_a_record_is_with_the_system_before_append_returns(tmp_path: Path) -> None:
    """A process killed right behind ``append`` loses nothing, whatever the sync policy is."""
    program = """
import os, sys
from pathlib import Path
from lanner.storage.journal import Control, JournalWriter, Sync
for sync in Sync:
    JournalWriter(Path(sys.argv[1]) / sync, sync=sync).append(Control("kill"), 1)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == -9
    for sync in Sync:
        assert [record.kind for record in read_journal(tmp_path / sync)] == [Kind.CONTROL]


def test_reading_behind_a_record_leaves_older_segments_alone(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, segment_bytes=600)
    for number in range(60):
        writer.append(Control("pause", f"number {number}"), number)
    writer.close()
    segments = sorted(tmp_path.glob("*.journal"))
    assert len(segments) > 3
    whole = list(read_journal(tmp_path))
    segments[0].write_bytes(b"not a journal any more")
    assert list(read_journal(tmp_path, after=30)) == whole[30:]
    again = JournalWriter(tmp_path)
    assert again.seq == 60
    again.close()
