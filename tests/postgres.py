"""A PostgreSQL server of the tests' own, in a folder of its own; tests skip where none is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import unused_port

PASSWORD = "s3cret-of-the-tests"
_FOLDERS = ("/usr/local/bin", "/usr/lib/postgresql/*/bin", "/opt/homebrew/bin")


def programs() -> Path | None:
    """Return the folder with PostgreSQL's programs, None where it is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    return next((path.parent for folder in _FOLDERS for path in Path("/").glob(f"{folder[1:]}/initdb")), None)


class Postgres:
    """One server; root hands it to a user without rights, because it refuses to run as root."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self._programs = programs
        self._as: list[str] = []
        if os.getuid() == 0:
            user = _somebody()
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as = [
                "setpriv",
                f"--reuid={user.pw_uid}",
                f"--regid={user.pw_gid}",
                "--clear-groups",
            ]
        self.port = unused_port()
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        auth = ["-A", "scram-sha-256", "-U", "lanner", f"--pwfile={secret}"]
        self._run("initdb", "-D", str(folder / "data"), *auth, "--no-sync", "-E", "UTF8", "--locale=C")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run(
            "pg_ctl",
            "-D",
            str(self.folder / "data"),
            "-o",
            options,
            "-l",
            self._log,
            "-t",
            "180",
            "-w",
            "start",
        )

    def stop(self) -> None:
        """Stop the server at once, as a crash would."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://lanner:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, template: str = "template1") -> str:
        """Make a database, a copy of another one, and return its address."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"'.encode())
        return self.url(database)

    @property
    def _log(self) -> str:
        return str(self.folder / "log")

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [*self._as, str(self._programs / program), *words],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
            check=False,
        )
        if done.returncode:
            log = Path(self._log)
            raise RuntimeError(f"{program}: {done.stdout}{log.read_text() if log.exists() else ''}")


def _somebody() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("there is no user to run PostgreSQL as")


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run a server for the block; skip the test where PostgreSQL or its driver is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'lanner[postgres]'")
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL cannot run as root, and there is no setpriv")
    folder = Path(tempfile.mkdtemp(prefix="lanner-pg-"))
    try:
        folder.chmod(0o755)
        server = Postgres(folder, found)
        server.start()
        try:
            yield server
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
