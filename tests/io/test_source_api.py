"""The calls about devices, sources and definitions, as plain HTTP and by the client library, on an acquisition that
only remembers what it was asked."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partialmethod
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

import blitz
from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format
from blitz.data.records import BadFrameRecord, BoardRecord, LinkState
from blitz.data.source_config import SerialOptions, SourceConfig
from blitz.data.source_records import OWNER_HEADER, CommandAnswer, CommandRequest, DefinitionVersion
from blitz.errors import ConfigError
from blitz.io.calls import default_owner
from blitz.io.source_api import device_calls, source_calls

PRINTER = BoardDefinition(
    id="printer",
    name="A printer",
    format=Format.COLUMNS,
    clock=Clock(column=0, wraps_at=None),
    channels=(Channel(name="pressure", column=1),),
)
BENCH = SourceConfig(name="bench", link="/dev/ttyUSB0", definition=PRINTER)
BOARD = BoardRecord(name="bench", link="/dev/ttyUSB0", baud=57600, state=LinkState.RELEASED)


class Remembering:
    """Devices that answer at once."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def boards(self) -> list[BoardRecord]:
        return [BOARD]

    def scan(self) -> list[BoardRecord]:
        return [BOARD, BOARD]

    def command(self, name: str, request: CommandRequest, who: str) -> CommandAnswer:
        self.asked.append((name, request, who))
        return CommandAnswer(answer=None, sent=request.line or "t")

    def release(self, name: str, for_s: float, who: str) -> BoardRecord:
        self.asked.append((name, for_s, who))
        return BOARD

    def retake(self, name: str, who: str) -> BoardRecord:
        self.asked.append((name, who))
        return BOARD

    def attach(self, name: str, port: str, who: str) -> BoardRecord:
        self.asked.append((name, port, who))
        return BOARD

    def bad_frames(self, name: str) -> list[BadFrameRecord]:
        return [BadFrameRecord(time_ns=1, reason="checksum", raw="00ff")]

    def sources(self) -> list[SourceConfig]:
        return [BENCH]

    def add_source(self, config: SourceConfig, who: str, *, later: bool = False) -> SourceConfig:
        self.asked.append((config, who, later) if later else (config, who))
        return config

    def update_source(self, name: str, changes: Mapping[str, Any], who: str) -> SourceConfig:
        self.asked.append((name, changes, who))
        return BENCH

    def delete_source(self, name: str, who: str) -> None:
        self.asked.append((name, who))

    def known_definitions(self) -> list[BoardDefinition]:
        return [PRINTER]

    def definition(self, source: str) -> BoardDefinition:
        return PRINTER

    def set_definition(self, source: str, definition: BoardDefinition, who: str) -> BoardDefinition:
        self.asked.append((source, definition, who))
        return definition

    def definition_versions(self, source: str) -> list[DefinitionVersion]:
        return [DefinitionVersion(version=1, changed_at=datetime.now(UTC), who="ann@bench", definition=PRINTER)]


@pytest.fixture
def devices() -> Remembering:
    return Remembering()


