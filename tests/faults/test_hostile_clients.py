"""Clients that mean harm, on a whole server that records: it goes on serving, and nothing recorded is lost.

The board numbers its messages, which are sent at 1 000/s. Seeds are printed; ``make soak`` has the long counts.
"""

import contextlib
import itertools
import json
import logging
import os
import random
import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

import blitz
from blitz.io.simulator import SimulatedBoard, message_number

log = logging.getLogger(__name__)

DEADLINE_S = 30.0
REQUESTS = 1_000 if os.environ.get("BLITZ_SOAK") else 80
RATE_HZ = 1_000.0
SETTINGS = """
[server]
max_connections = 60
max_viewers = 12
max_request_kb = 64
request_timeout_s = 2
viewer_timeout_s = 4
"""


class Recording:
    """A server with a session that must go on, whatever clients do."""

    def __init__(self, server: Any, board: SimulatedBoard, mute_port: str) -> None:
        self.server = server
        self.board = board
        self.mute_name = Path(mute_port).name
        self.url = server.url
        self.port = int(server.url.rpartition(":")[2])
        self.client = blitz.Client(server.url, timeout=DEADLINE_S)
        self.session = self.client.start("hostile clients")

    def check(self) -> None:
        """It answers, and the session grows."""
        before = self.count()
        deadline_s = time.monotonic() + DEADLINE_S
        while self.count() <= before:
            assert time.monotonic() < deadline_s, self.server.log_path.read_text()[-3000:]
            time.sleep(0.02)

    def count(self) -> int:
        status = self.client.status()
        assert status.session is not None
        assert status.session.id == self.session.id
        return status.session.message_count

    def check_end(self) -> None:
        """All that the board sent is there, once, in order, by the numbers."""
        record = self.client.stop(self.session.id)
        numbers = []
        while len(numbers) < record.message_count:
            block = self.client.messages(self.session.id, len(numbers), 65_536)
            numbers += [message_number(message) for message in block.messages()]
        assert numbers == [number % 65_536 for number in range(numbers[0], numbers[0] + len(numbers))]
        assert (self.board.overwritten, self.board.dropped) == (0, 0)
        assert "Traceback" not in self.server.log_path.read_text()
        self.client.close()

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return 1024 * int(status.partition("VmRSS:")[2].split(maxsplit=1)[0])

    def send(self, pieces: list[bytes], *, pause_s: float = 0.0, takes_answer: bool = True) -> bytes:
        """Send pieces as they are and return what comes back, if anything does."""
        answer = b""
        with (
            socket.create_connection(("127.0.0.1", self.port), DEADLINE_S) as connection,
            contextlib.suppress(ConnectionError, TimeoutError),
        ):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s)
            connection.settimeout(0.05)
            while takes_answer and (more := connection.recv(65536)):
                answer += more
        return answer


