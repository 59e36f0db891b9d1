"""What is committed: locked from public sources, in step, and free of anybody's machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.architecture.sources import ROOT, shown, tracked_files

PUBLIC_REGISTRY = "https://pypi.org/simple"
PUBLIC_FILES = "https://files.pythonhosted.org/"
TEXT = {
    "",
    ".cfg",
    ".css",
    ".csv",
    ".html",
    ".in",
    ".js",
    ".json",
    ".md",
    ".py",
    ".sh",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}
SOMEBODYS_MACHINE = re.compile(
    r"(?<![\w.\-/:])/(?:work|root|home/[a-z]+|Users/[a-z]+)/|\bsub-?agents?\b", re.IGNORECASE
)


def lock() -> dict[str, list[dict[str, object]]]:
    return tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))


def test_the_lock_names_only_the_public_registry() -> None:
    packages = lock()["package"]
    assert len(packages) > 20
    strange = []
    for package in packages:
        source = package["source"]
        assert isinstance(source, dict)
        if source != {"editable": "."} and source.get("registry") != PUBLIC_REGISTRY:
            strange.append(f"{package['name']}: {source}")
        wheels = package.get("wheels", [])
        assert isinstance(wheels, list)
        urls = [str(file["url"]) for file in [*wheels, package.get("sdist")] if isinstance(file, dict)]
        strange += [f"{package['name']}: {url}" for url in urls if not url.startswith(PUBLIC_FILES)]
    assert not strange


def uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def test_requirements_are_exported_from_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = uv()
    if tool is None:
        pytest.skip("uv is not installed: whether requirements/ match uv.lock is checked where it is")
    monkeypatch.setenv("PATH", str(Path(tool).parent), prepend=":")
    subprocess.run([ROOT / "scripts" / "export-requirements", str(tmp_path)], check=True, capture_output=True)
    exported = {path.name: path.read_text() for path in tmp_path.glob("*.txt")}
    committed = {path.name: path.read_text() for path in (ROOT / "requirements").glob("*.txt")}
    assert exported == committed, "run `make lock` and commit the result"


def test_every_locked_requirement_carries_a_hash() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        entries = re.split(r"\n(?=[a-z0-9])", path.read_text(encoding="utf-8"))
        bare = [entry.split()[0] for entry in entries[1:] if "--hash=sha256:" not in entry]
        assert not bare, f"{path.name}: {bare}"


def test_no_file_names_a_path_on_somebodys_machine() -> None:
    found = []
    for path in tracked_files():
        if path.suffix not in TEXT or path.name == "uv.lock":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if path != Path(__file__) and SOMEBODYS_MACHINE.search(line):
                found.append(f"{shown(path)}:{number}: {line.strip()[:120]}")
    assert not found, "\n".join(found)


def test_every_page_of_the_documentation_is_in_its_table_of_contents() -> None:
    class Loader(yaml.SafeLoader):
        """Reads mkdocs.yml, which names a Python function that is of no interest here."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/name:", lambda _loader, suffix, _node: suffix)
    config = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)

    def pages(entries: list[object]) -> set[str]:
        found: set[str] = set()
        for entry in entries:
            for value in entry.values() if isinstance(entry, dict) else [entry]:
                found |= pages(value) if isinstance(value, list) else {str(value)}
        return found

    written = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert written == pages(config["nav"])