class Http:
    """Requests to an application in this process."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def request(self, method: str, path: str, json: Any = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            headers = {OWNER_HEADER: quote("änn@bench", safe="")}
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as client:
                return await client.request(method, path, json=json)

        return asyncio.run(ask())

    get = partialmethod(request, "GET")
    post = partialmethod(request, "POST")
    put = partialmethod(request, "PUT")
    patch = partialmethod(request, "PATCH")
    delete = partialmethod(request, "DELETE")


@pytest.fixture
def http(devices: Remembering) -> Http:
    app = FastAPI()
    app.include_router(device_calls(devices))
    app.include_router(source_calls(devices))
    return Http(app)


def test_a_command_carries_who_sends_it(http: Http, devices: Remembering) -> None:
    assert http.post("/boards/bench/commands", json={"line": "t"}).json() == {"answer": None, "sent": "t"}
    body = {"command": "TARE", "answer": "^ok", "timeout_s": 5, "who": "bob@desk"}
    assert http.post("/boards/bench/commands", json=body).status_code == 200
    assert devices.asked == [
        ("bench", CommandRequest(line="t"), "änn@bench"),
        ("bench", CommandRequest(command="TARE", answer="^ok", timeout_s=5, who="bob@desk"), "bob@desk"),
    ]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "either a line or the name of a command"),
        ({"line": "t", "command": "TARE"}, "either a line or the name of a command"),
        ({"line": "t", "answer": "(("}, "the answer's pattern '((' is wrong"),
        ({"line": "0g", "is_hex": True}, "'0g' cannot be sent: give hex digits"),
        ({"line": "5 €"}, "cannot be sent: give characters of latin-1 only"),
        ({"line": "t", "timeout_s": 61}, "less than or equal to 60"),
        ({"line": "t", "hex": True}, "Extra inputs are not permitted"),
    ],
)
def test_a_command_that_cannot_be_sent_is_refused(
    http: Http, devices: Remembering, body: dict[str, Any], sentence: str
) -> None:
    answer = http.post("/boards/bench/commands", json=body)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert devices.asked == []


def test_a_port_is_lent_taken_again_and_attached(http: Http, devices: Remembering) -> None:
    assert http.post("/boards/bench/release").json()["state"] == "released"
    http.post("/boards/bench/release", json={"for_s": 20, "who": "bob@desk"})
    http.post("/boards/bench/retake")
    http.post("/boards/bench/attach", json={"port": "/dev/ttyUSB1"})
    assert devices.asked == [
        ("bench", 300.0, "änn@bench"),
        ("bench", 20.0, "bob@desk"),
        ("bench", "änn@bench"),
        ("bench", "/dev/ttyUSB1", "änn@bench"),
    ]
    assert http.post("/boards/bench/release", json={"for_s": 0}).status_code == 422
    assert http.get("/boards/bench/bad-frames").json() == [{"time_ns": 1, "reason": "checksum", "raw": "00ff"}]
    assert [len(http.get("/boards").json()), len(http.post("/boards/scan").json())] == [1, 2]


def test_sources_are_added_changed_and_removed(http: Http, devices: Remembering) -> None:
    assert SourceConfig.model_validate(http.get("/sources").json()[0]) == BENCH
    added = http.post("/sources", json={"name": "oven", "link": "COM3"})
    assert added.status_code == 201
    http.patch("/sources/oven", json={"serial": {"baud": 9600}})
    assert http.delete("/sources/oven").status_code == 204
    assert devices.asked == [
        (SourceConfig(name="oven", link="COM3"), "änn@bench"),
        ("oven", {"serial": {"baud": 9600}}, "änn@bench"),
        ("oven", "änn@bench"),
    ]
    assert http.post("/sources", json={"name": "a/b", "link": "COM3"}).status_code == 422


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"nme": "oven"}, "A source has no nme. It has: name, link, serial"),
        ({"serial": {"bauds": 9600}}, "A source has no serial.bauds. It has: serial.baud"),
        ({"identity": {"vendor_id": 1, "product_id": 2, "vendor": 1}}, "A source has no identity.vendor. It has: "),
    ],
)
def test_a_new_source_with_a_mistyped_field_is_refused(
    http: Http, devices: Remembering, body: dict[str, Any], sentence: str
) -> None:
    answer = http.post("/sources", json={"name": "oven", "link": "COM3", **body})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert devices.asked == []


def test_definitions_come_whole_and_go_whole(http: Http, devices: Remembering) -> None:
    assert BoardDefinition.model_validate(http.get("/definitions").json()[0]) == PRINTER
    definition = http.get("/definitions/bench").json()
    assert http.put("/definitions/bench", json=definition).json() == definition
    assert devices.asked == [("bench", PRINTER, "änn@bench")]
    version = http.get("/definitions/bench/versions").json()[0]
    assert DefinitionVersion.model_validate(version).definition == PRINTER
    assert {"version", "changed_at", "who", "definition"} <= set(version)


class ServerThread(threading.Thread):
    """The calls at a real port."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(name="server of the device calls")
        self.server = uvicorn.Server(uvicorn.Config(app, port=0, ws="none", lifespan="off", log_config=None))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        self.server.run([self.listener])

    def end(self) -> None:
        self.server.should_exit = True
        self.join(20)
        self.listener.close()
        assert not self.is_alive()


