"""What a parity report takes from a journal beside its inputs."""

from __future__ import annotations

from pathlib import Path

from lanner.live.parity.runs import read_story
from lanner.model.market import Bar
from lanner.storage.journal import Control, JournalWriter, Warm

S = 1_000_000_000


def test_a_session_was_down_from_what_it_saw_last_whatever_history_it_fetched_when_it_came_back(
    tmp_path: Path,
) -> None:
    writer = JournalWriter(tmp_path / "journal")
    bar = Bar("BTC-USDT.BINANCE@1s", 50 * S, 57 * S, 49 * S, 1.0, 1.0, 1.0, 1.0, 1.0)
    for at_s, message in (
        (1, Control("start")),
        (1, Control("catch_up")),
        (2, Control("caught_up")),
        (15, Control("pause")),
        (15, Control("catch_up")),
        (57, Warm(bar)),
        (58, Control("recovered")),
        (58, Control("caught_up")),
    ):
        writer.append(message, at_s * S)
    writer.close()
    assert read_story(tmp_path).gaps == [(15 * S, 58 * S, "the session was down")]
