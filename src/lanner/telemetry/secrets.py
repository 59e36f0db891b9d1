"""Secrets of channels: told by reference or in the settings, shown to nobody, and struck out of every text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from lanner.core.errors import ConfigError, LannerError

REDACTED = "***REDACTED***"
KEYRING_SERVICE = "lanner"

_REFERENCE = re.compile(r"(env|file|keyring):\S+")
_SHORTEST = 6
"""Shorter texts are not struck out by themselves: they would take half of every sentence with them."""
_SHORTEST_PART = 12
_NAMES = r"[\w-]*(?:token|secret|passw(?:or)?d|passphrase|api[-_]?key|signature|authorization)"
_SCHEME = r"(?:bearer|basic|token)\s+"
_LIKELY = r"(?=\S{8})(?=[^\s\d]*\d)"
"""What follows a bare colon is most often an ordinary word: a secret is longer and has a digit."""
_PAIR = re.compile(
    rf"""(\b{_NAMES}["']?\s*(?:=|:(?=\s*(?:["']|{_SCHEME}|{_LIKELY}))))(\s*)(?:{_SCHEME})?["']?[^\s"'&,;)}}\]]+""",
    re.IGNORECASE,
)
_USER = re.compile(r"(\w[\w+.-]*://)[^\s/@:]*:[^\s/@]+@")
_BOT = re.compile(r"\bbot\d{5,}:[\w-]{10,}")


class SecretText:
    """A text that shows itself to nobody who does not ask.

    ``env:NAME`` (or a file that ``NAME_FILE`` names), ``file:PATH`` and ``keyring:NAME`` say where it is; anything
    else is the secret itself, which is written nowhere: settings that are printed or kept have a mark in its place.
    """

    __slots__ = ("_told",)

    def __init__(self, told: str) -> None:
        self._told = told.strip()

    @property
    def is_reference(self) -> bool:
        """Tell whether this only says where the secret is."""
        return _REFERENCE.fullmatch(self._told) is not None

    def reveal(self, environment: Mapping[str, str] | None = None) -> str:
        """Return the secret itself; raise ``ConfigError`` where it cannot be found."""
        if self._told == REDACTED:
            raise ConfigError(
                "a secret was not kept with the settings",
                fix="Give it by a variable or a file: env:NAME or file:PATH in the settings.",
            )
        kind, _, name = self._told.partition(":")
        if not self.is_reference:
            return self._told
        if kind == "env":
            return _from_environment(name, os.environ if environment is None else environment)
        return _from_file(name) if kind == "file" else _from_keyring(name)

    def shown(self) -> str:
        """Return what may be shown and kept: the reference, or a mark."""
        return self._told if self.is_reference or not self._told else REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and other._told == self._told

    def __hash__(self) -> int:
        return hash(self._told)

    def __bool__(self) -> bool:
        return bool(self._told)

    def __repr__(self) -> str:
        return "<secret>"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _told_secret,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.shown()),
        )


def _told_secret(value: object) -> SecretText:
    if isinstance(value, SecretText):
        return value
    if isinstance(value, str):
        return SecretText(value)
    raise PydanticCustomError(
        "lanner",
        "expected {expected}",
        {
            "expected": "a text in quotes, env:NAME, file:PATH or keyring:NAME",
            "fix": "",
            "what": "",
            "hide": True,
        },
    )


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    if environment.get(name):
        return environment[name].strip()
    path = environment.get(f"{name}_FILE", "")
    if path:
        return _from_file(path)
    raise ConfigError(f"the variable {name} is not set", fix=f"Set {name}, or {name}_FILE to a file's path.")


def _from_file(path: str) -> str:
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the secret's file {path} cannot be read",
            found=getattr(error, "strerror", None) or "not a text",
        ) from None
    if not text:
        raise ConfigError(f"the secret's file {path} is empty")
    return text


def _from_keyring(name: str) -> str:
    try:
        import keyring
    except ImportError:
        raise LannerError(
            "the system's keyring needs the package keyring", fix="pip install 'lanner[keyring]'"
        ) from None
    text: str | None = keyring.get_password(KEYRING_SERVICE, name)
    if not text:
        raise ConfigError(
            f"the keyring has no secret {name}", fix=f"Store it: keyring set {KEYRING_SERVICE} {name}"
        )
    return text


class Redactor:
    """Strike secrets out of texts: those it was told, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Know more secrets, as they are and as they stand in URLs; of a URL its telling parts as well."""
        for secret in secrets:
            self._secrets.update(part for part in _spellings(secret) if part)
        longest = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest))) if longest else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(REDACTED, text)
        text = _PAIR.sub(rf"\g<1>\g<2>{REDACTED}", text)
        text = _USER.sub(rf"\g<1>{REDACTED}@", text)
        return _BOT.sub(f"bot{REDACTED}", text)

    def scrub(self, value: Any) -> Any:
        """Return plain data with every text in it clean."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {key: self.scrub(entry) for key, entry in value.items()}
        return [self.scrub(entry) for entry in value] if isinstance(value, list | tuple) else value

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._secrets)} texts>"


def _spellings(secret: str) -> set[str]:
    found = {secret} if len(secret) >= _SHORTEST else set()
    if "://" in secret:
        parts = urlsplit(secret)
        pieces = [parts.path, parts.query, parts.password or "", parts.username or "", *parts.path.split("/")]
        pieces += [pair.partition("=")[2] for pair in parts.query.split("&")]
        found |= {piece.strip("/") for piece in pieces if len(piece.strip("/")) >= _SHORTEST_PART}
    else:
        found |= {word for word in secret.split() if len(word) >= _SHORTEST_PART}
    return found | {quote(one, safe="") for one in found} | {unquote(one) for one in found}
