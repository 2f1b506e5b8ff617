"""What sends during the simulated month: a printing device at full speed over TCP, and who is told by a hook."""

import hashlib
import json
import math
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NUMBER_DIGITS = 10
DEFINITION = """
id = "printer"
name = "Numbered lines"
format = "columns"
channels = [{ name = "number", column = 0, counts_messages = true }]
"""
_CHUNK_LINES = 500
_LOOK_S = 0.02
_SEND_TIMEOUT_S = 60.0


def printed_number(message: bytes) -> int:
    """Return the number of a printed line.

    >>> printed_number(b"0000000042,5a")
    42
    """
    return int(message[:NUMBER_DIGITS])


def _is_there(connection: socket.socket) -> bool:
    """Tell whether the reader is still there: one that was killed with lines unread has reset the connection."""
    try:
        return not select.select([connection], [], [], 0)[0] or bool(connection.recv(4096))
    except ConnectionResetError:
        return False


class Printer:
    """A device that prints numbered lines as fast as they are taken, so many as it is told; a context manager.

    It goes on with the next number whatever becomes of those that were on the wire when its reader died.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.link = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self.next_number = 0
        """All numbers before this one were printed, or are being."""
        self._left = 0
        self._is_printing = False
        self._rate_hz = math.inf
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="printer", daemon=True)

    def __enter__(self) -> "Printer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(10)
        self._listener.close()

    def print_lines(self, count: int, rate_hz: float = math.inf) -> None:
        """Print so many lines more.

        :param rate_hz: lines a second at most, of these and of those that are left.
        """
        with self._changed:
            self._left += count
            self._rate_hz = rate_hz
            self._changed.notify_all()

    def rest(self) -> None:
        """Print no more than what is under way; return when that is done."""
        with self._changed:
            self._left = 0
        self.wait_until_printed()

    def wait_until_printed(self) -> None:
        """Wait until all that was ordered is on the wire."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._left and not self._is_printing, _SEND_TIMEOUT_S)

    def _run(self) -> None:
        self._listener.settimeout(_LOOK_S)
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(_LOOK_S)
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        while not self._over.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._left or self._over.is_set(), _LOOK_S)
                count = min(self._left, _CHUNK_LINES)
                first = self.next_number
                self.next_number += count
                self._is_printing = count > 0
            is_sent = _is_there(connection) and self._send(
                connection, b"".join(map(_line, range(first, first + count)))
            )
            with self._changed:
                self._is_printing = False
                if is_sent:
                    self._left = max(self._left - count, 0)
                self._changed.notify_all()
            if not is_sent:
                return
            self._over.wait(count / self._rate_hz)

    def _send(self, connection: socket.socket, chunk: bytes) -> bool:
        view = memoryview(chunk)
        while view and not self._over.is_set():
            try:
                view = view[connection.send(view) :]
            except TimeoutError:
                continue
            except OSError:
                return False
        return True


def _line(number: int) -> bytes:
    noise = hashlib.blake2b(b"%d" % number, digest_size=40).hexdigest()
    return b"%010d,%s\r\n" % (number, noise.encode())


class Told:
    """What a hook was told, by event."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.texts: list[str] = []
        self.url = ""

    def count(self, event: str) -> int:
        """Return how often it was told that."""
        return self.events.count(event)


@contextmanager
def told_by_hook() -> Iterator[Told]:
    """Take what a webhook sends."""
    told = Told()

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.events.append(body["event"])
            told.texts.append(body["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        told.url = f"http://127.0.0.1:{server.server_address[1]}/told"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="told", daemon=True)
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join(10)
