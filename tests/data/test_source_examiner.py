"""What the examination of a session's messages makes of numbers that no device should send."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format, StructType
from blitz.data.records import Source
from blitz.data.source_examiner import SourceExaminer

MS = 1_000_000


def block(messages: list[bytes], first_seq: int = 0) -> MessageBlock:
    begin_ns = 10**18 + first_seq * 10 * MS
    reads = [Read(begin_ns + number * 10 * MS, 0, [message]) for number, message in enumerate(messages)]
    return MessageBlock.from_reads(1, first_seq, reads)


def examiner_of(definition: BoardDefinition) -> SourceExaminer:
    return SourceExaminer(Source(index=0, name="d", link="pty", board_id=None, definition=definition))


@pytest.mark.parametrize(("kind", "size"), [("u8", 1), ("u16", 2), ("u32", 4), ("u64", 8), ("i64", 8)])
def test_messages_lost_are_counted_whatever_the_counters_width(kind: StructType, size: int) -> None:
    counter = Channel(name="n", offset=0, type=kind, counts_messages=True)
    examiner = examiner_of(BoardDefinition(id="d", name="D", format=Format.STRUCT, channels=(counter,)))
    sent = [number for number in range(100) if not 40 <= number < 47]
    gaps = examiner.examine(block([number.to_bytes(size, "little") for number in sent]))
    assert [(gap.seq, gap.lost) for gap in gaps] == [(40, 7)]


NUMBERS = st.sampled_from(
    [b"1", b"2", b"1e300", b"-1e300", b"1e18", b"9.3e18", b"nan", b"", b"4294967295", b"0", b"3.7"]
)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=60), st.sampled_from([0, 1 << 16, 1 << 32, 1 << 60]))
def test_no_numbers_whatsoever_make_the_examination_raise(rows: list[tuple[bytes, bytes]], wraps_at: int) -> None:
    counter = Channel(name="n", column=0, counts_messages=True)
    clock = Clock(column=1, unit="us", wraps_at=wraps_at)
    examiner = examiner_of(BoardDefinition(id="d", name="D", format=Format.COLUMNS, channels=(counter,), clock=clock))
    messages = [b",".join(row) for row in rows]
    for start in range(0, len(messages), 7):
        examiner.examine(block(messages[start : start + 7], start))
    examiner.close()
    assert np.all([gap.lost is None or gap.lost >= 0 for gap in examiner.gaps.all()])
