import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from blitz.io.framing import LineFraming

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


def test_empty_lines_are_dropped() -> None:
    assert LineFraming().feed(b"\r\n\n\n0840\r\n\r\n") == [b"0840"]


def test_framing_drops_an_overlong_line_and_recovers() -> None:
    framing = LineFraming(limit_bytes=10)
    assert framing.feed(b"12345678901") == []
    assert framing.pending == b""
    assert framing.feed(b"still the same line") == []
    assert framing.feed(b" and its end\r\n0840\r\n") == [b"0840"]
    assert framing.bad_count == 1
    assert list(framing.bad_frames) == [b"1234567890"]


def test_an_overlong_line_in_the_middle_of_a_chunk_is_dropped() -> None:
    framing = LineFraming(limit_bytes=4)
    assert framing.feed(b"0840\n12345\n0866\n") == [b"0840", b"0866"]
    assert list(framing.bad_frames) == [b"1234"]


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
    assert list(framing.bad_frames) == [LINE[:11]]


def test_reset_forgets_that_an_overlong_line_was_being_skipped() -> None:
    framing = LineFraming(limit_bytes=4)
    framing.feed(b"12345")
    framing.reset()
    assert framing.feed(b"0840\r\n") == [b"0840"]
    assert framing.bad_count == 1


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
        assert list(framing.bad_frames) == [x[:12] for x in expected if len(x) > 12]
        assert framing.pending == b""
