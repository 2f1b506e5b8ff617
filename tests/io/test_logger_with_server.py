"""The logger with a real server: settings, synchronisation, what is refused, and what breaks."""

import contextlib
import logging
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

import blitz
from blitz.data.logger_batches import LoggerBatches
from blitz.data.logger_file import open_logger_file
from blitz.errors import (
    BlitzError,
    ConfigError,
    LoggerFileError,
    PointsRefused,
    ServerError,
    ServerUnreachable,
    StreamNotFound,
)
from blitz.io import logger_thread

NUMBER = {"type": "number"}


@pytest.fixture
def client(plain_server: Any) -> Iterator[blitz.Client]:
    with blitz.Client(plain_server.url) as client:
        yield client
        for stream in client.streams():
            client[stream.name].delete()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
def logger(path: Path, client: blitz.Client) -> Iterator[blitz.Logger]:
    def prepare(logger: blitz.Logger) -> None:
        logger.serverurl = str(client.address)
        logger.add_stream("temperature", NUMBER, unit="°C", nickname="Oven")

    with blitz.Logger(path, on_create=prepare) as logger:
        yield logger


def free_url() -> str:
    """An address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_points_arrive_once_and_leave_the_file(logger: blitz.Logger, client: blitz.Client) -> None:
    assert client["temperature"].record().unit == "°C"
    assert logger.lastsynctime == 0
    before_s = time.time()
    for number in range(3):
        logger.insert("temperature", number)
    logger.insert_many({"temperature": [{"t": 2e9 + n, "d": n} for n in range(7000)]})
    assert len(logger) == 7003
    assert (logger.sync().sent, len(logger)) == (7003, 0)
    points = client["temperature"](i1=0)
    assert points.d() == [0, 1, 2, *range(7000)]
    assert before_s <= points[0]["t"] <= points[2]["t"] <= time.time()
    assert before_s <= logger.lastsynctime <= time.time()
    result = logger.sync()
    assert (result.sent, result.refused, result.is_complete, result.error) == (0, (), True, None)
    assert len(client["temperature"]) == 7003


def test_what_is_set_stays_in_the_file(path: Path, client: blitz.Client) -> None:
    with blitz.Logger(path, apikey="blz_one") as logger:
        assert (logger.data, logger.syncperiod, logger.serverurl) == ({}, 600, "http://127.0.0.1:8999")
        assert logger.apikey == "blz_one"
        logger.apikey = None
        logger.data = {"hi": 56}
        logger.syncperiod = 60 * 60
        logger.serverurl = str(client.address)
        logger.restamp = True
        logger.addStream("temperature", NUMBER)
        assert logger.connectordb is logger.client
    with blitz.Logger(path) as logger:
        assert (logger.data, logger.syncperiod, logger.apikey) == ({"hi": 56}, 3600, None)
        assert logger.serverurl == str(client.address)
        assert (logger.restamp, logger.streams, logger.path) == (True, ["temperature"], path)
        assert "temperature" in logger
        assert "humidity" not in logger
        assert 7 not in logger
        assert logger.name == client.whoami().name
        logger.ping()
        logger.serverurl = free_url()
        with pytest.raises(ServerUnreachable):
            logger.ping()
        with pytest.raises(ServerUnreachable):
            _ = logger.connectordb
        with pytest.raises(ServerUnreachable):
            _ = logger.name
    with blitz.Logger(path, "not called", "blz_two") as logger:  # type: ignore[arg-type]
        assert logger.apikey == "blz_two"


@pytest.mark.parametrize(
    ("given", "url", "token"),
    [
        ("bench1:9000", "http://bench1:9000", None),
        ([("bench1", 9000)], "http://bench1:9000", None),
        ("blitz://bench1:8999/#blz_c2VjcmV0&" + 32 * "a7", "https://bench1:8999", "blz_c2VjcmV0"),
        ("blitz://bench1:8999/#blz_c2VjcmV0", "http://bench1:8999", "blz_c2VjcmV0"),
    ],
)
def test_a_server_is_named_as_elsewhere(path: Path, given: Any, url: str, token: str | None) -> None:
    with blitz.Logger(path) as logger:
        logger.serverurl = given
        assert (logger.serverurl, logger.apikey) == (url, token)
        client = logger._new_client(blitz.Client)
        assert (client.address.http_url, client.address.token) == (url, token or "")
        assert (client.address.fingerprint != "") == ("&" in str(given))
        with pytest.raises(ConfigError):
            logger.serverurl = "http://"
        assert logger.serverurl == url


@pytest.mark.parametrize("period", [0, -1, float("nan"), float("inf"), True, "60"])
def test_a_period_is_a_number_of_seconds(path: Path, period: Any) -> None:
    with blitz.Logger(path) as logger, pytest.raises(ConfigError):
        logger.syncperiod = period


def test_a_stream_is_loaded_from_the_server_or_made_or_taken_on_trust(
    logger: blitz.Logger, client: blitz.Client
) -> None:
    with pytest.raises(StreamNotFound):
        logger.add_stream("humidity")
    assert "humidity" not in logger
    client["humidity"].create({"type": "integer"})
    logger.add_stream("humidity")
    logger.add_stream("humidity", NUMBER)  # what the server has counts
    with pytest.raises(PointsRefused):
        logger.insert("humidity", 1.5)
    logger.addStream_force("trusted")
    logger.insert("trusted", {"any": "thing"})
    logger.insert("humidity", 1)
    result = logger.sync()
    assert isinstance(result.error, StreamNotFound)
    assert (result.sent, result.is_complete, len(logger)) == (1, False, 1)  # the other stream went
    client["trusted"].create()
    assert logger.sync().sent == 1
    assert client["trusted"][0]["d"] == {"any": "thing"}


def test_a_logger_that_could_not_be_prepared_leaves_no_file(path: Path) -> None:
    def prepare(logger: blitz.Logger) -> None:
        logger.serverurl = free_url()
        logger.add_stream("temperature", NUMBER)

    with pytest.raises(ServerUnreachable):
        blitz.Logger(path, on_create=prepare)
    assert not list(path.parent.iterdir())


def test_a_logger_is_started_and_used_while_it_is_prepared(path: Path, client: blitz.Client) -> None:
    def prepare(logger: blitz.Logger) -> None:
        logger.serverurl = str(client.address)
        logger.add_stream("temperature", NUMBER)
        logger.insert("temperature", 1)
        assert logger.sync().sent == 1
        logger.insert("temperature", 2)
        logger.start()

    with blitz.Logger(path, on_create=prepare):
        wait_until(lambda: len(client["temperature"]) == 2)


def test_callbacks_are_told_of_success_and_failure(path: Path, client: blitz.Client) -> None:
    told: list[Any] = []

    def prepare(logger: blitz.Logger) -> None:
        logger.add_stream_force("temperature", NUMBER)
        logger.serverurl = free_url()

    with blitz.Logger(path, prepare, onsync=told.append, onsyncfail=told.append) as logger:
        logger.insert("temperature", 1)
        result = logger.sync()
        assert told == [result.error]
        assert isinstance(result.error, ServerUnreachable)
        assert (result.is_complete, logger.lastsynctime, len(logger)) == (False, 0, 1)
        logger.syncraise = True
        with pytest.raises(ServerUnreachable):
            logger.sync()
        client["temperature"].create(NUMBER)
        logger.serverurl = str(client.address)
        told.clear()
        logger.sync()
        assert told == [logger]
        logger.onsync = lambda: told.append("no argument")
        logger.sync()
        assert told[1:] == ["no argument"]


def test_a_failure_that_nobody_is_told_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with blitz.Logger(path) as logger:
        logger.serverurl = free_url()
        logger.sync()
    assert "could not be synchronised: Cannot reach a Blitz server" in caplog.text


def test_points_that_are_too_old_are_put_aside_and_told(
    logger: blitz.Logger, client: blitz.Client, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[BlitzError] = []
    logger.onsyncfail = failures.append
    client["temperature"].insert(0, t=100)
    logger.insert_many({"temperature": [{"t": t, "d": t} for t in (98, 99, 100, 101)]})
    result = logger.sync()
    assert (result.sent, [point.d for point in result.refused], len(logger)) == (2, [98, 99], 0)
    assert result.is_complete
    assert failures == [result.error]
    assert isinstance(result.error, PointsRefused)
    assert "2 points of temperature" in str(result.error)
    assert [(point.stream, point.t, point.d) for point in logger.refused()] == [
        ("temperature", 98.0, 98),
        ("temperature", 99.0, 99),
    ]
    assert "older than the newest point of the stream, of 100.0" in logger.refused()[0].reason
    assert logger.sync().refused == ()  # told once
    assert logger.restamp_refused() == 2
    assert logger.sync().sent == 2
    assert [(p["t"], p["d"]) for p in client["temperature"](i1=1)] == [(100, 100), (101, 101), (101, 98), (101, 99)]
    assert logger.refused() == []
    logger.syncraise = True
    logger.insert_many({"temperature": [{"t": 50, "d": 50}]}, restamp=True)
    assert logger.sync().sent == 1
    assert client["temperature"][-1] == {"t": 101.0, "d": 50}


def test_a_logger_that_restamps_has_nothing_refused(logger: blitz.Logger, client: blitz.Client) -> None:
    client["temperature"].insert(0, t=100)
    logger.restamp = True
    logger.insert_many({"temperature": [{"t": 98, "d": 98}]})
    assert logger.sync().sent == 1
    assert client["temperature"][-1] == {"t": 100.0, "d": 98}


def test_points_that_the_servers_schema_refuses_do_not_keep_others_back(
    logger: blitz.Logger, client: blitz.Client
) -> None:
    client["picky"].create({"type": "integer", "maximum": 10})
    logger.add_stream_force("picky")
    logger.insert_many({"picky": [{"t": n, "d": n if n % 3 else "x"} for n in range(1, 13)]})
    logger.syncraise = True
    with pytest.raises(PointsRefused, match="5 points of picky"):
        logger.sync()
    assert client["picky"](i1=0).d() == [1, 2, 4, 5, 7, 8, 10]
    assert [point.d for point in logger.refused("picky")] == ["x", "x", "x", 11, "x"]
    assert logger.drop_refused() == 5


def test_what_is_too_large_for_the_server_goes_in_pieces_or_is_put_aside(
    tmp_path: Path, run_server: Callable[..., Any]
) -> None:
    config = tmp_path / "blitz.toml"
    config.write_text("[server]\nmax_request_kb = 16\n")
    server = run_server("--durability", "none", "--config", str(config))
    with blitz.Logger(tmp_path / "cache.db") as logger:
        logger.serverurl = server.url
        logger.add_stream("words", {})
        logger.insert_many({"words": [{"t": n, "d": "x" * 1000} for n in range(100)]})
        logger.insert("words", "y" * 20_000)
        logger.insert("words", "z")
        LoggerBatches(logger._file).next("words")  # so that it might have been sent before, with another limit
        result = logger.sync()
        assert (result.sent, [len(point.d) for point in result.refused], len(logger)) == (101, [20_000], 0)
        assert len(logger.client["words"]) == 101


def test_a_batch_whose_answer_was_lost_is_not_stored_twice(logger: blitz.Logger, client: blitz.Client) -> None:
    logger.insert_many({"temperature": [{"t": n, "d": n} for n in range(10)]})
    batch = LoggerBatches(logger._file).next("temperature")
    assert batch is not None
    client.insert_points("temperature", batch.points, writer=batch.writer, batch=batch.number)
    logger.insert_many({"temperature": [{"t": 10, "d": 10}]})
    assert logger.sync().sent == 11
    assert client["temperature"](i1=0).d() == list(range(11))


def test_a_restored_file_that_uses_numbers_again_loses_nothing(
    path: Path, logger: blitz.Logger, client: blitz.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The worst of copies: put back in place, so that it looks like the file that it was."""
    logger.insert("temperature", 1)
    logger.sync()
    logger.close()
    backup = shutil.copy(path, path.with_name("backup.db"))
    for number in (2, 3):
        with blitz.Logger(path) as logger:
            logger.insert("temperature", number)
            logger.sync()
    path.write_bytes(Path(backup).read_bytes())
    with blitz.Logger(path) as logger:
        logger.insert("temperature", 4)
        assert logger.sync().sent == 1
        logger.insert("temperature", 5)
        assert logger.sync().sent == 1
    assert client["temperature"](i1=0).d() == [1, 2, 3, 4, 5]
    assert "A copy of the logger's file" in caplog.text


