"""What the days of an operator share: a bench whose clock is set ahead, real boards on it, a window."""

import contextlib
import json
import mmap
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blitz.io.address import ServerAddress
from blitz.io.board_program import BoardProgram
from blitz.io.simulated_port import SimulatedPort
from blitz.ui.main_window import MainWindow
from blitz.ui.server_link import ServerLink

START_S = 60.0


class Clock:
    """Is so far behind, and set ahead: for the server, then for the boards, which are late rather than early."""

    def __init__(self, path: Path, behind_s: float) -> None:
        path.write_bytes(bytes(8))
        self.path = path
        self.boards_s = 0.0
        self._behind_s = behind_s
        with path.open("r+b") as file:
            self._ahead = mmap.mmap(file.fileno(), 8)
        self.skip(0)

    def skip(self, seconds: float) -> None:
        self._ahead[:8] = struct.pack("q", round((self.boards_s + seconds - self._behind_s) * 1e9))
        self.boards_s += seconds


class LaterProgram:
    """A board's program whose clock is ahead."""

    def __init__(self, program: BoardProgram, clock: Clock) -> None:
        self._program, self._clock = program, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._program, name)

    def power_up(self, now_s: float) -> None:
        self._program.power_up(now_s + self._clock.boards_s)

    def hold(self, now_s: float, is_held: bool) -> list[bytes]:
        return self._program.hold(now_s + self._clock.boards_s, is_held)

    def advance(self, now_s: float) -> list[bytes]:
        return self._program.advance(now_s + self._clock.boards_s)

    def next_due_s(self) -> float:
        return self._program.next_due_s() - self._clock.boards_s

    def receive(self, chunk: bytes, now_s: float) -> list[tuple[bytes, bool]]:
        return self._program.receive(chunk, now_s + self._clock.boards_s)


class Bench:
    """A server on its own clock, two boards with their own power, and USB sockets to put them into.

    :param behind_s: by how much the clock is behind at first.
    """

    def __init__(self, folder: Path, behind_s: float, rate_hz: float) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = Clock(folder / "clock", behind_s)
        self._ports_path = folder / "ports.json"
        self._plugged: dict[str, dict[str, object]] = {}
        self.programs = {board: BoardProgram(board, rate_hz, 200_000, count=None) for board in ("08", "09")}
        self.boards: dict[str, SimulatedPort] = {board: self._board(board) for board in self.programs}
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def _board(self, board_id: str) -> SimulatedPort:
        program: Any = LaterProgram(self.programs[board_id], self.clock)
        return SimulatedPort(
            f"board-{board_id}", program, baud=10_000_000, silence_s=0.2, own_power=True, waits_for_reader=True
        )

    def __enter__(self) -> "Bench":
        for board in self.boards.values():
            board.start()
        self.plug("08", "ttyUSB0", "1-2")
        self.plug("09", "ttyUSB1", "1-3")
        log_path = self.folder / "server.log"
        program = [sys.executable, str(Path(__file__).with_name("hours_later.py"))]
        files = [str(self.clock.path), str(self._ports_path)]
        options = ["--port", "0", "--data-dir", str(self.folder / "data"), "--scan-usb", "known"]
        with log_path.open("wb") as log:
            command = [*program, *files, "serve", *options]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, stdout=log)
        deadline_s = time.monotonic() + START_S
        while not (found := re.search(rb"serves (http://\S+),", log_path.read_bytes())):
            assert self._process.poll() is None, log_path.read_text()
            assert time.monotonic() < deadline_s, log_path.read_text()
            time.sleep(0.02)
        self.url = found[1].decode()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(START_S)
        finally:
            self._process.kill()
            for board in self.boards.values():
                board.stop()

    def plug(self, board_id: str, port: str, usb_path: str, kind: tuple[int, int] = (0x0403, 0x6001)) -> None:
        board = self.boards[board_id]
        board.replug()  # nothing happens if it is plugged in
        place = self.folder / port
        place.symlink_to(board.path)
        self._plugged[board_id] = {
            "port": str(place),
            "vendor_id": kind[0],
            "product_id": kind[1],
            "serial_number": f"A500{board_id}",
            "usb_path": usb_path,
        }
        self._tell()

    def pull(self, board_id: str) -> None:
        Path(str(self._plugged.pop(board_id)["port"])).unlink()
        self._tell()
        self.boards[board_id].unplug()

    def _tell(self) -> None:
        fresh = self._ports_path.with_suffix(".new")
        fresh.write_text(json.dumps(list(self._plugged.values())), "utf-8")
        fresh.replace(self._ports_path)

    @staticmethod
    def wait(is_so: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + START_S
        while not is_so():
            assert time.monotonic() < deadline_s
            time.sleep(0.01)


@pytest.fixture
def run_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Start a bench: ``run_bench(behind_s, rate_hz, folder=…)``."""
    with contextlib.ExitStack() as benches:

        def run(behind_s: float, rate_hz: float = 1.0, folder: Path = tmp_path) -> Bench:
            return benches.enter_context(Bench(folder, behind_s, rate_hz))

        yield run


@pytest.fixture
def connect(show_window: Callable[..., MainWindow], tmp_path: Path) -> Iterator[Callable[[str], MainWindow]]:
    """Show a window of the size of a small screen, connected to a server."""
    links: list[ServerLink] = []

    def run(url: str) -> MainWindow:
        link = ServerLink(tmp_path / "caches")
        links.append(link)
        window = show_window(link)
        window.resize(1280, 800)
        window.connect_to(ServerAddress.parse(url))
        return window

    yield run
    for link in links:
        link.close()
