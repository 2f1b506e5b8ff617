"""Markers, tags, fields, names by pattern and searches: a real server over HTTP, the client library, live events."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from own_redis import running_redis
from websockets.sync.client import connect

from blitz import Client
from blitz.data.database_client import DatabaseClient
from blitz.data.sync_changes import Change
from blitz.errors import EditConflict, FieldsMissing, MarkerNotFound, SessionNotFound, StoreUnavailable

PLACE = "/api/v1"


@pytest.fixture
def client(server: Any) -> Iterator[Client]:
    with Client(server.url, timeout=60) as client:
        yield client
        if client.status().session is not None:
            client.stop()


@pytest.fixture
def http(server: Any) -> Iterator[httpx.Client]:
    headers = {"X-Blitz-Owner": "ada%40bench"}
    with httpx.Client(base_url=f"{server.url}{PLACE}", trust_env=False, timeout=60, headers=headers) as http:
        yield http


def test_a_marker_of_the_running_session_is_put_at_the_present_and_told_to_viewers(server: Any, client: Client) -> None:
    session = client.start("pump")
    with connect(
        server.url.replace("http", "ws") + f"{PLACE}/live?session={session.id}", proxy=None, open_timeout=30
    ) as viewer:
        before_ns = time.time_ns()
        marker = client.add_marker(session.id, "pump on", source="sim1")
        after_ns = time.time_ns()
        changed = client.edit_marker(session.id, marker, text="pump on, 2 bar")
        client.delete_marker(session.id, changed)
        told: list[dict[str, Any]] = []
        deadline_s = time.monotonic() + 20
        while len(told) < 3:
            assert time.monotonic() < deadline_s
            frame = viewer.recv(timeout=60)
            if isinstance(frame, str) and json.loads(frame)["event"] == "marker":
                told.append(json.loads(frame))
    slack_ns = 50_000_000  # the session's clock is anchored at its start
    assert before_ns - slack_ns <= marker.from_ns <= after_ns + slack_ns
    assert (marker.id, marker.version, marker.text, marker.source) == (1, 1, "pump on", "sim1")
    assert "@" in marker.who
    assert [(event["session_id"], event["marker"]["version"]) for event in told] == [(session.id, n) for n in (1, 2, 3)]
    assert told[1]["marker"]["text"] == "pump on, 2 bar"
    assert told[2]["marker"]["is_deleted"]
    assert client.markers(session.id) == []


def test_markers_of_a_closed_session_are_back_dated_changed_and_brought_back(client: Client) -> None:
    number = client.start().id
    client.stop()
    started_at = client.session(number).started_at
    with pytest.raises(Exception, match="is not being recorded: give the time"):
        client.add_marker(number, "when?")
    late = client.add_marker(number, "late", started_at + timedelta(seconds=9))
    span = client.add_marker(number, "span", started_at, started_at + timedelta(seconds=2))
    assert client.markers(number) == [span, late]
    assert span.to_ns is not None
    assert span.to_ns - span.from_ns == 2_000_000_000
    point = client.edit_marker(number, span, is_point=True, at=started_at.timestamp() + 20, source="sim2")
    assert (point.to_ns, point.source, point.text) == (None, "sim2", "span")
    assert [m.text for m in client.session(number).markers] == ["late", "span"]
    with pytest.raises(EditConflict, match="is at version 2, and this change is based on version 1"):
        client.edit_marker(number, span, text="mine")
    gone = client.delete_marker(number, point)
    back = client.edit_marker(number, gone, source="")
    assert (back.is_deleted, back.source) == (False, None)
    assert [(m.id, m.version) for m in client.markers(number, versions=True)] == [
        (1, 1),
        (2, 1),
        (2, 2),
        (2, 3),
        (2, 4),
    ]
    with pytest.raises(MarkerNotFound):
        client.delete_marker(number, gone.model_copy(update={"id": 9}))
    with pytest.raises(SessionNotFound):
        client.add_marker(999, "x")


def test_a_conflict_tells_what_is_there_and_who_wrote_it(http: httpx.Client) -> None:
    number = http.post("/sessions", json={}).json()["session"]["id"]
    path = f"/sessions/{number}/markers"
    made = http.post(path, json={"text": "first"})
    assert (made.status_code, made.json()["who"]) == (201, "ada@bench")
    assert http.patch(f"{path}/1", json={"version": 1, "text": "second"}).json()["version"] == 2
    conflict = http.patch(f"{path}/1", json={"version": 1, "text": "third"})
    assert conflict.status_code == 409
    assert conflict.json()["code"] == "edit_conflict"
    assert conflict.json()["marker"]["text"] == "second"
    assert http.delete(f"{path}/1", params={"version": 1}).status_code == 409
    assert http.delete(f"{path}/1", params={"version": 2}).json()["is_deleted"]
    wrong = http.post(path, json={"text": "x", "from_ns": 5, "to_ns": 4})
    assert (wrong.status_code, wrong.json()["detail"]) == (422, "A marker's span must not end before it begins.")
    assert http.post(path, json={"text": " "}).status_code == 422
    http.post(f"/sessions/{number}/stop")


def test_words_are_changed_with_their_history_and_found(client: Client) -> None:
    first = client.start("Prüfstand", tags=["warm-up"], fields={"sample": "brass 4"})
    client.stop()
    second = client.start("other")
    client.stop()
    record = client.update_session(first.id, tags=["warm-up", "rig 2"], fields={"sample": "steel", "rig": "2"})
    assert (record.tags, record.fields) == (("warm-up", "rig 2"), {"sample": "steel", "rig": "2"})
    assert [(c.name, c.before, c.after) for c in record.changes] == [
        ("tags", "warm-up", "warm-up, rig 2"),
        ("sample", "brass 4", "steel"),
        ("rig", "", "2"),
    ]
    assert "@" in record.changes[0].who
    client.add_marker(second.id, "Zündung aus", datetime.now(UTC))

    def found(search: str) -> list[int]:
        return [listed.id for listed in client.sessions(search) if listed.id in (first.id, second.id)]

    assert found("") == [second.id, first.id]
    assert found("PRUFSTAND tag:warm-up") == [first.id]
    assert found("sample:steel") == [first.id]
    assert found("zundung") == [second.id]
    assert found("zundung prufstand") == []


def test_a_session_without_a_name_gets_one_by_the_pattern(client: Client) -> None:
    today = f"{datetime.now().astimezone():%Y-%m-%d}"
    names = []
    for fields in ({"sample": "brass"}, {"sample": "brass"}, {"sample": "steel"}):
        names.append(client.start(fields=fields).name)
        client.stop()
    assert [name.removeprefix(today) for name in names] == ["_brass_1", "_brass_2", "_steel_1"]
    assert client.start("mine").name == "mine"
    assert client.status().session_name == "{date}_{sample}_{n}"


def test_markers_come_with_a_download_and_later_ones_with_the_record(client: Client, tmp_path: Path) -> None:
    number = client.start(tags=["kept"]).id
    first = client.add_marker(number, "first")
    client.stop()
    cache = DatabaseClient(path=str(tmp_path / "c.db"))
    client.download(number, cache)
    assert cache.session_record(number).markers == (first,)
    second = client.add_marker(number, "Später", first.from_ns / 1e9 + 1)
    client.update_session(number, notes="more", fields={"sample": "brass"})
    assert number in cache.update_session_records(client.sessions()).of(Change.EDITED)
    cache.update_copy_record(client.session(number))
    record = cache.session_record(number)
    assert record.markers == (first, second)
    assert [change.name for change in record.changes] == ["notes", "sample"]
    assert [found.id for found in cache.search_sessions("spater tag:kept sample:brass more")] == [number]
    assert cache.search_sessions("nowhere") == []
    cache.close()


@pytest.fixture
def strict(run_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that demands fields, and a token of everybody."""
    config = tmp_path_factory.mktemp("config") / "blitz.toml"
    config.write_text('[server]\nrequired_fields = ["sample", "rig no"]\nsession_name = ""\n')
    return run_server("--config", str(config), "--durability", "none")


