"""What is watched of the server's connections: handshakes that never end, and clients that take nothing."""

import asyncio
import gc
import time
from collections.abc import Callable
from weakref import WeakSet

_COLLECT_S = 5.0


class Handshakes:
    """The connections whose TLS handshake is not over. Of those that fail asyncio tells nobody: they are forgotten."""

    def __init__(self) -> None:
        self._under_way: WeakSet[object] = WeakSet()
        self._collected_s = -_COLLECT_S

    def begin(self, connection: object, limit: int) -> bool:
        """Count a connection that begins; False if there are too many."""
        now_s = time.monotonic()
        if len(self._under_way) >= limit and now_s - self._collected_s > _COLLECT_S:
            self._collected_s = now_s
            gc.collect()  # what failed may be held by a cycle
        if len(self._under_way) >= limit:
            return False
        self._under_way.add(connection)
        return True

    def end(self, connection: object) -> None:
        """It is a connection now."""
        self._under_way.discard(connection)


class StallWatch:
    """Looks now and then whether the other side takes what was written to a connection.

    :param stalled: called once, when nothing was taken for that long.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        timeout_s: float,
        stalled: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._timeout_s = timeout_s
        self._stalled = stalled
        self._waiting_bytes = 0
        self._since_s = loop.time()
        self._timer = loop.call_later(timeout_s / 4, self._look)

    @property
    def idle_s(self) -> float:
        """For how long nothing was taken although something waits."""
        return self._loop.time() - self._since_s if self._transport.get_write_buffer_size() else 0.0

    def note_taken(self) -> None:
        """Something was taken, or the other side gave a sign of life."""
        self._since_s = self._loop.time()

    def stop(self) -> None:
        """The connection is over."""
        self._timer.cancel()

    def _look(self) -> None:
        waiting_bytes = self._transport.get_write_buffer_size()
        if waiting_bytes == 0 or waiting_bytes < self._waiting_bytes:
            self.note_taken()
        self._waiting_bytes = waiting_bytes
        if self.idle_s >= self._timeout_s:
            self._stalled()
        else:
            self._timer = self._loop.call_later(self._timeout_s / 4, self._look)
