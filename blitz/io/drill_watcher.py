"""A client that looks on during a drill: what it was shown must be there in the end."""

import threading
from collections import deque
from types import TracebackType
from typing import Self

import numpy as np

from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, EventKind
from blitz.errors import BlitzError
from blitz.io.blocking import Client
from blitz.io.drill_device import BOARD, BOARD_MODULO, numbers_of

_RECONNECT_S = 0.25
_NOTICES_KEPT = 1000


class Watcher:
    """Follows all sessions of a server from its beginning, over restarts, in a thread of its own. A context manager.

    :param url: of a server that runs.
    """

    def __init__(self, url: str) -> None:
        self.blocks: dict[int, list[MessageBlock]] = {}
        """What it was shown, by session."""
        self.latest: dict[int, int] = {}
        """The number that was shown last of each device."""
        self.notices: deque[str] = deque(maxlen=_NOTICES_KEPT)
        self.failure: BlitzError | None = None
        self._client = Client(url, max_wait_retry=_RECONNECT_S)
        self._thread = threading.Thread(target=self._run, name="drill's watcher", daemon=True)

    def __enter__(self) -> Self:
        self._client.connect()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()
        self._thread.join()

    def has_reached(self, device: int, number: int) -> bool:
        """Whether a message with that number, or a later one, was shown."""
        latest = self.latest.get(device, -1)
        if device == BOARD:
            return latest >= 0 and (latest - number) % BOARD_MODULO < BOARD_MODULO // 2
        return latest >= number

    def shown_count(self, session_id: int) -> int:
        """Return where the messages of a session that were shown end."""
        blocks = self.blocks.get(session_id)
        return blocks[-1].next_seq if blocks else 0

    def _run(self) -> None:
        try:
            for entry in self._client.live(first=0, raw=True):
                if isinstance(entry, MessageBlock):
                    self._take(entry)
                elif entry.event is EventKind.NOTICE:
                    self._hear(entry)
        except BlitzError as error:
            if not self._client.is_closed:
                self.failure = error

    def _take(self, block: MessageBlock) -> None:
        self.blocks.setdefault(block.session_id, []).append(block)
        whose, numbers = numbers_of(block)
        for device in np.unique(whose).tolist():
            self.latest[device] = int(numbers[np.flatnonzero(whose == device)[-1]])

    def _hear(self, event: Event) -> None:
        if event.notice is not None:
            self.notices.append(event.notice.text)
