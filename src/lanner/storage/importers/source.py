"""Open input files, plain or packed, as blocks of whole lines; name what is wrong with a damaged one."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from lanner.core.errors import DataError, NotFoundError

BLOCK_BYTES = 8 << 20
_HEAD_BYTES = 128 << 10
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
}
_SUFFIXES = (".gz", ".zip", ".bz2", ".xz")


@dataclass(slots=True)
class SourceFile:
    """One stream of input: a file, or one member of a zip archive."""

    path: Path
    packing: str = ""
    member: str = ""
    sha256: str = ""
    size: int = 0
    progress: Callable[[int], None] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Return the name for messages: ``file.zip:member.csv`` or ``file.csv``."""
        return f"{self.path.name}:{self.member}" if self.member else self.path.name

    @property
    def stem(self) -> str:
        """Return the name of the content without folders and packing suffixes."""
        name = Path(self.member).name if self.member else self.path.name
        for suffix in _SUFFIXES:
            name = name.removesuffix(suffix)
        return name

    def head(self) -> bytes:
        """Return the first bytes of the content (at most 128 KiB)."""
        with self.open() as file:
            return file.read(_HEAD_BYTES)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the unpacked content for reading; faults of the file become ``DataError``."""
        try:
            with self.path.open("rb") as raw:
                if self.packing == "zip":
                    with zipfile.ZipFile(raw) as archive, archive.open(self.member) as inner:
                        yield cast(BinaryIO, inner)
                elif self.packing == "gzip":
                    with gzip.GzipFile(fileobj=raw) as unpacked:
                        yield cast(BinaryIO, unpacked)
                elif self.packing == "bzip2":
                    with bz2.BZ2File(raw) as unpacked_bz2:
                        yield cast(BinaryIO, unpacked_bz2)
                elif self.packing == "xz":
                    with lzma.LZMAFile(raw) as unpacked_xz:
                        yield cast(BinaryIO, unpacked_xz)
                else:
                    yield raw
        except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError) as error:
            raise self.damaged(error) from error
        except OSError as error:
            raise DataError(f"cannot read {self.path}", found=error.strerror or error) from error
        except RuntimeError as error:
            if "password" not in str(error) and "encrypted" not in str(error):
                raise
            raise DataError(f"{self.name} is encrypted", fix="Unpack it first.") from error

    def damaged(self, error: object) -> DataError:
        """Return the error for a packed file that cannot be unpacked to its end."""
        return DataError(
            f"{self.path.name} is damaged or cut short",
            expected=f"a complete {self.packing or 'plain'} file",
            found=error,
            fix="Download or copy the file again; nothing was imported from it.",
        )

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line number of the first line, bytes) with whole lines, about 8 MiB at a time."""
        line, rest = 1, b""
        with self.open() as file:
            while chunk := file.read(BLOCK_BYTES):
                self._report(len(chunk))
                cut = chunk.rfind(b"\n") + 1
                if not cut:
                    rest += chunk
                    continue
                block = rest + chunk[:cut]
                rest = chunk[cut:]
                yield line, block
                line += block.count(b"\n")
        if rest:
            yield line, rest

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line number, line without its end)."""
        for first, block in self.blocks():
            yield from enumerate(block.splitlines(), first)

    def _report(self, count: int) -> None:
        if self.progress is not None:
            self.progress(count)


def open_sources(path: Path) -> list[SourceFile]:
    """Return the streams inside a path: one, or the members of a zip archive.

    Raises ``NotFoundError`` when there is no such file and ``DataError`` when it is empty or no file.
    """
    if not path.exists():
        raise NotFoundError(f"no such file: {path}", fix="Check the path.")
    if path.is_dir():
        raise DataError(f"{path} is a folder", expected="a file", fix=f"Name its files, e.g. {path}/*.csv")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            magic = file.read(8)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}", found=error.strerror or error) from error
    if size == 0:
        raise DataError(f"{path.name} is empty", expected="market data", found="0 bytes")
    packing = next((name for start, name in _PACKED.items() if magic.startswith(start)), "")
    if packing != "zip":
        if path.suffix in (".gz", ".zip") and not packing:
            raise DataError(
                f"{path.name} is not what its name says",
                expected=f"a {path.suffix[1:]} file",
                found=f"a file that starts with {magic[:4]!r}",
                fix="Rename or download it again.",
            )
        return [SourceFile(path, packing, "", digest, size)]
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                info.filename
                for info in archive.infolist()
                if not info.is_dir() and not info.filename.startswith("__MACOSX") and info.file_size
            ]
    except zipfile.BadZipFile as error:
        raise SourceFile(path, "zip").damaged(error) from error
    if not members:
        raise DataError(f"{path.name} holds no files", expected="at least one CSV file in the archive")
    many = len(members) > 1
    return [
        SourceFile(
            path,
            "zip",
            name,
            hashlib.sha256(f"{digest}:{name}".encode()).hexdigest() if many else digest,
            size,
        )
        for name in sorted(members)
    ]
