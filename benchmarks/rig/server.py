"""The server as a process of its own, as an operator starts it, on a Redis and on ports that are given."""

import os
import re
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Self, TypeVar

import blitz
from rig.streams import FORMATS, Format

_T = TypeVar("_T")
_BAUD = 921_600


class Port:
    """A pseudo terminal: the device writes to ``master``, and whoever reads opens ``path``."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)

    def close(self) -> None:
        """Pull the plug."""
        os.close(self.master)
        os.close(self.slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Server:
    """A running server."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str) -> None:
        self.process_id = process.pid
        self.url = url
        self.api = blitz.Client(url)


@contextmanager
def running_server(
    redis_url: str | None,
    devices: Sequence[tuple[Port, Format]],
    *options: str,
    wrapper: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Server]:
    """Run a server that has opened these ports, and end it.

    :param redis_url: None gives it a private one.
    :param wrapper: stands before the command.
    """
    with tempfile.TemporaryDirectory() as folder:
        definitions, log_path = Path(folder) / "definitions", Path(folder) / "log"
        definitions.mkdir()
        for each in (*FORMATS.values(), *(format for _, format in devices)):
            (definitions / f"{each.id}.toml").write_text(each.definition)
        command = [
            *wrapper,
            sys.executable,
            "-m",
            "blitz",
            "serve",
            "--port",
            "0",
            "--data-dir",
            folder,
            "--no-scan-usb",
        ]
        command += ["--definitions-dir", str(definitions), *options]
        if redis_url is not None:
            command += ["--redis-url", redis_url]
        for port, each in devices:
            command += ["--serial", f"{port.path}:{_BAUD}{each.serial_suffix}"]
        with log_path.open("wb") as log:
            process = subprocess.Popen(command, stderr=log, stdout=log, env={**os.environ, **environment})
        try:
            address = wait_for(partial(_find, re.compile(rb"serves (http://\S+),"), log_path), log_path)
            for port, _ in devices:
                opened = re.compile(rb"\b%s is identifying" % re.escape(os.path.basename(port.path).encode()))
                wait_for(partial(_find, opened, log_path), log_path)
            server = Server(process, address[1].decode())
            with server.api:
                yield server
        finally:
            process.terminate()
            process.wait(60)


def _find(pattern: re.Pattern[bytes], log_path: Path) -> re.Match[bytes] | None:
    return pattern.search(log_path.read_bytes())


def wait_for(find: Callable[[], _T | None], log_path: Path) -> _T:
    """Wait until something is found; show the server's log if it is not in half a minute."""
    deadline_s = time.monotonic() + 30
    while not (found := find()):
        if time.monotonic() > deadline_s:
            raise SystemExit(log_path.read_text())
        time.sleep(0.02)
    return found
