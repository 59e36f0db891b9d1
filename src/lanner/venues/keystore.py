"""The key store: secrets in one age file under a passphrase, or in the system's keyring.

``$LANNER_HOME/keys.json`` lists what is stored (public facts only), ``$LANNER_HOME/keys.age`` holds the secrets,
encrypted with age's scrypt recipient, so that ``age -d keys.age`` can read it too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from lanner.core.errors import ConfigError, LannerError

STORES = ("file", "keyring")
_SERVICE = "lanner"


class KeyEntry(msgspec.Struct, frozen=True):
    """What is publicly known of a stored key; ``store`` is ``file`` or ``keyring``."""

    product: str
    name: str
    kind: str
    api_key: str
    account: str = ""
    vault: str = ""
    store: str = "file"


class Secret:
    """A text that shows itself to nobody who does not ask: ``reveal`` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text.strip()

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")


class KeyStore:
    """The stored keys of one home folder.

    ``ask`` is called for the passphrase where ``LANNER_KEYS_PASSPHRASE`` (or ``…_FILE``) does not tell it; without it a
    missing passphrase is a ``ConfigError``. Its argument says whether the file is new.
    """

    def __init__(
        self,
        home: Path | None = None,
        *,
        ask: Callable[[bool], str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = os.environ if environment is None else environment
        told = self._environment.get("LANNER_HOME")
        self.home = home or (Path(told).expanduser() if told else Path.home() / ".lanner")
        self._ask = ask

    # -- public facts ------------------------------------------------------------------------------------

    def entries(self) -> list[KeyEntry]:
        """Return what is stored, sorted by product and name; needs no passphrase."""
        path = self.home / "keys.json"
        if not path.exists():
            return []
        try:
            return msgspec.json.decode(path.read_bytes(), type=list[KeyEntry])
        except (msgspec.DecodeError, OSError) as error:
            raise ConfigError(
                f"{path} cannot be read", found=error, fix="Move it away, add keys again."
            ) from None

    def entry(self, product: str, name: str = "default") -> KeyEntry | None:
        """Return the public facts of one key."""
        return next((e for e in self.entries() if (e.product, e.name) == (product, name)), None)

    # -- secrets -----------------------------------------------------------------------------------------

    def secret(self, entry: KeyEntry) -> Secret:
        """Return the secret of a stored key."""
        return self._keyring_secret(entry) if entry.store == "keyring" else self._file_secret(entry)

    def add(self, entry: KeyEntry, secret: Secret) -> None:
        """Store a key under its product and name, in place of an older one."""
        if entry.store not in STORES:
            raise ConfigError("unknown store of keys", expected=" or ".join(STORES), found=entry.store)
        place = _place(entry)
        if entry.store == "keyring":
            _keyring().set_password(_SERVICE, place, secret.reveal())
        else:
            passphrase = self._passphrase(new=not self._file.exists())
            self._close({**self._open(passphrase), place: secret.reveal()}, passphrase)
        old = self.entry(entry.product, entry.name)
        if old is not None and old.store != entry.store:
            self._forget(old)
        self._write([*self._others(entry), entry])

    def remove(self, product: str, name: str = "default") -> bool:
        """Forget a key; False where there was none."""
        entry = self.entry(product, name)
        if entry is None:
            return False
        self._forget(entry)
        self._write(self._others(entry))
        return True

    def _others(self, entry: KeyEntry) -> list[KeyEntry]:
        return [e for e in self.entries() if (e.product, e.name) != (entry.product, entry.name)]

    def _forget(self, entry: KeyEntry) -> None:
        place = _place(entry)
        if entry.store == "keyring":
            ring = _keyring()
            if ring.get_password(_SERVICE, place) is not None:
                ring.delete_password(_SERVICE, place)
        elif not any(other.store == "file" for other in self._others(entry)):
            self._file.unlink(missing_ok=True)
        elif self._file.exists():
            passphrase = self._passphrase(new=False)
            secrets = self._open(passphrase)
            if secrets.pop(place, None) is not None:
                self._close(secrets, passphrase)

    def _keyring_secret(self, entry: KeyEntry) -> Secret:
        text = _keyring().get_password(_SERVICE, _place(entry))
        if text is None:
            raise ConfigError(
                f"the keyring has no secret for {entry.product} {entry.name}",
                fix=f"Add it again: lanner keys add {entry.product} --store keyring",
            )
        return Secret(text)

    def _file_secret(self, entry: KeyEntry) -> Secret:
        text = self._open(self._passphrase(new=False)).get(_place(entry))
        if text is None:
            raise ConfigError(
                f"{self._file} has no secret for {entry.product} {entry.name}",
                fix=f"Add it again: lanner keys add {entry.product}",
            )
        return Secret(text)

    # -- files -------------------------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self.home / "keys.age"

    def _passphrase(self, *, new: bool) -> Secret:
        told = read_variable(self._environment, "LANNER_KEYS_PASSPHRASE")
        if not told and self._ask is not None:
            told = Secret(self._ask(new))
        if not told:
            raise ConfigError(
                "the passphrase of the key file is not known",
                expected="LANNER_KEYS_PASSPHRASE, or LANNER_KEYS_PASSPHRASE_FILE with a path",
            )
        return told

    def _open(self, passphrase: Secret) -> dict[str, str]:
        if not self._file.exists():
            return {}
        import pyrage  # type: ignore[import-untyped]

        try:
            plain = pyrage.passphrase.decrypt(self._file.read_bytes(), passphrase.reveal())
            secrets: dict[str, str] = json.loads(plain)
        except pyrage.DecryptError:
            raise ConfigError(
                f"{self._file} does not open", expected="the passphrase that it was written with"
            ) from None
        return secrets

    def _close(self, secrets: dict[str, str], passphrase: Secret) -> None:
        import pyrage

        self._replace(
            self._file, pyrage.passphrase.encrypt(json.dumps(secrets).encode(), passphrase.reveal())
        )

    def _write(self, entries: list[KeyEntry]) -> None:
        entries.sort(key=lambda entry: (entry.product, entry.name))
        self._replace(self.home / "keys.json", msgspec.json.format(msgspec.json.encode(entries), indent=2))

    def _replace(self, path: Path, data: bytes) -> None:
        """Write a file that only its owner may read, whole or not at all."""
        self.home.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def read_variable(source: Mapping[str, str], variable: str) -> Secret:
    """Return a variable, or the content of the file that its ``_FILE`` form names."""
    if variable in source:
        return Secret(source[variable])
    path = source.get(f"{variable}_FILE", "")
    if not path:
        return Secret("")
    try:
        return Secret(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the file that {variable}_FILE names cannot be read",
            found=getattr(error, "strerror", None) or "not a text",
            fix=f"Check the path {path}.",
        ) from None


def _place(entry: KeyEntry) -> str:
    return f"{entry.product}/{entry.name}"


def _keyring() -> Any:
    try:
        import keyring
    except ImportError:
        raise LannerError(
            "the system's keyring needs the package keyring", fix="pip install 'lanner[keyring]'"
        ) from None
    return keyring
