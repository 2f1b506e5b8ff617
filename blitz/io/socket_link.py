"""A link over TCP: a device with a network plug, or a serial port that another machine passes on."""

import contextlib
import errno
import selectors
import socket
import sys
from urllib.parse import urlsplit

from blitz.errors import LinkError
from blitz.io.waker import Waker

_READ_LIMIT = 65536
_CONNECT_S = 3.0
_WRITE_TIMEOUT_S = 2.0
_QUIET_S, _PROBE_S, _PROBES = 4, 2, 3  # a dead peer is noticed within 10 s


class SocketLink:
    """One open connection, used by one thread (:meth:`wake` may be called from any).

    :param link: ``socket://HOST:PORT``.
    :raises LinkError: if there is no connection; one sentence that says what to do.
    """

    reopens = True
    overruns = None

    def __init__(self, link: str) -> None:
        self.name = link
        host, port = parse_address(link)
        try:
            self._socket = socket.create_connection((host, port), timeout=_CONNECT_S)
        except (OSError, UnicodeError) as error:
            raise LinkError(_why_not_connected(link, host, port, error)) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(self._socket)
        self._socket.settimeout(_WRITE_TIMEOUT_S)
        self._is_closed = False
        self._waker = Waker()
        # As many descriptors as there may be; `select` itself ends at 1024.
        self._ready = getattr(selectors, "PollSelector", selectors.SelectSelector)()
        self._ready.register(self._socket, selectors.EVENT_READ)
        self._ready.register(self._waker, selectors.EVENT_READ)

    def read(self, timeout_s: float) -> bytes:
        """Return all that is there, waiting up to ``timeout_s`` for a first byte; nothing if none came.

        :raises LinkError: if the other end is gone.
        """
        if self._is_closed:
            raise LinkError(f"{self.name} is closed.")
        try:
            ready = [key.fileobj for key, _ in self._ready.select(max(timeout_s, 0.0))]
            if self._waker in ready:
                self._waker.clear()
            if self._socket not in ready:
                return b""
            chunk = self._socket.recv(_READ_LIMIT)
        except (OSError, ValueError) as error:
            raise LinkError(f"Lost {self.name}: {_reason(error)}. It is opened again when it is back.") from error
        if not chunk:
            raise LinkError(f"Lost {self.name}: the other end closed it. It is opened again when it is back.")
        return chunk

    def write(self, line: bytes) -> None:
        """Send bytes.

        :raises LinkError: if the other end is gone or takes nothing.
        """
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise LinkError(f"Cannot write to {self.name}: {_reason(error)}.") from error

    def wake(self) -> None:
        """Make a waiting :meth:`read` return now."""
        self._waker.wake()

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
        self._is_closed = True
        self._waker.close()
        self._ready.close()
        with contextlib.suppress(OSError):
            self._socket.close()


def parse_address(link: str) -> tuple[str, int]:
    """Read ``socket://HOST:PORT``.

    :raises LinkError: if it is not of that form.

    >>> parse_address("socket://[::1]:4000")
    ('::1', 4000)
    """
    try:
        parts = urlsplit(link)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or parts.path.strip("/"):
        raise LinkError(f"Cannot open {link}: it is not socket://HOST:PORT, such as socket://192.168.1.50:4000.")
    return host, port


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = "TCP_KEEPALIVE" if sys.platform == "darwin" else "TCP_KEEPIDLE"
    wanted = {idle: _QUIET_S, "TCP_KEEPINTVL": _PROBE_S, "TCP_KEEPCNT": _PROBES, "TCP_USER_TIMEOUT": 10_000}
    for name, value in wanted.items():
        with contextlib.suppress(OSError, AttributeError):  # not every system has them all
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if isinstance(error, TimeoutError):
        return "the other end does not answer any more" if number else "the other end takes nothing"
    if number in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED):
        return "the other end broke the connection"
    return (getattr(error, "strerror", None) or str(error)).lower().rstrip(".")


def _why_not_connected(link: str, host: str, port: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    start = f"Cannot open {link}"
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"{start}: there is no machine by the name {host}. Check the name, or give its number."
    if isinstance(error, ConnectionRefusedError):
        return f"{start}: {host} takes no connections at port {port}. Start what listens there, or check the port."
    if isinstance(error, TimeoutError) or number in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN):
        return f"{start}: {host} cannot be reached. Check that it is on, the network cable and the address."
    return f"{start}: {_reason(error)}."
