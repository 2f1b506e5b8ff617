"""Redis' replies as Arrow arrays: exactly what hiredis reads, whatever the messages have in them."""

import itertools
from random import Random

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.bulk_replies import parse_array, parse_arrays

_NASTY = st.sampled_from([b"\r\n$3\r\nabc", b"$1\r\n", b"\r\n$", b"\r\n", b"*1\r\n", b"$-1\r\n", b""])
_MESSAGES = st.lists(st.one_of(st.binary(max_size=12), _NASTY, st.binary(min_size=95, max_size=110)), max_size=40)


def reply_of(messages: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(messages) + b"".join(b"$%d\r\n%s\r\n" % (len(message), message) for message in messages)


@given(_MESSAGES)
def test_any_messages_are_read_as_they_are(messages: list[bytes]) -> None:
    assert parse_array(reply_of(messages)).to_pylist() == messages


@given(st.integers(0, 300), st.integers(0, 130), st.binary(min_size=1, max_size=1))
def test_messages_of_one_length_are_read_as_they_are(count: int, length: int, byte: bytes) -> None:
    messages = [byte * length] * count
    assert parse_array(memoryview(bytearray(reply_of(messages)))).to_pylist() == messages


def together(replies: list[bytes]) -> tuple[bytes, list[int]]:
    return b"".join(replies), list(itertools.accumulate(map(len, replies)))


@given(st.lists(_MESSAGES, min_size=1, max_size=5))
def test_replies_that_stand_end_to_end_are_read_as_they_are(lists: list[list[bytes]]) -> None:
    content, ends = together(list(map(reply_of, lists)))
    assert parse_arrays(content, ends).to_pylist() == [message for messages in lists for message in messages]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.integers(0, 30), st.randoms(use_true_random=False))
def test_replies_of_messages_of_one_length_are_read_as_they_are(counts: list[int], length: int, random: Random) -> None:
    lists = [[random.randbytes(length) for _ in range(count)] for count in counts]
    content, ends = together(list(map(reply_of, lists)))
    assert parse_arrays(memoryview(bytearray(content)), ends).to_pylist() == [each for part in lists for each in part]


@pytest.mark.parametrize("counts", [[5, 5, 5, 2], [5, 0, 5, 5], [5, 5, 0, 5], [0, 5, 5, 7, 7, 7, 5]])
def test_replies_of_equal_size_are_read_together_wherever_they_stand(counts: list[int]) -> None:
    lists = [[b"%d %02d" % (number, place) for place in range(count)] for number, count in enumerate(counts)]
    content, ends = together(list(map(reply_of, lists)))
    assert parse_arrays(content, ends).to_pylist() == [each for part in lists for each in part]
    bent = bytearray(content)
    bent[content.rindex(b"$")] = ord("%")
    with pytest.raises((ValueError, hiredis.HiredisError)):
        parse_arrays(bent, ends)


def test_an_error_among_other_replies_is_raised() -> None:
    content, ends = together([reply_of([b"abc"]), b"-WRONGTYPE not a list\r\n", reply_of([b"def"])])
    with pytest.raises(hiredis.ReplyError, match="WRONGTYPE"):
        parse_arrays(content, ends)


def test_a_message_that_looks_like_the_next_reply_does_not_shift_the_rest() -> None:
    lists = [[b"abc", b"\r\n*1\r\n$3\r\nxyz\r\n"], [b"def", b"*2\r\n"]]
    content, ends = together(list(map(reply_of, lists)))
    assert parse_arrays(content, ends).to_pylist() == lists[0] + lists[1]


def test_a_message_that_looks_like_the_next_one_does_not_shift_the_rest() -> None:
    messages = [b"a" * 5, b"\r\n$5\r\nbbbbb\r\n", b"c" * 5]
    assert parse_array(reply_of(messages)).to_pylist() == messages


def test_an_error_of_redis_is_raised() -> None:
    with pytest.raises(hiredis.ReplyError, match="WRONGTYPE"):
        parse_array(b"-WRONGTYPE not a list\r\n")


def test_another_reply_is_refused() -> None:
    with pytest.raises(ValueError, match="no list"):
        parse_array(b":5\r\n")
