"""What has to be there of a month's sessions: what was read when they were closed, and what retention made of them.

A session is read as a whole when it is closed, and compared with what its devices sent; from then on each reading must
give the same checksums, wherever its messages lie.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from month_devices import printed_number
from month_server import MonthServer

import blitz
from blitz.data.records import SessionRecord
from blitz.io.simulator import message_number

PRINTER, BOARD = "printer", "board"
READ_AT_ONCE = 16384
_SOON = timedelta(seconds=120)


@dataclass
class Known:
    """What has to be there of one session."""

    checksums: tuple[str, ...]
    stopped_at: datetime
    count: int
    is_starred: bool = False
    trashed_at: datetime | None = None
    is_gone: bool = False


@dataclass
class Expected:
    """What must be there of all sessions. A difference is an AssertionError.

    :param keep_days: the rule of retention, as is ``trash_days``.
    """

    keep_days: float
    trash_days: float
    known: dict[int, Known] = field(default_factory=dict)
    begins: dict[int, int] = field(default_factory=dict)
    """A line of each session that came when it was certainly recorded; those behind it must be there."""
    lost_on_wire: dict[str, int] = field(default_factory=dict)
    """Lines that were on their way when the server was ended, and never acknowledged, by device and ending."""

    def read_closed(self, client: blitz.Client, session: SessionRecord, acknowledged: int, ending: str = "") -> None:
        """Compare a closed session with what the devices sent, and remember it.

        A number is skipped only where the server was ended, and only behind all that had been acknowledged.
        """
        session = client.session(session.id)
        for name, number_of in ((PRINTER, printed_number), (BOARD, message_number)):
            rows = [source.index for source in session.sources if source.name == name]
            places, numbers = numbers_of(client, session, rows, number_of)
            if name == PRINTER and session.id in self.begins:
                assert numbers[0] <= self.begins[session.id], f"session {session.id}: its first lines are missing"
            steps = np.diff(numbers)
            assert (steps > 0).all(), f"session {session.id}: {name} has lines twice, or not in order"
            skips = np.flatnonzero(steps > 1)
            may_skip = 1 if ending not in ("", "close", "moved") else 0
            assert len(skips) <= may_skip, f"session {session.id}, {name}: lines are missing: {numbers[skips]}"
            for place in skips:
                assert places[place + 1] >= acknowledged
                self._count_lost(session, name, ending, int(steps[place]) - 1)
        self.known[session.id] = seen(client, session)

    def _count_lost(self, session: SessionRecord, name: str, ending: str, lines: int) -> None:
        assert (name, ending) != (BOARD, "keep"), f"the board had kept them: {lines}"
        self.lost_on_wire[f"{name}, {ending}"] = self.lost_on_wire.get(f"{name}, {ending}", 0) + lines
        rows = {source.index for source in session.sources if source.name == name}
        assert any(gap.source in rows for gap in session.gaps), "a gap that nobody knows of"
        told = sum(account.lost for account in session.accounts if account.source in rows)
        assert name == BOARD or told == lines, f"{lines} lines are missing, and {told} are told of"

    def check_retention(self, client: blitz.Client, server: MonthServer) -> None:
        """What is listed, in the trash and gone is so by the rule, and for no other reason."""
        now = client.status().now
        for session_id, known in self.known.items():
            if known.is_gone:
                continue
            if known.trashed_at is not None:
                known.is_gone = now - known.trashed_at >= timedelta(days=self.trash_days) and not known.is_starred
                assert not known.is_gone or not server.traces(session_id), "something of it is left"
            elif now - known.stopped_at >= timedelta(days=self.keep_days) and not known.is_starred:
                known.trashed_at = now
        self.compare_lists(client)

    def compare_lists(self, client: blitz.Client) -> None:
        """Compare the lists of the server with what must be there and in the trash."""
        running = client.status().session
        listed = {session.id for session in client.sessions()} - {running.id if running else 0}
        trash = {session.id: session.trashed_at for session in client.trash()}
        known = {number: each for number, each in self.known.items() if not each.is_gone}
        assert listed == {number for number, each in known.items() if each.trashed_at is None}
        assert set(trash) == {number for number, each in known.items() if each.trashed_at is not None}
        for number, trashed_at in trash.items():
            expected = known[number].trashed_at
            assert trashed_at is not None
            assert expected is not None
            assert abs(trashed_at - expected) < _SOON

    def count(self, *, is_trash: bool) -> int:
        """Return how many sessions are there, or in the trash."""
        there = [known for known in self.known.values() if not known.is_gone]
        return sum((known.trashed_at is not None) is is_trash for known in there)

    def read_again(self, client: blitz.Client, *, everything: bool) -> None:
        """Read sessions that are kept: all of them, or the oldest, the starred ones and the newest."""
        kept = [number for number, known in self.known.items() if not known.is_gone and known.trashed_at is None]
        chosen = {min(kept), max(kept)} if kept and not everything else set(kept)
        chosen |= {number for number in kept if self.known[number].is_starred}
        for session_id in sorted(chosen):
            known = self.known[session_id]
            session = client.session(session_id)
            assert (session.message_count, session.is_running) == (known.count, False)
            assert checksums_of(client, session_id, known.count) == known.checksums, f"session {session_id} has changed"


def seen(client: blitz.Client, session: SessionRecord) -> Known:
    """Return what is there of a closed session, which must be there from now on."""
    assert session.stopped_at is not None
    checksums = checksums_of(client, session.id, session.message_count)
    return Known(checksums, session.stopped_at, session.message_count, session.starred)


def checksums_of(client: blitz.Client, session_id: int, count: int) -> tuple[str, ...]:
    """Return the checksums of the first so many messages, all of which must be there."""
    checksums = []
    for first in range(0, count, READ_AT_ONCE):
        block = client.messages(session_id, first, min(READ_AT_ONCE, count - first))
        assert len(block) == min(READ_AT_ONCE, count - first)
        checksums.append(block.checksum)
    return tuple(checksums)


def numbers_of(
    client: blitz.Client, session: SessionRecord, rows: Sequence[int], number_of: Callable[[bytes], int]
) -> tuple[list[int], Any]:
    """Return where messages of these rows of the source table stand in the session, and their numbers."""
    places: list[int] = []
    numbers: list[int] = []
    for first in range(0, session.message_count, READ_AT_ONCE):
        block = client.messages(session.id, first, READ_AT_ONCE)
        messages = block.messages()
        for place in np.flatnonzero(np.isin(block.source, rows)).tolist():
            places.append(first + place)
            numbers.append(number_of(messages[place]))
    return places, np.array(numbers, np.int64)
