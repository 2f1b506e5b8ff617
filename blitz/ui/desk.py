"""What the parts of the worker thread share that ask the server something."""

from collections.abc import Awaitable, Callable

from blitz.io.connection import AsyncClient
from blitz.ui.feed import Feed


class Desk:
    """Asks the client of the server that the window is connected to.

    :param client: gives it, or raises a sentence where there is none.
    :param ask_status: asks for the status anew, so that the window shows at once what came of a request;
        it raises nothing.
    """

    def __init__(
        self, feed: Feed, client: Callable[[], AsyncClient], ask_status: Callable[[], Awaitable[None]]
    ) -> None:
        self._feed = feed
        self._client = client
        self._ask_status = ask_status
