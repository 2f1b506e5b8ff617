"""A recording played on a real pseudo-terminal."""

import contextlib
import os
import sys
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from blitz.io.link import open_link
from blitz.io.recording import RecordingError, RecordingWriter
from blitz.io.replay_port import ReplayPort

DEADLINE_S = 30.0


@pytest.fixture
def port(tmp_path: Path) -> Iterator[ReplayPort]:
    port = ReplayPort(tmp_path / "device")
    yield port
    port.close()


def record(path: Path, contents: list[bytes], every_s: float) -> Path:
    with RecordingWriter(path, {}) as writer:
        for number, content in enumerate(contents):
            writer.add(5.0 + number * every_s, "rx", content)
            writer.add(5.0 + number * every_s, "tx", b"not played")
    return path


class Playing:
    """A recording that is played in a thread of its own."""

    def __init__(self, port: ReplayPort, path: Path, speed: float) -> None:
        self.reached_the_end: bool | None = None
        self._thread = threading.Thread(target=self._play, args=(port, path, speed))
        self._thread.start()

    def _play(self, port: ReplayPort, path: Path, speed: float) -> None:
        self.reached_the_end = port.play(path, speed)

    def wait(self) -> None:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


def read(port: ReplayPort, count: int) -> bytes:
    """Read as a program does that throws nothing away when it opens a port."""
    reader = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(reader, 0)
        received = b""
        while len(received) < count:
            os.write(reader, b"is ignored\n")
            received += os.read(reader, 65536)
        return received
    finally:
        os.close(reader)


def test_nothing_is_lost_as_fast_as_it_goes(port: ReplayPort, tmp_path: Path) -> None:
    contents = [os.urandom(997) for _ in range(1000)]
    playing = Playing(port, record(tmp_path / "run.jsonl", contents, 1.0), float("inf"))
    received = read(port, 997_000)
    playing.wait()
    assert received == b"".join(contents)
    assert playing.reached_the_end
    assert port.played_bytes == 997_000


def test_a_link_can_read_it(port: ReplayPort, tmp_path: Path) -> None:
    playing = Playing(port, record(tmp_path / "run.jsonl", [b"512,498\r\n"] * 50, 0.001), 1.0)
    link = open_link(port.path)
    received = b""
    deadline_s = time.monotonic() + DEADLINE_S
    while len(received) < 450 and time.monotonic() < deadline_s:
        received += link.read(1.0)
    playing.wait()
    link.close()
    assert received == b"512,498\r\n" * 50


def test_a_recording_takes_its_own_time(port: ReplayPort, tmp_path: Path) -> None:
    playing = Playing(port, record(tmp_path / "run.jsonl", [b"x"] * 11, 0.1), 2.0)
    begun_s = time.monotonic()
    assert read(port, 11) == b"x" * 11
    playing.wait()
    assert time.monotonic() - begun_s >= 0.5


def test_it_pauses_while_nobody_reads_and_goes_on_with_the_next_reader(port: ReplayPort, tmp_path: Path) -> None:
    playing = Playing(port, record(tmp_path / "run.jsonl", [b"a", b"b"], 1.0), 1.0)
    assert read(port, 1) == b"a"
    assert read(port, 1) == b"b"
    playing.wait()
    assert playing.reached_the_end


def test_it_can_be_stopped_before_anybody_reads(port: ReplayPort, tmp_path: Path) -> None:
    playing = Playing(port, record(tmp_path / "run.jsonl", [b"a"], 1.0), 1.0)
    port.stop()
    playing.wait()
    assert playing.reached_the_end is False


def test_a_signal_stops_it_at_whatever_moment_it_strikes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blitz.io.replay_port._LOOK_S", 0.001)
    monkeypatch.setattr("blitz.io.replay_port._SETTLE_S", 0.001)
    recording = record(tmp_path / "run.jsonl", [b"x"], 0.0)
    for moment in range(60):
        with contextlib.closing(ReplayPort()) as port:
            sys.settrace(_Signal(port, moment).strike)
            try:
                assert not port.play(recording)
            finally:
                sys.settrace(None)


class _Signal:
    """Stops a port between two lines of the thread that plays, as the handler of a signal does."""

    def __init__(self, port: ReplayPort, moment: int) -> None:
        self._port = port
        self._lines_left = moment

    def strike(self, frame: FrameType, event: str, argument: object) -> Any:
        if Path(frame.f_code.co_filename).name not in ("replay_port.py", "threading.py"):
            return None
        if event == "line":
            self._lines_left -= 1
            if self._lines_left < 0:
                sys.settrace(None)
                frame.f_trace = None
                self._port.stop()
                return None
        return self.strike


def test_the_link_is_gone_with_the_port(tmp_path: Path) -> None:
    port = ReplayPort(tmp_path / "device")
    assert (tmp_path / "device").exists()
    with pytest.raises(RecordingError, match="there is no such recording"):
        port.play(tmp_path / "none")
    port.close()
    assert not os.path.lexists(tmp_path / "device")
