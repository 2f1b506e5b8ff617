import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.io.checksums import Checksum
from blitz.io.line_framing import DelimitedFraming, LineFraming

LINE = b"08ff00000c801951951950000000"


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in itertools.pairwise(bounds)]


def test_lines_come_out_whole_and_in_order() -> None:
    framing = LineFraming()
    assert framing.feed(b"one\r\ntwo\nthree\rfour") == [b"one", b"two", b"three"]
    assert framing.pending == b"four"
    assert framing.feed(b"teen\r") == [b"fourteen"]
    assert framing.feed(b"\n") == []
    assert framing.bad_count == 0
    assert framing.discarded["line endings"] == 6


def test_empty_lines_are_dropped() -> None:
    framing = LineFraming()
    assert framing.feed(b"\r\n\n\n0840\r\n\r\n") == [b"0840"]
    assert framing.discarded["line endings"] == 8


def test_framing_drops_an_overlong_line_and_recovers() -> None:
    framing = LineFraming(limit_bytes=10)
    assert framing.feed(b"12345678901") == []
    assert framing.pending == b""
    assert framing.feed(b"still the same line") == []
    assert framing.feed(b" and its end\r\n0840\r\n") == [b"0840"]
    assert framing.bad_count == 1
    assert list(framing.bad_frames) == [(b"1234567890", "longer than 10 bytes")]
    assert framing.bad_bytes == 10
    assert framing.discarded["over-long"] == len(b"1still the same line and its end")


def test_an_overlong_line_in_the_middle_of_a_chunk_is_dropped() -> None:
    framing = LineFraming(limit_bytes=4)
    assert framing.feed(b"0840\n12345\n0866\n") == [b"0840", b"0866"]
    assert list(framing.bad_frames) == [(b"1234", "longer than 4 bytes")]


def test_only_the_last_bad_frames_are_kept_but_all_are_counted() -> None:
    framing = LineFraming(limit_bytes=4)
    framing.feed(b"".join(b"line %d\n" % n for n in range(250)))
    assert framing.bad_count == 250
    assert len(framing.bad_frames) == 100


def test_reset_makes_an_unfinished_line_a_bad_frame() -> None:
    framing = LineFraming()
    framing.feed(LINE + b"\r\n" + LINE[:11])
    framing.reset()
    assert framing.feed(LINE + b"\r\n") == [LINE]
    assert framing.bad_count == 1
    assert list(framing.bad_frames) == [(LINE[:11], "unfinished when the link was lost")]


def test_reset_forgets_that_an_overlong_line_was_being_skipped() -> None:
    framing = LineFraming(limit_bytes=4)
    framing.feed(b"12345")
    framing.reset()
    assert framing.feed(b"0840\r\n") == [b"0840"]
    assert framing.bad_count == 1


def test_a_line_that_turns_out_to_mean_nothing_is_kept_with_its_reason() -> None:
    framing = LineFraming()
    framing.keep_bad(b"?", "not a line of the Blitz protocol")
    framing.keep_bad(b"??")
    assert list(framing.bad_frames) == [(b"?", "not a line of the Blitz protocol"), (b"??", "means nothing")]
    assert (framing.bad_count, framing.bad_bytes) == (2, 3)


@given(
    lines=st.lists(st.binary(max_size=20), max_size=20),
    endings=st.lists(st.sampled_from([b"\r\n", b"\n", b"\r"]), min_size=20, max_size=20),
    places=st.lists(st.integers(0, 1000), max_size=10),
)
def test_any_stream_gives_the_same_lines_however_it_is_cut(
    lines: list[bytes], endings: list[bytes], places: list[int]
) -> None:
    stream = b"".join(line + ending for line, ending in zip(lines, endings, strict=False))
    expected = [line for line in re.split(rb"[\r\n]", stream) if line]
    for chunks in ([stream], cut(stream, places), [bytes([byte]) for byte in stream]):
        framing = LineFraming(limit_bytes=12)
        assert [line for chunk in chunks for line in framing.feed(chunk)] == [x for x in expected if len(x) <= 12]
        assert [bad.raw for bad in framing.bad_frames] == [x[:12] for x in expected if len(x) > 12]
        assert framing.pending == b""


