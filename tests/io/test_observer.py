"""What the observer finds while a session is recorded: holes in clocks and numbers, bunched arrivals, told once."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format
from blitz.data.records import Account, Gap, SessionRecord, Source
from blitz.io import observer as observer_module
from blitz.io.observer import Observer

MS_NS = 1_000_000
T0_NS = 1_700_000_000_000 * MS_NS
NUMBERED = BoardDefinition(
    id="numbered",
    name="Numbered",
    format=Format.COLUMNS,
    channels=(Channel(name="number", column=0, counts_messages=True),),
)
CLOCKED = BoardDefinition(
    id="clocked",
    name="Clocked",
    format=Format.COLUMNS,
    clock=Clock(column=0, wraps_at=None),
    channels=(Channel(name="x", column=1),),
)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, all is examined."""
    monkeypatch.setattr(observer_module, "CLOSE_S", 60.0)


class Bench:
    """A session in memory, its observer, and what that reports."""

    def __init__(self, *sources: Source) -> None:
        self.gaps: dict[int, Gap] = {}
        self.warnings: list[tuple[str, str]] = []
        self._blocks: list[MessageBlock] = []
        self._seq = 0
        self.observer = Observer(self._read, lambda session_id: self._seq, self)
        self.observer.open_session(1, 0)
        for source in sources:
            self.observer.add_source(source)

    def send(self, source: int, arrived_ns: int, *messages: bytes) -> None:
        self._blocks.append(MessageBlock.from_reads(1, self._seq, [Read(arrived_ns, source, messages)], "x"))
        self._seq += len(messages)

    def finish(self) -> list[Account]:
        self.observer.start()
        done: list[SessionRecord] = []
        record = SessionRecord(id=1, started_at=datetime.now(UTC), message_count=self._seq)
        self.observer.finish(record, done.append)
        self.observer.stop()
        assert len(done) == 1
        rows = sorted({int(row) for block in self._blocks for row in np.unique(block.source)})
        return [self.observer.complete(Account(source=row)) for row in rows]

    def _read(self, session_id: int, first: int, stop: int) -> MessageBlock:
        return next(block for block in self._blocks if block.first_seq <= first < block.next_seq)

    def store_gap(self, session_id: int, gap: Gap) -> None:
        self.gaps[gap.from_ns] = gap

    def warn(self, source: str, text: str) -> None:
        self.warnings.append((source, text))

    def finish_session(self, record: SessionRecord) -> SessionRecord:
        return record


def row(index: int, definition: BoardDefinition, link: str = "/dev/ttyUSB0") -> Source:
    return Source(index=index, name=f"bench{index}", link=link, board_id=None, definition=definition)


def send_steadily(
    bench: Bench, definition: BoardDefinition, numbers: list[int], source: int = 0, period_ms: int = 10
) -> None:
    for number in numbers:
        text = b"%d" % number if definition is NUMBERED else b"%d,1" % (number * period_ms)
        bench.send(source, T0_NS + number * period_ms * MS_NS, text)


def test_missing_numbers_are_told_source_by_source_though_messages_interleave() -> None:
    bench = Bench(row(0, NUMBERED), row(1, NUMBERED))
    first = [n for n in range(100) if n not in (40, 41, 77)]
    second = [n for n in range(100) if n != 50]
    for number in range(100):
        for source, numbers in enumerate((first, second)):
            if number in numbers:
                send_steadily(bench, NUMBERED, [number], source)
    accounts = bench.finish()
    assert [(account.lost, account.is_lost_exact, account.gaps) for account in accounts] == [(3, True, 2), (1, True, 1)]
    assert sorted((gap.source, gap.lost) for gap in bench.gaps.values()) == [(0, 1), (0, 2), (1, 1)]


@pytest.mark.parametrize("missing", [set(), {700, 701, 702}])
def test_holes_in_a_regular_clock_are_losses(missing: set[int]) -> None:
    bench = Bench(row(0, CLOCKED))
    send_steadily(bench, CLOCKED, [n for n in range(1000) if n not in missing])
    (account,) = bench.finish()
    assert (account.lost, account.is_lost_exact) == (len(missing), False)


