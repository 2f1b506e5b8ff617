import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from blitz.data.blocks import MessageBlock, Read
from blitz.data.packed_blocks import PACKED_TYPE, pack_blocks
from blitz.errors import (
    AuthenticationError,
    BlockError,
    ConfigError,
    NoSession,
    RemoteError,
    RequestTimeout,
    ServerError,
    ServerUnreachable,
    StoreUnavailable,
)
from blitz.io import live_reader
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient

pytestmark = pytest.mark.anyio


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port at which nobody listens; it is taken, so that nobody else, nor the client's own end, gets it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


async def test_nothing_answering_is_one_sentence_with_the_address_and_what_to_do(deaf_port: int) -> None:
    with pytest.raises(ConnectionError) as caught:
        async with AsyncClient([("127.0.0.1", deaf_port)]):
            pass
    assert isinstance(caught.value, ServerUnreachable)
    assert str(caught.value) == (
        f"Cannot reach a Blitz server at http://127.0.0.1:{deaf_port}: connection refused. "
        "Start one there with 'blitz serve', or check the address."
    )


async def test_unknown_host_is_unreachable() -> None:
    with pytest.raises(ServerUnreachable, match="no-such-host"):
        await AsyncClient("http://no-such-host.invalid:1").status()


async def test_live_view_of_a_server_that_never_answered_raises_at_once(deaf_port: int) -> None:
    client = AsyncClient([("127.0.0.1", deaf_port)])
    with pytest.raises(ServerUnreachable, match="connection refused"):
        await anext(client.live())
    await client.close()


async def test_refusals_become_the_typed_errors(scripted: Any) -> None:
    client = AsyncClient(scripted.url)
    scripted.refuse("/status", 401, "authentication", "This server asks for a token: give --token.")
    with pytest.raises(AuthenticationError, match="asks for a token"):
        await client.status()
    scripted.refuse("/status", 503, "store_unavailable", "Redis is away.")
    with pytest.raises(StoreUnavailable):
        await client.status()
    scripted.refuse("/status", 418, "teapot", "I am one.")
    with pytest.raises(ServerError, match="I am one") as caught:
        await client.status()
    assert (caught.value.code, caught.value.status) == ("teapot", 418)
    await client.close()


async def test_token_goes_with_requests_and_the_live_connection(scripted: Any) -> None:
    async def one(wire: Any, query: dict[str, str]) -> None:
        await wire.status()

    scripted.scripts[:] = [one]
    async with AsyncClient(scripted.url, token="s" * 20) as client, client.live() as stream:
        await anext(stream)
    assert {headers["Authorization"] for _, headers in scripted.requests} == {"Bearer " + "s" * 20}


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (404, "text/html", b"<h1>Not found</h1>"),
        (200, "text/html", b"<h1>It works!</h1>"),
        (200, "application/json", b'{"hello": "world"}'),
        (200, "application/json", b"\xff\xfe"),
        (500, "application/json", b"[]"),
    ],
)
async def test_answer_of_something_else_than_blitz_is_told(
    scripted: Any, status: int, content_type: str, body: bytes
) -> None:
    scripted.answer("/status", status, content_type, body)
    client = AsyncClient(scripted.url)
    with pytest.raises(ServerError, match="not Blitz's"):
        await client.status()
    await client.close()


async def test_slow_answer_is_given_up_after_the_timeout(scripted: Any) -> None:
    never = asyncio.Event()
    scripted.answer("/status", 200, "text/plain", b"", delay=never)
    client = AsyncClient(scripted.url, timeout=0.1)
    with pytest.raises(RequestTimeout, match=r"did not answer GET /status within 0\.1 s"):
        await client.status()
    with pytest.raises(TimeoutError):
        await client.connect(timeout=0.05)
    await client.close()


async def test_stop_without_a_session_says_so(scripted: Any) -> None:
    async with AsyncClient(scripted.url) as client:
        with pytest.raises(NoSession, match="No session runs on http://127"):
            await client.stop()


