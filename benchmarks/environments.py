"""Find interpreters and give each peer an environment of its own under `.bench/` (git-ignored)."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / ".bench"


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a measured process: this one's, with byte code cached as on any ordinary machine."""
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**usual, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "PYTHONHASHSEED": "0", **more}


@dataclass(frozen=True, slots=True)
class Peer:
    """Another engine: what to install, the oldest Python it runs on, and the script that drives it."""

    name: str
    requirements: tuple[str, ...]
    oldest_python: tuple[int, int]
    module: str
    pre_releases: bool = False
    kinds: tuple[str, ...] = ("bars", "quotes")


NAUTILUS_2 = Peer(
    name="nautilus_trader-2.0-pre",
    requirements=("nautilus_trader>=2.0.0rc1,<3",),
    oldest_python=(3, 12),
    module="benchmarks.peers.nautilus2_ema",
    pre_releases=True,
)
NAUTILUS_1 = Peer(
    name="nautilus_trader-1.x",
    requirements=("nautilus_trader>=1.221,<2", "pandas<3"),
    oldest_python=(3, 11),
    module="benchmarks.peers.nautilus1_ema",
)
BACKTESTING = Peer(
    name="backtesting.py",
    requirements=("backtesting>=0.6", "pandas<3"),
    oldest_python=(3, 11),
    module="benchmarks.peers.backtesting_ema",
    kinds=("bars",),
)
VECTORBT = Peer(
    name="vectorbt",
    requirements=("vectorbt[rust]>=1.2,<2", "plotly<6"),
    oldest_python=(3, 11),
    module="benchmarks.peers.vectorbt_ma",
    kinds=(),
)
CCXT = Peer(
    name="ccxt",
    requirements=("ccxt>=4.5,<5", "coincurve"),
    oldest_python=(3, 11),
    module="benchmarks.peers.ccxt_venue",
    kinds=(),
)
CRYPTOFEED = Peer(
    name="cryptofeed",
    requirements=("cryptofeed>=2.4.1,<3",),
    oldest_python=(3, 11),
    module="benchmarks.peers.cryptofeed_venue",
    kinds=(),
)
PYTHON_BINANCE = Peer(
    name="python-binance",
    requirements=("python-binance>=1.0.29,<2",),
    oldest_python=(3, 11),
    module="benchmarks.peers.python_binance_venue",
    kinds=(),
)
BINANCE_SDK = Peer(
    name="binance-sdk-spot",
    requirements=("binance-sdk-spot>=13,<14",),
    oldest_python=(3, 11),
    module="benchmarks.peers.binance_sdk_venue",
    kinds=(),
)
HYPERLIQUID_SDK = Peer(
    name="hyperliquid-python-sdk",
    requirements=("hyperliquid-python-sdk>=0.20,<1",),
    oldest_python=(3, 11),
    module="benchmarks.peers.hyperliquid_sdk_venue",
    kinds=(),
)
PEERS = (NAUTILUS_2, NAUTILUS_1, BACKTESTING)
VENUE_PEERS = (CCXT, CRYPTOFEED, PYTHON_BINANCE, BINANCE_SDK, HYPERLIQUID_SDK)


class PeerUnavailableError(Exception):
    """A peer cannot be measured on this machine; the message says why."""


def find_python(oldest: tuple[int, int]) -> Path | None:
    """Return an interpreter that really starts and is at least `oldest`, the tried versions first.

    A name on PATH may be a version manager's shim that refuses to run, so every candidate is started, and pyenv's
    folder is looked into.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for minor in (13, 12, 14, 11):
        if (3, minor) < oldest:
            continue
        name = f"python3.{minor}"
        on_path = [Path(folder) / name for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
        for candidate in [*on_path, *sorted(pyenv.glob(f"3.{minor}.*/bin/python"))]:
            if candidate.is_file() and _starts(candidate):
                return candidate
    return None


def _starts(python: Path) -> bool:
    try:
        done = subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, timeout=30)
    except OSError:
        return False
    return done.returncode == 0


def ready(peer: Peer) -> Path:
    """Return the interpreter of the peer's environment, made and filled on first use.

    Raises PeerUnavailableError when no interpreter is new enough or the installation fails.
    """
    home = BENCH / "envs" / peer.name
    python, stamp = home / "bin" / "python", home / ".installed"
    wanted = "\n".join(peer.requirements)
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    base = find_python(peer.oldest_python)
    if base is None:
        oldest = ".".join(map(str, peer.oldest_python))
        raise PeerUnavailableError(f"no working Python >= {oldest} found; install one to measure {peer.name}")
    print(f"# installing {peer.name} into {home.relative_to(ROOT)} ...", flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if peer.pre_releases:
        pip.append("--pre")
    for command in ([str(base), "-m", "venv", "--clear", str(home)], [*pip, *peer.requirements]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise PeerUnavailableError(f"{peer.name} could not be installed: {reason}")
    stamp.write_text(wanted)
    return python
