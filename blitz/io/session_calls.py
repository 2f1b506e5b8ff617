"""The client library's calls about the server as a whole, and about sessions and their messages."""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

from pydantic import TypeAdapter

from blitz import __version__
from blitz.data.blocks import MessageBlock
from blitz.data.packed_blocks import PACKED_TYPE, unpack_blocks
from blitz.data.records import Notice, SessionRecord, StatusRecord
from blitz.data.versions import compare_versions
from blitz.errors import NoSession, RemoteError
from blitz.io.address import ServerAddress
from blitz.io.calls import NOTHING, Calls, Exchange
from blitz.io.exchange import ARROW
from blitz.io.sync_threads import run_in_thread

log = logging.getLogger(__name__)

_ANSWER = TypeAdapter(dict[str, Any])
_NOTICES = TypeAdapter(list[Notice])
_SESSION = TypeAdapter(SessionRecord)
_SESSIONS = TypeAdapter(list[SessionRecord])
_STATUS = TypeAdapter(StatusRecord)


class SessionCalls(Calls):
    """Status and notices; listing, starting, stopping, changing and deleting sessions, and their messages."""

    def __init__(self, address: ServerAddress, timeout_s: float, owner: str, exchange: Exchange) -> None:
        super().__init__(address, timeout_s, owner, exchange)
        self._version_words: str | None = None

    @property
    def version_words(self) -> str:
        """What there is to say about a server of another version; empty where it is alike, or was not asked yet."""
        return self._version_words or ""

    async def status(self) -> StatusRecord:
        """Return the server in one look: its session, store and boards."""
        return await self._status()

    async def notices(self) -> list[Notice]:
        """Return what an operator should have read, oldest first."""
        return await self._ask(_NOTICES, "GET", "/events")

    async def sessions(self, search: str = "") -> list[SessionRecord]:
        """Return all sessions, newest first, without their sources and gaps.

        :param search: only those in which all these words are found, whatever their case and accents: in name, notes,
            tags, fields, owner, markers and date. ``tag:x``, ``owner:x``, ``FIELD:x`` and ``starred`` look in one
            place; quotes hold words together.
        """
        query = f"?search={quote(search, safe='')}" if search.strip() else ""
        return await self._ask(_SESSIONS, "GET", f"/sessions{query}")

    async def session(self, session_id: int) -> SessionRecord:
        """Return one session, with sources and gaps.

        :raises SessionNotFound: if there is none with that id.
        """
        return await self._ask(_SESSION, "GET", f"/sessions/{int(session_id)}")

    async def start(
        self,
        name: str = "",
        notes: str = "",
        owner: str | None = None,
        join: bool = False,
        *,
        tags: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
        duration_s: float | None = None,
        message_count: int | None = None,
        repeat_every_s: float | None = None,
    ) -> SessionRecord:
        """Start a session.

        :param name: an empty one lets the server make one, by its setting ``session_name``.
        :param owner: who starts it; user and machine when not given.
        :param join: where a session runs already, return that one.
        :param fields: the laboratory's own; the server may demand some (``status().required_fields``).
        :param duration_s: the server stops it after so long, also where nobody is connected.
        :param message_count: the server stops it at so many messages of all boards, or a few more.
        :param repeat_every_s: a new session follows each time, without a message lost in between; duration and number
            of messages are of all of them together.
        :raises SessionRunning: if a session runs already, and `join` is False.
        :raises FieldsMissing: if one is empty that the server demands.
        """
        started = await self.start_or_join(
            name,
            notes,
            owner,
            join=join,
            tags=tags,
            fields=fields,
            duration_s=duration_s,
            message_count=message_count,
            repeat_every_s=repeat_every_s,
        )
        return started[0]

    async def start_or_join(
        self,
        name: str = "",
        notes: str = "",
        owner: str | None = None,
        *,
        join: bool = True,
        tags: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
        duration_s: float | None = None,
        message_count: int | None = None,
        repeat_every_s: float | None = None,
    ) -> tuple[SessionRecord, bool]:
        """Do as :meth:`start` and tell, too, whether the session is a new one."""
        body: dict[str, Any] = {
            "name": name,
            "notes": notes,
            "owner": self.owner if owner is None else owner,
            "join": join,
        }
        body |= told(tags, fields)
        body |= told_run(duration_s, message_count, repeat_every_s)
        answer = await self._ask(_ANSWER, "POST", "/sessions", body)
        session = self._read(_SESSION, answer.get("session"), "POST /sessions", 200)
        return session, bool(answer.get("created", True))

    async def stop(self, session_id: int | None = None) -> SessionRecord:
        """Stop the running session, or the one named if it is the one that runs, and return it.

        :raises NoSession: if it does not run.
        """
        if session_id is None:
            running = (await self._status()).session
            if running is None:
                raise NoSession(f"No session runs on {self.address}.")
            session_id = running.id
        return await self._ask(_SESSION, "POST", f"/sessions/{int(session_id)}/stop")

    async def update_session(
        self,
        session_id: int,
        *,
        name: str | None = None,
        notes: str | None = None,
        starred: bool | None = None,
        tags: Sequence[str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> SessionRecord:
        """Change a session's name, notes, star, tags or fields; None leaves them as they are.

        What was before stays in the record's ``changes``.

        :param starred: whether retention keeps it, whatever its age.
        :param tags: all that it has from now on.
        :param fields: those that change; an empty value takes a field away.
        :raises SessionNotFound: if there is none with that id.
        :raises FieldsMissing: if one would be empty that the server demands.
        """
        wishes: dict[str, Any] = {"name": name, "notes": notes, "starred": starred}
        wishes |= {"tags": None if tags is None else list(tags), "fields": None if fields is None else dict(fields)}
        body = {key: value for key, value in wishes.items() if value is not None}
        return await self._ask(_SESSION, "PATCH", f"/sessions/{int(session_id)}", body)

    async def delete(self, session_id: int) -> None:
        """Move a session to the server's trash, out of which :meth:`restore` takes it; copies in caches stay.

        :raises SessionRunning: if it still runs.
        :raises SessionNotFound: if there is none with that id.
        """
        await self._ask(NOTHING, "DELETE", f"/sessions/{int(session_id)}")

    async def messages(self, session_id: int | Literal["preview"], first: int = 0, count: int = 16384) -> MessageBlock:
        """Return messages of a session as one block; it is shorter, or empty, at the session's end.

        The block is checked in a worker thread.

        :param first: sequence number of the first.
        :param count: at most 65536 come at once.
        :raises SessionNotFound: if there is none with that id.
        :raises BlockError: if the block was damaged on its way.
        """
        encoded = await self._exchange.fetch_block(f"/sessions/{session_id}/messages", {"first": first, "count": count})
        return await run_in_thread(MessageBlock.decode, encoded)

    async def grid_blocks(self, session_id: int, first: int, count: int) -> Sequence[MessageBlock]:
        """Return messages as a cache stores them: cut at the grid, with the bytes that they came as.

        They are checked in a worker thread. A server that is older than this client sends them in one block.

        :param count: at most 65536 come at once.
        :raises SessionNotFound: if there is none with that id.
        :raises BlockError: if a block was damaged on its way.
        """
        path, params = f"/sessions/{session_id}/messages", {"first": first, "count": count}
        media_type, encoded = await self._exchange.fetch_content(path, params, f"{PACKED_TYPE}, {ARROW}")
        if media_type == PACKED_TYPE:
            return await run_in_thread(unpack_blocks, encoded)
        return [await run_in_thread(MessageBlock.decode, encoded)]

    async def compare_versions(self) -> None:
        """Let the log say it if the server's version is another one, unless that is known; connecting does it, too."""
        if self._version_words is None:
            with contextlib.suppress(RemoteError):
                await self._status()

    async def _status(self, timeout_s: float | None = None) -> StatusRecord:
        status = await self._ask(_STATUS, "GET", "/status", timeout_s=timeout_s)
        words = compare_versions(__version__, status.version)
        if words and words != self._version_words:
            log.warning("%s", words)
        self._version_words = words
        return status


def told_run(duration_s: float | None, message_count: int | None, repeat_every_s: float | None) -> dict[str, Any]:
    """Return what is sent of a run's end."""
    wishes = {"duration_s": duration_s, "message_count": message_count, "repeat_every_s": repeat_every_s}
    return {name: wish for name, wish in wishes.items() if wish is not None}


def told(tags: Sequence[str], fields: Mapping[str, str] | None) -> dict[str, Any]:
    """Return what is sent of tags and fields: nothing where there are none, which an older server does not know."""
    return ({"tags": list(tags)} if tags else {}) | ({"fields": dict(fields)} if fields else {})
