"""What the console keeps and finds, without a window."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QAbstractItemModelTester

from blitz.data.blocks import MessageBlock, Read
from blitz.data.records import Source
from blitz.ui.message_pattern import MessagePattern, PatternError, PatternKind
from blitz.ui.models.console_lines import BOARD, HEX, SEQ, TEXT, TIME, ConsoleModel, visible_text
from blitz.ui.raw_messages import Kind, RawRing

START_NS = 1_772_366_400_000_000_000


def make_block(first: int, *raw: bytes, source: int = 0, session: int = 7) -> MessageBlock:
    return MessageBlock.from_reads(session, first, [Read(START_NS + first * 1_000_000, source, list(raw))], "store")


@pytest.fixture
def sources(make: Any) -> tuple[Source, ...]:
    return (make.source(0), make.source(1, "09"))


def texts(model: ConsoleModel, column: int = TEXT) -> list[str]:
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_the_ring_keeps_the_newest_messages_and_no_more(sources: tuple[Source, ...]) -> None:
    ring = RawRing(most_messages=2500)
    for first in range(0, 10_000, 100):
        ring.add(make_block(first, *(b"%d" % seq for seq in range(first, first + 100))), sources)
    assert len(ring) == 2500
    snapshot = ring.snapshot()
    assert (snapshot.first_row, snapshot.next_row) == (7500, 10_000)
    assert [snapshot.line(row).raw for row in (7500, 8765, 9999)] == [b"7500", b"8765", b"9999"]
    assert len(snapshot.parts) <= 4
    with pytest.raises(IndexError):
        snapshot.line(7499)
    ring.resize(10)
    assert [ring.snapshot().line(row).seq for row in range(9990, 10_000)] == list(range(9990, 10_000))


def test_the_ring_is_bounded_by_bytes_too(sources: tuple[Source, ...]) -> None:
    ring = RawRing(most_bytes=100_000)
    for first in range(0, 400, 10):
        ring.add(make_block(first, *[bytes(5000)] * 10), sources)
        assert ring.byte_count <= 100_000
    assert len(ring) > 5
    assert ring.snapshot().line(399).seq == 399
    ring.add(make_block(400, bytes(300_000)), sources)
    assert len(ring) == 0


def test_a_slow_board_leaves_few_parts(sources: tuple[Source, ...]) -> None:
    ring = RawRing()
    for seq in range(3000):
        ring.add(make_block(seq, b"x"), sources)
    assert len(ring.snapshot().parts) == 3


def test_messages_that_come_again_are_kept_once(sources: tuple[Source, ...]) -> None:
    ring = RawRing()
    assert ring.add(make_block(0, b"a", b"b"), sources) == 2
    assert ring.add(make_block(0, b"a", b"b"), sources) == 0
    joined = MessageBlock.concatenate([make_block(0, b"a", b"b"), make_block(2, b"c")])
    assert ring.add(joined, sources) == 1
    assert len(ring) == 3


def test_a_restarted_server_numbers_its_preview_anew(sources: tuple[Source, ...]) -> None:
    ring = RawRing()
    ring.add(make_block(900, b"old", session=0), sources)
    later = MessageBlock.from_reads(0, 0, [Read(START_NS + 10**12, 0, [b"new"])], "store")
    assert ring.add(later, sources) == 1


def test_random_blocks_leave_what_a_list_would(sources: tuple[Source, ...]) -> None:
    random = np.random.default_rng(6)
    for _ in range(8):
        most = int(random.integers(1, 3000))
        ring, seq = RawRing(most_messages=most), 0
        expected: list[bytes] = []
        for _ in range(30):
            raw = [b"%d" % n for n in range(seq, seq + int(random.integers(0, 700)))]
            ring.add(make_block(seq, *raw), sources)
            seq += len(raw)
            expected = (expected + raw)[-most:]
            snapshot = ring.snapshot()
            assert [snapshot.line(row).raw for row in range(snapshot.first_row, snapshot.next_row)] == expected


def test_a_message_is_shown_as_it_came(sources: tuple[Source, ...]) -> None:
    ring = RawRing()
    model = ConsoleModel(ring)
    tester = QAbstractItemModelTester(model)
    ring.add(make_block(41, b"T=23.5\t\r", b"\x02\xff", source=1), sources)
    ring.add_line(Kind.SENT, "sim1", b"0081", START_NS)
    ring.add_line(Kind.ANSWER, "sim1", b"66", START_NS)
    model.refresh()
    assert texts(model) == ["T=23.5␉␍", "␂\\xff", "0081", "66"]
    assert texts(model, HEX)[:2] == ["54 3D 32 33 2E 35 09 0D", "02 FF"]
    assert texts(model, BOARD) == ["sim2", "sim2", "sim1", "sim1"]
    assert texts(model, SEQ) == ["41", "42", "→ sent", "← answer"]
    assert texts(model, TIME)[0].endswith(".041")
    assert model.index(2, TEXT).data(Qt.ForegroundRole) != model.index(0, TEXT).data(Qt.ForegroundRole)
    assert tester is not None


@pytest.mark.parametrize(
    ("words", "kind", "expected"),
    [
        ("t=2", PatternKind.TEXT, ["T=20", "T=21"]),
        ("T=(20|30)$", PatternKind.REGEX, ["T=20", "T=30"]),
        ("3d 33", PatternKind.HEX, ["T=30"]),
        ("", PatternKind.TEXT, ["T=20", "T=21", "T=30"]),
    ],
)
def test_the_filter_shows_what_has_the_words(
    words: str, kind: PatternKind, expected: list[str], sources: tuple[Source, ...]
) -> None:
    ring = RawRing()
    model = ConsoleModel(ring)
    ring.add(make_block(0, b"T=20", b"T=21"), sources)
    model.refresh()
    model.filter(MessagePattern(words, kind))
    ring.add(make_block(2, b"T=30"), sources)
    model.refresh()
    assert texts(model) == expected


def test_one_board_can_be_shown_alone(sources: tuple[Source, ...]) -> None:
    ring = RawRing()
    model = ConsoleModel(ring)
    ring.add(make_block(0, b"one"), sources)
    ring.add(make_block(1, b"two", source=1), sources)
    model.refresh()
    model.filter(MessagePattern(""), "sim2")
    assert texts(model) == ["two"]
    model.filter(MessagePattern(""), "nobody")
    assert texts(model) == []
    assert model.words == "2 messages here, 0 shown"


@pytest.mark.parametrize(("words", "kind"), [("(", PatternKind.REGEX), ("0x1", PatternKind.HEX)])
def test_a_wrong_pattern_is_refused_with_a_sentence(words: str, kind: PatternKind) -> None:
    with pytest.raises(PatternError, match="is no"):
        MessagePattern(words, kind)


def test_a_pause_loses_nothing_and_counts(sources: tuple[Source, ...]) -> None:
    ring = RawRing(most_messages=2000)
    model = ConsoleModel(ring)
    ring.add(make_block(0, *[b"before"] * 500), sources)
    model.refresh()
    model.is_paused = True
    for first in range(500, 5500, 500):
        ring.add(make_block(first, *[b"after"] * 500), sources)
    model.refresh()
    assert (model.waiting, len(ring)) == (5000, 2000)
    assert set(texts(model)) == {"before"}  # also what the ring has dropped meanwhile
    model.is_paused = False
    model.refresh()
    assert texts(model) == ["after"] * 2000
    assert model.waiting == 0


def test_a_search_finds_rows_of_what_is_shown(sources: tuple[Source, ...]) -> None:
    ring = RawRing()
    model = ConsoleModel(ring)
    ring.add(make_block(0, b"a1", b"b1", b"a2", b"b2"), sources)
    model.refresh()
    model.filter(MessagePattern("2"))
    assert model.find(MessagePattern("b")).tolist() == [1]
    assert model.find(MessagePattern("c")).tolist() == []


def test_clearing_forgets_and_goes_on(sources: tuple[Source, ...]) -> None:
    ring = RawRing()
    model = ConsoleModel(ring)
    ring.add(make_block(0, b"a"), sources)
    model.refresh()
    model.clear()
    assert model.rowCount() == 0
    ring.add(make_block(1, b"b"), sources)
    model.refresh()
    assert texts(model) == ["b"]


def test_the_rows_follow_a_fast_board_at_each_refresh(sources: tuple[Source, ...]) -> None:
    ring = RawRing(most_messages=200)
    model = ConsoleModel(ring)
    tester = QAbstractItemModelTester(model)
    removed, resets = [], []
    model.rowsRemoved.connect(lambda _, first, last: removed.append((first, last)))
    model.modelReset.connect(lambda: resets.append(True))
    for first in range(0, 500, 10):
        ring.add(make_block(first, *[b"%028x" % first] * 10), sources)
        model.refresh()
    assert model.rowCount() == 200
    assert removed == [(0, 9)] * 30
    assert len(resets) == 1  # of the empty table
    assert tester is not None


def test_lines_are_written_whole_with_date_and_tabs(sources: tuple[Source, ...]) -> None:
    ring = RawRing()
    model = ConsoleModel(ring)
    ring.add(make_block(0, b"a" * 5000, b"b\t"), sources)
    model.refresh()
    assert model.index(0, TEXT).data().endswith(" …")
    assert max(len(part) for part in model.index(0, HEX).data(Qt.ToolTipRole).splitlines()) <= 72
    writer = model.writer()
    model.clear()  # what is to be written stays
    head, first, second = writer.lines((TIME, SEQ, TEXT))
    assert head == "time\tseq\ttext"
    assert first.split("\t")[1:] == ["0", "a" * 5000]
    assert second.endswith("\t1\tb␉")
    assert second.startswith("2026-03-01T")
    assert len(model.writer([])) == 0


def test_every_byte_is_visible() -> None:
    assert all(char.isprintable() for byte in range(256) for char in visible_text(bytes([byte])))


def test_ten_thousand_messages_a_second_take_a_small_part_of_a_second(
    sources: tuple[Source, ...], record_property: Callable[[str, object], None]
) -> None:
    """Stored and drawn are counted; the time is told, and only judged where it is wrong by a magnitude."""
    ring = RawRing()
    model = ConsoleModel(ring)
    began_s = time.process_time()
    for first in range(0, 100_000, 100):
        ring.add(make_block(first, *[b"%028x" % seq for seq in range(first, first + 100)]), sources)
        if first % 1000 == 0:
            model.refresh()
    model.refresh()
    record_property("seconds", time.process_time() - began_s)
    assert len(ring) == model.rowCount() == 50_000
    assert time.process_time() - began_s < 10
