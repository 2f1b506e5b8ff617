"""What the window asks about tokens, on the worker thread's event loop."""

from collections.abc import Callable

from blitz.data.records import Role
from blitz.errors import BlitzError
from blitz.io.connection import AsyncClient
from blitz.ui.feed import Feed


class TokenDesk:
    """Asks the client of the server that the window is connected to.

    :param client: gives it, or raises a sentence where there is none.
    """

    def __init__(self, feed: Feed, client: Callable[[], AsyncClient]) -> None:
        self._feed = feed
        self._client = client

    async def make(self, role: Role, name: str) -> None:
        """Make a token, and tell it, or why there is none."""
        try:
            issued = await self._client().create_token(role, name)
        except BlitzError as error:
            self._feed.token_answered.emit(None, str(error))
        else:
            self._feed.token_answered.emit(issued, "")
