"""What the documents of ConnectorDB's logger and client show, in Python 3, with the names that it has here."""

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from waiting import wait_until

import blitz


@pytest.fixture(scope="module")
def apikey(plain_server: Any) -> str:
    wish = {"role": "operator", "name": "weather station"}
    answer = httpx.post(f"{plain_server.url}/api/v1/tokens", json=wish, trust_env=False, timeout=60)
    return str(answer.raise_for_status().json()["token"])


@pytest.fixture
def db(plain_server: Any, apikey: str) -> Iterator[blitz.Client]:
    """The client of a script; the streams that it makes go with it."""
    with blitz.Client(plain_server.url, token=apikey) as db:
        yield db
    with blitz.Client(plain_server.url) as admin:
        for stream in admin.streams():
            admin[stream.name].delete()


def test_logging_in_the_background(db: blitz.Client, apikey: str, tmp_path: Path) -> None:
    def get_temperature() -> float:
        return 21.5

    asked: list[str] = []

    def initlogger(l: blitz.Logger) -> None:  # noqa: E741 - as the document has it
        asked.append("apikey:")
        l.serverurl = str(db.address)
        l.apikey = apikey
        l.addStream("temperature", {"type": "number"})
        l.syncperiod = 60 * 60

    cache = str(tmp_path / "cache.db")
    with blitz.Logger(cache, on_create=initlogger) as logger:
        logger.start()
        for _ in range(3):
            logger.insert("temperature", get_temperature())
        assert len(logger) <= 3
    with blitz.Logger(cache, on_create=initlogger) as logger:  # the next day
        logger.start()
        wait_until(lambda: len(logger) == 0)
        wait_until(lambda: time.time() - logger.lastsynctime < 60)
        assert (asked, logger.syncperiod, logger.apikey) == (["apikey:"], 3600, apikey)
        assert logger.name == "weather station"
        logger.stop()
    assert db["temperature"](i1=0).d() == [21.5] * 3


def test_the_loggers_other_calls(db: blitz.Client, apikey: str, tmp_path: Path) -> None:
    told: list[object] = []
    logger = blitz.Logger(
        str(tmp_path / "log.db"), None, apikey, lambda: told.append("onsync"), lambda error: told.append(error), False
    )
    logger.serverurl = str(db.address)
    logger.data = {"hi": 56}
    assert logger.data == {"hi": 56}
    assert logger.serverurl == str(db.address)
    db["switch"].create({"type": "boolean"})
    logger.addStream("switch")  # its schema is loaded
    logger.addStream("light", {"type": "number"}, nickname="Light", description="At the window")
    logger.addStream_force("later", {"type": "number"})
    assert db["light"].description == "At the window"
    with pytest.raises(ValueError, match="is not of type 'boolean'"):
        logger.insert("switch", "on")
    logger.ping()
    logger.insert_many({"light": [{"t": 1, "d": 0.5}, {"t": 2, "d": 0.6}], "switch": [{"t": 1, "d": True}]})
    assert (len(logger), "light" in logger, "dark" in logger) == (3, True, False)
    logger.cleardata()
    assert len(logger) == 0
    logger.insert("light", 0.7)
    logger.sync()
    assert told == ["onsync"]
    assert [point["d"] for point in logger.connectordb["light"]] == [0.7]
    logger.close()


def test_the_basics(db: blitz.Client, capsys: pytest.CaptureFixture[str]) -> None:
    mystream = db["mystream"]

    if not mystream.exists():
        mystream.create({"type": "string"})

    mystream.insert("Hello World!")

    print("mystream has", len(mystream), "datapoint")  # noqa: T201

    print(mystream[0]["d"])  # noqa: T201
    assert capsys.readouterr().out == "mystream has 1 datapoint\nHello World!\n"


def test_a_subscription(db: blitz.Client) -> None:
    mystream = db["mystream"]
    if not mystream.exists():
        mystream.create({"type": "string"})
    told: queue.Queue[Any] = queue.Queue()

    def callback_function(streampath: str, data: Any) -> None:
        told.put((streampath, data))

    mystream.subscribe(callback_function)
    mystream.insert("Hello World!")
    streampath, data = told.get(timeout=60)
    assert (streampath, [point["d"] for point in data]) == ("mystream", ["Hello World!"])
    assert abs(data[0]["t"] - time.time()) < 60
    mystream.unsubscribe()


def test_a_downlink(db: blitz.Client) -> None:
    mystream = db["mylight"]
    if not mystream.exists():
        mystream.create({"type": "boolean"})
        mystream.downlink = True
    is_on = threading.Event()

    def callback_function(streampath: str, data: Any) -> list[dict[str, Any]]:
        ison = data[-1]["d"]
        if ison:
            is_on.set()
        else:
            is_on.clear()
        return [{"t": time.time(), "d": ison}]

    mystream.subscribe(callback_function, downlink=True)
    assert db["mylight"].send(True).state == "acknowledged"
    assert is_on.is_set()
    assert mystream[-1]["d"] is True
    mystream.unsubscribe(downlink=True)
