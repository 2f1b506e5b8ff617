"""The client library's calls about tokens: who may use the server. They need the role admin."""

from pydantic import TypeAdapter

from blitz.data.access_records import IssuedToken, TokenRecord
from blitz.data.records import Role
from blitz.io.calls import Calls

_ISSUED = TypeAdapter(IssuedToken)
_TOKEN = TypeAdapter(TokenRecord)
_TOKENS = TypeAdapter(list[TokenRecord])


class TokenCalls(Calls):
    """Making, listing and revoking tokens."""

    async def tokens(self) -> list[TokenRecord]:
        """Return the records of all tokens, oldest first, those that were revoked, too."""
        return await self._ask(_TOKENS, "GET", "/tokens")

    async def create_token(self, role: Role | str, name: str = "") -> IssuedToken:
        """Make a token; what it is, and its link, is told this once.

        :param role: ``viewer``, ``operator`` or ``admin``.
        :param name: for people: whom or what it is for; role and day when not given.
        :raises ValueError: if there is no such role.
        """
        return await self._ask(_ISSUED, "POST", "/tokens", {"role": Role(role).value, "name": name})

    async def revoke_token(self, token_id: int) -> TokenRecord:
        """Make a token worthless; who is connected by it is cut off within a second.

        :raises UnknownToken: if there is none with that id.
        """
        return await self._ask(_TOKEN, "DELETE", f"/tokens/{int(token_id)}")
