"""TLS settings and the choice of loop."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from lanner.core.errors import ConfigError
from lanner.net.loop import run
from lanner.net.socket_settings import Heartbeat, Pings, SocketSettings
from lanner.net.tls import TlsSettings


def test_servers_are_verified_unless_somebody_asks_otherwise() -> None:
    context = TlsSettings().context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert TlsSettings(verify=False).context().verify_mode is ssl.CERT_NONE


def test_a_file_of_authorities_that_is_missing_or_no_certificate_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing"):
        TlsSettings(ca_file=str(tmp_path / "none.pem")).context()
    (tmp_path / "odd.pem").write_text("-----BEGIN NOTHING-----")
    with pytest.raises(ConfigError, match="cannot be read"):
        TlsSettings(ca_file=str(tmp_path / "odd.pem")).context()


def test_programs_run_on_uvloop_where_it_is_and_on_asyncio_where_asked() -> None:
    async def which() -> str:
        return type(asyncio.get_running_loop()).__module__

    pytest.importorskip("uvloop")
    assert run(which()).startswith("uvloop")
    assert run(which(), loop="asyncio").startswith("asyncio")


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://host"},
        {"heartbeat_s": 0},
        {"send_buffer_bytes": 0},
        {"heartbeat": Heartbeat(Pings.TEXT)},
    ],
)
def test_settings_of_a_connection_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SocketSettings(**{"name": "x", "url": "wss://host/ws", **wrong})  # type: ignore[arg-type]
