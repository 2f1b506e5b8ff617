"""A recording of a real board program, replayed as the board's side."""

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.blocks import MessageBlock, Read
from blitz.data.boards import Readings, SessionDecoder, load_definitions
from blitz.data.records import Source
from blitz.io.framing import LineFraming
from blitz.io.protocol import LineKind, ParsedLine, classify, parse_status

RECORDING = Path(__file__).parents[2] / "fixtures" / "captures" / "board08.jsonl"


class Chunk(NamedTuple):
    at_s: float
    direction: str
    content: bytes


def recorded() -> list[Chunk]:
    rows = [json.loads(line) for line in RECORDING.read_text().splitlines()]
    return [Chunk(row["t_s"], row["dir"], bytes.fromhex(row["hex"])) for row in rows]


RECEIVED = [chunk for chunk in recorded() if chunk.direction == "rx"]
STREAM = b"".join(chunk.content for chunk in RECEIVED)
LINES = STREAM.replace(b"\r\n", b"\n").split(b"\n")[:-1]


def lines_of(chunks: list[bytes]) -> list[bytes]:
    framing = LineFraming()
    lines = [line for chunk in chunks for line in framing.feed(chunk)]
    assert framing.pending == b""
    assert framing.bad_count == 0
    return lines


def test_the_recorded_reads_give_the_lines_that_the_board_sent() -> None:
    lines = lines_of([chunk.content for chunk in RECEIVED])
    assert lines == LINES
    assert lines[:3] == [b"0882", b"0866", b"0840"]


def test_every_recorded_line_is_one_of_the_protocol() -> None:
    parsed = [classify(line) for line in LINES]
    assert {line.board_id for line in parsed} == {"08"}
    assert Counter(line.kind for line in parsed) == {
        LineKind.DATA: 44,
        LineKind.ACK: 45,
        LineKind.ERROR: 7,
        LineKind.SHORT: 1,
    }
    assert Counter(line.code for line in parsed if line.kind is LineKind.ERROR) == {0x61: 2, 0x62: 2, 0x65: 1, 0x66: 2}


def test_the_recorded_stream_gives_the_same_lines_whole_and_byte_by_byte() -> None:
    assert lines_of([STREAM]) == LINES
    assert lines_of([bytes([byte]) for byte in STREAM]) == LINES


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_the_recorded_stream_gives_the_same_lines_cut_anywhere(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(STREAM)]
    assert lines_of([STREAM[a:b] for a, b in itertools.pairwise(bounds)]) == LINES


def test_the_answer_to_the_status_request_tells_that_the_board_logs() -> None:
    chunks = recorded()
    asked = next(place for place, chunk in enumerate(chunks) if chunk.content == b"0883\n")
    answer = lines_of([chunk.content for chunk in chunks[asked + 1 :] if chunk.direction == "rx"])[0]
    assert parse_status(answer) == (True, 12, 12)


def test_the_recording_is_decoded_to_12_bit_values_in_three_channels_at_rising_times() -> None:
    readings = decoded()
    assert len(readings) == 43
    by_name = dict(zip([channel.name for channel in readings.channels], readings.values.T, strict=True))
    for name in ("adc_channel_one", "adc_channel_two", "adc_channel_three"):
        values = by_name[name]
        assert (values == np.round(values)).all()
        assert ((values >= 0) & (values < 4096)).all()
        assert len(set(values)) > 30
    assert not by_name["adc_channel_four"].any()
    assert by_name["adc_channel_one"][:3].tolist() == [0x195, 0x1B7, 0x1D9]
    assert (np.diff(readings.time_ns) > 0).all()
    seconds = np.diff(readings.time_ns) / 1e9
    assert np.median(seconds) == np.float64(1.101)


def decoded() -> Readings:
    """Replay the recording through framing, a session's block and the decoder, as a server and a client would."""
    framing = LineFraming()
    reads = []
    is_status_awaited = False
    for chunk in recorded():
        if chunk.direction == "tx":
            is_status_awaited = chunk.content == b"0883\n"
            continue
        messages = []
        for line in framing.feed(chunk.content):
            if is_message(classify(line)) and not is_status_awaited:
                messages.append(line)
            is_status_awaited = False
        reads.append(Read(1_700_000_000_000_000_000 + round(chunk.at_s * 1e9), 0, messages))
    source = Source(index=0, name="replay", link="recording", board_id="08", definition=load_definitions()["08"])
    (readings,) = SessionDecoder([source]).decode(MessageBlock.from_reads(1, 0, reads))
    return readings


def is_message(line: ParsedLine) -> bool:
    return line.kind is LineKind.DATA
