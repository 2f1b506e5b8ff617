"""Recordings: written, read, played back as a link."""

import json
import logging
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.errors import LinkError
from blitz.io.doctor_listening import hear_recording
from blitz.io.link import LinkEnded, open_link
from blitz.io.recording import Chunk, RecordingError, RecordingReader, RecordingWriter, bytes_received

BOARD08 = Path(__file__).parents[2] / "fixtures" / "captures" / "board08.jsonl"
DEADLINE_S = 20.0

chunks_of_a_recording = st.lists(
    st.builds(
        Chunk,
        st.integers(0, 10**9).map(lambda number: number / 1e6),
        st.sampled_from(["rx", "tx"]),
        st.binary(max_size=300),
    )
)


def write(path: Path, chunks: list[Chunk]) -> Path:
    with RecordingWriter(path, {"link": "/dev/ttyUSB0", "baud": 57600}, overwrite=True) as writer:
        for chunk in chunks:
            writer.add(*chunk)
    return path


def play(link: str) -> bytes:
    return b"".join(read_to_the_end(link, 1.0))


def read_to_the_end(link: str, timeout_s: float) -> list[bytes]:
    replay = open_link(link)
    received = []
    try:
        while True:
            received.append(replay.read(timeout_s))
    except LinkEnded:
        return received
    finally:
        replay.close()


@given(chunks_of_a_recording)
def test_what_is_written_is_read_again(tmp_path: Path, chunks: list[Chunk]) -> None:
    path = write(tmp_path / "run.jsonl", chunks)
    with RecordingReader(path) as reader:
        assert reader.header["baud"] == 57600
        assert reader.header["started_at"]
        assert list(reader) == chunks
    assert b"".join(chunk.content for chunk in bytes_received(path)) == play(f"replay:{path}?speed=max")


@given(chunks_of_a_recording, st.data())
def test_a_recording_that_is_cut_anywhere_gives_all_whole_lines(
    tmp_path: Path, chunks: list[Chunk], data: st.DataObject
) -> None:
    path = write(tmp_path / "run.jsonl", chunks)
    whole = path.read_bytes()
    header_end = whole.index(b"\n") + 1
    cut = data.draw(st.integers(header_end, len(whole)))
    path.write_bytes(whole[:cut])
    lines = whole[:cut].count(b"\n") - 1
    with RecordingReader(path) as reader:
        assert list(reader)[:lines] == chunks[:lines]
        assert reader.damaged_lines <= 1


def test_damage_is_told_once_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "run.jsonl", [Chunk(0.5, "rx", b"a"), Chunk(0.6, "rx", b"b")])
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second + b'{"hex": "5"}\n' + third + b'{"t_s": 0.7, "di')
    with caplog.at_level(logging.WARNING), RecordingReader(path) as reader:
        assert [chunk.content for chunk in reader] == [b"a", b"b"]
    assert reader.damaged_lines == 2
    assert [record.message for record in caplog.records] == [
        f"""{path} has a damaged line, which is left out: b'{{"hex": "5"}}\\n'"""
    ]


@pytest.mark.parametrize(
    "line",
    [
        b'{"t_s": %s, "dir": "rx", "hex": "32"}' % (b"1" * 400),
        b'{"t_s": NaN, "dir": "rx", "hex": "32"}',
        b'{"t_s": 1e999, "dir": "rx", "hex": "32"}',
        b"[" * 100_000,
    ],
    ids=["huge time", "no time", "infinite time", "deep"],
)
def test_an_edited_line_that_nothing_can_be_made_of_is_damaged(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "edited.jsonl"
    whole = b'{"t_s": 0.0, "dir": "rx", "hex": "31"}\n'
    path.write_bytes(whole + line + b"\n" + whole)
    with RecordingReader(path) as reader:
        assert [chunk.content for chunk in reader] == [b"1", b"1"]
    assert reader.damaged_lines == 1
    assert play(f"replay:{path}") == b"11"


def test_a_file_of_brackets_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(RecordingError, match="not a recording"):
        RecordingReader(path)
    assert hear_recording(path, {}).sample


def test_a_recording_without_a_header_is_read() -> None:
    with RecordingReader(BOARD08) as reader:
        assert reader.header == {}
        first = next(iter(reader))
    assert first == Chunk(1.5056, "tx", b"0081\n")


def test_what_is_written_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with RecordingWriter(path, {}) as writer:
        writer.add(0.0, "rx", b"x")
        writer.flush()
        assert [chunk.content for chunk in bytes_received(path)] == [b"x"]
        assert json.loads(path.read_bytes().splitlines()[1]) == {"t_s": 0.0, "dir": "rx", "hex": "78"}


def test_a_file_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", [])
    with pytest.raises(RecordingError, match=r"it exists already. Give another name, or --force."):
        RecordingWriter(path, {})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"512,498,730\n", "it is not a recording. `blitz record PORT FILE` makes one"),
        (b"", "it is not a recording"),
        (b"[1]\n", "it is not a recording"),
        (b'{"blitz_recording": 2}\n', "it was written by a newer Blitz"),
    ],
)
def test_what_is_no_recording_is_told(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(content)
    with pytest.raises(LinkError, match=f"^Cannot read {path}: {why}"):
        open_link(f"replay:{path}")


def test_a_recording_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"there is no such recording. Check the name."):
        open_link(f"replay:{tmp_path / 'none.jsonl'}")
    with pytest.raises(LinkError, match="is a directory"):
        open_link(f"replay:{tmp_path}")


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan"])
def test_a_speed_that_is_none_is_told(speed: str) -> None:
    with pytest.raises(LinkError, match=r"is no speed: give a factor above 0, such as 2 or 0.5, or max."):
        open_link(f"replay:{BOARD08}?speed={speed}")


def test_a_recording_is_played_at_its_own_speed_or_a_multiple_of_it(tmp_path: Path) -> None:
    chunks = [Chunk(7.0, "tx", b"?"), *(Chunk(10.0 + number / 5, "rx", b"%d\n" % number) for number in range(6))]
    path = write(tmp_path / "run.jsonl", chunks)
    for query, least_s in (("", 1.0), ("?speed=4", 0.25)):
        begun_s = time.monotonic()
        assert play(f"replay:{path}{query}") == b"0\n1\n2\n3\n4\n5\n"
        assert time.monotonic() - begun_s >= least_s


def test_a_replay_gives_nothing_before_its_time_and_can_be_woken(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", [Chunk(0.0, "rx", b"a"), Chunk(1000.0, "rx", b"b")])
    replay = open_link(f"replay:{path}")
    assert not replay.reopens
    assert replay.read(DEADLINE_S) == b"a"
    assert replay.read(0.0) == b""
    replay.write(b"ignored")
    timer = threading.Timer(0.05, replay.wake)
    timer.start()
    begun_s = time.monotonic()
    assert replay.read(100.0) == b""
    assert time.monotonic() - begun_s < 50
    timer.join()
    replay.close()


def test_a_long_recording_is_read_in_large_pieces_as_fast_as_it_goes(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", [Chunk(float(number), "rx", bytes(200)) for number in range(10_000)])
    sizes = [len(chunk) for chunk in read_to_the_end(f"replay:{path}?speed=max", 0.0)]
    assert sum(sizes) == 2_000_000
    assert max(sizes) < 66_000
    assert len(sizes) < 40
