"""A PostgreSQL server for tests: Debian's own, started in a folder of its own; they are skipped where there is none."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

START_S = 60


@contextlib.contextmanager
def running_postgresql() -> Iterator[str]:
    """Start one for some tests; gives its address. It listens at a socket in its folder only."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (on Debian: apt-get install --no-install-recommends postgresql)")
    pytest.importorskip("psycopg")
    # PostgreSQL refuses to run as root, and a folder below pytest's is closed to others.
    as_somebody: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="blitz-pg-"))
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_somebody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
    try:
        command = [programs / "initdb", "-D", folder / "db", "-U", "blitz", "-A", "trust", "-E", "UTF8", "--no-sync"]
        made = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False, **as_somebody
        )
        assert made.returncode == 0, made.stderr.decode()
        with _running(programs, folder, environment, as_somebody):
            yield f"postgresql+psycopg://blitz@/postgres?host={folder}"
    finally:
        shutil.rmtree(folder)


def empty_database(address: str) -> None:
    """Drop everything that is in it."""
    engine = sqlalchemy.create_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()


def _programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps off the PATH."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextlib.contextmanager
def _running(programs: Path, folder: Path, environment: dict[str, str], as_somebody: dict[str, Any]) -> Iterator[None]:
    settings = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "shared_buffers=16MB"]
    options = [part for setting in settings for part in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "db", *options],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            **as_somebody,
        )
    try:
        deadline_s = time.monotonic() + START_S
        while b"ready to accept connections" not in (folder / "log").read_bytes():
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline_s, (folder / "log").read_text()
            time.sleep(0.05)
        yield
    finally:
        server.send_signal(signal.SIGINT)  # ends its clients' connections, too
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)
            raise
