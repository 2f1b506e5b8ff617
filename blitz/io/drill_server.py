"""The drill's own server: a child process in a folder of its own, which may be killed, and so may its Redis."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import redis

from blitz.errors import BlitzError
from blitz.io.redis_child import socket_path

START_S = 60.0
STOP_S = 40.0
_GONE_S = 10.0
_PORTS = range(20_000, 32_000)
"""None of those that a system gives to connections: a port must be free again after a restart."""


class DrillFailed(BlitzError):  # noqa: N818
    """Something did not come about in time; the sentence says what."""

    code = "drill_failed"


class DrillServer:
    """A server that is started, ended and killed.

    :param folder: where its data folder, its settings and its log are made.
    :param settings: of the table ``[server]``.
    :param sources: tables ``[[server.sources]]``.
    :param clock_file: holds the seconds by which its clock is ahead; None: it has the computer's.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        sources: Sequence[Mapping[str, Any]],
        clock_file: Path | None = None,
    ) -> None:
        self.data_dir = folder / "data"
        self.log_path = folder / "server.log"
        self.started: list[tuple[int, float]] = []
        """When it was started: Unix time in ns, and how many seconds passed until it answered."""
        self.stopped_s: list[float] = []
        """How long it took to end after SIGTERM."""
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._config = folder / "blitz.toml"
        self._config.write_text(_toml(settings, sources), "utf-8")
        self._program = ["-m", "blitz"] if clock_file is None else ["-m", "blitz.io.drill_clock", str(clock_file)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it serves.

        :raises DrillFailed: if it does not.
        """
        command = [sys.executable, *self._program, "serve", "--config", str(self._config)]
        command += ["--port", str(self._port), "--data-dir", str(self.data_dir), "--no-scan-usb"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BLITZ_")}
        with self.log_path.open("ab") as log:
            begin = log.tell()
            started_ns, began_s = time.time_ns(), time.monotonic()
            # Ctrl-C is for the drill, which ends its server itself.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        while not re.search(rb"serves https?://", self.log_path.read_bytes()[begin:]):
            if self._process.poll() is not None or time.monotonic() - began_s > START_S:
                raise DrillFailed(f"The drill's server does not start. It says:\n{self.last_words()}")
            time.sleep(0.01)
        self.started.append((started_ns, time.monotonic() - began_s))

    def kill(self) -> None:
        """End it without a chance to say goodbye."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """Tell it to stop, and wait until it has.

        :raises DrillFailed: if it does not end.
        """
        assert self._process is not None
        began_s = time.monotonic()
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise DrillFailed(f"The server did not end within {STOP_S:g} s of SIGTERM.") from None
        self.stopped_s.append(time.monotonic() - began_s)

    def redis(self) -> "redis.Redis":
        """Return a connection to its Redis."""
        return redis.Redis(unix_socket_path=str(socket_path(self.data_dir)), socket_timeout=5)

    def redis_pid(self) -> int:
        """Return its Redis' process."""
        with self.redis() as client:
            return int(client.info("server")["process_id"])

    def last_words(self, count: int = 15) -> str:
        """Return the end of what it said."""
        return "\n".join(self.log_path.read_text("utf-8", "replace").splitlines()[-count:])

    def end(self) -> None:
        """Leave no process behind, whatever has happened."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # and what it has started; Redis is in a group of its own
            self._process.wait()
        deadline_s = time.monotonic() + _GONE_S
        while (left := _working_in(self.data_dir / "redis")) and time.monotonic() < deadline_s:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        shutil.rmtree(socket_path(self.data_dir).parent, ignore_errors=True)


def _working_in(folder: Path) -> set[int]:
    """Return the processes that work in a folder, where the system tells: a Redis that hangs says nothing of itself."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if entry.readlink() == folder.resolve():
                found.add(int(entry.parent.name))
    return found


def _free_port() -> int:
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


def _toml(settings: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]) -> str:
    parts = ["[server]", *(f"{name} = {_value(value)}" for name, value in settings.items())]
    for source in sources:
        parts += ["[[server.sources]]", *(f"{name} = {_value(value)}" for name, value in source.items())]
    return "\n".join(parts) + "\n"


def _value(value: Any) -> str:
    """Return a value as TOML writes it.

    >>> _value({"a": [1, True], "b": "x"})
    '{ a = [1, true], b = "x" }'
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_value(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
