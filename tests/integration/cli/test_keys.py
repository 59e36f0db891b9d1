"""``lanner keys`` from the command line; ``check`` against a server that tells roles."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]

SECRET = "0x0123456789012345678901234567890123456789012345678901234567890123"
ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
MASTER = "0x5e9ee1089755c3435139848e47e6635505d5a13a"


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANNER_KEYS_PASSPHRASE", "correct horse")


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a secret on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_key_is_stored_listed_and_removed_and_never_shown(
    lanner: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, SECRET + "\n")
    code, out, err = lanner("keys", "add", "hyperliquid", "--account", MASTER)
    assert code == 0, err
    assert ADDRESS in err
    told = out + err
    code, out, err = lanner("keys", "list", "--json")
    (row,) = json.loads(out)["keys"]
    assert (row["product"], row["kind"], row["api_key"], row["account"]) == (
        "hyperliquid",
        "wallet",
        ADDRESS,
        MASTER,
    )
    told += out + err
    code, out, err = lanner("keys", "list")
    assert ADDRESS in out
    assert SECRET[2:] not in told + out + err
    assert lanner("keys", "remove", "hyperliquid")[0] == 0
    assert lanner("keys", "remove", "hyperliquid")[0] == 2
    assert json.loads(lanner("keys", "list", "--json")[1]) == {"keys": []}


def test_a_main_wallets_key_is_refused_unless_asked_for(lanner: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, SECRET)
    code, _, err = lanner("keys", "add", "hyperliquid")
    assert code == 6
    assert "withdraw" in err
    assert SECRET[2:] not in err
    typed(monkeypatch, SECRET)
    assert lanner("keys", "add", "hyperliquid", "--allow-main-wallet")[0] == 0


def test_a_key_of_the_wrong_kind_is_a_mistake(
    lanner: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    typed(monkeypatch, SECRET)
    assert lanner("keys", "add", "binance-spot", "--kind", "wallet")[0] == 4
    typed(monkeypatch, "")
    assert lanner("keys", "add", "hyperliquid", "--account", MASTER)[0] == 4
    assert lanner("keys", "add", "hyperliquid", "--secret-file", str(tmp_path / "no"))[0] == 2
    assert lanner("keys", "add", "nowhere")[0] == 2


def test_keyboard_and_prompts_take_what_pipes_cannot(lanner: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Keyboard("public-part\n"))
    monkeypatch.setattr("getpass.getpass", lambda prompt: "s3cr3t" if "Secret" in prompt else "?")
    code, out, err = lanner("keys", "add", "binance-spot")
    assert code == 0, err
    assert "s3cr3t" not in out + err
    (row,) = json.loads(lanner("keys", "list", "--json")[1])["keys"]
    assert (row["kind"], row["api_key"]) == ("hmac", "public-part")


@contextmanager
def venue(role: dict[str, Any]) -> Iterator[str]:
    """Serve the two questions that ``check`` asks."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = role if asked["type"] == "userRole" else {"assetPositions": [], "time": 1_700_000_000_000}
            if asked["type"] == "userRole":
                assert asked["user"] == ADDRESS
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_venue_says_what_a_key_may_do(lanner: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANNER_KEYS__HYPERLIQUID__SECRET", SECRET)
    monkeypatch.setenv("LANNER_KEYS__HYPERLIQUID__ACCOUNT", MASTER)
    with venue({"role": "agent", "data": {"user": MASTER}}) as url:
        code, out, err = lanner("keys", "check", "hyperliquid", "--url", url, "--json")
    assert code == 0, err
    assert json.loads(out)["rights"] == {"read": True, "trade": True, "withdraw": False, "ip_bound": False}
    with venue({"role": "user"}) as url:
        code, out, err = lanner("keys", "check", "hyperliquid", "--url", url)
        assert code == 6
        assert "withdraw: yes" in err
        assert lanner("keys", "check", "hyperliquid", "--url", url, "--allow-main-wallet")[0] == 0


def test_the_doctor_does_not_take_keys_for_slips_of_the_keyboard(monkeypatch: pytest.MonkeyPatch) -> None:
    from lanner.storage.environment import unknown

    told = {"LANNER_KEYS__HYPERLIQUID__SECRET_FILE": "x", "LANNER_KEYS_PASSPHRASE": "y", "LANNER_KEY": "z"}
    assert [name for name, _ in unknown(told)] == ["LANNER_KEY"]
