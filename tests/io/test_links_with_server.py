"""Links, roles and the trash with a real server beyond loopback; 127.0.0.2 stands for the network."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

import blitz
from blitz.data.records import Role
from blitz.errors import AuthenticationError, CertificateMismatch, Forbidden, ServerUnreachable, SessionNotFound
from blitz.io.connection import AsyncClient

pytestmark = pytest.mark.anyio
NETWORK = "127.0.0.2"
FIRST_TOKEN = "one-of-16-letters-or-more"


@pytest.fixture(scope="module")
def server(run_server: Callable[..., Any]) -> Any:
    return run_server("--host", NETWORK, "--simulate", "1", "--durability", "none", "--token", FIRST_TOKEN)


def command(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-m", "blitz", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def make_link(server: Any) -> Callable[[str], str]:
    def make(role: str) -> str:
        where = ("--data-dir", str(server.data_dir), "--name", f"the {role}", "--json")
        code, printed, errors = command("token", "create", "--role", role, *where)
        assert code == 0, errors
        return str(json.loads(printed)["link"])

    return make


def test_a_viewer_looks_and_may_nothing_else(make_link: Callable[[str], str]) -> None:
    with blitz.Client(make_link("viewer")) as client:
        who = client.whoami()
        assert (who.name, who.role) == ("the viewer", Role.VIEWER)
        assert client.boards()
        with pytest.raises(Forbidden, match="operator"):
            client.start("not allowed")
        with client.live("preview") as stream:
            next(stream)


def test_sessions_go_to_the_trash_and_back(make_link: Callable[[str], str]) -> None:
    with blitz.Client(make_link("operator")) as operator, blitz.Client(make_link("admin")) as admin:
        session = operator.start("to be deleted")
        operator.stop()
        assert operator.update_session(session.id, starred=True).starred
        operator.delete(session.id)
        (trashed,) = operator.trash()
        assert trashed.id == session.id
        assert trashed.trashed_at is not None
        with pytest.raises(SessionNotFound):
            operator.session(session.id)
        assert operator.restore(session.id).id == session.id
        assert operator.trash() == []
        operator.delete(session.id)
        with pytest.raises(Forbidden):
            operator.delete_for_good(session.id)
        admin.delete_for_good(session.id)
        with pytest.raises(SessionNotFound):
            admin.delete_for_good(session.id)


def test_commands_take_a_link_and_never_show_its_token(make_link: Callable[[str], str]) -> None:
    link = make_link("viewer")
    with blitz.Client(link) as client:
        deadline_s = time.monotonic() + 30
        while client.status().room is None:  # it is measured a moment after the start
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
    token, fingerprint = re.fullmatch(r".*#(.*)&(.*)", link).groups()  # type: ignore[union-attr]
    code, printed, errors = command("status", "--server", link)
    assert code == 0, errors
    assert "at https://127.0.0.2:" in printed
    assert "You are the viewer with the role viewer." in printed
    assert "Room: Redis" in printed
    code, printed, errors = command("start", "--server", link)
    assert (code, printed) == (4, "")
    assert "operator" in errors
    wrong = link.replace(fingerprint, "ab" * 32)
    code, printed, errors = command("status", "--server", wrong)
    assert (code, printed) == (3, "")
    assert "abababababababab… is expected" in errors
    for text in (printed, errors):
        assert token not in text


def test_commands_say_once_that_the_server_is_of_another_version(make_link: Callable[[str], str]) -> None:
    program = (
        "import sys, blitz; blitz.__version__ = '99.1.0'\n"
        f"from blitz.cli.main import run; sys.argv = ['blitz', 'sessions', '--server', {make_link('viewer')!r}]\nrun()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout == "No sessions yet. Start one with 'blitz start'.\n"
    assert done.stderr.startswith("This client is Blitz 99.1.0 and the server is ")
    assert done.stderr.endswith("what is new in 99.1 does not work with it. Update the server.\n")
    assert done.stderr.count("\n") == 1


async def test_who_has_no_right_certificate_or_token_is_told(server: Any, make_link: Callable[[str], str]) -> None:
    client = AsyncClient(server.url, token=FIRST_TOKEN)
    with pytest.raises(CertificateMismatch, match="certificate of its own"):
        await client.status()
    await client.close()
    link = make_link("viewer")
    client = AsyncClient(re.sub(r"#.*&", "#blz_wrong&", link))
    with pytest.raises(AuthenticationError):
        await client.status()
    with pytest.raises(AuthenticationError):
        await anext(client.live())
    await client.close()


async def test_a_link_that_lost_its_fingerprint_gives_no_token_away() -> None:
    """As where a shell has cut it at the `&`: the server waits for TLS, and must see no token in the clear."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(listen, NETWORK, 0) as tls_server:
        port = tls_server.sockets[0].getsockname()[1]
        client = AsyncClient(f"blitz://{NETWORK}:{port}/#blz_precious")
        for ask in (client.status(), anext(client.live())):
            with pytest.raises(ServerUnreachable, match="all of the link that 'blitz token create' prints"):
                await ask
        await client.close()
    assert heard
    assert b"precious" not in b"".join(heard)


def test_an_insecure_server_is_connected_to_with_its_link(run_server: Callable[..., Any]) -> None:
    server = run_server("--host", NETWORK, "--insecure", "--durability", "none", "--token", FIRST_TOKEN)
    with blitz.Client(f"{server.url.replace('http', 'blitz')}/#{FIRST_TOKEN}") as client:
        assert client.whoami().role is Role.ADMIN


async def test_a_live_view_ends_when_its_token_is_revoked(server: Any, make_link: Callable[[str], str]) -> None:
    link = make_link("viewer")
    async with AsyncClient(link, max_wait_retry=0.1) as client, asyncio.timeout(60), client.live("preview") as stream:
        await anext(stream)
        where = ("--data-dir", str(server.data_dir))
        _, listed, _ = await asyncio.to_thread(command, "token", "list", *where, "--json")
        newest = max(token["id"] for token in json.loads(listed)["tokens"])
        code, _, errors = await asyncio.to_thread(command, "token", "revoke", str(newest), *where)
        assert code == 0, errors
        with pytest.raises(AuthenticationError):
            _ = [entry async for entry in stream]