@pytest.fixture(scope="module")
def recording(run_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    folder = tmp_path_factory.mktemp("hostile")
    config = folder / "blitz.toml"
    config.write_text(SETTINGS)
    mute_master, mute_slave = os.openpty()
    mute = folder / "mute"
    mute.symlink_to(os.ttyname(mute_slave))
    board = SimulatedBoard(
        "08",
        rate_hz=RATE_HZ,
        streaming=True,
        silence_s=0.2,
        link_path=folder / "board",
        baud=921_600,
        uart_buffer_bytes=1 << 16,
        waits_for_reader=True,
    )
    with board:
        ports = ["--serial", f"{folder / 'board'}:921600", "--serial", str(mute)]
        server = run_server("--durability", "none", "--config", str(config), *ports)
        recording = Recording(server, board, str(mute))
        recording.check()
        yield recording
        recording.check_end()
    os.close(mute_master)
    os.close(mute_slave)


# ---- one kind of harm each ----------------------------------------------------------------------------------------


def test_calls_to_a_mute_board_hold_up_neither_status_nor_health_nor_sessions(recording: Recording) -> None:
    body = b'{"line": "0081", "timeout_s": 5}'
    head = (
        f"POST /api/v1/boards/{recording.mute_name}/commands HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with contextlib.ExitStack() as stack:
        waiting = []
        for _ in range(45):  # there are 40 common worker threads
            waiting.append(stack.enter_context(socket.create_connection(("127.0.0.1", recording.port), DEADLINE_S)))
            waiting[-1].sendall(head.encode() + body)
        http = stack.enter_context(
            httpx.Client(base_url=f"{recording.url}/api/v1", trust_env=False, timeout=DEADLINE_S)
        )
        took_s: list[float] = []
        while len(took_s) < 5:
            began_s = time.monotonic()
            for path in ("/status", "/health", "/boards", "/sessions"):
                assert http.get(path).status_code == 200
            assert http.post("/sessions", json={"join": True}).status_code == 200
            assert http.post("/sessions/999999/stop").status_code == 409
            if len(select.select(waiting, [], [], 0)[0]) == len(waiting):
                break  # a call gives up after some seconds, and a busy machine takes as long
            took_s.append(time.monotonic() - began_s)
        assert took_s, "the board is not mute, and nothing was tested"
        assert min(took_s) < 4.0, took_s


def test_readers_that_take_nothing_cost_bounded_memory(recording: Recording) -> None:
    while recording.count() < 8_000:
        time.sleep(0.1)
    before = recording.resident_bytes()
    path = f"/api/v1/sessions/{recording.session.id}/messages?count=65536"
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", recording.port), DEADLINE_S))
            connection.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
        recording.check()
        grown_bytes = recording.resident_bytes() - before
        log.info("50 readers that take nothing: %d MiB more", grown_bytes >> 20)
        assert grown_bytes < 250 << 20
    recording.check()


def test_viewers_that_take_nothing_are_dropped_and_the_others_see_all(recording: Recording) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            viewer = stack.enter_context(socket.create_connection(("127.0.0.1", recording.port), DEADLINE_S))
            viewer.sendall(_upgrade(f"/api/v1/live?session={recording.session.id}&first=0"))
        seen = 0
        for block in recording.client.live(recording.session.id, first=-1000, raw=True):
            seen += len(block) if hasattr(block, "messages") else 0
            if seen > 6 * RATE_HZ:
                break


def test_too_many_connections_displace_each_other_and_not_those_at_work(recording: Recording) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", recording.port), DEADLINE_S))
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /api")
        recording.check()
    recording.check()


def test_viewers_beyond_the_limit_are_refused_with_a_code(recording: Recording) -> None:
    with contextlib.ExitStack() as stack:
        refused = 0
        for _ in range(40):  # on a busy machine those that came first may have been dropped again
            viewer = stack.enter_context(socket.create_connection(("127.0.0.1", recording.port), DEADLINE_S))
            viewer.sendall(_upgrade("/api/v1/live"))
            head = viewer.recv(4096)
            refused += b" 503 " in head and b"retry-after" in head.lower()
            if refused == 4:
                break
        assert refused == 4
    recording.check()


# ---- random harm --------------------------------------------------------------------------------------------------

text = st.text(max_size=40)
frames = st.lists(
    st.one_of(
        st.binary(max_size=5000),
        text,
        st.sampled_from(["ping", "close", "abort", "half a frame", b"\xff\xff\xff\xff"]),
    ),
    max_size=6,
)


@given(
    query=st.dictionaries(
        st.sampled_from(["session", "first", "format", "x"]),
        st.one_of(text, st.integers().map(str), st.sampled_from(["preview", "arrow", "ndjson", "1", "-5", "0"])),
        max_size=4,
    ),
    sent=frames,
)
def test_whatever_a_viewer_asks_for_and_says_the_server_serves_on(
    recording: Recording, query: dict[str, str], sent: list[bytes | str]
) -> None:
    address = httpx.URL(f"ws://127.0.0.1:{recording.port}/api/v1/live").copy_merge_params(query)
    try:
        with connect(str(address), proxy=None, open_timeout=30, max_size=None, close_timeout=0.5) as viewer:
            for frame in sent:
                if frame == "ping":
                    viewer.ping()
                elif frame == "abort":
                    viewer.socket.shutdown(socket.SHUT_RDWR)
                elif frame == "close":
                    viewer.close(1001, "so")
                elif frame == "half a frame":
                    viewer.socket.sendall(b"\x82\xfe\x7f")
                else:
                    viewer.send(frame)
            with contextlib.suppress(TimeoutError):
                viewer.recv(0.01)
    except (ConnectionClosed, InvalidHandshake, OSError):
        pass
    assert httpx.get(f"{recording.url}/api/v1/health", trust_env=False, timeout=DEADLINE_S).status_code == 200


def _upgrade(path: str, more: bytes = b"") -> bytes:
    return (
        b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n%b\r\n" % (path.encode(), more)
    )


PATHS = [
    "/api/v1/status", "/api/v1/sessions", "/api/v1/sessions/1", "/api/v1/sessions/1/messages", "/api/v1/boards",
    "/api/v1/sources", "/api/v1/definitions/x", "/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css", "/",
]  # fmt: skip
TRICKS = [
    "/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/static-offline-docs/..%2f..%2f..%2fetc/passwd", "/%00", "/%ff%fe",
    "/static-offline-docs/../../../../etc/passwd", "//etc/passwd", "/api/v1/sessions/..%2f..%2fserver.db", "/%2e%2e/",
    "/api/v1/definitions/..%2f..%2fblitz.toml", "/api/v1/boards/..%2f/commands", "/\\..\\..\\",
    "/api/v1/sessions/1%0d%0aX:1",
    "/static-offline-docs//etc/passwd", "/api/v1/sessions/99999999999999999999999/messages", "/?" + "a=" * 3000,
]  # fmt: skip
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW", "get"]
HEADERS = [
    b"Origin: https://evil.example", b"Host: evil.example", b"Host: localhost:1\r\nHost: evil.example",
    b"Content-Length: -1", b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 1e9",
    b"Content-Length: 99999999999",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 3",
    b"Transfer-Encoding: gzip, chunked",
    b"Content-Type: application/json", b"Content-Type: text/xml", b"Content-Type: multipart/form-data; boundary=x",
    b"Expect: 100-continue", b"Connection: Upgrade\r\nUpgrade: h2c", b"Upgrade: websocket\r\nConnection: upgrade",
    b"Authorization: Bearer " + b"a" * 5000, b"Authorization: Basic \xff\xfe", b"Range: bytes=0-,0-,0-,0-", b"X: \x00",
    b"Accept: " + b"text/csv," * 800, b"X-Blitz-Owner: %0d%0aX%00%ff", b"X-Forwarded-For: 10.0.0.1", b"\xff: y",
    b"Cookie: " + b"a=b;" * 2000, b" folded: yes", b"A: b\r\n c", b"Sec-WebSocket-Key: x", b"No-Colon",
]  # fmt: skip
BODIES = [
    b"", b"{}", b"{", b"[]", b"null", b'{"name": 5}', b'{"name": "' + b"x" * 3000 + b'"}', b"[" * 20_000,
    b"\xff\xfe\x00",
    b'{"name": "\\ud800"}', b'{"join": "maybe"}', b'{"line": ""}', b"<a/>", b"9" * 5000, b'{"a": 1e999}', b"NaN",
    b"5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", b"-5\r\nxx\r\n", b"z\r\n", b"5\r\nhel",
    b"0\r\nTrailer: x\r\n\r\n",
]  # fmt: skip


def hostile_request(chance: random.Random) -> list[bytes]:
    """Return a request, or something like it, in the pieces in which it is sent."""
    path = chance.choice(PATHS) if chance.random() < 0.5 else chance.choice(TRICKS)
    if chance.random() < 0.1:
        path += chance.randbytes(1300).hex()
    version = chance.choice(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/9.9", "", "HTTP/2.0"])
    headers = [b"Host: localhost", *chance.sample(HEADERS, chance.choice([0, 0, 1, 1, 2, 3]))]
    if chance.random() < 0.05:
        headers += [b"X-%d: %b" % (n, b"y" * 100) for n in range(chance.choice([50, 500, 5000]))]
    body = chance.choice(BODIES)
    if chance.random() < 0.4 and not any(b"Length" in h or b"Transfer" in h for h in headers):
        headers.append(b"Content-Length: %d" % (len(body) + chance.choice([0, 0, 0, -1, 1])))
    if chance.random() < 0.05:
        body *= 200
    line = f"{chance.choice(METHODS)} {path} {version}".encode("latin-1", "replace")
    wire = b"\r\n".join([line, *headers]) + b"\r\n\r\n" + body
    if chance.random() < 0.1:
        wire = _upgrade(path, b"\r\n".join(headers[1:]) + b"\r\n" if headers[1:] else b"") + body
    if chance.random() < 0.1:
        wire = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 400)))
    if chance.random() < 0.2:
        wire = wire[: chance.randrange(len(wire) + 1)]
    if chance.random() < 0.1:
        wire *= 10
    cuts = sorted(chance.randrange(len(wire) + 1) for _ in range(chance.choice([0, 0, 0, 3])))
    return [wire[a:b] for a, b in itertools.pairwise([0, *cuts, len(wire)])]


def test_hostile_requests_neither_stop_the_server_nor_get_at_anything(recording: Recording, seed: int) -> None:
    log.info("Repeat with --hypothesis-seed=%d", seed)
    chance = random.Random(seed)
    answered: dict[str, int] = {}
    for turn in range(REQUESTS):
        pieces = hostile_request(chance)
        answer = recording.send(pieces, pause_s=chance.choice([0, 0, 0, 0.01]), takes_answer=chance.random() < 0.9)
        head = answer[:64].decode("latin-1")
        status = re.match(r"HTTP/1\.1 (\d+)", head)
        key = status[1] if status else "no answer"
        answered[key] = answered.get(key, 0) + 1
        assert not status or int(status[1]) < 500 or int(status[1]) in (503, 504), (seed, turn, pieces, answer)
        for leak in (b"Traceback", b"root:x:0", str(recording.server.data_dir).encode(), b'File "'):
            assert leak not in answer, (seed, turn, pieces, answer)
        if turn % 50 == 0:
            recording.check()
    log.info("%s", json.dumps(answered))
    recording.check()
    assert answered.get("200", 0) + answered.get("404", 0) > 0
