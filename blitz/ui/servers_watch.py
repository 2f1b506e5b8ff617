"""Looks at several independent servers at once: one light request a second each, in a thread of its own.

Beside the window's own connection, which nothing here can slow down. Knows no widget and no token store: who asks
brings each server's address with its token. Errors are values.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject

from blitz.data.cache_engine import cache_path
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord, StatusRecord
from blitz.errors import AuthenticationError, BlitzError, CertificateMismatch, Forbidden
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient
from blitz.ui import last_values
from blitz.ui.courier import Courier
from blitz.ui.last_values import TellValues

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""So often a server that answers is asked."""
_LONGEST_WAIT_S = 30.0
_TIMEOUT_S = 5.0
_LIST_EVERY_S = 30.0
"""So often the list of sessions is asked for where none begins or ends."""
_HOPELESS = (AuthenticationError, CertificateMismatch, Forbidden)
"""What waiting seldom mends: it is asked rarely."""


@dataclass(frozen=True)
class ServerNow:
    """One server as it was heard of last."""

    address: str
    status: StatusRecord | None = None
    """Of the last answer; stays while the server is away."""
    sessions: tuple[SessionRecord, ...] = ()
    """Newest first."""
    error: str = ""
    """Why it does not answer; empty while it does."""
    is_refused: bool = False
    """Whether it answers, but not to us: a token is missing, or its certificate is another one."""
    away_since: datetime | None = None
    """Since when it has not answered."""


@dataclass(frozen=True)
class CopyState:
    """How a download from one of the servers is doing."""

    address: str
    session_id: int
    done: int = 0
    total: int = 0
    is_finished: bool = False
    error: str = field(default="", repr=False)


Tell = Callable[[ServerNow], object]
TellCopy = Callable[[CopyState], object]


class ServersWatch(QObject):
    """Watches from :meth:`follow` to :meth:`close`; both return at once, and may be called in the GUI thread only.

    :param tell: called in the GUI thread with each thing that is new about a server.
    :param tell_copy: called there with how downloads are doing.
    :param tell_values: called there with the last values of the server that :meth:`show_values` names.
    :param look_s: how often each server is asked.
    """

    def __init__(
        self,
        tell: Tell,
        tell_copy: TellCopy,
        tell_values: TellValues,
        parent: QObject | None = None,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        super().__init__(parent)
        bring = Courier(self).bring
        self._tell: Tell = lambda now: bring(lambda: tell(now))
        self._tell_copy: TellCopy = lambda state: bring(lambda: tell_copy(state))
        self._tell_values: TellValues = lambda address, values: bring(lambda: tell_values(address, values))
        self._values_of: ServerAddress | None = None
        self._values: asyncio.Task[None] | None = None
        self._look_s = look_s
        self._loop = asyncio.new_event_loop()
        self._watched: dict[ServerAddress, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        """All that have not ended, those that are on their way to their end among them."""
        self._thread = threading.Thread(target=self._run, name="blitz servers", daemon=True)
        self._thread.start()

    def follow(self, servers: Iterable[ServerAddress]) -> None:
        """Watch these from now on, and no others."""
        self._loop.call_soon_threadsafe(self._follow, tuple(servers))

    def show_values(self, server: ServerAddress | None) -> None:
        """Tell the last values of one server from now on, and of no other."""
        self._loop.call_soon_threadsafe(self._show_values, server)

    def download(self, server: ServerAddress, session_id: int, cache_folder: Path) -> None:
        """Bring a session into the usual cache of its server."""

        def begin() -> None:
            self._begin(self._copy(server, session_id, cache_folder), "blitz servers copy")

        self._loop.call_soon_threadsafe(begin)

    def close(self) -> None:
        """End the thread; what is on its way is told no more."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)

    def join(self) -> None:
        """Wait until the thread has ended, after :meth:`close`."""
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._end())
        finally:
            self._loop.close()

    async def _end(self) -> None:
        for task in self._tasks:
            if not task.cancelling():  # a second time would end it amid its closing
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _follow(self, servers: tuple[ServerAddress, ...]) -> None:
        for server in [known for known in self._watched if known not in servers]:
            self._watched.pop(server).cancel()
        for server in servers:
            if server not in self._watched:
                self._watched[server] = self._begin(self._watch(server), f"blitz watch {server}")

    def _show_values(self, server: ServerAddress | None) -> None:
        if server == self._values_of:
            return
        self._values_of = server
        if self._values is not None:
            self._values.cancel()
            self._values = None
        if server is not None:
            self._values = self._begin(last_values.tell_values(server, self._tell_values), "blitz last values")

    async def _watch(self, server: ServerAddress) -> None:
        try:
            client = AsyncClient(server, timeout=_TIMEOUT_S, keepalive=False)
        except BlitzError as error:
            self._tell(ServerNow(str(server), error=str(error), is_refused=True))
            return
        try:
            await self._ask_again_and_again(client, ServerNow(str(server)))
        finally:
            await client.close()

    async def _ask_again_and_again(self, client: AsyncClient, now: ServerNow) -> None:
        loop = asyncio.get_running_loop()
        wait_s, listed_s, listed_of = self._look_s, float("-inf"), ""
        while True:
            try:
                status = await client.status()
                # The list is asked for when it is another one, as far as the status tells, and now and then.
                seen = f"{status.session.id if status.session else 0} {status.store_id}"
                if seen != listed_of or loop.time() - listed_s > _LIST_EVERY_S:
                    sessions = tuple(await client.sessions())
                    listed_s, listed_of = loop.time(), seen
                else:
                    sessions = now.sessions
                now = ServerNow(now.address, status, sessions)
                wait_s = self._look_s
            except BlitzError as error:
                is_refused = isinstance(error, _HOPELESS)
                away_since = now.away_since or datetime.now(UTC)
                now = replace(now, error=str(error), is_refused=is_refused, away_since=away_since)
                wait_s = _LONGEST_WAIT_S if is_refused else min(2 * wait_s, _LONGEST_WAIT_S)
            self._tell(now)
            await asyncio.sleep(wait_s)

    async def _copy(self, server: ServerAddress, session_id: int, cache_folder: Path) -> None:
        state = CopyState(str(server), session_id)
        try:
            async with AsyncClient(server) as client:
                status = await client.status()
                path = cache_path(cache_folder, status.store_id)
                cache = await asyncio.to_thread(partial(DatabaseClient, path=path))
                try:

                    def step(done: int, total: int) -> None:
                        self._tell_copy(replace(state, done=done, total=total))

                    await client.download(session_id, cache, step)
                finally:
                    await asyncio.to_thread(cache.close)
        except (BlitzError, OSError) as error:
            self._tell_copy(replace(state, is_finished=True, error=str(error)))
        else:
            self._tell_copy(replace(state, is_finished=True))
