"""Links: bytes to and from a device, whatever it is reached by.

Says what a link can do and opens the right one. Links know nothing of lines and boards.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from blitz.data.source_config import SerialOptions, kind_of, stream_of
from blitz.data.source_kinds import load_kind
from blitz.data.stream_records import check_stream_name
from blitz.errors import ConfigError, LinkError
from blitz.io import csv_kind  # noqa: F401 (registers itself)
from blitz.io.replay_link import LinkEnded, ReplayLink, parse_replay
from blitz.io.serial_link import SerialLink
from blitz.io.socket_link import SocketLink, parse_address

__all__ = ["Link", "LinkEnded", "check_link", "is_port", "open_link"]


class Link(Protocol):
    """An open link, used by one thread (:meth:`wake` may be called from any)."""

    @property
    def name(self) -> str:
        """What was opened."""

    @property
    def reopens(self) -> bool:
        """Whether it is worth opening again once it is lost; not so for a recording at its end."""

    @property
    def overruns(self) -> int | None:
        """Bytes lost before they could be read, since it was opened; None if nobody tells."""

    def read(self, timeout_s: float) -> bytes:
        """Return all that is there, waiting up to ``timeout_s`` for a first byte; nothing if none came.

        :raises LinkEnded: at the end of what has an end.
        :raises LinkError: if the device is gone.
        """

    def write(self, line: bytes) -> None:
        """Send bytes.

        :raises LinkError: if the device is gone or takes nothing.
        """

    def wake(self) -> None:
        """Make a waiting :meth:`read` return now."""

    def close(self) -> None:
        """Close it, whatever state it is in."""


def open_link(link: str, options: SerialOptions | None = None) -> Link:
    """Open a serial port or pty by its path, ``socket://HOST:PORT``, or ``replay:FILE`` (with ``?speed=2``, ``=max``).

    :param options: how a serial line is set; other links have none of it.
    :raises LinkError: if it cannot be opened; one sentence that says what to do.
    """
    if link.startswith("socket://"):
        return SocketLink(link)
    if link.startswith("replay:"):
        return ReplayLink(link)
    if stream_of(link) is not None or kind_of(link) is not None:
        raise LinkError(f"{link} is no device: add it as a source, and the server reads it itself.")
    return SerialLink(link, options)


def check_link(link: str, options: Mapping[str, Any] | None = None) -> None:
    """Check that a link is written as one that can be opened; whether it is there, nobody looks.

    :param options: what its kind of source is told.
    :raises ConfigError: if it is not.
    """
    try:
        if link.startswith("socket://"):
            parse_address(link)
        elif link.startswith("replay:"):
            parse_replay(link)
    except LinkError as error:
        raise ConfigError(str(error)) from error
    stream = stream_of(link)
    if stream is not None:
        try:
            check_stream_name(stream)
        except ValueError as error:
            raise ConfigError(f"{link!r} cannot be read: {error}") from error
        return
    if (kind := kind_of(link)) is not None:
        load_kind(kind)
    elif not link.startswith(("socket://", "replay:")) and "://" in link:
        raise ConfigError(
            f"{link!r} is no link. Give a port, socket://HOST:PORT, replay:FILE or stream:NAME. 'blitz source kinds' "
            "lists what else there is."
        )


def is_port(link: str) -> bool:
    """Say whether a link is a port of this machine, and no socket, no recording, no stream and none of a plug-in.

    >>> is_port("/dev/ttyUSB0"), is_port("socket://10.0.0.2:4000"), is_port("replay:run.jsonl"), is_port("stream:room")
    (True, False, False, False)
    """
    return not (link.startswith("replay:") or stream_of(link) is not None or kind_of(link) is not None or "://" in link)
