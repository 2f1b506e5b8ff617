"""Rounds of synchronisation: what is wanted, a few beside each other, faults, and the last success."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from blitz.data.database_client import DatabaseClient
from blitz.data.records import Marker, SessionRecord, StatusRecord, StoreRecord
from blitz.data.sync_changes import Change
from blitz.errors import BlitzError, ServerUnreachable
from blitz.io.sync_rounds import AT_ONCE, last_success, synchronise, wanted_sessions

pytestmark = pytest.mark.anyio

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def record(session_id: int, **fields: Any) -> SessionRecord:
    return SessionRecord(**{"id": session_id, "started_at": STARTED, "stopped_at": STARTED, **fields})


class Server:
    """Has sessions without messages; some cannot be brought."""

    def __init__(self, cache: DatabaseClient, *records: SessionRecord) -> None:
        self.cache = cache
        self.records = {record.id: record for record in records}
        self.broken: set[int] = set()
        self.under_way = self.most = 0
        self.is_away = False

    async def status(self) -> StatusRecord:
        return StatusRecord(version="0", store_id="a-store", now=STARTED, store=StoreRecord(is_up=True))

    async def sessions(self) -> list[SessionRecord]:
        return [record.brief() for record in self.records.values()]

    async def session(self, session_id: int) -> SessionRecord:
        if self.is_away:
            raise ServerUnreachable("The line is cut.")
        return self.records[session_id]

    async def download(self, session_id: int, cache: DatabaseClient) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if session_id in self.broken:
            raise ServerUnreachable("The line is cut.")
        cache.begin_download(self.records[session_id])
        cache.finish_download(self.records[session_id])

    async def synchronise(self, *arguments: Any) -> Any:
        return await synchronise(self, self.cache, *arguments)  # type: ignore[arg-type]


@pytest.fixture
def cache() -> Iterator[DatabaseClient]:
    with DatabaseClient() as cache:
        yield cache


async def test_all_that_have_ended_are_brought_a_few_beside_each_other(cache: DatabaseClient) -> None:
    server = Server(cache, *map(record, range(1, 9)), record(9, stopped_at=None, is_running=True))
    outcome = await server.synchronise("all")
    assert sorted(outcome.brought) == list(range(1, 9))
    assert server.most == AT_ONCE
    assert set(cache.copy_states()) == set(range(1, 9))
    assert last_success(cache) is not None
    assert (await server.synchronise("all")).brought == ()


async def test_only_chosen_ones_are_brought_and_those_named(cache: DatabaseClient) -> None:
    server = Server(cache, record(1), record(2), record(3))
    assert (await server.synchronise("chosen")).brought == ()
    cache.choose_session(2)
    assert wanted_sessions(cache, "chosen") == [2]
    assert wanted_sessions(cache, "off") == []
    assert sorted((await server.synchronise("chosen", (3,))).brought) == [2, 3]


async def test_one_that_fails_keeps_neither_the_others_nor_the_last_success(cache: DatabaseClient) -> None:
    server = Server(cache, record(1), record(2))
    server.broken = {1}
    outcome = await server.synchronise("all")
    assert outcome.brought == (2,)
    assert [session_id for session_id, _ in outcome.failed] == [1]
    assert isinstance(outcome.failed[0][1], BlitzError)
    assert last_success(cache) is None
    server.broken = set()
    assert (await server.synchronise("all")).brought == (1,)
    assert last_success(cache) is not None


async def test_deleted_ones_are_noticed_and_not_wanted_and_edited_ones_taken_over(cache: DatabaseClient) -> None:
    server = Server(cache, record(1), record(2, verdict="fine"))
    await server.synchronise("all")
    del server.records[1]
    server.records[2] = record(2, verdict="fine", name="Wet", notes="second try")
    outcome = await server.synchronise("all")
    assert outcome.brought == ()
    assert (outcome.changes.of(Change.GONE), outcome.changes.of(Change.EDITED)) == ((1,), (2,))
    assert cache.session_record(2) == server.records[2]
    assert set(cache.copy_states()) == {1, 2}


async def test_what_was_edited_is_asked_again_where_the_server_went_away_before_it_told(cache: DatabaseClient) -> None:
    server = Server(cache, record(1), record(2))
    await synchronise(server, cache, "off")
    for session_id in (1, 2):
        cache.begin_download(server.records[session_id])
        cache.finish_download(server.records[session_id])
    marker = Marker(id=1, text="a leak", from_ns=1, changed_at=STARTED)
    server.records = {each: record(each, markers=(marker,), revision=1) for each in (1, 2)}
    server.is_away = True
    with pytest.raises(ServerUnreachable):
        await synchronise(server, cache, "off")
    assert not cache.session_record(1).markers
    server.is_away = False
    assert (await synchronise(server, cache, "off")).changes.of(Change.EDITED) == (1, 2)
    assert [cache.session_record(each).markers for each in (1, 2)] == [(marker,), (marker,)]
    assert (await synchronise(server, cache, "off")).changes.by_id == ()
