"""What the window asks about stars and the trash, on the worker thread's event loop."""

from collections.abc import Awaitable, Callable

from blitz.errors import BlitzError, ServerError
from blitz.io.connection import AsyncClient
from blitz.ui.feed import Feed, RequestFailure

_NO_SUCH_CALL = (404, 405)


class TrashDesk:
    """Asks the client of the server that the window is connected to.

    :param client: gives it, or raises a sentence where there is none.
    :param list_sessions: tells the sessions anew, so that the window shows at once what came of a request.
    """

    def __init__(
        self, feed: Feed, client: Callable[[], AsyncClient], list_sessions: Callable[[], Awaitable[None]]
    ) -> None:
        self._feed = feed
        self._client = client
        self._list_sessions = list_sessions

    async def tell(self) -> None:
        """Tell what is in the trash; None where the server is older than its trash."""
        try:
            records = await self._client().trash()
        except ServerError as error:
            if error.status not in _NO_SUCH_CALL:
                raise
            self._feed.trash_listed.emit(None)
            return
        self._feed.trash_listed.emit(tuple(records))

    async def tell_again(self) -> None:
        """Tell what is in the trash, or that the list is not up to date."""
        try:
            await self.tell()
        except BlitzError as error:
            self._feed.request_failed.emit(RequestFailure("The list of the trash is not up to date", error))

    async def tell_deleted(self, session_id: int) -> None:
        """Tell the trash, and that a session lies in it now; it may be gone for good, on an older server."""
        try:
            records = await self._client().trash()
        except BlitzError:
            return
        self._feed.trash_listed.emit(tuple(records))
        for record in records:
            if record.id == session_id:
                self._feed.session_trashed.emit(record)

    async def star(self, session_id: int, is_starred: bool) -> None:
        """Let retention keep a session, or no longer."""
        await self._client().update_session(session_id, starred=is_starred)
        await self._list_sessions()

    async def restore(self, session_id: int) -> None:
        """Take a session out of the trash."""
        await self._client().restore(session_id)
        await self._list_sessions()
        await self.tell_again()

    async def delete_for_good(self, session_id: int) -> None:
        """Delete a session that is in the trash."""
        await self._client().delete_for_good(session_id)
        await self.tell_again()
