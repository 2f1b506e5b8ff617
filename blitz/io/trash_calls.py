"""The client library's calls about who asks, and about sessions in the trash."""

from pydantic import TypeAdapter

from blitz.data.access_records import WhoRecord
from blitz.data.records import Role, SessionRecord
from blitz.errors import ServerError
from blitz.io.calls import NOTHING, Calls

_SESSION = TypeAdapter(SessionRecord)
_SESSIONS = TypeAdapter(list[SessionRecord])
_WHO = TypeAdapter(WhoRecord)


class TrashCalls(Calls):
    """Whom the server takes us for; listing, restoring and emptying the trash."""

    async def whoami(self) -> WhoRecord:
        """Return whom the server takes this client for, and what that one may do.

        A server from before there were roles lets everyone who has its token do everything.
        """
        try:
            return await self._ask(_WHO, "GET", "/whoami")
        except ServerError as error:
            if error.status != 404:
                raise
            return WhoRecord(name="", role=Role.ADMIN)

    async def trash(self) -> list[SessionRecord]:
        """Return the sessions in the trash, each with the time at which it was moved there."""
        return await self._ask(_SESSIONS, "GET", "/trash")

    async def restore(self, session_id: int) -> SessionRecord:
        """Take a session out of the trash.

        :raises SessionNotFound: if it is not in the trash.
        """
        return await self._ask(_SESSION, "POST", f"/trash/{int(session_id)}/restore")

    async def delete_for_good(self, session_id: int) -> None:
        """Delete a session that is in the trash, and its messages; nobody can bring it back.

        :raises SessionNotFound: if it is not in the trash.
        """
        await self._ask(NOTHING, "DELETE", f"/trash/{int(session_id)}")
