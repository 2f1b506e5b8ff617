"""What a client may take: connections, size and time of requests, threads; against real sockets, with small limits."""

import asyncio
import contextlib
import dataclasses
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from blitz.io import connection_watch
from blitz.io.certificate import private_certificate
from blitz.io.limits import Admission, Limits

DEADLINE_S = 15.0
LIMITS = Limits(max_connections=6, max_viewers=2, max_request_bytes=4096, request_timeout_s=0.6, viewer_timeout_s=1.0)
FRAME = b"x" * 200_000
HEAD = b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Bench:
    """A server with these limits and an application that does what a test needs."""

    def __init__(self, limits: Limits, **options: Any) -> None:
        self.released = threading.Event()
        self.asked = threading.Event()
        self.pace_s = 0.0
        self.admission = Admission(self._app, limits)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        config = uvicorn.Config(
            self.admission,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
            **limits.uvicorn_options(),
            **options,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]}, name="limits")

    @property
    def connection_count(self) -> int:
        return len(self.server.server_state.connections)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.set()
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            with contextlib.suppress(OSError):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._send_frames, send)
                    while (await receive())["type"] != "websocket.disconnect":
                        pass
                    tasks.cancel_scope.cancel()
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message["more_body"]:
                break
        if scope["path"] == "/wait":
            while not self.released.is_set():
                await asyncio.sleep(0.01)
        answer = FRAME * 100 if scope["path"] == "/much" else str(len(body)).encode()
        length = (b"content-length", str(len(answer)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": answer})

    async def _send_frames(self, send: Any) -> None:
        with contextlib.suppress(OSError):
            while True:
                await send({"type": "websocket.send", "bytes": FRAME})
                await asyncio.sleep(self.pace_s)

    def open(self, sent: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), DEADLINE_S)
        connection.sendall(sent)
        return connection

    def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        with self.open(request) as connection:
            return answer_of(connection)

    def wait(self, is_so: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not is_so():
            assert time.monotonic() < deadline_s
            time.sleep(0.01)


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read an answer to its end, by its length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += (more := connection.recv(65536))
        assert more, received
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += (more := connection.recv(65536))
        assert more
    return int(first.split()[1]), headers, body


def is_closed(connection: socket.socket) -> bool:
    """Read to the end; a reset is an end, too."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    return True


@contextlib.contextmanager
def running(limits: Limits, **options: Any) -> Iterator[Bench]:
    bench = Bench(limits, **options)
    bench.thread.start()
    bench.wait(lambda: bench.server.started)
    try:
        yield bench
    finally:
        bench.released.set()
        bench.server.should_exit = True
        bench.thread.join(DEADLINE_S)
        assert not bench.thread.is_alive()
        bench.listener.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with running(LIMITS) as bench:
        yield bench


@pytest.fixture
def patient() -> Iterator[Bench]:
    """For tests in which a client must be in time, on a busy machine, too."""
    with running(dataclasses.replace(LIMITS, request_timeout_s=3.0, viewer_timeout_s=4.0)) as bench:
        yield bench


@pytest.fixture
def untimed() -> Iterator[Bench]:
    """For tests of limits that have nothing to do with time."""
    with running(dataclasses.replace(LIMITS, request_timeout_s=60, viewer_timeout_s=60)) as bench:
        yield bench


def code(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    status, headers, body = answer
    assert headers["content-type"] == "application/problem+json"
    return status, json.loads(body)["code"]


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HT", HEAD[:-2], b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345"],
    ids=["nothing", "half a line", "half a head", "half a body"],
)
def test_a_request_that_does_not_arrive_in_time_is_given_up(bench: Bench, begun: bytes) -> None:
    with bench.open(begun) as connection:
        assert code(answer_of(connection)) == (408, "too_slow")
        assert is_closed(connection)
    bench.wait(lambda: bench.connection_count == 0)


def test_one_byte_at_a_time_does_not_make_a_request_last_longer(bench: Bench) -> None:
    with bench.open() as connection:
        began_s = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in HEAD * 1000:
                connection.sendall(bytes([byte]))
                if bench.connection_count == 0 and time.monotonic() > began_s + LIMITS.request_timeout_s:
                    break
                time.sleep(0.02)
        assert time.monotonic() - began_s < DEADLINE_S
    bench.wait(lambda: bench.connection_count == 0)


def test_requests_on_one_connection_have_the_time_each(patient: Bench) -> None:
    with patient.open() as connection:
        for _ in range(5):
            connection.sendall(HEAD[:10])
            time.sleep(0.7)
            connection.sendall(HEAD[10:])
            assert answer_of(connection)[0] == 200


def test_a_request_that_is_worked_on_for_long_is_not_too_slow(bench: Bench) -> None:
    with bench.open(HEAD.replace(b"/echo", b"/wait")) as connection:
        time.sleep(2 * LIMITS.request_timeout_s)
        bench.released.set()
        assert answer_of(connection)[0] == 200


def test_a_body_has_a_largest_size_however_it_is_announced(untimed: Bench) -> None:
    largest = b"x" * LIMITS.max_request_bytes
    post = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"
    fitting = untimed.ask(post + b"Content-Length: %d\r\n\r\n" % len(largest) + largest)
    assert (fitting[0], fitting[2]) == (200, b"4096")
    assert code(untimed.ask(post + b"Content-Length: %d\r\n\r\n" % (len(largest) + 1) + largest + b"x")) == (
        413,
        "too_large",
    )
    assert code(untimed.ask(post + b"Content-Length: 99999999999999\r\n\r\n")) == (413, "too_large")
    chunk = b"%x\r\n%b\r\n" % (len(largest), largest)
    assert code(untimed.ask(post + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 2 + b"0\r\n\r\n")) == (
        413,
        "too_large",
    )
    untimed.wait(lambda: untimed.connection_count == 0)


def test_who_sends_without_end_is_cut_off(untimed: Bench) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    with untimed.open(head) as connection, contextlib.suppress(ConnectionError):
        for _ in range(10_000):
            connection.sendall(FRAME)
        pytest.fail("2 GB were read")
    untimed.wait(lambda: untimed.connection_count == 0)


@pytest.mark.parametrize(
    "request_bytes",
    [b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000, b"GET /" + b"a" * 100_000, b"\x16\x03\x01\x02\x00\x01\xfc\r\n\r\n"],
    ids=["many headers", "long line", "TLS"],
)
def test_what_is_no_request_is_refused_with_problem_details(untimed: Bench, request_bytes: bytes) -> None:
    with untimed.open() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request_bytes)
        assert code(answer_of(connection)) == (400, "invalid")


def test_where_all_connections_are_taken_the_one_that_waits_longest_makes_room(untimed: Bench) -> None:
    with contextlib.ExitStack() as stack:
        idle = []
        for count in range(1, LIMITS.max_connections + 1):
            idle.append(stack.enter_context(untimed.open(b"GET")))
            untimed.wait(lambda count=count: untimed.connection_count == count)  # type: ignore[misc]
        assert untimed.ask(HEAD)[0] == 200
        assert is_closed(idle[0])


def test_where_all_connections_are_at_work_a_newcomer_is_told_to_come_again(untimed: Bench) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(LIMITS.max_connections):
            stack.enter_context(untimed.open(HEAD.replace(b"/echo", b"/wait")))
        untimed.wait(lambda: len(untimed.server.server_state.tasks) == LIMITS.max_connections)
        refused = untimed.ask(HEAD)
        assert code(refused) == (503, "busy")
        assert int(refused[1]["retry-after"]) >= 1
    untimed.released.set()
    untimed.wait(lambda: untimed.connection_count == 0)
    assert untimed.ask(HEAD)[0] == 200


def test_an_answer_that_is_not_taken_is_given_up(bench: Bench) -> None:
    with bench.open(HEAD.replace(b"/echo", b"/much")):
        assert bench.asked.wait(DEADLINE_S)
        bench.wait(lambda: bench.connection_count == 0)


def test_viewers_beyond_the_limit_are_refused_before_they_are_connected(untimed: Bench) -> None:
    untimed.pace_s = 0.1
    url = f"ws://127.0.0.1:{untimed.port}/"
    with connect(url, proxy=None, open_timeout=30), connect(url, proxy=None, open_timeout=30):
        with pytest.raises(InvalidStatus) as refused, connect(url, proxy=None, open_timeout=30):
            pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"]
        assert json.loads(refused.value.response.body)["code"] == "busy"
    untimed.wait(lambda: untimed.admission.viewer_count == 0)
    with connect(url, proxy=None, open_timeout=30) as viewer:
        assert viewer.recv(DEADLINE_S) == FRAME


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n\r\n"
)


@pytest.mark.parametrize("pace_s", [0.0, 3600.0], ids=["frames", "nothing but pings"])
def test_a_viewer_that_takes_nothing_is_dropped(bench: Bench, pace_s: float) -> None:
    """With nothing but pings it is a viewer that has vanished without a word: no FIN, no answer."""
    bench.pace_s = pace_s
    with bench.open(UPGRADE):
        assert bench.asked.wait(DEADLINE_S)
        bench.wait(lambda: bench.admission.viewer_count == 0)


def test_a_slow_viewer_is_not_dropped_while_it_takes_something(patient: Bench) -> None:
    with patient.open(UPGRADE) as viewer:
        end_s = time.monotonic() + 5.0
        while time.monotonic() < end_s:
            # Slower than any line, but more than the system's buffers hold in the time that is allowed.
            for _ in range(8):
                assert viewer.recv(65536)
            time.sleep(0.05)
        assert patient.admission.viewer_count == 1


def test_a_viewer_that_talks_without_end_is_dropped(untimed: Bench) -> None:
    untimed.pace_s = 3600.0
    with connect(f"ws://127.0.0.1:{untimed.port}/", proxy=None, open_timeout=30) as viewer:
        viewer.recv(DEADLINE_S)
        with contextlib.suppress(ConnectionClosed):
            for _ in range(100_000):
                viewer.send(b"nonsense")
            pytest.fail("All was taken")
    untimed.wait(lambda: untimed.connection_count == 0)


# asyncio leaves it to the garbage collector to close a connection that is not wanted.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_handshakes_that_fail_or_never_end_leave_room_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_watch, "_COLLECT_S", 0.2)
    made = private_certificate(tmp_path, ["localhost"])
    context = ssl.create_default_context(cafile=str(made.certificate))
    context.check_hostname = False
    with (
        running(LIMITS, ssl_certfile=str(made.certificate), ssl_keyfile=str(made.key)) as bench,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(3 * LIMITS.max_connections):
            with bench.open(b"no TLS at all") as connection:
                is_closed(connection)
        silent = [stack.enter_context(bench.open()) for _ in range(3 * LIMITS.max_connections)]
        bench.wait(lambda: LIMITS.refused["handshakes"] > LIMITS.max_connections)
        for connection in silent:
            connection.close()

        def is_served() -> bool:
            with contextlib.suppress(OSError), bench.open() as plain, context.wrap_socket(plain) as connection:
                connection.sendall(HEAD)
                return answer_of(connection)[0] == 200
            return False

        bench.wait(is_served)
