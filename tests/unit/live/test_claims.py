"""One live session for a perpetual of an account: whose it is, and until when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lanner.core.errors import ConfigError
from lanner.live.build import make_plan
from lanner.live.claims import claimed
from lanner.live.config import SessionConfig
from lanner.live.connect import Where
from lanner.model.instruments import Instrument
from lanner.net.sharing import remove_unused
from lanner.storage.environment import default_home
from lanner.venues.keys import Keys

PERP, OTHER = "BTCUSDT-PERP.BINANCE", "ETHUSDT-PERP.BINANCE"
HERE = Where({"": "http://127.0.0.1:9"})
ELSEWHERE = Where({"": "http://127.0.0.1:10"})
HOLDER = """
import sys, time
from tests.unit.live.test_claims import claim
with claim("theirs"):
    print("held", flush=True)
    time.sleep(600)
"""


def instrument(name: str) -> Instrument:
    make = Instrument.perp if "-PERP" in name else Instrument.spot
    return make(name, tick="0.1", lot="0.001")


@contextmanager
def claim(
    session: str, name: str = PERP, *, mode: str = "live", key: str = "one", where: Where = HERE
) -> Iterator[None]:
    config = SessionConfig(strategy="dual_ma", mode=mode, instruments=[name])
    keys = Keys("hmac", "s", api_key=key)
    with claimed(make_plan(config, {name: instrument(name)}), session, where, lambda _product: keys):
        yield


def test_a_perpetual_of_an_account_belongs_to_one_live_session() -> None:
    with claim("first"):
        with (
            pytest.raises(ConfigError, match=f"session first trades {PERP} with this account"),
            claim("second"),
        ):
            pass
        with pytest.raises(ConfigError, match="session first is running already"), claim("first"):
            pass
        for others in (
            {"name": OTHER},
            {"mode": "paper"},
            {"key": "two"},
            {"where": ELSEWHERE},
            {"name": "BTC-USDT.BINANCE"},
        ):
            with claim("second", **others):
                pass
    with claim("second"):
        pass


def test_what_one_could_not_have_it_has_no_part_of() -> None:
    config = SessionConfig(strategy="dual_ma", mode="live", instruments=[OTHER, PERP])
    plan = make_plan(config, {name: instrument(name) for name in (OTHER, PERP)})
    keys = Keys("hmac", "s", api_key="one")
    with claim("first"):
        with pytest.raises(ConfigError), claimed(plan, "both", HERE, lambda _product: keys):
            pass
        with claim("second", OTHER):
            pass


def test_a_process_that_dies_gives_it_back() -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="session theirs trades"), claim("ours"):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with claim("ours"):
        pass


def test_what_is_held_is_not_swept_away_and_a_copy_of_the_process_keeps_nothing() -> None:
    shared = default_home() / "shared"
    with claim("first"):
        read, write = os.pipe()
        copy = os.fork()
        if not copy:  # as for a checkpoint
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        os.close(read)
        assert remove_unused(shared, "*", 0, 1e12) == 0
        with pytest.raises(ConfigError), claim("second"):
            pass
    with claim("second"):
        pass
    os.close(write)
    os.waitpid(copy, 0)
    assert remove_unused(shared, "*", 0, 1e12) == 1


def test_a_home_that_cannot_be_written_is_said() -> None:
    default_home().mkdir(exist_ok=True)
    (default_home() / "shared").write_text("a file is in the way")
    with pytest.raises(ConfigError, match="cannot be kept"), claim("first"):
        pass
