"""JSON objects: parsed many at once, and the same as one by one."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import SessionDecoder
from blitz.data.json_format import _BETWEEN
from blitz.data.records import Source

NAN = float("nan")
KEYS = ["a", "b", "imu.x", "imu.v.1", "v.0", "v.1.a"]


def decode(keys: Sequence[str], messages: Sequence[bytes]) -> NDArray[np.float64]:
    channels = [{"name": f"c{place}", "column": key} for place, key in enumerate(keys)]
    definition = BoardDefinition.model_validate({"id": "any", "name": "any", "format": "json", "channels": channels})
    source = Source(index=0, name="device", link="port", definition=definition)
    decoded = SessionDecoder([source]).decode(MessageBlock.from_reads(1, 0, [Read(5, 0, list(messages))]))
    return decoded[0].values if decoded else np.empty((0, len(keys)))


def test_keys_reach_into_objects_and_arrays() -> None:
    message = b'{"a": 1, "imu": {"x": -2.5, "v": [3, 4e1]}, "v": [5, {"a": 6}], "more": "text"}'
    expected = [[1, NAN, -2.5, 40, 5, 6]] * 2
    assert np.array_equal(decode(KEYS, [message, message]), expected, equal_nan=True)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("true", 1),
        ("false", 0),
        ("null", NAN),
        ('"21.5"', 21.5),
        ('"1_000"', NAN),
        ('"１"', NAN),
        ('"warm"', NAN),
        ("[1]", NAN),
        ("{}", NAN),
        ("NaN", NAN),
        ("-Infinity", NAN),
        ("1e999", NAN),
        ("9" * 400, NAN),
        ("9" * 5000, NAN),
        ("123456789012345678901234567890", 123456789012345678901234567890.0),
    ],
)
def test_whatever_stands_there_becomes_a_number_or_nan(value: str, number: float) -> None:
    for messages in ([f'{{"a":{value}}}'.encode()], [f'{{"a":{value}}}'.encode(), b'{"a":1}']):
        values = decode(["a"], messages)
        assert np.array_equal(values[:1, 0], [number], equal_nan=True)


def test_a_whole_key_with_dots_counts_where_nothing_lies_within() -> None:
    messages = [b'{"imu.x": 1}', b'{"imu": {"x": 2}}', b'{"imu": {"y": 3}, "imu.x": 4}', b'{"imu": 5}']
    assert np.array_equal(decode(["imu.x"], messages).ravel(), [1, 2, 4, NAN], equal_nan=True)


def test_a_message_that_is_no_object_is_a_row_of_nan_and_harms_no_other() -> None:
    odd = [
        b"ready",
        b"[1]",
        b"7",
        b"",
        b"{",
        b'{"a":}',
        b"\xff",
        b"\x00",
        b"[" * 100_000,
        b'{"a":1}{"a":2}',
        b'{"a":1},{}',
    ]
    messages = [line for broken in odd for line in (b'{"a":1}', broken)]
    values = decode(["a"], messages).ravel()
    assert values[::2].tolist() == [1] * len(odd)
    assert np.isnan(values[1::2]).all()


def test_text_in_latin_1_beside_is_no_hindrance() -> None:
    assert decode(
        ["a"], ['{"unit":"°C","a":1}'.encode("latin-1"), '{"unit":"°C","a":2}'.encode()]
    ).ravel().tolist() == [1, 2]


def test_a_large_block_gives_what_its_parts_give() -> None:
    messages = [b'{"a":%d,"v":[%d,{"a":2}]}' % (number, -number) for number in range(1000)]
    messages[300:302] = [b"hello", b'{"a":']
    values = decode(KEYS, messages)
    parts = [decode(KEYS, messages[at : at + 1]) for at in range(1000)]
    assert np.array_equal(values, np.concatenate(parts), equal_nan=True)
    assert values[999, [0, 4, 5]].tolist() == [999, -999, 2]


def _messages() -> st.SearchStrategy[bytes]:
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(["1", "x", "-1e3"]))
    names = st.sampled_from(["a", "b", "v", "x", "imu", "imu.x", "0", "1"])
    values: st.SearchStrategy[Any] = st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
        max_leaves=6,
    )
    whole = st.one_of(st.dictionaries(names, values, max_size=4), values).map(lambda value: json.dumps(value).encode())
    cut = st.tuples(whole, st.integers(0, 40)).map(lambda pair: pair[0][pair[1] :])
    pieces = [
        b"{}",
        b'{"a":1}',
        b"{}," + b"{}",
        b'{"a":[1',
        b"2]}",
        b"{}" + _BETWEEN + b"{}",
        _BETWEEN,
        b"{},5",
        b'{"a":',
    ]
    return st.one_of(
        whole, whole, whole, cut, whole.map(lambda text: text[:-1]), st.sampled_from(pieces), st.binary(max_size=8)
    )


@given(messages=st.lists(_messages(), max_size=8), keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=3))
@example(messages=[b'{"a":[1', b"2]}", b"{},0,{}"], keys=["a"])
@example(messages=[b'{"a":1', b'"b":2}', b"{},{}"], keys=["a"])
@example(messages=[b"{},0,{}", b'{"a":[1', b"2]}"], keys=["a"])
@example(messages=[b'{"a":1}', b'{"a":1},5'], keys=["a"])
def test_many_messages_at_once_are_read_as_one_by_one(messages: list[bytes], keys: list[str]) -> None:
    together = decode(keys, messages)
    for message, row in zip(messages, together, strict=True):
        assert np.array_equal(decode(keys, [message])[0], row, equal_nan=True)
        try:
            parsed = json.loads(message.decode())
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict) and b"\xff" not in message:
            assert np.isnan(row).all() or not message.isascii()
