"""Going on with a session: how far back it is looked, and that nothing is counted twice for being looked at twice."""

from datetime import UTC, datetime

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.records import Gap, SessionRecord, Source
from blitz.data.source_examiner import SourceExaminer
from blitz.io.drill_device import DEFINITION, lines
from blitz.io.resume import EXAMINED_AT_MOST, Resumption

SOURCE = Source(index=0, name="printer1", link="", definition=BoardDefinition.model_validate(DEFINITION))


def session(message_count: int, *gaps: Gap) -> SessionRecord:
    return SessionRecord(id=1, started_at=datetime.now(UTC), message_count=message_count, sources=(SOURCE,), gaps=gaps)


def gap(seq: int, source: int = 0) -> Gap:
    return Gap(source=source, seq=seq, from_ns=seq, to_ns=seq + 1, reason="", lost=5, is_exact=True)


def test_it_is_looked_back_to_some_messages_of_each_source_but_not_for_ever() -> None:
    reads = [(0, 1, 2, 10), (500_000, 2, 1, 100), (500_100, 3, 0, 400_000)]
    seldom = Resumption.of(session(900_100), {}, reads)
    assert seldom.examined_from == 900_100 - EXAMINED_AT_MOST
    assert Resumption.of(session(900_100), {}, reads[1:]).examined_from == 500_000
    assert seldom.seen_from == {1: 500_000, 0: 500_100}


def test_it_is_looked_back_behind_a_gap_that_the_earlier_server_had_not_examined() -> None:
    reads = [(seq, 1, seq // 100 % 2, 100) for seq in range(0, 60_000, 100)]
    unknown = gap(20_050, source=1).model_copy(update={"lost": None})
    assert Resumption.of(session(60_000), {}, reads).examined_from == 55_904
    assert Resumption.of(session(60_000, unknown), {}, reads).examined_from == 15_954


def test_what_is_missing_in_a_gap_is_open_again_where_it_will_be_found_again() -> None:
    record = session(10_000, gap(8_000), gap(9_000), gap(8_000, source=1))
    resumption = Resumption.of(record, {}, [(5_500, 1, 0, 500), (8_500, 1, 0, 400), (8_900, 1, 0, 1_100)])
    assert [(one.seq, one.lost) for one in resumption.gaps()] == [(8_000, None), (9_000, None), (8_000, 5)]


def test_a_hole_that_is_seen_again_after_a_restart_is_counted_once() -> None:
    numbers = [*range(100), *range(150, 300)]
    reads = [Read(1_000 * number, 0, lines(0, number, number + 1, 1000.0).split()) for number in numbers]
    block = MessageBlock.from_reads(1, 0, reads)
    (found,) = SourceExaminer(SOURCE).examine(block)
    assert (found.lost, found.seq) == (50, 100)
    entries = [(seq, read.arrived_ns, 0, 1) for seq, read in enumerate(reads)]
    again = SourceExaminer(SOURCE)
    for known in Resumption.of(session(len(block), found), {}, entries).gaps():
        again.gaps.add(known)
    again.examine(block)
    again.close()
    assert [(one.lost, one.is_exact) for one in again.gaps.all()] == [(50, True)]
