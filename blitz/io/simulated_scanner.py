"""A simulated NetScanner: an Ethernet scanner of 16 pressures, over TCP on this machine.

It stands for the Pressure Systems 9116. A request is what one TCP segment brings, without an end mark; CR and LF behind
it are allowed, and part several requests in one segment. Answers have no line ending, and requests no terminator.

===================  ==================================================================================================
request              answer
===================  ==================================================================================================
``A``                ``A``. Power-up clear: connects, nothing else
``B``                ``A``. Reset: the unit factor is 1 again (psi)
``v01101 F``         ``A``. Sets the unit factor to the number F: 6.894757 makes kPa of psi
``u01101``           a space, then the unit factor, six decimals
``rPPPP0``           for each channel whose bit is set in the four hex digits PPPP (bit 0 is channel 1), **channel 16
                     first**: a space, then the pressure in the chosen unit, six decimals, such as `` -2.345678``. So
                     ``rFFFF0`` has 16 numbers and begins with a space. Lower case digits are read, too
``v`` or ``u``,      ``N08``. Any other coefficient is none of this scanner's
``v01101 x``         ``N05``. The field is no number; also for ``r`` with too few digits, others than hex, or none set
``rFFFF7``           ``N08``. Another data format than 0
anything else        ``N01``. Unknown command
===================  ==================================================================================================

Acknowledged is ``A``, refused is ``N`` with two digits of a code. Pressures are slow sines of a few kPa, differing by
channel; those of even channels swing below -2 kPa, and channel 16 stays there.
"""

import contextlib
import logging
import math
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

CHANNELS = 16
KPA_PER_PSI = 6.894757

_UNKNOWN_COMMAND, _FIELD_ERROR, _NOT_SUPPORTED = b"N01", b"N05", b"N08"
_FACTOR = b"01101"
_IDLE_S = 0.25
_BETWEEN_SEGMENTS_S = 0.005


class ScannerProgram:
    """What the scanner answers. Pure: it is told the request and the time.

    >>> scanner = ScannerProgram()
    >>> scanner.answer(b"v01101 6.894757", 0.0), scanner.answer(b"rFFFF9", 0.0), scanner.answer(b"r00030", 0.0)
    (b'A', b'N08', b' -1.688795 1.243563')
    """

    def __init__(self) -> None:
        self.factor = 1.0

    def answer(self, request: bytes, now_s: float) -> bytes:
        """Return the answer to one request."""
        command, rest = request[:1], request[1:]
        if command == b"r":
            return self._read(rest, now_s)
        if command in (b"u", b"v"):
            return self._factor(command, rest)
        if command in (b"A", b"B") and not rest:
            if command == b"B":
                self.factor = 1.0
            return b"A"
        return _UNKNOWN_COMMAND

    def pressure_psi(self, channel: int, now_s: float) -> float:
        """Return the pressure at a channel, 1 to 16."""
        swing = math.sin(2 * math.pi * (0.1 * now_s + channel / CHANNELS))
        if channel == CHANNELS:
            return -0.5 + 0.1 * swing
        return 0.1 + 0.21 * swing if channel % 2 else -0.45 + 0.29 * swing

    def _read(self, field: bytes, now_s: float) -> bytes:
        digits = field[:4].upper()
        if len(field) < 5 or digits.translate(None, b"0123456789ABCDEF") or int(digits, 16) == 0:
            return _FIELD_ERROR
        if field[4:] != b"0":
            return _NOT_SUPPORTED
        wanted = int(digits, 16)
        numbers = (
            self.pressure_psi(channel, now_s) * self.factor
            for channel in range(CHANNELS, 0, -1)
            if wanted >> (channel - 1) & 1
        )
        return b"".join(b" %.6f" % number for number in numbers)

    def _factor(self, command: bytes, field: bytes) -> bytes:
        if field[:5] != _FACTOR:
            return _NOT_SUPPORTED
        if command == b"u":
            return b" %.6f" % self.factor
        try:
            factor = float(field[5:])
        except ValueError:
            return _FIELD_ERROR
        if not math.isfinite(factor):
            return _FIELD_ERROR
        self.factor = factor
        return b"A"


