"""The archive leaves in the store what messages of the server may still have to go before."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blitz.data.archive import Archive
from blitz.data.archive_plan import Limits
from blitz.data.archive_reach import Reach
from blitz.data.archiving import Archiving
from blitz.data.blocks import Read
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import LocalDisk
from blitz.data.spool import Spool
from blitz.data.store_writer import SessionWriter
from blitz.errors import StoreUnavailable
from blitz.io.archive_reach import archive_reach
from blitz.io.intake import Intake

SMALL = Limits(grid_messages=4, keep_messages=4, segment_blocks=3, least_blocks=1)
AWAY = "Redis is away"


class _Listener:
    def store_changed(self, error: str | None) -> None:
        pass

    def messages_lost(self, session_id: int, seq: int, count: int, why: str) -> None:
        raise AssertionError(why)

    def moved_up(self, session_id: int, next_seq: int) -> None:
        raise AssertionError


class _Store(DatabaseServer):
    """Can be away, for the intake."""

    is_away = False

    def writer(self, session_id: int, name: str | None = None) -> SessionWriter:
        writer = super().writer(session_id, name)
        append = writer.append

        def append_or_not(*arguments: object) -> int:
            if self.is_away:
                raise StoreUnavailable(AWAY)
            return append(*arguments)  # type: ignore[arg-type]

        writer.append = append_or_not  # type: ignore[method-assign, assignment]
        return writer


class _Lab:
    def __init__(self, redis_url: str, folder: Path) -> None:
        self.store = _Store(redis_url)
        self.others = DatabaseServer(redis_url)
        self.intake = Intake(self.store, Spool(LocalDisk(), folder / "spool"), _Listener())
        self.intake.recover()
        archive = Archive(folder / "archive", self.store.store_id, LocalDisk())
        self.store.set_archive_folder(folder / "archive")
        self.archiving = Archiving(self.store.archive_store(), archive, SMALL)
        self.archiving.begin()

    def record(self) -> int:
        session_id = self.store.start_session()
        self.intake.open_session(session_id, self.store.count_messages(session_id))
        return session_id

    def append(self, session_id: int, *messages: bytes) -> int | None:
        return self.intake.append(session_id, [Read(1_000, 0, messages)])

    def reach(self) -> Reach:
        return archive_reach(self.intake, self.store)

    def archive(self, reach: Reach) -> None:
        while self.archiving.step(reach=reach) is not None:
            pass

    def archived(self, session_id: int) -> int:
        return self.store.session(session_id).archived_count


@pytest.fixture
def lab(redis_url: str, tmp_path: Path) -> Iterator[_Lab]:
    lab = _Lab(redis_url, tmp_path)
    yield lab
    lab.intake.stop()
    lab.others.close()
    lab.store.close()


def test_a_spooled_message_keeps_its_number_where_others_queued_and_stopped_the_session(lab: _Lab) -> None:
    session_id = lab.record()
    told = lab.reach()
    lab.others.queue("theirs")
    lab.others.stop_session()
    lab.archive(told)  # that the session is over the server has yet to find out
    lab.store.is_away = True
    assert lab.append(session_id, b"ours") == 0
    lab.archive(lab.reach())
    assert lab.archived(session_id) == 0
    assert not lab.intake.drain()
    assert lab.store.get_all_from_session(session_id) == ["ours", "theirs"]
    lab.archive(lab.reach())
    assert lab.archived(session_id) == 2


def test_what_the_server_knows_of_is_archived(lab: _Lab) -> None:
    earlier = lab.record()
    lab.append(earlier, *[b"ours"] * 3)
    lab.store.stop_session()
    session_id = lab.record()
    lab.append(session_id, *[b"ours"] * 6)
    for _ in range(6):
        lab.others.queue("theirs")
    lab.archive(lab.reach())
    assert (lab.archived(earlier), lab.archived(session_id)) == (3, 8)


def test_a_session_that_the_server_has_not_taken_up_yet_stays(lab: _Lab) -> None:
    session_id = lab.others.start_session()
    told = lab.reach()
    lab.others.queue("theirs")
    lab.others.stop_session()
    lab.archive(told)
    assert lab.archived(session_id) == 0
    lab.archive(lab.reach())
    assert lab.archived(session_id) == 1


def test_a_session_that_was_not_there_yet_stays(lab: _Lab) -> None:
    told = lab.reach()
    session_id = lab.record()
    lab.others.queue("theirs")
    lab.others.stop_session()
    lab.archive(told)
    assert lab.archived(session_id) == 0