def test_a_copy_and_its_original_both_bring_their_points(
    path: Path, logger: blitz.Logger, client: blitz.Client
) -> None:
    logger.insert("temperature", 1)
    logger.sync()
    logger.close()
    with blitz.Logger(shutil.copy(path, path.with_name("copy.db"))) as copy, blitz.Logger(path) as original:
        for number in range(2, 8, 2):
            copy.insert("temperature", number)
            assert copy.sync().sent == 1
            original.insert("temperature", number + 1)
            assert original.sync().sent == 1
    assert client["temperature"](i1=0).d() == list(range(1, 8))


def test_two_loggers_synchronise_one_file_at_the_same_time(
    path: Path, logger: blitz.Logger, client: blitz.Client
) -> None:
    logger.insert_many({"temperature": [{"t": n, "d": n} for n in range(40_000)]})
    with blitz.Logger(path) as other:
        results: list[Any] = []
        both = (logger, other)
        threads = [threading.Thread(target=lambda one=one: results.append(one.sync())) for one in both * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [result.error for result in results] == [None] * 4
    assert len(logger) == 0
    assert client["temperature"](i1=0).d() == list(range(40_000))


def test_the_thread_synchronises_at_once_and_every_period(logger: blitz.Logger, client: blitz.Client) -> None:
    times: list[float] = []
    logger.onsync = lambda: times.append(time.monotonic())
    logger.insert("temperature", 1)
    logger.start()
    logger.start()
    wait_until(lambda: len(times) == 1)
    assert len(client["temperature"]) == 1
    logger.insert("temperature", 2)
    logger.syncperiod = 0.05  # in force at once
    wait_until(lambda: len(times) > 2)
    assert len(client["temperature"]) == 2
    logger.stop()
    count = len(times)
    assert not [thread for thread in threading.enumerate() if thread.name == "blitz logger"]
    logger.insert("temperature", 3)
    logger.stop()
    assert (len(logger), len(times)) == (1, count)
    logger.start()
    wait_until(lambda: len(logger) == 0)


def test_a_failure_is_tried_again_soon_and_logged_once(
    logger: blitz.Logger, client: blitz.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(logger_thread, "FIRST_WAIT_S", 0.001)
    failures: list[BlitzError] = []
    logger.onsyncfail = failures.append
    logger.serverurl = free_url()
    logger.insert("temperature", 1)
    logger.start()
    wait_until(lambda: len(failures) > 4)
    logger.serverurl = str(client.address)
    wait_until(lambda: len(logger) == 0)
    wait_until(lambda: "is synchronised again" in caplog.text)
    assert caplog.text.count("could not be synchronised (1 times so far)") == 1
    assert caplog.text.count("could not be synchronised") == 1


def test_a_callback_that_fails_does_not_end_the_thread(
    logger: blitz.Logger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logger_thread, "FIRST_WAIT_S", 0.001)
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise ZeroDivisionError("in a callback")

    logger.onsync = fail
    logger.start()
    wait_until(lambda: len(calls) > 2)
    assert "ZeroDivisionError: in a callback" in caplog.text


def test_a_callback_may_stop_or_close_the_logger(path: Path, logger: blitz.Logger) -> None:
    logger.onsync = lambda: logger.stop()
    logger.start()
    wait_until(lambda: logger._thread is None)
    logger.onsync = lambda: logger.close()
    logger.sync()
    with pytest.raises(LoggerFileError, match="is closed"):
        logger.insert("temperature", 1)
    with pytest.raises(ConfigError, match="is closed"):
        logger.start()
    logger.close()


@pytest.fixture
def silent_url() -> Iterator[str]:
    """The address of a server that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("end", ["stop", "close"])
@pytest.mark.parametrize("is_background", [True, False])
def test_a_stop_ends_a_synchronisation_that_waits(
    logger: blitz.Logger, silent_url: str, end: str, is_background: bool
) -> None:
    failures: list[Any] = []
    results: list[Any] = []
    logger.onsyncfail = failures.append
    logger.insert("temperature", 1)
    logger.serverurl = silent_url
    thread = threading.Thread(target=lambda: results.append(logger.sync()))
    if is_background:
        logger.start()
    else:
        thread.start()
    wait_until(lambda: logger._sync is not None)
    began_s = time.monotonic()
    getattr(logger, end)()
    if not is_background:
        thread.join()
        assert [(result.is_complete, result.error) for result in results] == [(False, None)]
    assert time.monotonic() - began_s < 8  # a request would take ten
    assert failures == []


SCRIPT = """
import sys, time, blitz
logger = blitz.Logger(sys.argv[1])
logger.start()
for number in range(5):
    logger.insert("temperature", number)
while sys.argv[2] == "amid" and (logger._sync is None or logger._sync._client._scope is None):
    time.sleep(0.01)
print(time.monotonic())
"""


@pytest.mark.parametrize(("is_answered", "when"), [(True, "soon"), (False, "soon"), (False, "amid")])
def test_a_script_that_ends_is_not_kept_by_its_logger(
    path: Path, logger: blitz.Logger, silent_url: str, is_answered: bool, when: str
) -> None:
    if not is_answered:
        logger.serverurl = silent_url
    logger.close()
    command = [sys.executable, "-c", SCRIPT, str(path), when]
    done = subprocess.run(command, capture_output=True, timeout=60, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert is_answered or time.monotonic() - float(done.stdout) < 9  # a request would take ten
    with blitz.Logger(path) as again:
        assert is_answered or len(again) == 5


def test_a_server_that_fails_for_one_stream_gets_the_others(
    logger: blitz.Logger, client: blitz.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger.add_stream("humidity", NUMBER)
    insert = blitz.Client.insert_points

    def fail(self: blitz.Client, name: str, *arguments: Any, **options: Any) -> Any:
        if name == "temperature":
            raise ServerError("out of order", status=500)
        return insert(self, name, *arguments, **options)

    monkeypatch.setattr(blitz.Client, "insert_points", fail)
    logger.insert("temperature", 1)
    logger.insert("humidity", 1)
    result = logger.sync()
    assert (result.sent, str(result.error), len(logger)) == (1, "out of order", 1)


def test_cleared_points_do_not_reach_the_server(logger: blitz.Logger, client: blitz.Client) -> None:
    logger.insert("temperature", 1)
    logger.cleardata()
    logger.insert("temperature", 2)
    logger.sync()
    assert client["temperature"](i1=0).d() == [2]
    assert logger  # also an empty one is there
    assert repr(logger) == f"Logger({str(logger.path)!r})"


def test_a_file_of_a_program_that_was_killed_is_synchronised_by_the_next(path: Path, client: blitz.Client) -> None:
    client["temperature"].create()
    with contextlib.closing(open_logger_file(path)) as file:
        file.add_stream("temperature", {})
        file.insert("temperature", "left", 1)
        LoggerBatches(file).next("temperature")
    with blitz.Logger(path) as logger:
        logger.serverurl = str(client.address)
        logger.insert("temperature", "new")
        assert logger.sync().sent == 2
    assert client["temperature"](i1=0).d() == ["left", "new"]


def test_a_script_that_inserts_all_the_time_does_not_hold_up_the_other_streams(
    logger: blitz.Logger, client: blitz.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger.add_stream("humidity", NUMBER)
    insert = blitz.Client.insert_points

    def insert_more(self: blitz.Client, name: str, *arguments: Any, **options: Any) -> Any:
        logger.insert("temperature", 1)
        return insert(self, name, *arguments, **options)

    monkeypatch.setattr(blitz.Client, "insert_points", insert_more)
    logger.insert("temperature", 1)
    logger.insert("humidity", 1)
    result = logger.sync()
    assert (result.sent, result.is_complete, len(logger)) == (2, True, 2)