class SimulatedScanner:
    """The scanner on a TCP port of the loopback address, in a thread of its own. A context manager.

    The methods may be called from any thread.

    :param port: 0 takes a free one; see :attr:`port`.
    :param split_bytes: send answers in pieces of so many bytes, each in a segment of its own; None: whole.
    """

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", split_bytes: int | None = None) -> None:
        self.host = host
        self.port = port
        """Where it listens; known once it is started."""
        self.split_bytes = split_bytes
        self.is_mute = False
        """Hear, but answer nothing."""
        self.requests: deque[bytes] = deque(maxlen=10_000)
        """What was asked, oldest first."""
        self.forced_answers: deque[bytes] = deque()
        """Given to the next requests, instead of the right answers: errors, nonsense."""
        self._program = ScannerProgram()
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._selector: selectors.BaseSelector | None = None
        self._orders: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self._wake_read: socket.socket | None = None
        self._wake_write: socket.socket | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def address(self) -> str:
        """Host and port, as ``netscanner://`` takes them."""
        return f"{self.host}:{self.port}"

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def connection_count(self) -> int:
        """How many programs are connected."""
        return len(self._connections)

    def start(self) -> None:
        """Listen; on return :attr:`address` can be connected to.

        :raises OSError: if the port cannot be had.
        """
        self._stopping.clear()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        try:
            self._listen()
        except OSError:
            self._close_all()
            raise
        self._thread = threading.Thread(target=self._run, name="scanner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close everything and end the thread; raise what ended it early, if anything did."""
        if self._thread is None:
            return
        self._stopping.set()
        self._wake()
        self._thread.join()
        self._thread = None
        self._close_all()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def drop_connections(self) -> None:
        """Close the connections; new ones are taken."""
        self._order(self._drop)

    def unplug(self) -> None:
        """Close the connections, and refuse new ones."""
        self._order(self._pull_out)

    def replug(self) -> None:
        """Listen again at the same port, with the unit factor of power-up."""
        self._order(self._plug_in)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _order(self, action: Callable[[], None]) -> None:
        """Have the thread do it, and wait until it is done."""
        done = threading.Event()
        self._orders.append((action, done))
        self._wake()
        while not done.wait(0.1):
            if not self.is_alive:
                raise RuntimeError("The simulated scanner does not run.")

    def _wake(self) -> None:
        if self._wake_write is not None:
            self._wake_write.send(b"\0")

    # From here on everything runs in the scanner's thread.

    def _run(self) -> None:
        assert self._selector is not None
        try:
            while not self._stopping.is_set():
                for key, _ in self._selector.select(_IDLE_S):
                    self._attend(key.fileobj)
                while self._orders:
                    action, done = self._orders.popleft()
                    action()
                    done.set()
        except BaseException as error:  # stop() raises it in the caller's thread
            log.exception("The simulated scanner failed.")
            self._failure = error
        finally:
            self._pull_out()

    def _attend(self, ready: object) -> None:
        assert self._selector is not None
        if ready is self._wake_read and self._wake_read is not None:
            self._wake_read.recv(4096)
        elif ready is self._listener and self._listener is not None:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(1.0)
            self._connections.add(connection)
            self._selector.register(connection, selectors.EVENT_READ)
        elif isinstance(ready, socket.socket) and ready in self._connections:
            self._serve(ready)

    def _serve(self, connection: socket.socket) -> None:
        try:
            received = connection.recv(4096)
            if not received:
                self._forget(connection)
            for request in filter(None, received.splitlines()):
                self.requests.append(request)
                right = self._program.answer(request, time.monotonic())
                answer = self.forced_answers.popleft() if self.forced_answers else right
                if not self.is_mute:
                    self._send(connection, answer)
        except OSError as error:
            log.debug("A connection to the simulated scanner ended: %s", error)
            self._forget(connection)

    def _send(self, connection: socket.socket, answer: bytes) -> None:
        step = self.split_bytes or len(answer) or 1
        for begin in range(0, len(answer), step):
            if begin:
                self._stopping.wait(_BETWEEN_SEGMENTS_S)
            connection.sendall(answer[begin : begin + step])

    def _forget(self, connection: socket.socket) -> None:
        assert self._selector is not None
        self._selector.unregister(connection)
        self._connections.discard(connection)
        connection.close()

    def _drop(self) -> None:
        for connection in list(self._connections):
            self._forget(connection)

    def _listen(self) -> None:
        assert self._selector is not None
        self._listener = socket.create_server((self.host, self.port))
        self.port = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ)

    def _plug_in(self) -> None:
        if self._listener is None:
            self._program = ScannerProgram()
            self._listen()

    def _pull_out(self) -> None:
        self._drop()
        if self._listener is not None and self._selector is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _close_all(self) -> None:
        for opened in (self._selector, self._wake_read, self._wake_write):
            if opened is not None:
                with contextlib.suppress(OSError):
                    opened.close()
        self._selector = self._wake_read = self._wake_write = None
