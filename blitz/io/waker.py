"""Ending a wait in another thread."""

import contextlib
import socket
import threading


class Waker:
    """What a reader waits for beside its device: it becomes readable when any thread calls :meth:`wake`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False
        # Windows waits for sockets only; a pipe would do elsewhere.
        self._heard, self._told = socket.socketpair()
        self._heard.setblocking(False)
        self._told.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._heard.fileno()

    def wake(self) -> None:
        """Make the wait end now, or the next one at once."""
        with self._lock:  # closed meanwhile, the number may be another file's already
            if not self._is_closed:
                with contextlib.suppress(BlockingIOError):
                    self._told.send(b"\0")

    def clear(self) -> None:
        """Forget that anybody called."""
        with contextlib.suppress(BlockingIOError):
            self._heard.recv(4096)

    def close(self) -> None:
        """Call nobody any more."""
        with self._lock:
            self._is_closed = True
            self._heard.close()
            self._told.close()
