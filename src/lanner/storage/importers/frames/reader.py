"""Read captured frames line by line, whatever the recorder wrote before the JSON, and find the venue's interpreter.

Known lines: ``local_ns {json}`` (hftbacktest's collectors), ``seconds: {json}`` and ``url -> seconds: {json}``
(cryptofeed), ``{"recv_ts": seconds, "frame": {json}}``, and bare JSON without a time of receipt.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import msgspec

from lanner.storage.importers.frames.binance import BinanceFrames
from lanner.storage.importers.frames.bybit import BybitFrames
from lanner.storage.importers.frames.collect import Collector
from lanner.storage.importers.frames.hyperliquid import HyperliquidFrames
from lanner.storage.importers.frames.okx import OkxFrames
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import Namer
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.table import Options

_STAMPED = re.compile(rb"^(\d{10,19})(?:\.(\d+))?:? (?=[{\[])")
_URL = re.compile(rb"^(?:https?|wss?)://(\S+) (?:->|<->) (\d+)(?:\.(\d+))?(?:: (?=[{\[]))?")
_STATE = "frames"


class Interpreter(Protocol):
    """Understand one venue's messages."""

    def take(self, out: Collector, message: dict[str, Any], hint: str) -> bool:
        """Turn a message into rows; False when it is none of this venue's."""
        ...

    def finish(self, out: Collector) -> None:
        """Write what was held back until the end of the import."""
        ...


def interpreters(intake: Intake) -> list[Interpreter]:
    """Return the interpreters of this import; their state lasts over its files."""
    made: list[Interpreter] = intake.state.setdefault(
        _STATE, [BinanceFrames(), HyperliquidFrames(), BybitFrames(), OkxFrames()]
    )
    return made


def read(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import a file of captured frames."""
    namer.only = options.symbol
    out = Collector(intake, namer)
    known = interpreters(intake)
    decoder = msgspec.json.Decoder()
    for number, raw in source.lines():
        line = raw.strip()
        if not line or line.startswith(b"configuration:"):
            continue
        out.line = number
        out.recv, body, hint = _cut(line)
        if not body:
            continue
        try:
            message = decoder.decode(body)
        except msgspec.DecodeError as error:
            intake.reject(number, f"not complete JSON: {_short(error)}", _text(line))
            continue
        if isinstance(message, dict) and "recv_ts" in message and "frame" in message:
            out.recv = _seconds(message["recv_ts"])
            hint = str(message.get("market", hint))
            message = message["frame"]
        _dispatch(message, hint, out, known, _text(line))
    out.flush()
    for what, count in out.skipped.items():
        intake.note(f"skipped {count:,} message(s): {what}")
    intake.at_end(source, lambda: _finish(out, known))


def _finish(out: Collector, known: list[Interpreter]) -> None:
    for interpreter in known:
        interpreter.finish(out)
    out.flush()


def _dispatch(message: Any, hint: str, out: Collector, known: list[Interpreter], text: str) -> None:
    if not isinstance(message, dict):
        out.skipped["not an object"] += 1
        return
    try:
        for index, interpreter in enumerate(known):
            if interpreter.take(out, message, hint):
                if index:
                    # Captures hold one venue as a rule: ask the one that answered first.
                    known.insert(0, known.pop(index))
                return
    except (KeyError, ValueError, TypeError, IndexError) as error:
        out.intake.reject(
            out.line, f"a field is missing or wrong ({type(error).__name__}: {_short(error)})", text
        )
        return
    out.skipped["unknown kind"] += 1


def _cut(line: bytes) -> tuple[int, bytes, str]:
    """Split a line into time of receipt (0 when not told), JSON and a hint such as the URL."""
    match = _STAMPED.match(line)
    if match is not None:
        return _stamp(match[1], match[2]), line[match.end() :], ""
    match = _URL.match(line)
    if match is not None:
        return _stamp(match[2], match[3]), line[match.end() :], match[1].decode(errors="replace")
    if line[:1] in b"{[":
        return 0, line, ""
    return 0, line, ""


def _stamp(whole: bytes, part: bytes | None) -> int:
    number = int(whole)
    digits = len(whole)
    if part is not None or digits <= 11:
        return number * 1_000_000_000 + int((part or b"").ljust(9, b"0")[:9] or b"0")
    return number * 10 ** max(0, 19 - digits) if digits in (13, 16, 19) else number


def _seconds(value: float | int) -> int:
    return round(value * 1_000_000) * 1_000


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:80] if str(error) else type(error).__name__


def _text(line: bytes) -> str:
    return line[:160].decode("utf-8", errors="replace")
