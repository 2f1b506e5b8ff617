"""Synchronisation with a server: the list, then the sessions that are wanted, a few beside each other."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from blitz.data.database_client import DatabaseClient
from blitz.data.models import Session
from blitz.data.records import SessionRecord
from blitz.data.sync_changes import Change, ListChanges
from blitz.errors import BlitzError, SessionNotFound
from blitz.io.connection import AsyncClient
from blitz.io.sync_threads import run_in_thread

log = logging.getLogger(__name__)

AT_ONCE = 3
"""So many sessions are brought beside each other."""
_LAST_SUCCESS = "synchronised_at"

SyncMode = Literal["off", "chosen", "all"]


@dataclass(frozen=True)
class SyncRound:
    """What one round did."""

    records: tuple[SessionRecord, ...]
    """The server's sessions, newest first."""
    changes: ListChanges
    brought: tuple[int, ...] = ()
    failed: tuple[tuple[int, BlitzError], ...] = ()


async def refresh_list(client: AsyncClient, cache: DatabaseClient) -> tuple[tuple[SessionRecord, ...], ListChanges]:
    """Take over the server's list; of sessions that are here and were edited, all that is told of them."""
    records = tuple(await client.sessions())
    changes = await run_in_thread(cache.update_session_records, records)
    edited = list(changes.of(Change.EDITED))
    try:
        while edited:
            try:
                await run_in_thread(cache.update_copy_record, await client.session(edited[0]))
            except SessionNotFound as error:
                log.info("Session %d was deleted while it was looked at: %s", edited[0], error)
            edited.pop(0)
    finally:
        if edited:  # the server went away: the list that was taken over already must not hide what is missing
            await run_in_thread(cache.expect_changes, edited)
    return records, changes


async def synchronise(
    client: AsyncClient,
    cache: DatabaseClient,
    mode: SyncMode,
    session_ids: Sequence[int] = (),
    bring: Callable[[int], Awaitable[object]] | None = None,
) -> SyncRound:
    """Bring the list up to date, then the sessions that are wanted; see :func:`wanted_sessions`.

    One that fails does not keep the others. A round without failures is noted as the last success.

    :param session_ids: these in any case, running ones, too.
    :param bring: downloads one session; the client does it when not given.
    :raises BlitzError: if the server cannot be asked, or the cache not be written.
    """
    await run_in_thread(cache.bind_store, (await client.status()).store_id)
    records, changes = await refresh_list(client, cache)
    wanted = list(dict.fromkeys((*session_ids, *await run_in_thread(wanted_sessions, cache, mode))))
    turn = asyncio.Semaphore(AT_ONCE)
    brought: list[int] = []
    failed: list[tuple[int, BlitzError]] = []

    async def bring_one(session_id: int) -> None:
        async with turn:
            try:
                await (client.download(session_id, cache) if bring is None else bring(session_id))
                brought.append(session_id)
            except BlitzError as error:
                failed.append((session_id, error))

    async with asyncio.TaskGroup() as tasks:
        for session_id in wanted:
            tasks.create_task(bring_one(session_id))
    if not failed:
        await run_in_thread(cache.set_config, _LAST_SUCCESS, datetime.now(UTC).isoformat())
    return SyncRound(records, changes, tuple(brought), tuple(failed))


def wanted_sessions(cache: DatabaseClient, mode: SyncMode) -> list[int]:
    """Return the sessions, newest first, that are to be brought: ended, on the server, and not whole here."""
    if mode == "off":
        return []
    rows = cache.all(Session)
    wanted = [
        row.ref_id
        for row in rows
        if not (row.available or row.is_gone) and row.time_stopped is not None and (mode == "all" or row.is_wanted)
    ]
    return sorted(wanted, reverse=True)


def chosen_sessions(cache: DatabaseClient) -> list[int]:
    """Return the sessions that are kept here."""
    return [row.ref_id for row in cache.find(Session, {"is_wanted": True})]


def last_success(cache: DatabaseClient) -> datetime | None:
    """Return when everything that was wanted was last brought; None if never."""
    config = cache.get_config(_LAST_SUCCESS)
    return None if config is None else datetime.fromisoformat(config.value)
