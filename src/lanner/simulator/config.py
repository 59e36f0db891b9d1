"""What ``lanner venue serve`` runs: from a YAML file and from options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from lanner.core.errors import ConfigError, NotFoundError
from lanner.simulator.faults import parse_fault
from lanner.simulator.registry import DIALECTS, check_dialect


class ServeConfig(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A venue to serve. ``feed``: ``synthetic``, ``none``, ``recorded:FILE`` or ``catalog:INSTRUMENT[@1m|@trades]``."""

    dialects: list[str] = []
    """Empty: all of them."""
    markets: list[str] = []
    """Ids of the instruments to list; empty: all that a dialect has."""
    address: str = "127.0.0.1"
    port: int = 0
    """Of the first dialect, the next ones follow; 0: free ports."""
    control_port: int | None = None
    """``None``: after the dialects' ports, or a free one."""
    seed: int = 7
    key_seed: int | None = None
    """Of the accounts' keys; ``None``: as ``seed``."""
    feed: str = "synthetic"
    feeds: dict[str, str] = {}
    """A feed of its own for a dialect."""
    speed: float = 1.0
    """How fast feed time runs against the clock."""
    rate: float = 100.0
    """Actions of the synthetic market a second of feed time and dialect; 0: the book stands still."""
    history_s: float = 3_600.0
    """How long the synthetic market has traded already when the venue opens, in seconds."""
    vol: float = 0.6
    """Annualised volatility of the synthetic market."""
    catalog: str = ""
    """Folder of the catalog; empty: the usual one."""
    accounts: list[dict[str, Any]] = []
    """Beside the funded account ``test`` of each dialect; see ``credentials.account_from``."""
    options: dict[str, dict[str, str]] = {}
    """Options of the dialects."""
    faults: list[str | dict[str, Any]] = []
    fault_log: str = ""
    fault_replay: str = ""
    tls: str = ""
    """``self-signed``, or empty with ``tls_cert`` and ``tls_key`` for a certificate of your own."""
    tls_cert: str = ""
    tls_key: str = ""

    def __post_init__(self) -> None:
        for name in (*self.dialects, *self.feeds, *self.options):
            check_dialect(name)
        if len(set(self.dialects)) != len(self.dialects):
            raise ConfigError("a dialect is named twice", found=", ".join(self.dialects))
        _within("port", self.port, 0, 65_000)
        _within("speed", self.speed, 0.001, 1e6)
        _within("rate", self.rate, 0, 1e6)
        _within("history_s", self.history_s, 0, 30 * 86_400)
        _within("vol", self.vol, 0.0, 10.0)
        if self.tls not in ("", "self-signed"):
            raise ConfigError(
                "tls cannot be used", expected="self-signed, or tls_cert and tls_key", found=self.tls
            )
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ConfigError("a certificate needs its key", expected="both tls_cert and tls_key")
        for one in self.accounts:
            if "name" not in one:
                raise ConfigError("an account has no name", found=one)

    @property
    def served(self) -> tuple[str, ...]:
        """Return the dialects to serve."""
        return tuple(self.dialects) or DIALECTS

    def fault_orders(self) -> list[tuple[str, dict[str, str]]]:
        """Return the faults as (name, parameters)."""
        found = []
        for one in self.faults:
            if isinstance(one, str):
                found.append(parse_fault(one))
                continue
            params = {str(key): _text(value) for key, value in one.items()}
            if "name" not in params:
                raise ConfigError("a fault has no name", found=one)
            found.append((params.pop("name"), params))
        return found


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} is out of range", expected=f"{low:g} to {high:g}", found=value)


def read_config(path: Path) -> dict[str, Any]:
    """Read a YAML file into plain data."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError("the configuration file does not exist", found=path) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read", found=error) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path} is no table", expected="keys and values")
    return data


def make_config(data: dict[str, Any]) -> ServeConfig:
    """Check plain data and return the configuration; mistakes raise ``ConfigError``."""
    try:
        return msgspec.convert(data, ServeConfig)
    except msgspec.ValidationError as error:
        known = ", ".join(ServeConfig.__struct_fields__)
        raise ConfigError(
            "the venue's configuration is wrong", expected=f"keys {known}", found=error
        ) from error
