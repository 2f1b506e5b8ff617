"""Downloads into the cache: resumed, interrupted, damaged, of another store."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.database_client import DatabaseClient
from blitz.data.models import Category, Session, SessionCopy, StoredBlock
from blitz.data.sync_changes import CopyState
from blitz.errors import BlockError, CacheError, CacheMismatch, SessionNotFound


def damage(cache: DatabaseClient, row_id: int, place: int = -200) -> None:
    with cache._writing() as db:
        row = db.get(StoredBlock, row_id)
        row.body = row.body[:place] + bytes([row.body[place] ^ 0x55]) + row.body[place + 1 :]


def messages(cache: DatabaseClient, session_id: int = 7, *span: int) -> list[bytes]:
    return [message for block in cache.session_blocks(session_id, *span) for message in block.messages()]


def test_a_downloaded_session_is_all_there(any_cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(GRID_MESSAGES + 100)
    session.fill(any_cache)
    blocks = list(any_cache.session_blocks(7))
    assert MessageBlock.concatenate(blocks).checksum == session.block(0, GRID_MESSAGES + 100).checksum
    assert [(row.grid_index, row.first_seq, row.count) for row in any_cache.all(StoredBlock)] == [
        (0, 0, GRID_MESSAGES),
        (1, GRID_MESSAGES, 100),
    ]
    row = any_cache.get(Session, {"ref_id": 7})
    assert (row.available, row.number_of_readings, row.name) == (True, GRID_MESSAGES + 100, "A try")
    assert any_cache.session_record(7) == session.record
    assert {category.variable_name for category in any_cache.all(Category)} == {"first", "second", "angle, set"}


def test_an_empty_session_can_be_downloaded(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(0).fill(cache)
    assert cache.get(Session, {"ref_id": 7}).available
    assert list(cache.session_blocks(7)) == []
    assert len(cache.get_session_readings(7)) == 0


def test_a_span_of_messages_crosses_blocks(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(2 * GRID_MESSAGES + 10)
    session.fill(cache)
    first, stop = GRID_MESSAGES - 2, 2 * GRID_MESSAGES + 3
    assert messages(cache, 7, first, stop) == [session.message(seq) for seq in range(first, stop)]
    assert messages(cache, 7, 2 * GRID_MESSAGES + 8) == [session.message(2 * GRID_MESSAGES + n) for n in (8, 9)]
    assert messages(cache, 7, 5, 5) == messages(cache, 7, 10**6) == []


def test_a_last_block_is_replaced_as_it_grows(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(40)
    cache.begin_download(session.record)
    for start, count in ((0, 7), (7, 1), (8, 32)):
        cache.store_block(7, session.block(start, count))
        assert cache.all(StoredBlock).count() == 1
    cache.finish_download(session.record)
    assert messages(cache) == [session.message(seq) for seq in range(40)]


def test_an_interrupted_download_goes_on_where_it_ended(any_cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(GRID_MESSAGES + 100)
    assert any_cache.begin_download(session.record) == 0
    any_cache.store_block(7, session.block(0, GRID_MESSAGES + 20))
    assert any_cache.begin_download(session.record) == GRID_MESSAGES + 20
    session.fill(any_cache)
    assert len(messages(any_cache)) == GRID_MESSAGES + 100


@pytest.mark.parametrize("is_listed", [False, True])
def test_an_unfinished_copy_of_another_session_is_set_aside(
    any_cache: DatabaseClient, example: Callable[..., Any], is_listed: bool
) -> None:
    if is_listed:
        any_cache.update_session_records([example(40).record])
    any_cache.begin_download(example(40).record)
    any_cache.store_block(7, example(40).block(0, 30))
    newer = example(40, started_s=1_800_000_000)
    assert any_cache.begin_download(newer.record) == 0
    newer.fill(any_cache)
    assert [sum(map(len, any_cache.session_blocks(ref_id))) for ref_id in (-7, 7)] == [30, 40]
    assert any_cache.session_sources(-7) == example(40).record.sources
    assert any_cache.copy_states() == {7: CopyState.WHOLE, -7: CopyState.OLDER}


def test_the_older_copy_stays_until_the_new_is_whole(any_cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(30).fill(any_cache)
    longer = example(50)
    assert any_cache.begin_download(longer.record) == 0
    any_cache.store_block(7, longer.block(0, 40))
    assert len(messages(any_cache)) == 30
    assert any_cache.get(Session, {"ref_id": 7}).available
    with pytest.raises(BlockError, match="40 of 50 messages are here"):
        any_cache.finish_download(longer.record)
    assert len(messages(any_cache)) == 30
    any_cache.store_block(7, longer.block(40, 10))
    any_cache.finish_download(longer.record)
    assert len(messages(any_cache)) == 50
    assert any_cache.all(SessionCopy).count() == any_cache.all(StoredBlock).count() == 1


def test_a_copy_made_while_a_session_ran_is_what_the_next_one_begins_with(
    any_cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    running = example(GRID_MESSAGES + 20)
    running.record = running.record.model_copy(update={"is_running": True, "stopped_at": None})
    running.fill(any_cache)
    ended = example(GRID_MESSAGES + 50)
    assert any_cache.begin_download(ended.record) == GRID_MESSAGES
    assert len(messages(any_cache)) == GRID_MESSAGES + 20
    ended.fill(any_cache)
    assert messages(any_cache) == [ended.message(seq) for seq in range(GRID_MESSAGES + 50)]
    assert any_cache.all(SessionCopy).count() == 1


def test_a_download_does_not_begin_with_what_is_damaged_of_a_copy_made_while_the_session_ran(
    file_cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    running = example(3 * GRID_MESSAGES + 20)
    running.record = running.record.model_copy(update={"is_running": True, "stopped_at": None})
    running.fill(file_cache)
    damage(file_cache, 2)
    assert file_cache.begin_download(running.record) == GRID_MESSAGES
    running.fill(file_cache)
    assert messages(file_cache) == [running.message(seq) for seq in range(3 * GRID_MESSAGES + 20)]


def test_several_blocks_are_stored_in_one_go(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(GRID_MESSAGES + 60)
    cache.begin_download(session.record)
    assert cache.store_blocks(7, [session.block(0, 30), session.block(20, 30), session.block(50, GRID_MESSAGES)]) == (
        GRID_MESSAGES + 50
    )
    assert cache.store_blocks(7, []) == GRID_MESSAGES + 50
    with pytest.raises(BlockError, match="are missing"):
        cache.store_blocks(7, [session.block(GRID_MESSAGES + 50, 2), session.block(GRID_MESSAGES + 55, 5)])
    session.fill(cache)
    assert [row.count for row in cache.all(StoredBlock)] == [GRID_MESSAGES, 60]


def test_a_hole_is_refused_and_an_overlap_skipped(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(40)
    cache.begin_download(session.record)
    cache.store_block(7, session.block(0, 10))
    with pytest.raises(BlockError, match="Messages 10 to 11 of session 7 are missing"):
        cache.store_block(7, session.block(12, 5))
    cache.store_block(7, session.block(4, 20))
    cache.store_block(7, session.block(0, 24))
    assert cache.begin_download(session.record) == 24
    session.fill(cache)
    assert messages(cache) == [session.message(seq) for seq in range(40)]


def test_blocks_of_another_session_or_store_are_refused(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(40)
    cache.begin_download(session.record)
    with pytest.raises(BlockError, match="session 8 came in the download of session 7"):
        cache.store_block(7, example(40, session_id=8).block(0, 10))
    cache.bind_store("99999999-2222-4333-8444-555555555555")
    with pytest.raises(CacheMismatch, match="belongs to the store 99999999"):
        cache.store_block(7, session.block(0, 10))


def test_what_was_not_begun_cannot_go_on(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    with pytest.raises(CacheError, match="begin it first"):
        cache.store_block(7, example(5).block(0, 5))
    with pytest.raises(CacheError, match="begin it first"):
        cache.finish_download(example(5).record)


def test_a_download_finished_twice_is_finished(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(30).fill(cache)
    cache.finish_download(example(30).record)
    assert len(messages(cache)) == 30


def test_a_session_that_is_not_downloaded_has_no_blocks(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    cache.begin_download(example(30).record)
    with pytest.raises(SessionNotFound, match="Download it first"):
        cache.session_blocks(7)


def test_a_damaged_block_is_told_and_healed_by_another_download(
    file_cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    session = example(GRID_MESSAGES + 100)
    session.fill(file_cache)
    damage(file_cache, 2)
    with pytest.raises(BlockError, match=rf"damaged in the cache at seq {GRID_MESSAGES}.*Download it again"):
        messages(file_cache)
    assert len(messages(file_cache, 7, 0, GRID_MESSAGES)) == GRID_MESSAGES
    session.fill(file_cache)
    assert len(messages(file_cache)) == GRID_MESSAGES + 100


def test_a_block_that_is_missing_is_told(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(3 * GRID_MESSAGES).fill(cache)
    with cache._writing() as db:
        db.delete(db.get(StoredBlock, 2))
    with pytest.raises(BlockError, match=f"messages from {GRID_MESSAGES} on are missing"):
        messages(cache)


def test_a_damaged_tail_of_an_unfinished_copy_is_fetched_again(
    cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    session = example(GRID_MESSAGES + 100)
    cache.begin_download(session.record)
    cache.store_block(7, session.block(0, GRID_MESSAGES + 50))
    damage(cache, 2)
    assert cache.begin_download(session.record) == GRID_MESSAGES
    session.fill(cache)
    assert len(messages(cache)) == GRID_MESSAGES + 100


def test_reading_a_session_that_is_deleted_meanwhile_is_told(
    any_cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    example(2 * GRID_MESSAGES).fill(any_cache)
    blocks = any_cache.session_blocks(7)
    next(blocks)
    any_cache.delete_session(7)
    with pytest.raises(CacheError, match="deleted or downloaded anew"):
        next(blocks)


_DOWNLOADING_PROGRAM = """
import runpy, sys
from blitz.data.database_client import DatabaseClient
session = runpy.run_path(sys.argv[1])["ExampleSession"](30 * 1000)
cache = DatabaseClient(path=sys.argv[2])
for start in range(cache.begin_download(session.record), 30_000, 1000):
    cache.store_block(7, session.block(start, 1000))
    print(start + 1000, flush=True)