def test_a_session_is_not_started_without_the_fields_that_are_demanded(strict: Any) -> None:
    with Client(strict.url, timeout=60) as client:
        assert client.status().required_fields == ("sample", "rig no")
        with pytest.raises(FieldsMissing, match="needs the fields sample, rig no"):
            client.start("x")
        with pytest.raises(FieldsMissing, match="needs the field rig no"):
            client.start("x", fields={"sample": "brass", "rig no": " "})
        answer = httpx.post(f"{strict.url}{PLACE}/sessions", json={}, trust_env=False, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (422, "fields_missing")
        session = client.start(fields={"sample": "brass", "rig no": "2"})
        assert session.name == ""
        assert client.start(join=True).id == session.id
        with pytest.raises(FieldsMissing):
            client.update_session(session.id, fields={"sample": ""})
        assert client.update_session(session.id, fields={"sample": "steel"}).fields["sample"] == "steel"
        client.stop()


def test_while_redis_is_away_nothing_is_acknowledged_and_nothing_is_lost(run_server: Callable[..., Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="blitz-") as name:  # a socket's path must be short
        folder = Path(name)
        with running_redis(folder) as process:
            server = run_server("--redis-url", f"unix://{folder / 'redis.sock'}")
            client = Client(server.url, timeout=60)
            number = client.start("kept").id
            kept = client.add_marker(number, "kept")
            process.kill()
            process.wait()
            for call in (lambda: client.add_marker(number, "lost"), lambda: client.edit_marker(number, kept, text="x")):
                with pytest.raises(StoreUnavailable, match=r"Cannot use Redis: .*\. Is it running\?"):
                    call()
        with running_redis(folder):
            deadline_s = time.monotonic() + 30
            while not client.status().store.is_up:
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
            again = client.add_marker(number, "again")
            assert client.markers(number, versions=True) == [kept, again]
            assert client.session(number).is_running
            client.close()
            server.end()
