"""Where the ledger is: a file in Lanner's home, or a database that an address names. Passwords are never shown."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from lanner.core.errors import ConfigError
from lanner.storage.environment import default_home

FILE = "ledger.db"
HIDDEN = "***"
SCHEMES = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_SECRETS = frozenset({"password", "passwd", "sslpassword"})


def address_of(url: str) -> str:
    """Return the whole address of a ledger; an empty one is the file in Lanner's home, a path is a file.

    Raises ``ConfigError`` for a kind of database that is not known; what was given is not repeated in it.
    """
    text = url.strip()
    if not text:
        return f"sqlite:///{default_home() / FILE}"
    if "://" not in text:
        return f"sqlite:///{Path(text).expanduser().absolute()}"
    scheme, _, rest = text.partition("://")
    known = SCHEMES.get(scheme.lower())
    if known is None:
        raise ConfigError(
            "the ledger's address names a database that is not supported",
            expected="sqlite:///PATH or postgresql://USER@HOST/NAME",
            found=f"{scheme}://…",
        )
    if known == "sqlite" and not rest.strip("/"):
        raise ConfigError("the ledger's address names no file", expected="sqlite:///PATH")
    return f"{known}://{rest}"


def redacted_address(url: str) -> str:
    """Return an address for people and files: with three stars in the place of each password."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("://")
    try:
        parts = urlsplit(f"x://{rest}")
    except ValueError:
        return f"{scheme}://{HIDDEN}"
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _password = user.partition(":")
    netloc = f"{name}{colon and ':' + HIDDEN}{at}{host}"
    pairs = [
        (key, HIDDEN if key.lower() in _SECRETS else value)
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    query = f"?{urlencode(pairs, safe='/*')}" if pairs else ""
    return f"{scheme}://{netloc}{parts.path}{query}"


def passwords_in(url: str) -> list[str]:
    """Return the passwords of an address, so that they can be kept out of messages of others."""
    if "://" not in url:
        return []
    try:
        parts = urlsplit(f"x://{url.partition('://')[2]}")
    except ValueError:
        return []
    found = [parts.netloc.rpartition("@")[0].partition(":")[2]]
    found += [value for key, value in parse_qsl(parts.query) if key.lower() in _SECRETS]
    return [text for text in found if text]


def file_of(address: str) -> Path | None:
    """Return the file of a SQLite address, None for a server's."""
    return Path(address.removeprefix("sqlite:///")) if address.startswith("sqlite:///") else None
