"""`blitz tail`: what it knows, how it draws it, and the command against a real server, in a real terminal."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from waiting import wait_until

from blitz.cli.main import invoke
from blitz.cli.tail_picture import picture, streams_picture
from blitz.cli.tail_state import Choice, TailState
from blitz.data.boards import BoardDefinition, Channel, Format, Readings
from blitz.data.records import (
    Account,
    BoardRecord,
    Event,
    EventKind,
    LinkState,
    Notice,
    SessionRecord,
    Source,
    StatusRecord,
    StoreRecord,
)

NOW_S = 1_700_000_000
NOW = datetime.fromtimestamp(NOW_S, UTC)
DEADLINE_S = 60.0
CHANNELS = (
    Channel(name="temperature", column=0, unit="°C", decimals=1, limit_high=30),
    Channel(name="pressure", column=1, unit="hPa"),
)
TANK = Source(
    index=0,
    name="tank",
    link="",
    definition=BoardDefinition(id="tank", name="Tank", format=Format.COLUMNS, channels=CHANNELS),
)


def readings(*values: tuple[float, float], session_id: int = 0, source: Source = TANK, at_s: float = 0.0) -> Readings:
    count = len(values)
    time_ns = np.arange(count) * 100_000_000 + int((NOW_S + at_s) * 1e9)
    return Readings(session_id, source, np.arange(count), time_ns, np.array(values, float), np.zeros(count, np.int64))


def status(session: SessionRecord | None = None, *boards: BoardRecord) -> Event:
    record = StatusRecord(
        version="1", store_id="s", now=NOW, session=session, store=StoreRecord(is_up=True), boards=boards, rate_hz=12.0
    )
    return Event(event=EventKind.STATUS, status=record)


def board(name: str = "tank", **more: Any) -> BoardRecord:
    return BoardRecord(
        name=name, link="", baud=0, state=LinkState.READY, definition=TANK.definition, rate_hz=12.0, **more
    )


def drawn(state: TailState, width: int = 80, height: int = 24) -> str:
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(picture(state, "http://bench1:8999", NOW_S, width, height))
    return capture.get()


RUNNING = SessionRecord(id=7, name="pump", started_at=NOW, is_running=True, message_count=1234)


def test_a_channel_keeps_its_newest_reading_and_its_extremes() -> None:
    state = TailState(Choice())
    assert state.add(readings((20.0, 1000.0), (np.nan, 990.0)))
    temperature, pressure = state.rows
    assert (temperature.value, temperature.low, temperature.high) == (20.0, 20.0, 20.0)
    assert (pressure.value, pressure.low, pressure.high) == (990.0, 990.0, 1000.0)
    assert state.age_s(temperature, NOW_S + 2.0) == 2.0
    assert state.message_count == 2


def test_extremes_begin_anew_with_a_session() -> None:
    state = TailState(Choice())
    state.add(readings((20.0, 1000.0)))
    state.learn(Event(event=EventKind.SESSION_STARTED, session_id=7, session=RUNNING), NOW_S)
    state.add(readings((25.0, 1000.0), session_id=7, at_s=1))
    assert (state.rows[0].low, state.rows[0].high) == (25.0, 25.0)


def test_what_is_not_recorded_is_hidden_beside_a_session_but_for_streams_that_are_only_shown() -> None:
    state = TailState(Choice())
    state.learn(status(RUNNING, board(), board("room", is_recorded=False)), NOW_S)
    assert not state.add(readings((20.0, 1.0)))
    room = TANK.model_copy(update={"name": "room"})
    assert state.add(readings((20.0, 1.0), source=room))
    assert state.add(readings((20.0, 1.0), session_id=7))


def test_memory_does_not_grow_with_what_comes() -> None:
    state = TailState(Choice())
    for number in range(1000):
        state.add(readings((number, 1.0), at_s=number))
        state.learn(Event(event=EventKind.NOTICE, notice=Notice(severity="info", text=f"{number}", time=NOW)), NOW_S)
    assert len(state.rows[0].trend) == 32
    assert len(state.notices) == 3


@pytest.mark.parametrize("width", [30, 40, 56, 66, 80, 120, 200])
def test_the_picture_fits_any_width_and_never_cuts_a_number(width: int) -> None:
    state = TailState(Choice())
    state.learn(status(RUNNING, board()), NOW_S)
    for number in range(60):
        state.add(readings((2345.6, 1013.25), session_id=7, at_s=number))
    picture = drawn(state, width)
    assert max(map(len, picture.splitlines())) <= width
    assert "2345.6" in picture
    assert "1013.25" in picture or "1013" in picture
    assert "RECORDING" in picture


@pytest.mark.parametrize("height", [6, 10, 24])
def test_the_picture_fits_any_height_and_says_what_is_left_out(height: int) -> None:
    state = TailState(Choice())
    for number in range(40):
        state.add(readings((20.0, 1.0), source=TANK.model_copy(update={"name": f"tank{number}", "index": number})))
    words = "A notice that goes on for longer than a line of this terminal has room for, so that it is broken. " * 2
    state.learn(Event(event=EventKind.NOTICE, notice=Notice(severity="warning", text=words, time=NOW)), NOW_S)
    lines = drawn(state, 80, height).splitlines()
    assert len(lines) <= max(height, 12)
    assert "79 more" in "\n".join(lines) or any("more:" in line for line in lines)


def test_the_head_says_whether_it_is_recorded_and_what_was_lost() -> None:
    state = TailState(Choice())
    assert "Waiting for http://bench1:8999" in drawn(state)
    state.learn(status(None, board()), NOW_S)
    assert "NOT RECORDED  12.0/s" in drawn(state)
    state.learn(status(RUNNING, board(account=Account(source=0, lost=3, is_lost_exact=True))), NOW_S)
    assert "RECORDING  session 7 · pump · 0:00:00 · 1 234 messages · 12.0/s" in drawn(state)
    assert "3 lost, account balances" in drawn(state)
    notice = Notice(severity="warning", text="The connection was lost: pulled.", time=NOW)
    state.learn(Event(event=EventKind.DISCONNECTED, notice=notice), NOW_S)
    assert "NO CONNECTION" in drawn(state)
    assert "pulled" in drawn(state)
    state.learn(Event(event=EventKind.RECONNECTED), NOW_S)
    assert "NO CONNECTION" not in drawn(state)


def test_a_value_beyond_its_limit_is_marked_by_a_sign_and_names_move_no_cursor() -> None:
    state = TailState(Choice())
    evil = TANK.model_copy(update={"name": "tank\x1b[2J"})
    state.add(readings((31.0, 1.0), source=evil))
    picture = drawn(state)
    assert "▲ 31.0" in picture
    assert "\x1b[2J" not in picture


def test_what_matches_nothing_is_said_with_what_there_is() -> None:
    state = TailState(Choice(sources=("pump",)))
    state.learn(status(None, board()), NOW_S)
    assert "There are: tank." in drawn(state)


def test_streams_are_a_table_too() -> None:
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(streams_picture([("oven", "", "21.5", "°C", 2.0, 12345)], "Streams of http://b:1", 24))
        console.print(streams_picture([], "Streams of http://b:1", 24))
    assert re.search(r"oven +21\.5 +°C +2\.0 s +12 345", capture.get())
    assert "There is no stream here" in capture.get()


@pytest.fixture
def tail(server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    monkeypatch.setenv("BLITZ_SERVER", server.url)

    def run(*arguments: str, expect: int = 0) -> list[str]:
        code = invoke(["tail", *arguments])
        printed = capsys.readouterr()
        assert code == expect, printed.err
        return (printed.out if code == 0 else printed.err).splitlines()

    return run


def test_a_pipe_gets_a_line_a_message(tail: Callable[..., list[str]]) -> None:
    lines = tail("-n", "3", "--source", "SIM1", "--channel", "adc_channel_o*")
    assert len(lines) == 3
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}  sim1  adc_channel_one  \d+ count", line) for line in lines)
    told = [json.loads(line) for line in tail("-n", "4", "--json", "--source", "sim2")]
    assert [each["source"] for each in told] == ["sim2"] * 4
    assert [each["session_id"] for each in told] == [None] * 4
    assert set(told[0]["values"]) == {"raw_adc", "motor_value", "set_point"}


def test_messages_come_as_they_came(tail: Callable[..., list[str]]) -> None:
    assert all(re.search(r"  sim1  08[0-9a-f]+$", line) for line in tail("-n", "2", "--messages", "--source", "sim1"))
    told = json.loads(tail("-n", "1", "--messages", "--json", "--source", "sim2")[0])
    assert told["raw"].startswith("09")
    assert told["source"] == "sim2"


def test_it_ends_after_a_time(tail: Callable[..., list[str]]) -> None:
    assert tail("--for", "0.1s", "--source", "nobody") == []


def test_a_session_is_followed_or_shown_from_a_message_on(
    tail: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["start", "--name", "tail", "--json"]) == 0
    session = json.loads(capsys.readouterr().out)["session"]["id"]
    running = [json.loads(line) for line in tail("--session", str(session), "--from", "0", "-n", "5", "--json")]
    assert [each["seq"] for each in running] == sorted(each["seq"] for each in running)
    assert running[0]["seq"] == 0
    assert json.loads(tail("-n", "1", "--json")[0])["session_id"] == session
    assert invoke(["stop", "--json"]) == 0
    count = json.loads(capsys.readouterr().out)["session"]["message_count"]
    whole = [json.loads(line)["seq"] for line in tail("--session", str(session), "--from", "0", "--messages", "--json")]
    assert whole == list(range(count))
    assert len(tail("--session", str(session), "--messages")) == min(10, count)
    assert "no session 9999" in tail("--session", "9999", expect=1)[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "3"], "of which session"),
        (["--streams", "--messages"], "choose by --source"),
        (["--messages", "--channel", "a"], "choose by --source"),
        (["--for", "soon"], "is no duration"),
        (["-n", "0"], "--count"),
    ],
)
def test_wrong_wishes_are_told(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["tail", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_no_server_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["tail", "--server", "http://127.0.0.1:9"]) == 3
    assert invoke(["tail", "--streams", "--server", "http://127.0.0.1:9"]) == 3
    assert "http://127.0.0.1:9" in capsys.readouterr().err


def test_streams_are_followed_line_by_line(server: Any, tail: Callable[..., list[str]]) -> None:
    import blitz

    with blitz.Client(server.url) as client:
        client["tailed oven"].create({"type": "number"}, unit="°C")
        client["tailed oven"].insert(20.5, t=1.0)
        process = subprocess.Popen(
            [sys.executable, "-m", "blitz", "tail", "--streams", "--json", "-n", "3", "--source", "tailed *"],
            stdout=subprocess.PIPE,
            env={**os.environ, "BLITZ_SERVER": server.url},
        )
        with process:
            t = 2.0
            while process.poll() is None:
                client["tailed oven"].insert(t, t=t)
                t += 1.0
                select.select([], [], [], 0.05)
            assert process.stdout is not None
            points = [json.loads(line) for line in process.stdout]
        client["tailed oven"].delete()
    times = [point["t"] for point in points]
    assert [point["stream"] for point in points] == ["tailed oven"] * 3
    assert times == [times[0], times[0] + 1, times[0] + 2]
    assert times[0] > 1.0


class Terminal:
    """A real terminal with a command in it."""

    def __init__(self, url: str, *arguments: str, rows: int = 24, columns: int = 80) -> None:
        self.master, slave = pty.openpty()
        self._seen = b""
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "blitz", "tail", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={
                **os.environ,
                "BLITZ_SERVER": url,
                "TERM": "xterm",
                "PYTHONUTF8": "1",
                "COLUMNS": "80",  # some shells leave them, and they are not what counts
                "LINES": "24",
            },
        )
        os.close(slave)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, words: str) -> str:
        """Wait until a picture has these words; forget what came before it."""
        deadline_s = time.monotonic() + DEADLINE_S
        while (place := self._seen.find(words.encode())) < 0:
            assert time.monotonic() < deadline_s, self._seen[-2000:]
            self._read()
        self._seen = self._seen[place:]
        return words

    def frame(self) -> list[str]:
        """Return the lines of a picture that is drawn from now on."""
        self._seen = b""
        while self._seen.count(b"\x1b[H") < 2:
            self._read()
        text = self._seen.split(b"\x1b[H")[1].decode()
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).splitlines()

    def rest(self) -> str:
        with contextlib.suppress(OSError):  # what a pty says when nobody has its other end open
            while True:
                self._read()
        return self._seen.decode()

    def _read(self) -> None:
        assert select.select([self.master], [], [], DEADLINE_S)[0]
        self._seen += os.read(self.master, 65536)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def run(url: str, *arguments: str, **size: int) -> Terminal:
        opened.append(Terminal(url, *arguments, **size))
        return opened[-1]

    yield run
    for each in opened:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()
        os.close(each.master)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_gets_a_table_until_ctrl_c(
    server: Any, terminal: Callable[..., Terminal], number: signal.Signals
) -> None:
    table = terminal(server.url)
    table.wait_for("motor_value")
    table.process.send_signal(number)
    left = table.rest()
    assert left.count("\x1b[?1049l") == 1  # the terminal is as before
    assert "set_point" in left.rpartition("\x1b[?1049l")[2]
    assert left.rstrip().endswith("Interrupted.")
    assert table.process.wait(DEADLINE_S) == 130


def test_a_table_follows_the_size_of_its_terminal(server: Any, terminal: Callable[..., Terminal]) -> None:
    table = terminal(server.url)
    table.wait_for("motor_value")
    table.resize(8, 40)
    while len(lines := table.frame()) > 8:
        pass
    assert max(map(len, lines)) <= 40
    assert any("more" in line for line in lines)


def test_a_table_ends_after_so_many_messages(server: Any, terminal: Callable[..., Terminal]) -> None:
    table = terminal(server.url, "-n", "3")
    assert "NOT RECORDED" in table.rest()
    assert table.process.wait(DEADLINE_S) == 0


def test_a_reader_that_has_enough_ends_it_quietly(server: Any) -> None:
    command = f"{sys.executable} -m blitz tail --json | head -n 2"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env={**os.environ, "BLITZ_SERVER": server.url}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2


def test_ctrl_c_ends_it_while_a_reader_is_waited_for(server: Any) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "blitz", "tail", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "BLITZ_SERVER": server.url},
    )
    with process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        waiting, pipe = bytearray(4), process.stdout

        def is_full() -> bool:
            fcntl.ioctl(pipe, termios.FIONREAD, waiting)
            return int.from_bytes(waiting, sys.byteorder) > 3000  # of 4096; lines go in whole

        wait_until(is_full)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=DEADLINE_S)[1]
    assert (process.returncode, json.loads(said)["error"]["code"]) == (130, "interrupted")


def test_a_server_that_goes_away_is_come_back_to(
    run_server: Callable[..., Any], terminal: Callable[..., Terminal], steady_port: int
) -> None:
    server = run_server("--simulate", "1", "--durability", "none", "--port", str(steady_port))
    table = terminal(server.url)
    table.wait_for("adc_channel_one")
    server.stop()
    table.wait_for("NO CONNECTION")
    server.start()
    table.wait_for("NOT RECORDED")
    table.process.send_signal(signal.SIGINT)
    table.rest()
    assert table.process.wait(DEADLINE_S) == 130
