"""A link that plays a recording back: what the device sent, at its own speed or as fast as it is read."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

from blitz.errors import LinkError
from blitz.io.recording import Chunk, RecordingReader

log = logging.getLogger(__name__)

_READ_LIMIT = 65536


class LinkEnded(LinkError):  # noqa: N818 - reads as what happened
    """A link is at its end: nothing was lost, and nothing will come by opening it again."""


class ReplayLink:
    """A recording that is played back, used by one thread (:meth:`wake` may be called from any).

    :param link: ``replay:FILE``; behind it may stand ``?speed=2`` (twice its own speed) or ``?speed=max``.
    :raises LinkError: if there is no such recording; one sentence that says what to do.
    """

    reopens = False
    overruns = None

    def __init__(self, link: str) -> None:
        self.name = link
        path, self._speed = parse_replay(link)
        self._reader = RecordingReader(path)
        self._chunks: Iterator[Chunk] = (chunk for chunk in self._reader if chunk.direction == "rx" and chunk.content)
        self._next = next(self._chunks, None)
        self._first_s = self._next.t_s if self._next else 0.0
        self._began_s: float | None = None
        self._woken = threading.Event()

    def read(self, timeout_s: float) -> bytes:
        """Return what is due by now, waiting up to ``timeout_s`` for it; nothing if nothing is.

        The clock starts with the first call, at the first byte received.

        :raises LinkEnded: at the end of the recording.
        """
        if self._next is None:
            raise LinkEnded(f"{self.name} has been played to its end.")
        now_s = time.monotonic()
        if self._began_s is None:
            self._began_s = now_s
        wait_s = self._due_s(self._next) - now_s
        if wait_s > 0:
            is_woken = self._woken.wait(min(wait_s, max(timeout_s, 0.0)))
            self._woken.clear()
            if is_woken or wait_s > timeout_s:
                return b""
        return self._take_due(time.monotonic())

    def write(self, line: bytes) -> None:
        """Forget it: a recording answers nobody."""
        log.debug("%s was sent %r", self.name, line)

    def wake(self) -> None:
        """Make a waiting :meth:`read` return now."""
        self._woken.set()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._next = None

    def _due_s(self, chunk: Chunk) -> float:
        assert self._began_s is not None
        return self._began_s + (chunk.t_s - self._first_s) / self._speed

    def _take_due(self, now_s: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        while self._next is not None and size < _READ_LIMIT and (not parts or self._due_s(self._next) <= now_s):
            parts.append(self._next.content)
            size += len(self._next.content)
            self._next = next(self._chunks, None)
        return b"".join(parts)


def parse_replay(link: str) -> tuple[Path, float]:
    """Read ``replay:FILE?speed=SPEED``; the speed is infinite for ``max``.

    :raises LinkError: if the speed is none.

    >>> parse_replay("replay:what?/run.jsonl?speed=2")[1]
    2.0
    """
    path = link.removeprefix("replay:")
    head, mark, query = path.rpartition("?")
    options = dict(parse_qsl(query)) if mark and query.startswith("speed=") else {}
    if not options:
        return Path(path), 1.0
    return Path(head), parse_speed(options["speed"])


def parse_speed(text: str) -> float:
    """Read a speed: a factor of the recording's own, or ``max``.

    :raises LinkError: if it is neither.
    """
    try:
        speed = float("inf") if text == "max" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise LinkError(f"{text!r} is no speed: give a factor above 0, such as 2 or 0.5, or max.")
    return speed
