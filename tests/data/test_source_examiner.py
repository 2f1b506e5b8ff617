"""What the examination of a session's messages makes of numbers that no device should send."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format, StructType
from blitz.data.records import Account, Gap, Source
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


def numbered(*, has_clock: bool) -> SourceExaminer:
    counter = Channel(name="n", column=0, counts_messages=True)
    clock = Clock(column=1, unit="ms", wraps_at=None) if has_clock else None
    return examiner_of(BoardDefinition(id="d", name="D", format=Format.COLUMNS, channels=(counter,), clock=clock))


def send(examiner: SourceExaminer, first_seq: int, numbers: range, begin_ns: int) -> list[Gap]:
    """Send numbered messages every 10 ms, the clock of which began with the numbers."""
    reads = [
        Read(begin_ns + place * 10 * MS, 0, [b"%d,%d" % (number, number * 10)]) for place, number in enumerate(numbers)
    ]
    return examiner.examine(MessageBlock.from_reads(1, first_seq, reads))


BEGIN_NS = 10**18
BACK_NS = BEGIN_NS + 7000 * MS
"""A device that was there for 5 s, and away for 2 s."""
AWAY = Gap(source=0, seq=500, from_ns=BEGIN_NS + 4990 * MS, to_ns=BACK_NS, reason="unplugged")


@pytest.mark.parametrize("has_clock", [False, True])
@pytest.mark.parametrize("recovered", [0, 30])
def test_what_a_device_lost_that_began_anew_while_it_was_away_is_estimated(has_clock: bool, recovered: int) -> None:
    examiner = numbered(has_clock=has_clock)
    send(examiner, 0, range(1000, 1500), BEGIN_NS)
    examiner.gaps.add(AWAY.model_copy(update={"recovered": recovered}))
    send(examiner, 500, range(3, 100), BACK_NS)
    assert not examiner.complete(Account(source=0)).is_lost_exact, "it is not known yet"
    send(examiner, 597, range(100, 500), BACK_NS + 970 * MS)
    examiner.close()
    (gap,) = examiner.gaps.all()
    assert gap.lost == pytest.approx(200 - recovered, abs=2)
    assert not gap.is_exact
    account = examiner.complete(Account(source=0))
    assert (account.lost, account.is_lost_exact, account.gaps) == (gap.lost, False, 1)


def test_what_a_device_lost_that_went_on_counting_while_it_was_away_is_exact() -> None:
    examiner = numbered(has_clock=True)
    send(examiner, 0, range(1000, 1500), BEGIN_NS)
    examiner.gaps.add(AWAY)
    send(examiner, 500, range(1701, 2000), BACK_NS)
    examiner.close()
    assert [(gap.lost, gap.is_exact) for gap in examiner.gaps.all()] == [(201, True)]
    assert examiner.complete(Account(source=0)).is_lost_exact


def test_without_a_rate_nobody_knows_what_a_device_lost_that_began_anew() -> None:
    examiner = numbered(has_clock=False)
    reads = [Read(BEGIN_NS, 0, [b"%d,0" % number for number in (*range(1000, 1500), *range(400))])]
    examiner.gaps.add(AWAY)
    examiner.examine(MessageBlock.from_reads(1, 0, reads))
    examiner.close()
    assert [(gap.lost, gap.is_exact) for gap in examiner.gaps.all()] == [(None, False)]
    assert not examiner.complete(Account(source=0)).is_lost_exact


@pytest.mark.parametrize("has_clock", [False, True])
@pytest.mark.parametrize(("pause_ms", "lost"), [(10, None), (60, None), (1500, 149)])
def test_a_reset_that_no_link_saw_is_a_gap_if_it_took_time(has_clock: bool, pause_ms: int, lost: int | None) -> None:
    examiner = numbered(has_clock=has_clock)
    send(examiner, 0, range(1000, 1500), BEGIN_NS)
    told = send(examiner, 500, range(400), BEGIN_NS + (4990 + pause_ms) * MS)
    examiner.close()
    gaps = examiner.gaps.all()
    if lost is None:
        assert (gaps, told) == ([], [])
        assert examiner.complete(Account(source=0)).is_lost_exact
        return
    (gap,) = gaps
    assert told == gaps
    assert (gap.seq, gap.reason, gap.is_exact) == (500, "the device began anew", False)
    assert gap.lost == pytest.approx(lost, abs=2)
    assert not examiner.complete(Account(source=0)).is_lost_exact


def test_a_counter_that_outlives_the_devices_clock_shows_that_nothing_is_lost() -> None:
    examiner = numbered(has_clock=True)
    send(examiner, 0, range(1000, 1500), BEGIN_NS)
    reads = [Read(BACK_NS + number * 10 * MS, 0, [b"%d,%d" % (1500 + number, number * 10)]) for number in range(300)]
    examiner.gaps.add(AWAY)
    examiner.examine(MessageBlock.from_reads(1, 500, reads))
    examiner.close()
    assert [(gap.lost, gap.is_exact) for gap in examiner.gaps.all()] == [(0, True)]


def test_before_the_first_number_and_behind_the_last_none_tells_what_is_missing() -> None:
    examiner = numbered(has_clock=False)
    examiner.gaps.add(Gap(source=0, seq=0, from_ns=BEGIN_NS - 1000 * MS, to_ns=BEGIN_NS, reason="was not there"))
    send(examiner, 0, range(1000, 1500), BEGIN_NS)
    examiner.gaps.add(AWAY)
    examiner.close()
    assert [(gap.seq, gap.lost, gap.is_exact) for gap in examiner.gaps.all()] == [(0, 99, False), (500, 200, False)]
    assert not examiner.complete(Account(source=0)).is_lost_exact
