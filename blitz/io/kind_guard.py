"""Between the server and the code that a plug-in brings for its kind of source: what that raises ends no thread."""

import logging
from collections.abc import Callable
from typing import TypeVar

from blitz.data.source_kinds import SourceLink
from blitz.errors import BlitzError, LinkError

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class Guard:
    """Calls other people's code. Faults of it become sentences like those of a lost link, and are logged once.

    :param name: of what they bring, for people.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._has_failed = False

    def __call__(self, call: Callable[[], _T]) -> _T:
        """Return what a call returns.

        :raises LinkError: whatever it raises.
        """
        try:
            return call()
        except LinkError:
            raise
        except BlitzError as error:
            raise LinkError(str(error)) from error
        except Exception as error:
            if not self._has_failed:
                log.exception("The plug-in for %s failed", self._name)
            self._has_failed = True
            text = f"{type(error).__name__}: {error}".rstrip(": ")
            raise LinkError(f"The plug-in for {self._name} failed: {text}. It is tried again.") from error


class GuardedLink:
    """The link of a plug-in, as the server uses it; see :class:`blitz.io.link.Link`.

    :param closed: called once it is closed.
    """

    def __init__(self, link: SourceLink, guard: Guard, closed: Callable[[], None]) -> None:
        self._link = link
        self._guard = guard
        self._closed = closed

    @property
    def name(self) -> str:
        """What was opened."""
        return self._guard(lambda: str(self._link.name))

    @property
    def reopens(self) -> bool:
        """Whether it is worth opening again once it is lost."""
        try:
            return self._guard(lambda: bool(self._link.reopens))
        except LinkError:
            return True

    @property
    def overruns(self) -> int | None:
        """Bytes lost before they could be read; None if nobody tells."""
        return self._guard(lambda: self._link.overruns)

    def read(self, timeout_s: float) -> bytes:
        """Return all that is there, waiting up to ``timeout_s`` for a first byte; nothing if none came."""
        return self._guard(lambda: bytes(memoryview(self._link.read(timeout_s))))

    def write(self, line: bytes) -> None:
        """Send bytes.

        :raises CommandRefused: if it takes none.
        """
        self._link.write(line)

    def wake(self) -> None:
        """Make a waiting :meth:`read` return now; for any thread."""
        self._forgive(lambda: self._link.wake())

    def close(self) -> None:
        """Close it, whatever state it is in."""
        self._forgive(lambda: self._link.close())
        self._closed()

    def _forgive(self, call: Callable[[], None]) -> None:
        try:
            self._guard(call)
        except LinkError as error:
            log.warning("%s", error)
