"""The HTTP interface of a real server with simulated boards."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from blitz.data.blocks import MessageBlock
from blitz.data.packed_blocks import PACKED_TYPE, unpack_blocks


@pytest.fixture
def http(server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as client:
        yield client
        running = client.get("/status").json().get("session")
        if running:
            client.post(f"/sessions/{running['id']}/stop").raise_for_status()


def _wait_for_messages(http: httpx.Client, session_id: int, count: int) -> None:
    deadline_s = time.monotonic() + 30
    while http.get(f"/sessions/{session_id}").json()["message_count"] < count:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def _code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    details = response.json()
    assert details["status"] == response.status_code
    assert details["detail"].endswith(".")
    return response.status_code, details["code"]


def test_a_session_is_started_read_renamed_stopped_and_deleted(http: httpx.Client, server: Any) -> None:
    answer = http.post("/sessions", json={"name": "First", "notes": "n", "owner": "ada"})
    assert answer.status_code == 201
    assert answer.json()["created"] is True
    session = answer.json()["session"]
    assert (session["name"], session["is_running"], session["interrupted"]) == ("First", True, False)
    path = f"/sessions/{session['id']}"
    assert http.get("/status").json()["session"]["id"] == session["id"]

    refused = http.post("/sessions", json={})
    assert _code(refused) == (409, "session_running")
    assert refused.json()["session"]["owner"] == "ada"
    assert refused.json()["detail"] == f"Session {session['id']} is being recorded already, by ada. Stop it first."
    joined = http.post("/sessions", json={"join": True})
    assert (joined.status_code, joined.json()["created"]) == (200, False)
    assert joined.json()["session"]["id"] == session["id"]
    assert _code(http.delete(path)) == (409, "session_running")

    _wait_for_messages(http, session["id"], 10)
    assert http.patch(path, json={"name": "Second °"}).json()["name"] == "Second °"
    stopped = http.post(f"{path}/stop", headers={"X-Blitz-Owner": "bob%40bench"}).json()
    assert f"Session {session['id']} of ada was stopped by bob@bench." in server.log_path.read_text()
    assert not stopped["is_running"]
    assert stopped["stopped_at"] > stopped["started_at"]
    assert stopped["message_count"] >= 10
    assert {source["board_id"] for source in stopped["sources"]} == {"08", "09"}
    assert _code(http.post(f"{path}/stop")) == (409, "no_session")
    listed = http.get("/sessions").json()[0]
    assert (listed["id"], listed["name"], listed["notes"]) == (session["id"], "Second °", "n")

    assert http.delete(path).status_code == 204
    assert _code(http.get(path)) == (404, "session_not_found")
    assert _code(http.delete(path)) == (404, "session_not_found")


def test_messages_come_as_arrow_json_lines_or_csv(http: httpx.Client) -> None:
    session_id = http.post("/sessions", json={}).json()["session"]["id"]
    _wait_for_messages(http, session_id, 12)
    http.post(f"/sessions/{session_id}/stop")
    path = f"/sessions/{session_id}/messages"
    block = MessageBlock.decode(http.get(path, params={"first": 2, "count": 5}).content)
    assert (block.session_id, block.first_seq, len(block)) == (session_id, 2, 5)
    assert block.store_id == http.get("/status").json()["store_id"]
    packed = http.get(path, params={"first": 2, "count": 5}, headers={"accept": f"{PACKED_TYPE}, */*"})
    assert packed.headers["content-type"] == PACKED_TYPE
    assert [part.checksum for part in unpack_blocks(packed.content)] == [block.checksum]
    lines = http.get(
        path, params={"first": 2, "count": 5}, headers={"accept": "application/x-ndjson"}
    ).text.splitlines()
    assert len(lines) == 5
    assert f'"seq": 2, "arrived_ns": {block.arrived_ns[0]}' in lines[0]
    rows = http.get(path, params={"first": 2, "count": 5}, headers={"accept": "text/csv"}).text.splitlines()
    assert rows[0] == "seq,arrived_ns,source,raw"
    assert rows[1] == f"2,{block.arrived_ns[0]},{block.source[0]},{block.messages()[0].decode()}"
    assert len(MessageBlock.decode(http.get(path, params={"first": 10**9}).content)) == 0
    assert _code(http.get(path, params={"first": -1})) == (422, "invalid")
    assert _code(http.get("/sessions/12345/messages")) == (404, "session_not_found")


def test_the_preview_holds_what_boards_send_while_nothing_is_recorded(http: httpx.Client) -> None:
    deadline_s = time.monotonic() + 30
    while not len(block := MessageBlock.decode(http.get("/sessions/preview/messages").content)):
        assert time.monotonic() < deadline_s
    assert block.session_id == 0
    assert block.messages()[0][:2] in (b"08", b"09")
    assert http.get("/sessions").json() == [] or http.get("/status").json().get("session") is None


def test_commands_reach_the_board_and_its_answer_comes_back(http: httpx.Client) -> None:
    path = "/boards/sim2/commands"
    line = "098500000000001400000000000"
    assert http.post(path, json={"line": line}).json() == {"answer": "0940", "sent": line}
    status = http.post(path, json={"line": "0983"}).json()["answer"]
    assert len(status) == 28
    refused = http.post(path, json={"line": "09E0"})
    assert _code(refused) == (422, "command_refused")
    assert "error 6" in refused.json()["detail"]
    assert _code(http.post(path, json={"line": " "})) == (422, "invalid")
    assert _code(http.post(path, json={"line": ""})) == (422, "invalid")
    assert _code(http.post(path, json={"line": "0983\n0920"})) == (422, "invalid")
    assert _code(http.post("/boards/nobody/commands", json={"line": "0983"})) == (404, "unknown_board")


def test_a_web_page_cannot_reach_the_server(http: httpx.Client, server) -> None:
    own_host = server.url.removeprefix("http://")
    assert http.get("/status", headers={"origin": server.url}).status_code == 200
    for name in ("localhost", "192.0.2.7", "[2001:db8::1]", socket.gethostname()):
        assert http.get("/status", headers={"host": f"{name}:8999"}).status_code == 200
    for headers, expected in [
        ({"origin": "http://evil.example"}, (403, "foreign_origin")),
        ({"origin": "http://localhost:1"}, (403, "foreign_origin")),
        ({"origin": "null"}, (403, "foreign_origin")),
        ({"host": "evil.example"}, (421, "wrong_host")),
        (
            {"host": "evil.example:" + own_host.rpartition(":")[2], "origin": "http://evil.example"},
            (421, "wrong_host"),
        ),
        ({"host": "["}, (421, "wrong_host")),
        ({"host": "127.0.0.1.evil.example"}, (421, "wrong_host")),
    ]:
        assert _code(http.post("/sessions", json={}, headers=headers)) == expected
    assert http.get("/status").json().get("session") is None


def test_the_documentation_page_needs_no_other_server(http: httpx.Client, server) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as root:
        page = root.get("/docs").text
        assert "https://" not in page
        for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
            assert asset in page
            assert len(root.get(f"/static-offline-docs/{asset}").content) > 10_000
        schema = root.get("/openapi.json").json()
    assert {"/api/v1/sessions", "/api/v1/status", "/api/v1/boards/{name}/commands"} <= set(schema["paths"])


def test_what_does_not_exist_is_a_problem_in_the_same_form(http: httpx.Client) -> None:
    assert _code(http.get("/nonsense")) == (404, "not_found")
    assert _code(http.put("/status")) == (405, "method_not_allowed")
    assert _code(http.post("/sessions", content=b"{")) == (422, "invalid")
    assert _code(http.post("/sessions", json={"nam": "mistyped"})) == (422, "invalid")
    assert http.get("/health").json() == {"status": "ok"}


def test_with_a_token_nobody_gets_in_without_it(run_server) -> None:
    server = run_server("--token", "a-token-of-sixteen-or-more")
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        assert _code(client.get("/api/v1/status")) == (401, "authentication")
        assert client.get("/api/v1/health").status_code == 200
        wrong = {"authorization": "Bearer a-token-of-sixteen-or-less"}
        assert _code(client.get("/api/v1/status", headers=wrong)) == (401, "authentication")
        right = {"authorization": "Bearer a-token-of-sixteen-or-more"}
        assert client.get("/api/v1/status", headers=right).status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("session=999999", (404, "session_not_found")),
        ("session=x", (422, "invalid")),
        ("first=x", (422, "invalid")),
        ("format=xml", (422, "invalid")),
    ],
)
def test_a_refused_live_connection_is_told_why_and_is_no_fault_in_the_log(
    server, query: str, code: tuple[int, str]
) -> None:
    url = server.url.replace("http://", "ws://")
    with pytest.raises(InvalidStatus) as refused, connect(f"{url}/api/v1/live?{query}", proxy=None, open_timeout=30):
        pass
    details = json.loads(refused.value.response.body)
    assert (details["status"], details["code"]) == code
    assert "handshake" not in server.log_path.read_text()
