"""``lanner venue serve`` as a process: ready line, control endpoint, faults by command, TLS, a clean end."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lanner.core.errors import ConfigError
from lanner.simulator.config import make_config
from lanner.simulator.credentials import make_account
from lanner.simulator.server import VenueServer
from tests.here import lanner_here
from tests.waiting import until

LANNER = [sys.executable, "-m", "lanner"]
Json = dict[str, Any]


@contextmanager
def served(*options: str) -> Iterator[Json]:
    """Run the command and give its ready line; at the end it must stop by itself when asked to."""
    command = [*LANNER, "venue", "serve", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield json.loads(line)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, process.stderr.read()
            assert process.stdout.read() == ""
        finally:
            process.kill()


def ask(url: str, path: str, body: Json | None = None, method: str | None = None) -> Json:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: Json = json.load(answer)
        return found


def refusal(url: str, path: str) -> tuple[int, str]:
    """Return status and Retry-After of a request that must be refused."""
    try:
        ask(url, path)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Retry-After", "")
    raise AssertionError("it was served")


def test_the_venue_says_where_everything_is_and_stops_when_told() -> None:
    with served("--dialect", "hyperliquid", "--dialect", "binance-spot", "--rate", "500") as ready:
        assert set(ready["dialects"]) == {"hyperliquid", "binance-spot"}
        assert [(one["dialect"], one["account"]) for one in ready["accounts"]] == [
            ("hyperliquid", "test"),
            ("binance-spot", "test"),
        ]
        control = ready["control"]

        def moves() -> dict[str, int]:
            state = ask(control, "/state")["dialects"]
            return {
                name: sum(market["seq"] for market in one["markets"].values()) for name, one in state.items()
            }

        before, deadline = moves(), time.monotonic() + 60
        while not all(after > before[name] for name, after in moves().items()):
            assert time.monotonic() < deadline, "a market stands still"
            time.sleep(0.05)
        assert ask(ready["dialects"]["binance-spot"]["http"], "/api/v3/time")["serverTime"] > 0


def test_the_control_endpoint_reads_and_moves_the_venue() -> None:
    with served("--dialect", "hyperliquid", "--rate", "200") as ready:
        control = ready["control"]
        assert ask(control, "/feed", {"on": False}) == {"paused": True}
        book = ask(control, "/book?market=BTC")
        again = ask(control, f"/book?market=BTC&seq={book['seq']}&depth=3")
        assert again["bids"] == book["bids"][:3]
        assert float(book["bids"][0][0]) < float(book["asks"][0][0])
        assert ask(control, "/mark", {"market": "BTC", "px": "61000"})["mark"] == "61000.0"
        assert ask(control, "/state")["dialects"]["hyperliquid"]["markets"]["BTC"]["mark"] == "61000.0"
        deposit = ask(control, "/deposit", {"account": "test", "asset": "USDC", "amount": "5"})
        assert deposit["total"] == ask(control, "/accounts")["test"]["balances"]["USDC"]["total"]
        for path, status in (("/nowhere", 404), ("/book?market=NONE", 404), ("/book?market=BTC&seq=x", 400)):
            assert refusal(control, path)[0] == status


def test_faults_come_from_options_the_command_and_the_control_endpoint(tmp_path: Path) -> None:
    log = tmp_path / "faults.jsonl"
    with served(
        "--dialect",
        "binance-spot",
        "--fault",
        "server-error:count=1,path=/api/v3/ping",
        "--fault-log",
        str(log),
    ) as ready:
        venue, control = ready["dialects"]["binance-spot"]["http"], ready["control"]
        assert refusal(venue, "/api/v3/ping")[0] == 500
        assert ask(venue, "/api/v3/ping") == {}
        done = lanner_here(["venue", "faults", control, "rate-limit:retry=3,count=1", "--json"])
        assert [one["name"] for one in json.loads(done.stdout)["active"]] == ["server-error", "rate-limit"]
        assert refusal(venue, "/api/v3/ping") == (429, "3")
        assert lanner_here(["venue", "faults", control, "nonsense"]).returncode == 4
        assert ask(control, "/faults", method="DELETE") == {"removed": 2}
        assert [line["fault"] for line in ask(control, "/log")["lines"]] == ["server-error", "rate-limit"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["fault"] for line in lines] == ["server-error", "rate-limit"]
    # the log repeats the first of them without being told which it was
    with served("--dialect", "binance-spot", "--fault-replay", str(log)) as ready:
        assert refusal(ready["dialects"]["binance-spot"]["http"], "/api/v3/ping")[0] == 500


def test_taking_all_faults_back_ends_what_they_began() -> None:
    lasting = ("maintenance:for=600", "clock-skew:ms=-600000", "refuse-connect:for=600")
    with served("--dialect", "binance-spot") as ready:
        venue, control = ready["dialects"]["binance-spot"]["http"], ready["control"]
        before = ask(venue, "/api/v3/time")["serverTime"]
        assert lanner_here(["venue", "faults", control, *lasting]).returncode == 0
        until(lambda: is_closed(venue), "the closed port")
        assert lanner_here(["venue", "faults", control, "--clear"]).returncode == 0
        until(lambda: not is_closed(venue), "the open port")
        assert ask(venue, "/api/v3/time")["serverTime"] >= before


def is_closed(url: str) -> bool:
    try:
        ask(url, "/api/v3/ping")
    except urllib.error.HTTPError:
        return False
    except urllib.error.URLError:
        return True
    return False


def test_tls_with_a_certificate_made_for_the_run() -> None:
    with served("--dialect", "binance-spot", "--tls", "self-signed") as ready:
        where = ready["dialects"]["binance-spot"]
        assert where["http"].startswith("https://")
        assert where["ws"].startswith("wss://")
        trusted = ssl.create_default_context(cafile=ready["ca_file"])
        with urllib.request.urlopen(where["http"] + "/api/v3/ping", timeout=60, context=trusted) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            ask(where["http"], "/api/v3/ping")
        folder = Path(ready["ca_file"]).parent
        assert [one.name for one in folder.iterdir()] == ["ca.pem"]
    assert not folder.exists()


def test_the_configuration_file_is_read_and_options_win(tmp_path: Path) -> None:
    path = tmp_path / "venue.yaml"
    path.write_text(
        "dialects: [hyperliquid]\nseed: 11\nrate: 0\n"
        "accounts:\n  - {name: rich, balances: {USDC: '5'}, fees: {maker: '0', taker: '0'}}\n"
        "faults:\n  - {name: latency, ms: 1}\n"
    )
    with served("--config", str(path), "--seed", "12", "--account", "more") as ready:
        assert ready["seed"] == 12
        assert [one["account"] for one in ready["accounts"]] == ["test", "rich", "more"]
        assert ask(ready["control"], "/accounts")["rich"]["balances"]["USDC"]["total"] == "5"
        assert [one["name"] for one in ask(ready["control"], "/faults")["active"]] == ["latency"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--dialect", "nonsense"), 2),
        (("--fault", "nonsense"), 4),
        (("--feed", "nonsense"), 4),
        (("--feed", "recorded:/does/not/exist"), 2),
        (("--config", "/does/not/exist"), 2),
        (("--speed", "0"), 4),
        (("--tls-cert", "/does/not/exist"), 4),
    ],
)
def test_mistakes_are_named_before_anything_is_served(options: tuple[str, ...], code: int) -> None:
    done = lanner_here(["venue", "serve", *options])
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named() -> None:
    async def main() -> None:
        first = VenueServer(make_config({"dialects": ["binance-spot"], "feed": "none"}))
        ready = await first.start()
        port = int(ready["dialects"]["binance-spot"]["http"].rpartition(":")[2])
        second = VenueServer(make_config({"dialects": ["binance-spot"], "feed": "none", "port": port}))
        with pytest.raises(ConfigError, match=str(port)):
            await second.start()
        await second.stop()
        await first.stop()

    asyncio.run(main())


def search_for_rsa(monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the usual account's RSA key without knowing where its primes are."""
    from lanner.simulator import credentials

    monkeypatch.setattr(credentials, "_KNOWN_STEPS", {})
    credentials._rsa.cache_clear()
    return make_account("binance-usdm", "test", 7)[1].rsa_private_key


def test_the_keys_come_from_the_seed_and_stay_out_of_representations(monkeypatch: pytest.MonkeyPatch) -> None:
    account, first = make_account("binance-spot", "test", 7)
    _, second = make_account("binance-spot", "test", 7)
    _, other = make_account("binance-spot", "test", 8)
    assert first.shown() == second.shown()
    assert not set(first.shown().values()) & (set(other.shown().values()) - {"test", "binance-spot"})
    assert first.rsa_private_key == search_for_rsa(monkeypatch)
    assert first.api_secret not in repr(first) + repr(account) + repr(list(account.api_keys.values()))
