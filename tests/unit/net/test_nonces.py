"""Nonces through restarts, crashes and several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lanner.net.nonces import Nonces

MANY = """
import sys
from lanner.net.nonces import Nonces
nonces = Nonces(sys.argv[1])
print(*[nonces.next("key", 1_700_000_000_000) for _ in range(2000)])
"""

ENDLESS = """
import sys
from lanner.net.nonces import Nonces
nonces = Nonces(sys.argv[1])
while True:
    print(nonces.next("key", 5000), flush=True)
"""


def test_nonces_follow_the_clock_and_never_stand_still(tmp_path: Path) -> None:
    nonces = Nonces(tmp_path / "n")
    assert [nonces.next("a", now) for now in (1000, 1000, 1000, 1500, 1400)] == [1000, 1001, 1002, 1500, 1501]
    nonces.close()


def test_each_key_counts_for_itself(tmp_path: Path) -> None:
    nonces = Nonces(tmp_path / "n")
    assert (nonces.next("a", 1000), nonces.next("b", 1000), nonces.next("a", 1000)) == (1000, 1000, 1001)
    assert (nonces.last("a"), nonces.last("b"), nonces.last("c")) == (1001, 1000, 0)
    nonces.close()


def test_a_restart_goes_on_where_it_ended_even_when_the_clock_went_back(tmp_path: Path) -> None:
    first = Nonces(tmp_path / "n", boot=lambda: "boot 1")
    assert first.next("a", 5000) == 5000
    first.close()
    second = Nonces(tmp_path / "n", boot=lambda: "boot 1")
    assert second.next("a", 10) == 5001
    second.close()


def test_after_a_crash_of_the_machine_nonces_go_on_from_what_the_disk_was_told(tmp_path: Path) -> None:
    first = Nonces(tmp_path / "n", ahead_ms=1000, boot=lambda: "boot 1")
    assert first.next("a", 5000) == 5000
    on_disk = (tmp_path / "n").read_bytes()
    later = [first.next("a", 5000) for _ in range(900)]
    first.close()
    (tmp_path / "n").write_bytes(on_disk)  # what came after never reached the disk
    second = Nonces(tmp_path / "n", ahead_ms=1000, boot=lambda: "boot 2")
    assert second.next("a", 10) > max(later)
    second.close()


def test_without_a_name_for_the_boot_every_start_counts_as_one(tmp_path: Path) -> None:
    first = Nonces(tmp_path / "n", ahead_ms=1000, boot=lambda: "")
    first.next("a", 5000)
    first.close()
    second = Nonces(tmp_path / "n", ahead_ms=1000, boot=lambda: "")
    assert second.next("a", 10) > 6000
    second.close()


def test_processes_that_share_a_key_never_get_the_same_nonce(tmp_path: Path) -> None:
    runs = [
        subprocess.Popen([sys.executable, "-c", MANY, str(tmp_path / "n")], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    given = [[int(word) for word in run.communicate(timeout=60)[0].split()] for run in runs]
    assert all(one == sorted(one) for one in given)
    assert len({nonce for one in given for nonce in one}) == 6000


def test_a_killed_process_repeats_nothing(tmp_path: Path) -> None:
    run = subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path / "n")], stdout=subprocess.PIPE)
    assert run.stdout is not None
    given = [run.stdout.readline() for _ in range(500)]
    os.kill(run.pid, signal.SIGKILL)
    given += run.stdout.read().split()
    run.wait()
    run.stdout.close()
    nonces = Nonces(tmp_path / "n")
    assert nonces.next("key", 10) > int(given[-1])
    nonces.close()


def test_the_file_is_for_its_owner_and_does_not_name_keys(tmp_path: Path) -> None:
    nonces = Nonces(tmp_path / "n")
    nonces.next("0xdeadbeefcafe", 1000)
    nonces.close()
    assert (tmp_path / "n").stat().st_mode & 0o077 == 0
    assert b"deadbeef" not in (tmp_path / "n").read_bytes()


def test_a_nonce_costs_microseconds(tmp_path: Path) -> None:
    nonces = Nonces(tmp_path / "n")
    nonces.next("a", 1)

    def timed() -> float:
        began = time.perf_counter()
        for _ in range(200):
            nonces.next("a", 1)
        return (time.perf_counter() - began) / 200

    assert min(timed() for _ in range(20)) < 50e-6
    nonces.close()