async def test_closed_client_says_that_it_is_closed(scripted: Any) -> None:
    async with AsyncClient(scripted.url) as client:
        assert not client.is_closed
    assert client.is_closed
    with pytest.raises(RemoteError, match="is closed"):
        await client.status()
    with pytest.raises(RemoteError, match="is closed"):
        client.live()


async def test_proxies_of_the_environment_are_not_used(
    scripted: Any, monkeypatch: pytest.MonkeyPatch, deaf_port: int
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{deaf_port}")
    async with AsyncClient(scripted.url) as client:
        assert (await client.status()).version == "0"


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("http://bench1:9000", "http://bench1:9000"),
        ("http://bench1", "http://bench1:8999"),
        ("bench1", "http://bench1:8999"),
        ("bench1:9000", "http://bench1:9000"),
        ("https://bench1/lab/", "https://bench1:8999/lab"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("http://bench1:8999/api/v1", "http://bench1:8999"),
        ([("bench1", 9000, {"weight": 3})], "http://bench1:9000"),
    ],
)
def test_address_is_read_as_people_write_it(written: Any, url: str) -> None:
    assert ServerAddress.parse(written).http_url == url


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "ftp://bench1", "http://", "http://bench1:99999", "http://bench1:0", "http://a b", "http://me:pw@bench1"),
        *([], [("a", 1), ("a", 1)], [("", 1)], [("a", 0)], [("a", "8999")]),
    ],
)
def test_wrong_address_is_named(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        AsyncClient(wrong)


@pytest.mark.parametrize("name", ["timeout", "inactive_time", "max_wait_retry"])
def test_times_must_be_above_zero(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        AsyncClient(**{name: 0})


def test_client_library_needs_neither_unix_nor_the_extras() -> None:
    program = (
        "import sys\n"
        "for name in 'fcntl termios pty tty pwd grp resource redis serial fastapi uvicorn PyQt5 pyqtgraph'.split():\n"
        "    sys.modules[name] = None\n"
        "import blitz\n"
        "blitz.AsyncClient().live\n"
        "client = blitz.Client()\n"
        "client.close()\n"
        "import blitz.cli.main, blitz.data.sync, blitz.data.export\n"
        "from blitz.io.calls import default_owner\n"
        "print(default_owner())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


async def test_name_with_several_addresses_is_unreachable_in_one_sentence(deaf_port: int) -> None:
    client = AsyncClient([("localhost", deaf_port)])
    for ask in (client.status(), anext(client.live())):
        with pytest.raises(ServerUnreachable) as caught:
            await ask
        assert "Errno" not in str(caught.value)
    await client.close()


@pytest.mark.parametrize("keepalive", [True, False])
async def test_pings_are_sent_while_a_live_connection_is_silent(
    scripted: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, keepalive: bool
) -> None:
    monkeypatch.setattr(live_reader, "KEEPALIVE_S", 0.02)
    caplog.set_level(logging.DEBUG, "websockets.server")

    async def silent(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        for _ in range(500 if keepalive else 15):
            await asyncio.sleep(0.01)
            if "< PING" in caplog.text:
                break
        await wire.status()

    scripted.scripts[:] = [silent]
    async with AsyncClient(scripted.url, keepalive=keepalive) as client, client.live(reconnect=False) as stream:
        await anext(stream)
        await anext(stream)
    assert ("< PING" in caplog.text) is keepalive


async def test_a_server_that_knows_no_packed_blocks_sends_one(scripted: Any) -> None:
    block = MessageBlock.from_reads(7, 3, [Read(5, 0, [b"one", b"two"])], "a-store")
    scripted.answer("/sessions/7/messages", 200, "application/vnd.apache.arrow.stream", block.encode())
    client = AsyncClient(scripted.url)
    assert [part.checksum for part in await client.grid_blocks(7, 3, 2)] == [block.checksum]
    scripted.answer("/sessions/7/messages", 200, PACKED_TYPE, pack_blocks(block)[:-1])
    with pytest.raises(BlockError, match="cut short"):
        await client.grid_blocks(7, 3, 2)
    await client.close()
