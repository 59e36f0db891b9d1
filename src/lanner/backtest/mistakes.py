"""Say every mistake of a configuration at once: which key, on which line, what was expected, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from lanner.core.errors import ConfigError

Path = tuple[str | int, ...]

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "dict": "keys and values",
    "model": "keys and values",
    "tuple": "a pair in brackets",
}
_BOUNDS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong entry: the path of its key, its line (0 unknown) and what is wrong with it."""

    path: str
    line: int
    what: str
    expected: str | None = None
    found: str | None = None
    fix: str | None = None

    def headline(self, source: str) -> str:
        """Return where and what, e.g. ``run.yaml, line 4: fees.makr is not a known key``."""
        place = f"{source}, line {self.line}" if self.line else source
        subject = f"{self.path} {self.what}" if self.path else self.what
        return f"{place}: {subject}" if place else subject

    def sentence(self) -> str:
        """Return all of it as one line."""
        parts = [f"{self.path} {self.what}" if self.path else self.what]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.found:
            parts.append(f"found {self.found}")
        return "; ".join(parts) + (f". {self.fix}" if self.fix else "")


class MistakesError(ConfigError):
    """A configuration has one or more mistakes; ``mistakes`` holds all of them."""

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = list(mistakes)
        if len(mistakes) == 1:
            only = mistakes[0]
            super().__init__(only.headline(source), expected=only.expected, found=only.found, fix=only.fix)
            return
        lines = [f"  line {m.line}: {m.sentence()}" if m.line else f"  {m.sentence()}" for m in mistakes]
        label = f"{source} has {len(mistakes)} mistakes" if source else f"{len(mistakes)} mistakes"
        super().__init__("\n".join([label, *lines]))

    def as_dict(self) -> dict[str, object]:
        """Return the error as plain data with the list of mistakes."""
        plain = super().as_dict()
        plain["mistakes"] = [
            {"path": m.path, "line": m.line or None, "what": m.what, "expected": m.expected, "found": m.found}
            for m in self.mistakes
        ]
        return plain


def validate(
    model: type[BaseModel],
    values: Mapping[str, Any],
    *,
    source: str = "",
    lines: Mapping[Path, int] | None = None,
    names: Mapping[str, str] | None = None,
) -> Any:
    """Return the model built from the values, or raise ``MistakesError`` with every mistake.

    ``lines`` maps key paths to line numbers; ``names`` maps key paths to the options they came from
    (``fees.maker`` → ``--fee-maker``).
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        found = _collect(model, values, error, lines or {}, names or {})
    raise MistakesError(source, found)


def _collect(
    model: type[BaseModel],
    values: Mapping[str, Any],
    error: ValidationError,
    lines: Mapping[Path, int],
    names: Mapping[str, str],
) -> list[Mistake]:
    mistakes: dict[tuple[str, str | None], Mistake] = {}
    for entry in error.errors(include_url=False):
        path = _real_path(values, entry["loc"], entry["type"])
        mistake = _translate(model, path, dict(entry), lines, names)
        # A value that fits no member of a union is reported once for each member; one report is enough.
        mistakes.setdefault((mistake.path, None if mistake.path else mistake.expected), mistake)
    return sorted(mistakes.values(), key=lambda m: m.line)


def _translate(
    model: type[BaseModel],
    path: Path,
    entry: dict[str, Any],
    lines: Mapping[Path, int],
    names: Mapping[str, str],
) -> Mistake:
    kind, context = entry["type"], entry.get("ctx", {})
    label, line = _label(path, names), _line(path, lines)
    found = _show(entry.get("input"))
    if kind == "extra_forbidden":
        return _unknown_key(model, path, label, line)
    if kind == "missing":
        return Mistake(label, line, "is missing", _needed(path))
    if kind == "lanner":
        if context.get("hide"):  # what was found may be a secret
            found = ""
        what = context["what"] or ("is wrong" if path else "the settings do not fit together")
        return Mistake(
            label, line, what, context["expected"], found if path else None, context["fix"] or None
        )
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return Mistake(label, line, "is out of range", words.format(_bound(context[key])), found)
    if kind == "literal_error":
        expected = "one of " + context["expected"].replace("'", "").replace(" or ", ", ")
        near = get_close_matches(str(entry.get("input")), expected.removeprefix("one of ").split(", "), n=1)
        return Mistake(label, line, "is wrong", expected, found, f"Did you mean {near[0]}?" if near else None)
    if kind in ("string_too_short", "too_short"):
        return Mistake(label, line, "is empty", _needed(path) or "at least one entry")
    word = _TYPES.get(kind.split("_")[0])
    if len(path) > 1 and path[0] == "params":
        word = "a number, text, true or false"
    return Mistake(label, line, "is wrong", word or entry["msg"].lower(), found)


def _unknown_key(model: type[BaseModel], path: Path, label: str, line: int) -> Mistake:
    owner = _owner(model, path[:-1])
    known = sorted(owner.model_fields) if owner is not None else []
    near = get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    fix = f"Did you mean {near[0]}?" if near else None
    return Mistake(label, line, "is not a known key", f"one of {', '.join(known)}", None, fix)


def _needed(path: Path) -> str | None:
    if path and path[-1] == "data":
        return "what to play: BTC-USDT.BINANCE@1h (see `lanner data list`) or a file"
    if path and path[-1] == "instruments":
        return "what to trade: INSTRUMENT@VENUE (`-i BTC-USDT@binance`, or a list in the settings file)"
    if path and path[-1] == "strategy":
        return "a name from `lanner strategies`, file.py, file.py:Class or module:Class"
    return None


def _real_path(values: Mapping[str, Any], loc: tuple[str | int, ...], kind: str) -> Path:
    """Keep of a location what the user wrote: members of unions and spelled-out shorthands are dropped."""
    kept: list[str | int] = []
    current: object = values
    for index, step in enumerate(loc):
        inside = range(len(current)) if isinstance(current, list | tuple) else current
        if isinstance(inside, Mapping | range) and step in inside:
            current = current[step]  # type: ignore[index]
        elif kind == "missing" and index == len(loc) - 1:
            current = None
        else:
            continue
        kept.append(step)
    return tuple(kept)


def _owner(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """Return the model that holds the key at the end of a path, walking fields, lists and dictionaries."""
    current: type[BaseModel] | None = model
    pending: object = None
    for step in path:
        if pending is None and current is not None and step in current.model_fields:
            annotation = current.model_fields[str(step)].annotation
            current = _model_in(annotation)
            pending = annotation if _is_container(annotation) else None
        else:
            pending = None
    return current


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _model_in(part)
        if found is not None:
            return found
    return None


def _is_container(annotation: object) -> bool:
    text = str(annotation)
    return text.startswith(("list[", "dict[")) or "list[" in text


def _label(path: Path, names: Mapping[str, str]) -> str:
    """Return what the user calls a key: the option it came from, or its dotted path."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
        if text in names and not text.startswith("--"):
            text = names[text]
    return text


def _line(path: Path, lines: Mapping[Path, int]) -> int:
    for size in range(len(path), 0, -1):
        if path[:size] in lines:
            return lines[path[:size]]
    return 0


def _bound(value: object) -> str:
    return str(value).removeprefix("Decimal('").removesuffix("')")


def _show(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
