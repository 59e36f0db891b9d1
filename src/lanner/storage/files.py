"""Write files so that a reader sees the old content or the new one, never a half."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lanner.core.errors import DataError


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file's new content piece by piece: a file beside it, then fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file's content in one step."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Let one process at a time change a catalog; others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def told_as_data_error(folder: Path) -> Iterator[None]:
    """Turn faults of the disk (full, read-only, no permission) into a message for the user."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write to {folder}",
            found=f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}",
            fix="Check free space and permissions, or name another folder with --catalog. Nothing was changed.",
        ) from error


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until a short block is through."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
