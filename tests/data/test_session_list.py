"""The cached list of sessions, against the server's."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from blitz.data.database_client import DatabaseClient
from blitz.data.models import Reading, Session, SessionCopy, StoredBlock
from blitz.data.records import SessionRecord
from blitz.data.sync_changes import Change, CopyState
from blitz.errors import SessionNotFound


def session(cache: DatabaseClient, ref_id: int) -> Session | None:
    return cache.get(Session, {"ref_id": ref_id})


def add_rows(cache: DatabaseClient, session_id: int, count: int) -> None:
    category_id = cache.get_or_create_category("a")
    cache.add_many(
        Reading(session_id=session_id, time_logged=n, category_id=category_id, value=n) for n in range(count)
    )


def test_the_list_replaces_the_one_before(any_cache: DatabaseClient) -> None:
    any_cache.update_session_list([[1, 1000, 2000, 10], [2, 3000, None, 0]])
    rows = any_cache.all(Session)
    assert [(row.ref_id, row.time_started, row.time_stopped, row.number_of_readings) for row in rows] == [
        (1, 1000, 2000, 10),
        (2, 3000, None, 0),
    ]
    assert not any(row.available for row in rows)
    any_cache.update_session_list([[2, 3000, 4000, 7], [3, 5000, None, 1]])
    assert [(row.ref_id, row.time_stopped, row.number_of_readings) for row in any_cache.all(Session)] == [
        (2, 4000, 7),
        (3, None, 1),
    ]


def test_a_short_entry_leaves_the_count(cache: DatabaseClient) -> None:
    cache.update_session_list([[1, 1000, None, 5]])
    cache.update_session_list([[1, 1000, 2000]])
    assert (session(cache, 1).time_stopped, session(cache, 1).number_of_readings) == (2000, 5)


def test_an_entry_that_is_none_is_refused(cache: DatabaseClient) -> None:
    with pytest.raises(ValueError, match="is no session"):
        cache.update_session_list([[1]])


def test_a_downloaded_session_outlives_the_list(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(20).fill(cache)
    cache.update_session_list([[8, 1000, 2000, 3]])
    assert session(cache, 7).available
    assert len(cache.get_session_readings(7)) > 0
    cache.update_session_records([example(20).record])
    assert session(cache, 7).available
    assert session(cache, 8) is None


def test_a_session_with_another_start_is_another_session(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(20).fill(cache)
    add_rows(cache, 7, 3)
    cache.update_session_list([[7, 5000, 6000, 20]])
    assert session(cache, 7).available is False
    assert session(cache, 7).time_started == 5000
    assert list(cache.get_session_readings(7)) == []
    assert cache.session_record(7).name == ""
    with pytest.raises(SessionNotFound):
        cache.session_blocks(7)


def test_what_was_here_of_a_session_whose_id_begins_anew_is_set_aside_and_can_be_read(
    any_cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    example(20).fill(any_cache)
    add_rows(any_cache, 7, 3)
    readings = len(any_cache.get_session_readings(7))
    changes = any_cache.update_session_records([example(30, started_s=1_800_000_000).record])
    assert changes.of(Change.REPLACED) == (-7,)
    kept = session(any_cache, -7)
    assert (kept.available, kept.is_gone, kept.name, kept.number_of_readings) == (True, True, "A try", 20)
    assert any_cache.session_record(-7) == example(20).record.model_copy(update={"id": -7})
    assert len(any_cache.get_session_readings(-7)) == readings
    assert sum(len(block) for block in any_cache.session_blocks(-7)) == 20
    example(30, started_s=1_800_000_000).fill(any_cache)
    assert sum(len(block) for block in any_cache.session_blocks(7)) == 30

    any_cache.update_session_records([example(40, started_s=1_900_000_000).record])
    aside = [row.ref_id for row in any_cache.all(Session) if row.ref_id < 0]
    assert sorted(sum(len(block) for block in any_cache.session_blocks(ref_id)) for ref_id in aside) == [20, 30]
    any_cache.clear_session_data(-7)
    any_cache.update_session_records([])
    assert session(any_cache, -7) is None


def test_a_download_of_a_session_whose_id_began_anew_sets_the_older_aside(
    cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    example(20).fill(cache)
    example(30, started_s=1_800_000_000).fill(cache)
    assert [sum(len(block) for block in cache.session_blocks(ref_id)) for ref_id in (-7, 7)] == [20, 30]


def test_a_session_that_went_from_the_server_is_marked_until_it_is_back(
    cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    example(20).fill(cache)
    assert cache.update_session_records([]).of(Change.GONE) == (7,)
    assert session(cache, 7).is_gone
    assert session(cache, 7).available
    assert cache.update_session_records([]).by_id == ()
    assert cache.update_session_records([example(20).record]).of(Change.BACK) == (7,)
    assert not session(cache, 7).is_gone


def test_what_a_download_brought_stays_when_the_session_goes_from_the_server(
    any_cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    any_cache.update_session_records([example(20).record])
    any_cache.begin_download(example(20).record)
    any_cache.store_block(7, example(20).block(0, 15))
    assert any_cache.update_session_records([]).of(Change.GONE) == (7,)
    assert sum(map(len, any_cache.session_blocks(7))) == 15
    assert any_cache.session_sources(7) == example(20).record.sources
    assert not session(any_cache, 7).available
    assert any_cache.copy_states() == {7: CopyState.OLDER}
    assert any_cache.update_session_records([example(20).record]).of(Change.BACK) == (7,)
    example(20).fill(any_cache)
    assert sum(map(len, any_cache.session_blocks(7))) == 20
    assert session(any_cache, 7).available


def test_a_download_that_went_further_than_the_copy_before_takes_its_place_when_the_session_goes(
    cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    example(10).fill(cache)
    for count, kept in ((5, 10), (15, 15)):
        cache.update_session_records([example(20).record])
        cache.begin_download(example(20).record)
        cache.store_block(7, example(20).block(0, count))
        cache.update_session_records([example(20, started_s=1_800_000_000).record])
        assert {sum(map(len, cache.session_blocks(each))) for each in cache.copy_states() if each < 0} == {kept}
        for each in cache.copy_states():
            cache.delete_session(each)
        example(10).fill(cache)


def test_what_changed_of_a_session_that_is_here_is_told(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(20).fill(cache)
    other = example(20, session_id=8).record
    assert cache.update_session_records([example(20).record, other]).by_id == ()
    renamed = example(20).record.model_copy(update={"name": "Wet"})
    assert cache.update_session_records([renamed, other.model_copy(update={"name": "x"})]).by_id == (
        (7, Change.EDITED),
    )
    longer = example(30).record.model_copy(update={"name": "Wet"})
    assert cache.update_session_records([longer, other]).of(Change.GROWN) == (7,)


def test_a_copy_takes_over_a_newer_record(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(20).fill(cache)
    newer = example(20).record.model_copy(update={"notes": "read again", "verdict": "fine"})
    cache.update_copy_record(newer)
    assert cache.session_record(7) == newer
    cache.update_copy_record(example(20, started_s=1_800_000_000).record)
    assert cache.session_record(7) == newer


def test_sessions_are_chosen_for_synchronisation(cache: DatabaseClient) -> None:
    cache.update_session_list([[1, 1000, 2000, 10]])
    cache.choose_session(1)
    cache.update_session_list([[1, 1000, 2000, 12]])
    assert session(cache, 1).is_wanted
    cache.choose_session(1, False)
    assert not session(cache, 1).is_wanted
    with pytest.raises(SessionNotFound):
        cache.choose_session(2)


def test_a_session_that_has_grown_is_no_longer_available(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(20).fill(cache)
    cache.update_session_records([example(30).record])
    assert session(cache, 7).available is False
    assert len(cache.get_session_readings(7)) == len(example(20).readings())
    cache.update_session_availability(7)
    assert session(cache, 7).available is False
    example(30).fill(cache)
    assert session(cache, 7).available is True


def test_rows_make_a_session_available_when_there_are_enough(any_cache: DatabaseClient) -> None:
    any_cache.update_session_list([[1, 1000, 2000, 4]])
    add_rows(any_cache, 1, 3)
    any_cache.update_session_availability(1)
    assert session(any_cache, 1).available is False
    add_rows(any_cache, 1, 1)
    any_cache.update_session_availability(1)
    assert session(any_cache, 1).available is True


def test_a_missing_block_makes_a_session_unavailable(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(20_000).fill(cache)
    with cache._writing() as db:
        db.delete(db.get(StoredBlock, 1))
    cache.update_session_availability(7)
    assert session(cache, 7).available is False


def test_the_availability_of_an_unknown_session_is_nothing(cache: DatabaseClient) -> None:
    cache.update_session_availability(5)
    assert cache.all(Session) == []


def test_clear_session_data_leaves_the_session_in_the_list(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(20).fill(cache)
    example(20, session_id=8).fill(cache)
    add_rows(cache, 7, 2)
    cache.clear_session_data(7)
    assert session(cache, 7).available is False
    assert list(cache.get_session_readings(7)) == []
    assert session(cache, 8).available is True
    assert len(cache.get_session_readings(8)) == len(example(20).readings())


def test_delete_session_removes_session_and_data(any_cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(20).fill(any_cache)
    any_cache.begin_download(example(20).record)
    add_rows(any_cache, 7, 2)
    any_cache.delete_session(7)
    assert all(any_cache.all(model).count() == 0 for model in (Session, SessionCopy, StoredBlock, Reading))
    any_cache.delete_session(7)


def test_records_keep_names_and_come_back_newest_first(cache: DatabaseClient) -> None:
    old = SessionRecord(id=1, name="Old", started_at=datetime(2026, 1, 1, tzinfo=UTC), message_count=3, notes="wet")
    new = SessionRecord(id=2, name="New", started_at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), is_running=True)
    cache.update_session_records([old, new])
    assert cache.session_records() == [new, old]
    assert cache.session_record(1) == old
    assert session(cache, 2).name == "New"


def test_a_list_without_names_keeps_them_and_tells_what_is_newer(cache: DatabaseClient) -> None:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    cache.update_session_records([SessionRecord(id=1, name="Named", started_at=started, is_running=True)])
    start_ms = round(started.timestamp() * 1000)
    cache.update_session_list([[1, start_ms, start_ms + 1500, 12], [2, start_ms + 5001, None, 1]])
    record = cache.session_record(1)
    assert (record.name, record.is_running, record.message_count, record.stopped_ms) == (
        "Named",
        False,
        12,
        start_ms + 1500,
    )
    assert (cache.session_record(2).started_ms, cache.session_record(2).is_running) == (start_ms + 5001, True)


def test_an_unknown_session_has_no_record(cache: DatabaseClient) -> None:
    with pytest.raises(SessionNotFound, match="Session 5 is not in the cache"):
        cache.session_record(5)


def test_a_running_session_that_grows_is_not_edited_by_that(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    running = example(20).record.model_copy(update={"is_running": True, "stopped_at": None})
    cache.begin_download(running)
    cache.store_block(7, example(20).block(0, 20))
    cache.finish_download(running)
    cache.update_session_records([running])
    longer = running.model_copy(update={"message_count": 30})
    assert cache.update_session_records([longer]).by_id == ((7, Change.GROWN),)
