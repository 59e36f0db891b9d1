"""Asking a session from another process: what its door may do while it ends or is stuck."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanner.core.errors import LannerError, NotFoundError
from lanner.live.remote import ask, has_process, is_running, socket_path


@pytest.fixture
def door(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen where a session in the temporary folder would."""
    with socket.socket(socket.AF_UNIX) as listener:
        socket_path(tmp_path).parent.mkdir(exist_ok=True)
        listener.bind(str(socket_path(tmp_path)))
        listener.listen(1)
        yield listener


@pytest.mark.parametrize("reads", [False, True], ids=["before it read", "after it read"])
def test_a_session_that_ends_instead_of_answering_is_not_running(
    tmp_path: Path, door: socket.socket, reads: bool
) -> None:
    def end() -> None:
        caller, _ = door.accept()
        with caller:
            caller.recv(1, 0 if reads else socket.MSG_PEEK)
            while reads and not caller.recv(4096).endswith(b"\n"):
                pass

    process = threading.Thread(target=end)
    process.start()
    with pytest.raises(NotFoundError, match="ended before it answered"):
        ask(tmp_path, "status")
    process.join()


def test_a_session_that_is_stuck_is_there_but_does_not_run(tmp_path: Path, door: socket.socket) -> None:
    assert has_process(tmp_path)
    with pytest.raises(LannerError, match="does not answer"):
        ask(tmp_path, "status", timeout_s=0.05)
    door.close()
    assert not has_process(tmp_path)
    assert not is_running(tmp_path)