@pytest.fixture
def client(devices: Remembering) -> Iterator[blitz.Client]:
    app = FastAPI()
    app.include_router(device_calls(devices), prefix="/api/v1")
    app.include_router(source_calls(devices), prefix="/api/v1")
    thread = ServerThread(app)
    thread.start()  # the listener is open already: who comes early waits
    try:
        with contextlib.closing(blitz.Client(thread.url, timeout=60)) as client:
            yield client
    finally:
        thread.end()


ME = default_owner()


def test_the_client_sends_commands_and_says_who_does(client: blitz.Client, devices: Remembering) -> None:
    assert client.command("the bench 1°+%", "t") is None
    client.command("bench", command="TARE", answer="^ok", timeout_s=3)
    client.command("bench", "7465", is_hex=True)
    client.command("bench", "go", ending="\r\n")
    assert devices.asked == [
        ("the bench 1°+%", CommandRequest(line="t"), ME),
        ("bench", CommandRequest(command="TARE", answer="^ok", timeout_s=3), ME),
        ("bench", CommandRequest(line="7465", is_hex=True), ME),
        ("bench", CommandRequest(line="go", ending="\r\n"), ME),
    ]


def test_the_client_refuses_a_command_that_cannot_be_sent(client: blitz.Client, devices: Remembering) -> None:
    with pytest.raises(ConfigError, match="Cannot send this to bench: give either a line or the name of a command"):
        client.command("bench")
    with pytest.raises(ConfigError, match="pattern"):
        client.command("bench", "t", answer="((")
    assert devices.asked == []


def test_the_client_lends_a_port_and_takes_it_again(client: blitz.Client, devices: Remembering) -> None:
    assert client.release("bench").state is LinkState.RELEASED
    assert client.release("bench", 5) == client.retake("bench") == client.attach("bench", "COM4") == BOARD
    assert devices.asked == [("bench", 300.0, ME), ("bench", 5.0, ME), ("bench", ME), ("bench", "COM4", ME)]
    assert client.bad_frames("bench")[0].raw == "00ff"
    assert (client.boards(), client.scan()) == ([BOARD], [BOARD, BOARD])


def test_the_client_configures_sources(client: blitz.Client, devices: Remembering) -> None:
    assert client.sources() == [BENCH]
    assert client.add_source(BENCH) == BENCH
    serial = SerialOptions(baud=9600)
    assert client.update_source("bench", name="oven", serial={"baud": 9600}, definition=PRINTER) == BENCH
    client.update_source("bench", serial=serial)
    client.delete_source("bench")
    whole = PRINTER.model_dump(mode="json")
    assert devices.asked == [
        (BENCH, ME),
        ("bench", {"name": "oven", "serial": {"baud": 9600}, "definition": whole}, ME),
        ("bench", {"serial": serial.model_dump(mode="json")}, ME),
        ("bench", ME),
    ]


def test_the_client_reads_and_replaces_definitions(client: blitz.Client, devices: Remembering) -> None:
    assert client.definitions() == [PRINTER]
    assert client.definition("bench") == PRINTER
    assert client.set_definition("bench", PRINTER) == PRINTER
    assert devices.asked == [("bench", PRINTER, ME)]
    assert [(version.version, version.who) for version in client.definition_versions("bench")] == [(1, "ann@bench")]
