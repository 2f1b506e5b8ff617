"""What a client makes of a server that has no room, of a role that may not, and of another version."""

import asyncio
import json
import logging
import time
from typing import Any

import pytest

from blitz.data.records import Event, EventKind, Role, StatusRecord
from blitz.data.versions import compare_versions
from blitz.errors import Forbidden, ServerBusy, ServerError
from blitz.io import live_reader
from blitz.io.connection import AsyncClient

pytestmark = pytest.mark.anyio


async def test_forbidden_and_busy_are_typed_errors(scripted: Any) -> None:
    async with AsyncClient(scripted.url) as client:
        scripted.refuse("/sessions", 403, "forbidden", "This needs the role operator.")
        with pytest.raises(Forbidden, match="role operator") as caught:
            await client.sessions()
        assert isinstance(caught.value, PermissionError)
        scripted.refuse("/sessions", 503, "busy", "All connections are in use.", {"Retry-After": "7"})
        with pytest.raises(ServerBusy, match="in use") as busy:
            await client.sessions()
        assert busy.value.retry_after_s == 7
        for header, seconds in (("Wed, 01 Jan 2020 00:00:00 GMT", 0), ("1e9", 600), ("soon", None), ("nan", None)):
            scripted.answer("/sessions", 429, "text/plain", b"slow down", headers={"Retry-After": header})
            with pytest.raises(ServerBusy, match="busy") as busy:
                await client.sessions()
            assert busy.value.retry_after_s == seconds
        scripted.answer("/sessions", 503, "text/plain", b"a proxy's own words")
        with pytest.raises(ServerError, match="not Blitz's"):
            await client.sessions()


async def test_a_live_view_of_a_busy_server_waits_as_long_as_it_asks(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_reader, "FIRST_WAIT_S", 0.01)

    async def one(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        await wire.hold()

    scripted.scripts[:] = [one]
    scripted.refuse("/live", 503, "busy", "200 live connections are open already.", {"Retry-After": "1"})
    client = AsyncClient(scripted.url)  # not even known yet: but that it is busy means that it is there
    began_s = time.monotonic()
    async with asyncio.timeout(60), client.live() as stream:
        lost = await anext(stream)
        assert isinstance(lost, Event)
        assert lost.event is EventKind.DISCONNECTED
        assert lost.notice is not None
        assert "open already" in lost.notice.text
        del scripted.answers["/live"]
        back = await anext(stream)
        assert isinstance(back, Event)
        assert back.event is EventKind.RECONNECTED
    assert time.monotonic() - began_s >= 1
    assert len([path for path, _ in scripted.requests if path == "/live"]) == 2
    scripted.refuse("/live", 503, "busy", "No.", {"Retry-After": "1"})
    with pytest.raises(ServerBusy):
        await anext(client.live(reconnect=False))
    await client.close()


async def test_who_one_is_and_that_an_older_server_lets_everybody_do_everything(scripted: Any) -> None:
    async with AsyncClient(scripted.url) as client:
        who = await client.whoami()
        assert who.role is Role.ADMIN
        scripted.answer("/whoami", 200, "application/json", b'{"name": "wall screen", "role": "viewer"}')
        who = await client.whoami()
        assert (who.name, who.role) == ("wall screen", Role.VIEWER)


async def test_the_trash_is_listed_with_the_time_of_deletion(scripted: Any, record: Any) -> None:
    session = record(id=4, name="pump", trashed_at="2026-03-02T08:00:00Z").model_dump(mode="json", exclude_none=True)
    scripted.answer("/trash", 200, "application/json", json.dumps([session]).encode())
    async with AsyncClient(scripted.url) as client:
        (listed,) = await client.trash()
        assert listed.trashed_at is not None


async def test_another_version_is_told_once(scripted: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    status = StatusRecord.model_validate(
        {"version": "99.1.0", "store_id": "s", "now": "2026-03-01T12:00:00Z", "store": {"is_up": True}}
    )
    scripted.answer("/status", 200, "application/json", status.model_dump_json(exclude_none=True).encode())
    async with AsyncClient(scripted.url) as client:
        await client.status()
        assert client.version_words.endswith("Update this client.")
    assert [record.message for record in caplog.records] == [client.version_words]


@pytest.mark.parametrize(
    ("client", "server", "words"),
    [
        ("0.4.0", "0.4.9", ""),
        ("0.4.0", "0", ""),
        ("0.4.0", "0.3.9", "what is new in 0.4 does not work with it. Update the server."),
        ("0.9.0", "0.10.0", "what is new in 0.10 is not shown here. Update this client."),
    ],
)
def test_versions_are_alike_in_their_first_two_numbers(client: str, server: str, words: str) -> None:
    assert compare_versions(client, server).endswith(words)
    assert bool(compare_versions(client, server)) == bool(words)
