"""Settings of a session from the environment: ``LANNER_<SECTION>__<KEY>``, over the file and under the options.

``LANNER_RISK__MAX_ORDER_NOTIONAL=500`` is ``risk.max_order_notional``; what stands at the top level of the settings has
the section SESSION (``LANNER_SESSION__CASH=5000``). Values are YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel

from lanner.core.errors import ConfigError
from lanner.live.config import SessionConfig
from lanner.telemetry.secrets import SecretText

TOP = "SESSION"
KEPT_OUT = frozenset({"mode", "url"})
"""What the command says (mode), or a variable of its own (LANNER_URL)."""
REDACTED = "***REDACTED***"

_NAME = re.compile(r"LANNER_([A-Z][A-Z0-9_]*?)__([A-Z0-9_]+)")
_OTHERS = frozenset({"KEYS"})
_SECRET = re.compile(
    r"(secret|token|passw|passphrase|private|credential|webhook|api_?key|(^|_)auth(_|$))", re.IGNORECASE
)


def settings_from(environment: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """Return path → (variable, value) of each setting that the environment tells; unknown ones are ``ConfigError``."""
    found: dict[str, tuple[str, Any]] = {}
    for name in sorted(environment):
        match = _NAME.fullmatch(name)
        if match is None or match[1] in _OTHERS or not environment[name]:
            continue
        path = _path(name, match[1], match[2].split("__"))
        try:
            value = yaml.safe_load(environment[name])
        except (yaml.YAMLError, ValueError):
            raise ConfigError(f"{name} is wrong", expected="a value in YAML") from None
        found[".".join(path)] = name, value
    return found


def _path(name: str, section: str, keys: list[str]) -> list[str]:
    """Return where a variable's setting is; every step that a model has must be one of its keys."""
    steps = keys if section == TOP else [section, *keys]
    path: list[str] = []
    model: type[BaseModel] | None = SessionConfig
    for step in steps:
        word = step.lower()
        if model is not None:
            known = [field for field in model.model_fields if path or field not in KEPT_OUT]
            if word not in known:
                raise _unknown(name, path, known)
            model = _model_of(model.model_fields[word].annotation)
        path.append(word)
    if model is not None:
        raise ConfigError(
            f"{name} names a whole section", expected=f"one of its keys, e.g. {name}__{_first(model)}"
        )
    return path


def _unknown(name: str, path: list[str], known: list[str]) -> ConfigError:
    place = ".".join(path)
    stem = f"LANNER_{'__'.join(path).upper() or TOP}__"
    word = (
        name.rpartition("__")[2].lower() if path else name.removeprefix("LANNER_").partition("__")[0].lower()
    )
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    fix = None
    if near:
        fix = (
            f"Did you mean {stem}{near[0].upper()}?" if path else f"Did you mean LANNER_{near[0].upper()}__…?"
        )
    return ConfigError(
        f"{name} names no setting of a session",
        expected=f"a key of {place}" if place else f"a section of the settings, or {TOP}",
        fix=fix,
    )


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds, None where it holds a value or a free mapping."""
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
        if getattr(part, "__origin__", part) in (dict, list, tuple):
            return None
    return None


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    if getattr(annotation, "__origin__", None) not in (dict, list, tuple):
        for part in get_args(annotation):
            yield from _parts(part)


def _first(model: type[BaseModel]) -> str:
    return next(iter(model.model_fields)).upper()


def redacted(value: Any, name: str = "") -> Any:
    """Return settings with everything that may be a secret masked: by the key's name, and passwords inside URLs."""
    if isinstance(value, Mapping):
        return {key: redacted(entry, str(key)) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(entry, name) for entry in value]
    if _SECRET.search(name) and value not in (None, "", False):
        return REDACTED
    if isinstance(value, str) and "://" in value:
        return _without_password(value)
    return value


def redacted_text(text: str) -> str:
    """Return a settings file's own text with its secrets masked, what only says where one is left as it is.

    A text that is no YAML comes back as one mark.
    """
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return REDACTED
    for secret in sorted(set(_secrets_in(values, ())), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text


def _secrets_in(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Go through what is to be masked in settings: by the key's name, passwords in URLs, all that channels hide."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _secrets_in(entry, (*path, str(key)))
    elif isinstance(value, list):
        for entry in value:
            yield from _secrets_in(entry, path)
    elif isinstance(value, str) and value and not SecretText(value).is_reference:
        in_channel = path[:2] == ("alerts", "channels") and ("headers" in path or path[-1] == "url")
        if in_channel or redacted(value, path[-1] if path else "") != value:
            yield value


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=f"{REDACTED}@{parts.netloc.rpartition('@')[2]}").geturl()
