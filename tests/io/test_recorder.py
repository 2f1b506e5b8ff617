"""Recording a link, over a real pseudo-terminal."""

import os
import pty
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from blitz.errors import LinkError
from blitz.io.link import Link, open_link
from blitz.io.recorder import Progress, record_link
from blitz.io.recording import Chunk, RecordingReader, RecordingWriter

DEADLINE_S = 20.0


@pytest.fixture
def ends() -> Iterator[tuple[Link, int]]:
    """Give a link, and the device's end of it."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    link = open_link(os.ttyname(slave))
    os.close(slave)
    yield link, master
    link.close()
    os.close(master)


def test_what_comes_is_recorded_and_nothing_is_sent_unasked(ends: tuple[Link, int], tmp_path: Path) -> None:
    link, master = ends
    seen: list[Progress] = []
    os.write(master, b"512,498\r\n")
    with RecordingWriter(tmp_path / "run.jsonl", {}) as writer:
        end = record_link(link, writer, is_over=lambda: writer.received_bytes >= 9, progress=seen.append)
    assert end.received_bytes == 9
    assert seen[0].received_bytes == 0
    with RecordingReader(tmp_path / "run.jsonl") as reader:
        assert b"".join(chunk.content for chunk in reader if chunk.direction == "rx") == b"512,498\r\n"
    os.set_blocking(master, False)
    with pytest.raises(BlockingIOError):
        os.read(master, 1)


def test_what_is_to_be_sent_is_sent_and_recorded(ends: tuple[Link, int], tmp_path: Path) -> None:
    link, master = ends
    with RecordingWriter(tmp_path / "run.jsonl", {}) as writer:
        record_link(link, writer, sends=[b"0081\n"], seconds=0.05)
    assert os.read(master, 100) == b"0081\n"
    with RecordingReader(tmp_path / "run.jsonl") as reader:
        (chunk,) = reader
    assert chunk[1:] == Chunk(0, "tx", b"0081\n")[1:]


def test_the_file_is_whole_when_the_device_goes_away(ends: tuple[Link, int], tmp_path: Path) -> None:
    link, master = ends
    os.write(master, b"x")
    writer = RecordingWriter(tmp_path / "run.jsonl", {})

    def pull(progress: Progress) -> None:
        if progress.received_bytes:
            with open(os.devnull, "rb") as nothing:
                os.dup2(nothing.fileno(), master)

    with pytest.raises(LinkError, match="unplugged"):
        record_link(link, writer, seconds=DEADLINE_S, progress=pull)
    with RecordingReader(tmp_path / "run.jsonl") as reader:
        assert [chunk.content for chunk in reader] == [b"x"]
    writer.close()
