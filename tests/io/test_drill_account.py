"""The drill's accounts find each kind of fault: without that a drill that passes would mean nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from blitz.data.blocks import MessageBlock, Read
from blitz.data.records import Gap, SessionRecord, Source
from blitz.io.drill_account import Bounds, Tally, tally
from blitz.io.drill_device import BOARD, lines, numbers_of

DEVICES = {0: ("printer1", Bounds(100, 110))}


def block_of(numbers: Sequence[int], first_seq: int = 0) -> MessageBlock:
    reads = [
        Read(1_000 + place, 0, lines(0, number, number + 1, 1000.0).split())
        for place, number in enumerate(numbers, first_seq)
    ]
    return MessageBlock.from_reads(7, first_seq, reads)


def found(stored: MessageBlock, *, shown: Sequence[MessageBlock] = (), gaps: Sequence[Gap] = ()) -> Tally:
    session = SessionRecord(
        id=7,
        started_at=datetime.now(UTC),
        message_count=len(stored),
        sources=(Source(index=0, name="printer1", link=""),),
        gaps=tuple(gaps),
    )
    return tally(session, stored, shown, DEVICES)


def gap(lost: int) -> Gap:
    return Gap(source=0, seq=3, from_ns=1, to_ns=2, reason="", lost=lost, is_exact=True)


def test_what_was_sent_and_is_stored_is_in_order() -> None:
    stored = block_of(range(100, 110))
    assert found(stored, shown=[stored.between(0, 4), stored.between(4, 10)]) == Tally(sent=10, stored=10)


@pytest.mark.parametrize("numbers", [[*range(100, 103), *range(105, 110)], range(102, 110), range(100, 108)])
def test_what_is_missing_and_in_no_gap_is_lost(numbers: Sequence[int]) -> None:
    outcome = found(block_of(numbers))
    assert (outcome.sent, outcome.stored, outcome.lost, outcome.missed) == (10, 8, 2, 0)
    assert "2 messages are missing" in outcome.problems[0]


def test_what_a_gap_states_is_missed_and_not_lost() -> None:
    outcome = found(block_of([*range(100, 103), *range(105, 110)]), gaps=[gap(2)])
    assert (outcome.lost, outcome.missed, outcome.problems) == (0, 2, [])


def test_a_gap_that_states_more_than_is_missing_is_told() -> None:
    outcome = found(block_of(range(100, 110)), gaps=[gap(3)])
    assert (outcome.lost, outcome.missed) == (0, 0)
    assert "its gaps say 3" in outcome.problems[0]


def test_doubled_and_disordered_messages_are_told() -> None:
    doubled = found(block_of([*range(100, 110), 109]))
    assert (doubled.doubled, doubled.lost) == (1, 0)
    assert "twice" in doubled.problems[0]
    disordered = found(block_of([100, 102, 101, *range(103, 110)]))
    assert (disordered.doubled, disordered.lost) == (0, 0)
    assert "not in order" in disordered.problems[0]


@pytest.mark.parametrize("shown", [block_of([103, 104], 4), block_of([110, 111], 10)])
def test_what_was_shown_and_is_not_stored_there_is_lost(shown: MessageBlock) -> None:
    outcome = found(block_of(range(100, 110)), shown=[shown])
    assert outcome.lost == 2
    assert "which were shown" in outcome.problems[0]


def test_a_message_that_nobody_sent_is_told() -> None:
    stored = MessageBlock.from_reads(
        7, 0, [Read(1, 0, lines(0, 100, 110, 1000.0).split()), Read(2, 0, [b"0ea0", b"\xff" * 28])]
    )
    assert any("2 messages that no device sent" in problem for problem in found(stored).problems)


def test_messages_tell_whose_they_are() -> None:
    printed = lines(3, 70_000, 70_001, 1000.0).strip()
    block = MessageBlock.from_reads(7, 0, [Read(1, 0, [printed, b"08a00000000000000000000000fff1", b""])])
    assert numbers_of(block.between(0, 1))[1].tolist() == [70_000]
    whose, numbers = numbers_of(MessageBlock.from_reads(7, 0, [Read(1, 0, [b"08a0000000000000000000000ff1", printed])]))
    assert whose.tolist() == [BOARD, 3]
    assert numbers.tolist() == [4351, 70_000]
