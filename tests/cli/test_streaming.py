"""`blitz stream` against a real server."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import blitz
from blitz.cli.main import invoke
from blitz.data.blocks import MessageBlock

DEADLINE_S = 60.0


@pytest.fixture
def stream(
    server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """Run `blitz stream …`; streams are deleted behind a test."""
    monkeypatch.setenv("BLITZ_SERVER", server.url)

    def run(*arguments: str, expect: int = 0) -> str:
        code = invoke(["stream", *arguments])
        printed = capsys.readouterr()
        assert code == expect, printed.err
        return printed.err or printed.out

    yield run
    with blitz.Client(server.url) as client:
        for record in client.streams():
            client[record.name].delete()


def start(server: Any, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "blitz", "stream", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "BLITZ_SERVER": server.url},
    )


def test_a_stream_from_its_making_to_its_end(stream: Callable[..., str], tmp_path: Path) -> None:
    assert stream().startswith("No stream.")
    (tmp_path / "number.json").write_text('{"type": "number"}')
    schema = str(tmp_path / "number.json")
    stream("create", "oven", "--schema", schema, "--unit", "°C", "--nickname", "Oven", "--description", "The big one")
    assert "there is a stream 'oven' already" in stream("create", "oven", expect=4).lower()
    assert stream("insert", "oven", "21.5", "--time", "2026-11-22T05:00:00+00:00") == "Stored as point 0.\n"
    assert stream("insert", "oven", "-3") == "Stored as point 1.\n"
    assert json.loads(stream("list", "--json"))["streams"][0]["point_count"] == 2
    assert "Oven" in stream("list")
    shown = stream("show", "oven")
    assert "The big one" in shown
    assert "Newest: -3 at" in shown
    assert stream("set", "oven", "--unit", "K").endswith("was changed.\n")
    assert json.loads(stream("show", "oven", "--json"))["stream"]["unit"] == "K"
    assert "--yes" in stream("delete", "oven", expect=2)
    assert stream("delete", "oven", "--yes") == "The stream oven is deleted.\n"
    assert "no stream 'oven'" in stream("show", "oven", expect=1)


def test_points_are_read_by_time_and_place_in_each_form(stream: Callable[..., str]) -> None:
    stream("create", "words")
    for second, value in enumerate(["1", "true", "=1+1", "null", '{"x": [1]}']):
        stream("insert", "words", value, "--time", str(1795323600 + second))
    rows = list(csv.reader(io.StringIO(stream("read", "words", "--csv"))))
    assert rows[0] == ["time_utc", "t", "value"]
    assert rows[1] == ["2026-11-22T05:00:00.000000Z", "1795323600.0", "1"]
    assert [row[2] for row in rows[2:]] == ["true", "'=1+1", "", '{"x": [1]}']
    told = json.loads(stream("read", "words", "--json"))
    assert [point["d"] for point in told["points"]] == [1, True, "=1+1", None, {"x": [1]}]

    def places(*arguments: str) -> list[int]:
        told = json.loads(stream("read", "words", "--json", *arguments))
        return [int(point["t"] - 1795323600) for point in told["points"]]

    assert places("--index", "1:3") == [1, 2]
    assert places("--index", "-2:") == [3, 4]
    assert places("--index", "-1") == [4]
    assert places("--index", "3:1") == []
    assert places("--limit", "2") == [0, 1]
    assert places("--from", "2026-11-22T05:00:01+00:00", "--to", "1795323603") == [1, 2]
    assert places("--from", "1795323601", "--limit", "1") == [1]
    assert places("--to", "1795323600") == []
    assert stream("read", "words", "--index", "2").split("  ")[::2] == ["2", '"=1+1"\n']
    assert stream("read", "words", "--index", "7:9") == "There is no such point.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["insert", "words", "hot"], 1, "is not of type 'number'"),
        (["insert", "nosuch", "1"], 1, "no stream 'nosuch'"),
        (["insert", "words", "NaN"], 2, "NaN is no number"),
        (["insert", "words", "1", "--time", "soon"], 2, "no time such as"),
        (["insert", "words", "1", "--tim", "3"], 2, ""),
        (["insert", "words", "-", "--time", "3"], 2, "their own times"),
        (["create", "a/b"], 2, "has no /"),
        (["create", "x", "--schema", "{"], 2, "is no JSON"),
        (["create", "x", "--schema", "nosuch.json"], 2, "neither a file nor a schema"),
        (["create", "x", "--schema", '{"type": "nosuch"}'], 1, "schema"),
        (["read", "words", "--index", "a:b"], 2, "write A:B"),
        (["read", "words", "--index", "0:1", "--from", "3"], 2, "not both"),
        (["read", "words", "--csv", "--json"], 2, "choose one"),
        (["set", "words"], 2, "say what"),
        (["send", "words", "1"], 1, "takes no commands"),
        (["send", "words", "1", "--timeout", "soon"], 2, "no duration"),
        (["tail", "nosuch"], 1, "no stream 'nosuch'"),
    ],
)
def test_wrong_wishes_are_told(stream: Callable[..., str], arguments: list[str], code: int, words: str) -> None:
    stream("create", "words", "--schema", '{"type": "number"}')
    assert words in stream(*arguments, expect=code)


def test_points_come_from_the_standard_input_as_they_are_typed(server: Any, stream: Callable[..., str]) -> None:
    stream("create", "typed")
    with start(server, "insert", "typed", "-", "--json") as process, blitz.Client(server.url) as client:
        assert process.stdin is not None
        points: list[list[Any]] = []
        client["typed"].subscribe(lambda _, come: points.append(come))
        process.stdin.write('1\n{"d": "a"}\n')
        process.stdin.flush()
        with client.live(client["typed"].record().id, 0, raw=True) as entries:
            come = 0
            for entry in entries:
                come += len(entry) if isinstance(entry, MessageBlock) else 0
                if come == 2:
                    break  # stored while the command still reads
        said, _ = process.communicate('\n{"t": 4000000000, "d": [1]}', timeout=DEADLINE_S)
        assert json.loads(said) == {"stream": "typed", "count": 3}
        assert [point["d"] for point in client["typed"][:]] == [1, "a", [1]]
        client["typed"].unsubscribe()


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        ("1\n2\nx\n3\n", 2, "line 3 is no JSON: 'x'. 2 points before it stored."),
        ('1\n{"t": 1}\n', 2, "line 2 is no point"),
        ('1\n{"t": 1, "d": 2}\n', 1, "older than the newest point"),
    ],
)
def test_a_line_that_is_no_point_is_named(
    server: Any, stream: Callable[..., str], lines: str, code: int, words: str
) -> None:
    stream("create", "typed")
    with start(server, "insert", "typed", "-") as process:
        _, said = process.communicate(lines, timeout=DEADLINE_S)
    assert (process.returncode, words in said) == (code, True), said


def test_ctrl_c_ends_it_while_nothing_is_typed(server: Any, stream: Callable[..., str]) -> None:
    stream("create", "typed")
    with start(server, "insert", "typed", "-") as process, blitz.Client(server.url) as client:
        assert process.stdin is not None
        process.stdin.write("1\n")
        process.stdin.flush()
        with client.live(client["typed"].record().id, 0, raw=True) as entries:
            next(entry for entry in entries if isinstance(entry, MessageBlock))
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130
        assert process.stderr is not None
        assert process.stderr.read() == "Interrupted.\n"


def test_a_stream_is_followed(server: Any, stream: Callable[..., str]) -> None:
    stream("create", "followed")
    stream("insert", "followed", "1")
    with start(server, "tail", "followed", "-n", "2", "--json") as process, blitz.Client(server.url) as client:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["d"] == 1
        client["followed"].insert(2)
        assert json.loads(process.stdout.readline())["d"] == 2
        assert process.wait(DEADLINE_S) == 0
    assert stream("tail", "followed", "--last", "0", "--for", "0.1") == ""


def test_commands_end_with_what_became_of_them(server: Any, stream: Callable[..., str]) -> None:
    stream("create", "lamp", "--downlink")
    with blitz.Client(server.url) as client:

        def switch(_: str, points: list[dict[str, Any]]) -> bool:
            if points[-1]["d"] == "broken":
                raise RuntimeError("the bulb is broken")
            return True

        client["lamp"].subscribe(switch, downlink=True)
        assert stream("send", "lamp", "true") == "Acknowledged.\n"
        assert "the bulb is broken" in stream("send", "lamp", "broken", expect=4)
        client["lamp"].unsubscribe(downlink=True)
        told = json.loads(stream("send", "lamp", "off", "--timeout", "0.2", "--json", expect=3))
        assert told["command"]["state"] == "timed_out"
    assert "true by" in stream("show", "lamp")