"""


def test_a_program_killed_while_it_downloads_loses_nothing(tmp_path: Path, example: Callable[..., Any]) -> None:
    path = tmp_path / "cache.db"
    conftest = Path(__file__).with_name("conftest.py")
    arguments = [sys.executable, "-c", _DOWNLOADING_PROGRAM, str(conftest), str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        stored = [int(program.stdout.readline()) for _ in range(5)][-1]
        program.kill()
    session = example(30_000)
    with DatabaseClient(path=path) as cache:
        assert cache.begin_download(session.record) >= stored == 5000
        session.fill(cache, 1000)
        assert len(messages(cache)) == 30_000
        assert messages(cache, 7, 4999, 5002) == [session.message(seq) for seq in (4999, 5000, 5001)]


@given(cuts=st.lists(st.integers(0, 2 * GRID_MESSAGES + 50), max_size=6))
def test_however_a_download_is_cut_the_copy_is_the_same(example: Callable[..., Any], cuts: list[int]) -> None:
    session = example(GRID_MESSAGES + 60)
    total = session.record.message_count
    with DatabaseClient() as cache:
        cache.begin_download(session.record)
        edges = sorted({0, total, *(min(cut, total) for cut in cuts)})
        for start, stop in itertools.pairwise(edges):
            cache.store_block(7, session.block(start, stop - start))
        cache.finish_download(session.record)
        joined = MessageBlock.concatenate(list(cache.session_blocks(7)))
        assert joined.checksum == session.block(0, total).checksum
        assert [row.count for row in cache.all(StoredBlock)] == [GRID_MESSAGES, 60]


def test_a_copy_that_was_edited_since_it_was_made_of_a_running_session_is_what_the_next_one_begins_with(
    cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    first, session = example(GRID_MESSAGES + 20), example(GRID_MESSAGES + 100)
    running = first.record.model_copy(update={"is_running": True, "stopped_at": None})
    cache.begin_download(running)
    cache.store_block(7, first.block(0, GRID_MESSAGES + 20))
    cache.finish_download(running)
    cache.update_copy_record(session.record)  # it has stopped meanwhile
    assert cache.begin_download(session.record) == GRID_MESSAGES
    session.fill(cache)
    assert cache.begin_download(session.record) == 0, "one that is whole is downloaded again because it is damaged"
