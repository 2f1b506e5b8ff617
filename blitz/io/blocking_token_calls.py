"""The calls of :class:`~blitz.io.token_calls.TokenCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from blitz.data.access_records import IssuedToken, TokenRecord
from blitz.data.records import Role
from blitz.io.token_calls import TokenCalls

_T = TypeVar("_T")


class BlockingTokenCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> TokenCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def tokens(self) -> list[TokenRecord]:
        """Return all tokens, oldest first, those that were revoked, too."""
        return self._call(self._calls.tokens)

    def create_token(self, role: Role | str, name: str = "") -> IssuedToken:
        """Make a token; what it is, and its link, is told this once."""
        return self._call(partial(self._calls.create_token, role, name))

    def revoke_token(self, token_id: int) -> TokenRecord:
        """Make a token worthless; who is connected by it is cut off within a second."""
        return self._call(partial(self._calls.revoke_token, token_id))
