"""Binary messages, held against the struct module."""

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import SessionDecoder
from blitz.data.records import Source
from blitz.data.struct_format import SIZES

CODES = {
    "u8": "B",
    "i8": "b",
    "u16": "H",
    "i16": "h",
    "u32": "I",
    "i32": "i",
    "u64": "Q",
    "i64": "q",
    "f32": "f",
    "f64": "d",
}


def board(*parts: tuple[str, int, str]) -> BoardDefinition:
    channels = [
        {"name": f"c{place}", "type": kind, "offset": offset} | ({"byte_order": order} if order else {})
        for place, (kind, offset, order) in enumerate(parts)
    ]
    return BoardDefinition.model_validate({"id": "any", "name": "any", "format": "struct", "channels": channels})


def decode(definition: BoardDefinition, messages: Sequence[bytes]) -> NDArray[np.float64]:
    source = Source(index=0, name="device", link="port", definition=definition)
    decoded = SessionDecoder([source]).decode(MessageBlock.from_reads(1, 0, [Read(5, 0, list(messages))]))
    return decoded[0].values if decoded else np.empty((0, len(definition.channels)))


def plain(message: bytes, kind: str, offset: int, order: str) -> float:
    part = message[offset : offset + SIZES[kind]]
    if kind in ("u24", "i24"):
        return int.from_bytes(part, "big" if order == "big" else "little", signed=kind == "i24")
    (number,) = struct.unpack((">" if order == "big" else "<") + CODES[kind], part)
    return float(number) if np.isfinite(number) else float("nan")


@given(
    parts=st.lists(
        st.tuples(st.sampled_from(sorted(SIZES)), st.integers(0, 9), st.sampled_from(["", "big", "little"])),
        min_size=1,
        max_size=5,
    ),
    messages=st.one_of(
        st.lists(st.binary(min_size=17, max_size=17), max_size=6), st.lists(st.binary(max_size=24), max_size=6)
    ),
)
def test_any_type_is_read_wherever_it_stands(parts: list[tuple[str, int, str]], messages: list[bytes]) -> None:
    needed = max(offset + SIZES[kind] for kind, offset, _ in parts)
    nothing = [float("nan")] * len(parts)
    expected = [
        [plain(message, *part) for part in parts] if len(message) >= needed else nothing for message in messages
    ]
    values = decode(board(*parts), messages)
    assert np.array_equal(values, np.array(expected).reshape(len(messages), len(parts)), equal_nan=True)


def test_a_message_that_is_too_short_is_a_row_of_nan() -> None:
    values = decode(
        board(("u8", 0, ""), ("u16", 2, "")), [b"\x01\x02\x03\x04", b"\x01\x02\x03", b"", b"\x05\0\x06\0more"]
    )
    assert np.isnan(values).all(axis=1).tolist() == [False, True, True, False]
    assert values[3].tolist() == [5, 6]


def test_three_bytes_keep_their_sign() -> None:
    values = decode(board(("i24", 0, ""), ("i24", 0, "big"), ("u24", 0, "")), [b"\xff\xff\xff", b"\x00\x00\x80"])
    assert values.tolist() == [[-1, -1, 0xFFFFFF], [-0x800000, 0x80, 0x800000]]


def test_a_definition_without_channels_decodes_to_rows_of_nothing() -> None:
    assert decode(board(), [b"123", b""]).shape == (2, 0)


def test_the_place_must_be_complete() -> None:
    with pytest.raises(ValueError, match="channel 'a' needs offset and type"):
        BoardDefinition.model_validate(
            {"id": "any", "name": "any", "format": "struct", "channels": [{"name": "a", "type": "u8"}]}
        )