@given(
    delimiter=st.sampled_from([b";", b"\r\n", b"aab", b"aa", b"abab"]),
    pieces=st.lists(
        st.sampled_from([b"a", b"b", b"aa", b"ab", b"aab", b"\r", b"\n", b"\r\n", b";", b"x" * 9]), max_size=30
    ),
    places=st.lists(st.integers(0, 1000), max_size=10),
)
def test_any_delimiter_gives_the_same_frames_however_the_stream_is_cut(
    delimiter: bytes, pieces: list[bytes], places: list[int]
) -> None:
    stream = b"".join(pieces)
    *expected, rest = stream.split(delimiter)
    expected = [frame for frame in expected if frame]
    for chunks in ([stream], cut(stream, places), [bytes([byte]) for byte in stream]):
        framing = DelimitedFraming(delimiter, limit_bytes=12)
        assert [x for chunk in chunks for x in framing.feed(chunk)] == [x for x in expected if len(x) <= 12]
        framing.reset()
        bad = [x for x in expected if len(x) > 12] + ([rest] if rest else [])
        assert [bad.raw for bad in framing.bad_frames] == [x[:12] for x in bad][-100:]
        assert framing.bad_bytes == sum(min(len(x), 12) for x in bad)
        assert framing.discarded["over-long"] == sum(max(0, len(x) - 12) for x in bad)


def test_a_delimiter_in_two_reads_ends_an_overlong_frame() -> None:
    framing = DelimitedFraming(b"\r\n", limit_bytes=4)
    assert framing.feed(b"12345678\r") == []
    assert framing.feed(b"\n0840\r\n") == [b"0840"]
    assert framing.discarded["over-long"] == 4
    assert framing.feed(b"0840\r") == []
    assert framing.feed(b"\n") == [b"0840"]
    assert framing.bad_count == 1


def test_a_lost_link_shows_that_an_unfinished_frame_was_overlong() -> None:
    framing = DelimitedFraming(b"\r\n", limit_bytes=4)
    framing.feed(b"12345")
    framing.reset()
    assert list(framing.bad_frames) == [(b"1234", "longer than 4 bytes")]
    assert (framing.bad_bytes, framing.discarded["over-long"]) == (4, 1)


@pytest.mark.parametrize(
    "framing", [LineFraming(checksum=Checksum("XOR-8")), DelimitedFraming(b"\n", 99, Checksum("XOR"))]
)
def test_lines_may_end_with_a_binary_checksum(framing: LineFraming | DelimitedFraming) -> None:
    assert framing.feed(b"13\x02\n13\x03\n13\x02\n") == [b"13", b"13"]
    assert list(framing.bad_frames) == [(b"13\x03", "checksum is 03, expected 02")]
    assert framing.discarded["checksums"] == 2


SENTENCE = b"GPGLL,5300.97914,N,00259.98174,E,125926,A"


@pytest.mark.parametrize(
    "framing", [LineFraming(checksum=Checksum("NMEA")), DelimitedFraming(b"\r\n", 99, Checksum("NMEA"))]
)
def test_a_sentence_of_nmea_is_what_stands_between_dollar_and_star(framing: LineFraming | DelimitedFraming) -> None:
    stream = b"$%b*28\r\n!%b*28\r\n$PA*11\r\n$PA*1\r\nPA*11\r\n$PA\r\n$PB*12\r\n" % (SENTENCE, SENTENCE)
    assert framing.feed(stream) == [SENTENCE, SENTENCE, b"PA", b"PB"]
    assert list(framing.bad_frames) == [
        (b"$PA*1", "no checksum at the end"),
        (b"PA*11", "not a sentence of NMEA: it has no $"),
        (b"$PA", "only 2 bytes, too short for its checksum"),
    ]
    assert (framing.discarded["start pattern and length"], framing.discarded["checksums"]) == (4, 12)


def test_noise_before_a_sentence_costs_no_sentence() -> None:
    framing = LineFraming(checksum=Checksum("NMEA"))
    assert framing.feed(b"\x00$GPG$PA*11\r\n$pa*aa\r\n$PA*12\r\n") == [b"PA"]
    assert [bad.reason for bad in framing.bad_frames] == [
        "before the $ of a sentence of NMEA",
        "checksum is AA, expected 11",
        "checksum is 12, expected 11",
    ]
    assert framing.feed(b"$J*4a\r\n$J*4A\r\n") == [b"J", b"J"]
