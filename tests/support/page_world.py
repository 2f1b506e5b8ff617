"""The world in which a page of the documents is run: its machine, its server, its devices, its recordings.

A page whose first block starts a server (`blitz serve`) begins with nothing. Any other finds what a user has after
some days: a server at http://127.0.0.1:8999 with two simulated boards and a device that prints at /dev/ttyUSB0, twelve
sessions, of which 7 and 12 hold more than a few messages, and these two in the local caches that the page opens
with `DatabaseClient(path="cache.db")`. At /dev/ttyUSB1 and /dev/ttyACM0 there are devices that nobody reads.

Port 8999 is another one here, folders of the system lie in a folder of the test, and there is a Redis where pages have
one on a host of its own: `as_here` says where. A second server of a page has a port and a data folder of its own.
"""

import os
import re
import shutil
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from code_blocks import ROOT
from page_sessions import ShellSession
from waiting import LOOK_S, wait_until

import blitz
from blitz.data.database import DatabaseClient
from blitz.io.simulated_device import SimulatedDevice

NAMES = ("bench1", "bench2", "lab-pi", "server1.local", "server2.local", "spare.local", "dbhost")
START_S = 60.0
DEVICES = {"ttyUSB0": "csv", "ttyUSB1": "csv", "ttyACM0": "cobs"}
PUMP = """id = "pump"
name = "Pump"
format = "columns"
channels = [
    { name = "Pressure", column = 1, unit = "mbar" },
    { name = "Level", column = 2, unit = "m", scale = 0.001 },
    { name = "flow", column = 1, unit = "l/min", scale = 0.01 },
    { name = "Vibration", column = 2, unit = "m/s²", scale = 0.01 },
    { name = "current", column = 3, unit = "A", scale = 0.1 },
    { name = "Supply voltage", column = 3, unit = "V", scale = 0.2 },
]
commands = [{ name = "TARE", send = "t" }]
"""
SCALE = """id = "scale"
name = "Kitchen scale"
format = "columns"
channels = [{ name = "weight", column = 1, unit = "g" }]
commands = [{ name = "TARE", send = "t" }, { name = "STREAM", send = "c1" }]
"""
SERVE = "blitz serve --simulate 2 --serial {dev}/ttyUSB0:115200=pump --definitions-dir {definitions}"
_FOLDERS = re.compile(r"(?<![\w.~/-])/(mnt|srv|var/lib|etc|tmp|usr/local|dev/(?=tty|serial))")
_PROGRAMS = re.compile(r"(?<![\w/])(/opt/blitz/bin/|\.venv/bin/)")


class PageWorld:
    """A context manager; see the module.

    :param forks: where the process listens that forks its `blitz`; None: it is the one that is installed.
    """

    def __init__(self, folder: Path, port: int, redis_url: str, forks: Path | None = None) -> None:
        self.port = port
        self._redis_url = redis_url
        self._servers = 0
        self.url = f"http://127.0.0.1:{port}"
        self.root, self.work, self.logs = folder / "root", folder / "work", folder / "logs"
        self.data = folder / "home" / ".local" / "share" / "blitz"
        for path in ("dev", "mnt/usb", "mnt/lab/results", "srv", "var/lib", "etc/blitz", "tmp", "usr/local/bin"):
            (self.root / path).mkdir(parents=True)
        for made in (self.work, self.logs, self.data.parent):
            made.mkdir(parents=True)
        (self.work / "docs").symlink_to(ROOT / "docs")
        programs = f"{Path(__file__).parent / 'page_programs'}:" if forks else ""
        self.environment = {
            name: value for name, value in os.environ.items() if name in ("XDG_RUNTIME_DIR", "LANG")
        } | {
            "PATH": f"{programs}{Path(sys.executable).parent}:{os.defpath}",
            "PAGE_FORKS": str(forks),
            "HOME": str(folder / "home"),
            "USER": "ann",
            "PYTHONPATH": f"{Path(__file__).parent / 'page_names'}:{ROOT}",
            "QT_QPA_PLATFORM": "offscreen",
            "COLUMNS": "110",
            "PAGE_NAMES": ",".join(NAMES),
            "BLITZ_SERVER": self.url,
            "BLITZ_PORT": str(port),
            "BLITZ_ALLOWED_HOSTS": ",".join(NAMES),
            "BLITZ_ANNOUNCE": "false",
            "BLITZ_SCAN_USB": "off",
            "BLITZ_DURABILITY": "none",
        }
        self._open = ExitStack()

    def __enter__(self) -> "PageWorld":
        for name, kind in DEVICES.items():
            link = self.root / "dev" / name
            self._open.enter_context(SimulatedDevice(kind, rate_hz=50, silence_s=0.2, link_path=link))
        self.shell = ShellSession(self.work, self.environment, self.logs)
        self._open.callback(self.shell.close)
        return self

    def __exit__(self, *failure: object) -> None:
        self._open.close()

    def as_here(self, text: str) -> str:
        """Return code or output of a page with the ports, folders and names that it has in this world."""
        text = _FOLDERS.sub(lambda place: f"{self.root}/{place[1]}", _PROGRAMS.sub("", text))
        text = re.sub(r"redis://db:6379/0", self._redis_url, text)
        text = re.sub(r"\b8999\b", str(self.port), text)
        return re.sub(rf"(curl .*//)[\w.-]+(:{self.port})", r"\g<1>127.0.0.1\2", text)

    def serve(self, command: str) -> Path:
        """Start a server and wait until it serves; return the file of what it writes."""
        self._servers += 1
        if self._servers > 1:
            command = f"export BLITZ_PORT=0 BLITZ_DATA_DIR='{self.root}/srv/server{self._servers}'\n{command}"
        log = self.shell.start(command)
        deadline_s = time.monotonic() + START_S
        while b" serves http" not in log.read_bytes():
            assert self.shell.is_running(), log.read_text("utf-8")
            assert time.monotonic() < deadline_s, log.read_text("utf-8")
            time.sleep(LOOK_S)
        return log

    def serve_lab(self, lab: Path | None, caches: Iterable[str] = ()) -> None:
        """Start the server that a page expects, with the recordings that were made before.

        :param caches: names of files in the working folder that hold some of these, too.
        """
        if lab is not None:
            shutil.copytree(lab / "data", self.data, symlinks=True)
            for name in caches:
                shutil.copy(lab / "cache.db", self.work / name)
        definitions = self.root / "etc" / "blitz" / "definitions"
        definitions.mkdir()
        (definitions / "pump.toml").write_text(PUMP, "utf-8")
        (definitions / "scale.toml").write_text(SCALE, "utf-8")
        self.serve(SERVE.format(dev=self.root / "dev", definitions=definitions))
        with blitz.Client(self.url) as client:
            client.scan()
            wait_until(lambda: {board.mode for board in client.boards()} == {"polled", "streaming"})


def make_lab(folder: Path, port: int, forks: Path) -> Path:
    """Record what each page finds; return the folder of it."""
    with PageWorld(folder / "world", port, "", forks) as world:
        world.serve_lab(None)
        with blitz.Client(world.url) as client:
            for number in range(1, 13):
                session = client.start(f"pump test {number}")
                assert session.id == number
                if number in (7, 12):
                    wait_until(lambda number=number: client.session(number).message_count > 300)
                    client.add_marker(number, "valve open")
                client.stop(number)
            with DatabaseClient(path=str(folder / "cache.db")) as cache:
                for number in (7, 12):
                    client.download(number, cache)
        world.shell.stop()
        shutil.copytree(world.data, folder / "data", symlinks=True)
    return folder
