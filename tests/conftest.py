"""Shared ground of all tests: deterministic hypothesis, a home folder of their own, quiet terminals."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.compiling import compile_once

ROOT = Path(__file__).resolve().parent.parent

# Before numpy is loaded: each test process keeps to its own processor. Threads of linear algebra that wait for each
# other on processors that are taken double the time of a run in several processes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A property that names no number of its own is tried on forty examples every day, and on a hundred in the long run.
settings.register_profile(
    "default",
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", parent=settings.get_profile("default"), print_blob=True)
settings.register_profile(
    "nightly", parent=settings.get_profile("default"), max_examples=100, print_blob=True
)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point LANNER_HOME at a fresh folder, so that no test reads or writes the user's own."""
    home = tmp_path_factory.mktemp("lanner-home")
    monkeypatch.setenv("LANNER_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return home


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of captured market data and oracles that lies beside a checkout, or skip."""
    folder = Path(os.environ.get("LANNER_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no captured data at {folder}; set LANNER_SHARED_DATA to its folder")
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """Let workers that run beside each other share what they compile."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        compile_once()
