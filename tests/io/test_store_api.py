"""Trash, stars and retention of a real server, over HTTP and with the client library."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from blitz import Client
from blitz.errors import SessionNotFound, SessionRunning


@pytest.fixture
def client(server: Any) -> Iterator[Client]:
    with Client(server.url, timeout=60) as client:
        yield client
        if client.status().session is not None:
            client.stop()


@pytest.fixture
def recorded(client: Client) -> int:
    """A session with a few messages, stopped."""
    session_id = client.start("pump").id
    deadline_s = time.monotonic() + 20
    while client.session(session_id).message_count < 4:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    client.stop(session_id)
    return session_id


def test_a_deleted_session_is_in_the_trash_and_comes_back(client: Client, recorded: int) -> None:
    before = client.session(recorded)
    newer = client.start("newer").id
    client.stop(newer)
    client.delete(recorded)
    assert recorded not in [record.id for record in client.sessions()]
    with pytest.raises(SessionNotFound, match=rf"Session {recorded} is in the trash"):
        client.session(recorded)
    with pytest.raises(SessionNotFound, match="is in the trash"):
        client.messages(recorded)
    with pytest.raises(SessionNotFound, match="is in the trash"):
        client.delete(recorded)
    trashed = client.trash()[0]
    assert (trashed.id, trashed.name) == (recorded, "pump")
    assert trashed.trashed_at is not None

    assert client.restore(recorded) == before
    assert [record.id for record in client.sessions()][:2] == [newer, recorded]
    assert len(client.messages(recorded)) == before.message_count


def test_what_is_deleted_from_the_trash_is_gone(client: Client, recorded: int) -> None:
    with pytest.raises(SessionNotFound, match="is not in the trash"):
        client.delete_for_good(recorded)
    client.delete(recorded)
    client.delete_for_good(recorded)
    assert recorded not in [record.id for record in client.trash()]
    with pytest.raises(SessionNotFound):
        client.restore(recorded)
    with pytest.raises(SessionNotFound, match=f"There is no session {recorded}"):
        client.session(recorded)


def test_a_running_session_is_not_deleted(client: Client) -> None:
    with pytest.raises(SessionRunning):
        client.delete(client.start().id)


def test_viewers_hear_of_it(server: Any, client: Client, recorded: int) -> None:
    with connect(
        f"{server.url.replace('http', 'ws', 1)}/api/v1/live?session=preview", proxy=None, open_timeout=30
    ) as live:
        client.delete(recorded)
        client.restore(recorded)
        wanted = ["session_deleted", "session_restored"]
        deadline_s = time.monotonic() + 20
        while wanted:
            assert time.monotonic() < deadline_s
            frame = live.recv(timeout=60)
            if isinstance(frame, bytes):
                continue
            event = json.loads(frame)
            if event["event"] == wanted[0] and event.get("session_id") == recorded:
                wanted.pop(0)
        assert event["session"]["name"] == "pump"


def test_a_star_is_kept_and_shown(client: Client, recorded: int) -> None:
    assert client.update_session(recorded, starred=True).starred
    assert {record.id: record.starred for record in client.sessions()}[recorded]
    assert not client.update_session(recorded, starred=False).starred


def test_retention_without_a_rule_lets_nothing_go(client: Client, recorded: int) -> None:
    plan = client.retention()
    assert plan.rule.startswith("No session goes by itself")
    assert plan.steps == ()
    assert client.apply_retention().steps == ()
    assert recorded in [record.id for record in client.sessions()]


@pytest.mark.parametrize("session_id", ["0", "-1", "999999999999999999999999", "1.5", "x"])
def test_ids_that_are_none_are_refused_with_a_sentence(server: Any, session_id: str) -> None:
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as http:
        for method, path in (
            ("POST", f"/trash/{session_id}/restore"),
            ("DELETE", f"/trash/{session_id}"),
            ("DELETE", f"/sessions/{session_id}"),
        ):
            answer = http.request(method, path)
            assert answer.status_code in (404, 422), answer.text
            assert answer.json()["detail"].endswith(".")
