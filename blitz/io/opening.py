"""The first opening of a link that is being added: whoever adds it waits for that, and then decides."""

import threading

from blitz.errors import LinkError


class Opening:
    """Between the thread of a link that is opened for the first time, and the thread that adds its source."""

    def __init__(self) -> None:
        self._is_tried = threading.Event()
        self._is_decided = threading.Event()
        self._error: Exception | None = None

    @property
    def is_pending(self) -> bool:
        """Whether nobody has decided yet: until then nothing of it is to be seen."""
        return not self._is_decided.is_set()

    @property
    def was_tried(self) -> bool:
        """Whether it is known whether it can be opened."""
        return self._is_tried.is_set()

    # ---- the link's thread -------------------------------------------------------------------------------------

    def succeed(self) -> None:
        """It is open; returns when it was decided what becomes of it."""
        self._is_tried.set()
        self._is_decided.wait()

    def fail(self, error: Exception) -> None:
        """It cannot be opened."""
        self._error = error
        self._is_tried.set()

    # ---- who adds it -------------------------------------------------------------------------------------------

    def wait(self, timeout_s: float) -> None:
        """Wait until it is open.

        :raises LinkError: if it cannot be opened, or was not in that time.
        """
        if not self._is_tried.wait(timeout_s):
            raise LinkError(f"it was not open after {timeout_s:g} s")
        if self._error is not None:
            raise self._error

    def decide(self) -> None:
        """Let the link go on; or end, if it was told to."""
        self._is_decided.set()