def test_a_device_that_sends_when_it_likes_has_no_holes() -> None:
    bench = Bench(row(0, CLOCKED))
    chance = np.random.default_rng(1)
    at_ms = 0
    for _ in range(300):
        at_ms += int(chance.exponential(50)) + 1
        bench.send(0, T0_NS + at_ms * MS_NS, b"%d,1" % at_ms)
    (account,) = bench.finish()
    assert (account.lost, bench.gaps) == (0, {})


def test_several_holes_in_one_read_are_all_counted() -> None:
    bench = Bench(row(0, NUMBERED))
    send_steadily(bench, NUMBERED, list(range(50)))
    bench.send(0, T0_NS + 1000 * MS_NS, b"50", b"52", b"53", b"54", b"57", b"58", b"60")
    (account,) = bench.finish()
    assert account.lost == 4
    assert sum(gap.lost or 0 for gap in bench.gaps.values()) == 4


def test_arrivals_in_bunches_of_16_ms_are_told_once_with_the_remedy() -> None:
    bench = Bench(row(0, CLOCKED), row(1, CLOCKED))
    for bunch in range(400):
        numbers = range(bunch * 8, bunch * 8 + 8)
        bench.send(0, T0_NS + bunch * 16 * MS_NS, *[b"%d,1" % (2 * number) for number in numbers])
        bench.send(1, T0_NS + bunch * 16 * MS_NS, b"%d,1" % (16 * bunch))
    bench.finish()
    assert [source for source, _ in bench.warnings] == ["bench0"], "once; and a device that sends every 16 ms does so"
    assert "arrive in bunches of 16 ms: likely the latency timer of an FTDI chip" in bench.warnings[0][1]


def test_one_fault_in_reading_does_not_end_the_observer(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(row(0, NUMBERED))
    send_steadily(bench, NUMBERED, list(range(10)))
    read: Callable[[int, int, int], MessageBlock] = bench._read
    faults = [ZeroDivisionError()]

    def faulty(session_id: int, first: int, stop: int) -> MessageBlock:
        if faults:
            raise faults.pop()
        return read(session_id, first, stop)

    bench.observer._read = faulty
    (account,) = bench.finish()
    assert account.unexamined in (0, 10)
    assert account.source == 0


def test_one_source_that_cannot_be_examined_does_not_spoil_the_others(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(row(0, NUMBERED), row(1, NUMBERED), row(2, NUMBERED))
    for number in range(200):
        reads = [Read(T0_NS + number * 10 * MS_NS, source, [b"%d" % number]) for source in range(3)]
        bench._blocks.append(MessageBlock.from_reads(1, bench._seq, reads, "x"))
        bench._seq += 3
    faulty = bench.observer._examiners[1]
    examine = faulty.examine

    def fail_behind_150(block: MessageBlock) -> list[Gap]:
        if block.first_seq >= 450:
            raise ZeroDivisionError
        return examine(block)

    monkeypatch.setattr(faulty, "examine", fail_behind_150)
    accounts = bench.finish()
    assert [account.duplicates for account in accounts] == [0, 0, 0], "no message is examined twice"
    assert [account.unexamined for account in accounts] == [0, 50, 0]
    assert [account.is_lost_exact for account in accounts] == [True, False, True]
    (logged,) = [record for record in caplog.records if record.exc_info]
    assert "Messages of bench1 are not examined from here on" in logged.getMessage()
    caplog.clear()


@pytest.mark.parametrize("missing", [0, 40])
def test_a_clock_that_ran_on_over_an_absence_tells_that_the_boards_ring_had_it_all_or_what_it_had_not(
    missing: int,
) -> None:
    bench = Bench(row(0, CLOCKED))
    send_steadily(bench, CLOCKED, list(range(600)))
    away_ns = T0_NS + 599 * 10 * MS_NS
    back_ns = away_ns + 2_000 * MS_NS
    gap = Gap(source=0, seq=600, from_ns=away_ns, to_ns=back_ns, reason="unplugged", recovered=90)
    bench.observer.add_gap(1, gap)
    # The board sends what it holds in several answers: the link knows of the first one's 90 messages.
    for number in range(600 + missing, 820):
        bench.send(0, back_ns + max(number - 800, 0) * 10 * MS_NS, b"%d,1" % (number * 10))
    (account,) = bench.finish()
    assert (account.lost, account.gaps) == (missing, 1)
