"""Ports that are lent to another program and taken again; commands to devices that are there, lent or away."""

import os
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial
from waiting import wait_until

from blitz.config import SerialPort
from blitz.data.board_definition import BoardDefinition, Channel, Command, Format
from blitz.data.boards import load_definitions
from blitz.data.database import DatabaseServer
from blitz.data.records import BoardRecord, LinkState, SessionRecord, TimelineEntry, TimelineKind
from blitz.data.source_config import SourceConfig
from blitz.data.source_records import CommandRequest
from blitz.errors import BoardTimeout, CommandRefused, LinkError
from blitz.io import blitz_device, lending
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.simulated_device import SimulatedDevice
from blitz.io.simulator import SimulatedBoard

BAUD = 115_200
PRINTER = BoardDefinition(
    id="printer",
    name="Printer",
    format=Format.COLUMNS,
    channels=(Channel(name="number", column=0, counts_messages=True), Channel(name="x", column=1)),
    commands=(
        Command(name="TARE", send="t", answer="^tared$"),
        Command(name="HEAT", send="heat 40", ending="\r\n", is_actuator=True),
    ),
)
MONITOR = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('open', flush=True); sys.stdin.read()"


@pytest.fixture(autouse=True)
def quick_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """No simulated board needs two seconds to boot."""
    monkeypatch.setattr(blitz_device, "LISTEN_S", 0.2)


@contextmanager
def acquiring(store: DatabaseServer, *sources: SourceConfig) -> Iterator[Acquisition]:
    devices = DeviceOptions(sources=sources, scan_usb="off")
    acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(devices))
    acquisition.start()
    try:
        yield acquisition
    finally:
        acquisition.stop()


def printer(link: str, **fields: object) -> SourceConfig:
    return SourceConfig.model_validate({"name": "bench", "link": link, "definition": PRINTER, **fields})


def state(acquisition: Acquisition) -> LinkState:
    return acquisition.boards()[0].state


def is_working(acquisition: Acquisition) -> bool:
    return state(acquisition) in (LinkState.READY, LinkState.RECORDING)


def wait_for_messages(acquisition: Acquisition, session: SessionRecord, count: int) -> None:
    goal = (acquisition.hub.next_seq(session.id) or 0) + count
    wait_until(lambda: (acquisition.hub.next_seq(session.id) or 0) >= goal)


def entries(record: SessionRecord, kind: TimelineKind) -> list[TimelineEntry]:
    return [entry for entry in record.timeline if entry.kind is kind]


def test_a_lent_port_is_closed_and_the_time_is_a_gap(store: DatabaseServer, tmp_path: Path) -> None:
    with (
        SimulatedDevice("csv", rate_hz=100, silence_s=0, link_path=tmp_path / "bench", own_power=True) as device,
        acquiring(store, printer(device.path)) as acquisition,
    ):
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 10)
        record = acquisition.devices.release("bench", 120, "ann@desk")
        assert record.state is LinkState.RELEASED
        assert record.retake_at is not None
        assert 60 < record.retake_at.timestamp() - time.time() <= 120
        with serial.Serial(device.path, BAUD, exclusive=True, timeout=10) as port:
            assert port.readline(), "another program has it for itself"
            with pytest.raises(LinkError, match="bench is released: another program has the port"):
                acquisition.devices.command("bench", CommandRequest(line="t"), "bob")
        generated = device.generated
        wait_until(lambda: device.generated >= generated + 20)
        acquisition.devices.retake("bench", "ann@desk")
        wait_until(lambda: is_working(acquisition))
        wait_for_messages(acquisition, session, 10)
        stopped = acquisition.stop_session(None)
        acquisition.devices.retake("bench", "ann@desk")
        assert is_working(acquisition), "taking what is not lent changes nothing"
    stopped = store.session(stopped.id)
    (gap,) = stopped.gaps
    assert (gap.reason, gap.is_exact) == ("released", True)
    assert (gap.lost or 0) >= 20
    released, taken = entries(stopped, TimelineKind.LINK)
    assert (released.text, released.who) == ("bench was released for up to 120 s.", "ann@desk")
    assert (taken.text, taken.who) == ("bench was taken again.", "ann@desk")
    (command,) = entries(stopped, TimelineKind.COMMAND)
    assert command.error is not None
    assert "could not be sent" in command.text
    (account,) = stopped.accounts
    assert account.is_balanced, account
    assert account.lost == gap.lost


def test_a_lent_port_is_taken_again_when_its_time_is_over(store: DatabaseServer, tmp_path: Path) -> None:
    with (
        SimulatedDevice("csv", rate_hz=100, silence_s=0, link_path=tmp_path / "bench") as device,
        acquiring(store, printer(device.path)) as acquisition,
    ):
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        assert acquisition.devices.release("bench", 1.5, "").state is LinkState.RELEASED
        wait_until(lambda: is_working(acquisition))
        wait_for_messages(acquisition, session, 5)
        record = store.session(acquisition.stop_session(None).id)
    assert [entry.text for entry in entries(record, TimelineKind.LINK)] == [
        "bench was released for up to 1.5 s.",
        "bench was taken again by itself: its time is over.",
    ]


def test_a_lent_port_is_taken_again_once_the_other_program_has_closed_it(
    store: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lending, "CLOSED_S", 0.5)
    find = lending.is_in_use_by_others
    with (
        SimulatedDevice("csv", rate_hz=100, silence_s=0, link_path=tmp_path / "bench") as device,
        acquiring(store, printer(device.path)) as acquisition,
    ):
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        seen: list[str] = []
        lent = acquisition.devices.links()[0].lending
        monkeypatch.setattr(lent, "_find_users", lambda port: seen.extend(users := find(port)) or users)
        acquisition.devices.release("bench", 600, "")
        command = [sys.executable, "-c", MONITOR, device.path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"open\n"
            wait_until(lambda: any("process" in user for user in seen))
            assert state(acquisition) is LinkState.RELEASED
        wait_until(lambda: is_working(acquisition))
        wait_for_messages(acquisition, session, 5)
        record = store.session(acquisition.stop_session(None).id)
    assert entries(record, TimelineKind.LINK)[-1].text == (
        "bench was taken again by itself: the other program has closed it."
    )


def test_a_session_that_begins_while_a_port_is_lent_has_the_gap_too(store: DatabaseServer, tmp_path: Path) -> None:
    with (
        SimulatedDevice("csv", rate_hz=100, silence_s=0, link_path=tmp_path / "bench") as device,
        acquiring(store, printer(device.path)) as acquisition,
    ):
        wait_until(lambda: is_working(acquisition))
        acquisition.devices.release("bench", 600, "")
        session = acquisition.start_session()
        acquisition.devices.retake("bench", "")
        wait_for_messages(acquisition, session, 5)
        record = store.session(acquisition.stop_session(None).id)
        assert [gap.reason for gap in record.gaps] == ["released"]
        acquisition.devices.release("bench", 600, "")
        session = acquisition.start_session()
        record = store.session(acquisition.stop_session(None).id)
        assert record.message_count == 0
        assert state(acquisition) is LinkState.RELEASED


def test_a_source_that_is_changed_while_its_port_is_lent_stays_lent(store: DatabaseServer, tmp_path: Path) -> None:
    with (
        SimulatedDevice("csv", rate_hz=100, silence_s=0, link_path=tmp_path / "bench") as device,
        acquiring(store, printer(device.path)) as acquisition,
    ):
        wait_until(lambda: is_working(acquisition))
        acquisition.devices.release("bench", 600, "")
        with serial.Serial(device.path, BAUD, exclusive=True, timeout=10) as port:
            acquisition.devices.update_source("bench", {"serial": {"baud": 9600}}, "ann")
            wait_until(lambda: state(acquisition) is LinkState.RELEASED)
            assert port.readline()
            assert port.readline()
        acquisition.devices.retake("bench", "")
        wait_until(lambda: is_working(acquisition))
        assert acquisition.boards()[0].baud == 9600


def test_text_hex_and_named_commands_reach_the_device_and_the_time_line(store: DatabaseServer, tmp_path: Path) -> None:
    with (
        SimulatedDevice("csv", rate_hz=50, silence_s=0, link_path=tmp_path / "bench") as device,
        acquiring(store, printer(device.path)) as acquisition,
    ):
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 3)
        send = acquisition.devices.command
        assert send("bench", CommandRequest(command="TARE"), "ann").answer == "tared"
        assert send("bench", CommandRequest(line="t", answer="^tar"), "ann").answer == "tared"
        answer = send("bench", CommandRequest(line="740a", is_hex=True, answer="tared"), "bob")
        assert (answer.sent, answer.answer) == ("74 0a", "tared")
        assert send("bench", CommandRequest(line="what", ending="\r\n", answer="unknown"), "").answer == "unknown"
        with pytest.raises(BoardTimeout, match=r"'t', but no line that matches 'never' came within 0\.2 seconds"):
            send("bench", CommandRequest(line="t", answer="never", timeout_s=0.2), "ann")
        with pytest.raises(CommandRefused, match=r"bench has no command 'ZERO'\. It has: TARE, HEAT"):
            send("bench", CommandRequest(command="ZERO"), "ann")
        with pytest.raises(ValueError, match="nothing to send"):
            send("bench", CommandRequest(line="", is_hex=True), "ann")
        assert send("bench", CommandRequest(line="off"), "ann").answer is None
        wait_until(lambda: not device.is_logging)
        record = store.session(acquisition.stop_session(None).id)
    told = [(entry.who, entry.sent, entry.answer, bool(entry.error)) for entry in entries(record, TimelineKind.COMMAND)]
    assert told == [
        ("ann", "t", "tared", False),
        ("ann", "t", "tared", False),
        ("bob", "74 0a", "tared", False),
        ("", "what", "unknown", False),
        ("ann", "t", None, True),
        ("ann", "off", None, False),
    ]
    seqs = [entry.seq for entry in entries(record, TimelineKind.COMMAND)]
    assert seqs == sorted(seqs)
    (account,) = record.accounts
    assert account.is_balanced
    assert account.lost == 0, "answers were no messages, and no message was taken for an answer"


def test_a_command_to_a_device_that_is_away_is_refused_with_a_sentence(store: DatabaseServer, tmp_path: Path) -> None:
    with (
        acquiring(store, printer(str(tmp_path / "bench"))) as acquisition,
        pytest.raises(LinkError, match="there is no such port"),
    ):
        acquisition.devices.command("bench", CommandRequest(line="t"), "ann")


def test_boards_are_never_sent_an_empty_line(store: DatabaseServer, tmp_path: Path) -> None:
    source = SourceConfig(name="bench", link=str(tmp_path / "bench"), on_connect=("", "0883"))
    with (
        SimulatedBoard("08", rate_hz=50, silence_s=0.05, link_path=tmp_path / "bench"),
        acquiring(store, source) as acquisition,
    ):
        with pytest.raises(ValueError, match="never empty"):
            acquisition.devices.command("bench", CommandRequest(line=""), "ann")
        wait_until(lambda: is_working(acquisition))
        for line in ("0a", "", "0d0a", "303838330a0a"):
            with pytest.raises(ValueError, match="boards take an empty line for START"):
                acquisition.devices.command("bench", CommandRequest(line=line, is_hex=True), "ann")
        wait_until(lambda: any("empty line on connecting" in notice.text for notice in acquisition.notices))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 5)
        record = store.session(acquisition.stop_session(None).id)
    assert (record.gaps, record.accounts[0].lost) == ((), 0)
    assert record.accounts[0].is_balanced


class Listening:
    """A pty that hears, and prints a line at the start of each connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        path.symlink_to(os.ttyname(self._slave))

    def say(self, line: bytes) -> None:
        os.write(self._master, line)

    def heard(self) -> bytes:
        try:
            return os.read(self._master, 4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self._path.unlink()
        os.close(self._master)
        os.close(self._slave)


def test_lines_are_sent_after_each_connecting_but_nothing_that_moves(store: DatabaseServer, tmp_path: Path) -> None:
    source = printer(str(tmp_path / "bench"), on_connect=("stream on", "TARE", "HEAT", "heat 40", "go\nheat 40"))
    with acquiring(store, source) as acquisition:
        for _ in range(2):
            device = Listening(tmp_path / "bench")
            wait_until(lambda: state(acquisition) is LinkState.IDENTIFYING)
            device.say(b"1,2\r\n")
            heard = b""

            def has_heard_all() -> bool:
                nonlocal heard
                heard += device.heard()  # noqa: B023
                return heard.endswith(b"t\n")

            wait_until(has_heard_all)
            wait_until(lambda: is_working(acquisition))
            assert heard + device.heard() == b"stream on\nt\n"
            device.close()
            wait_until(lambda: state(acquisition) is LinkState.AWAY)
        wait_until(lambda: len({n.text for n in acquisition.notices if "moves or heats" in n.text}) == 3)


def test_a_stream_that_must_be_switched_on_is_switched_on_again_after_each_absence(
    store: DatabaseServer, tmp_path: Path
) -> None:
    with (
        SimulatedDevice("csv", rate_hz=100, silence_s=0, quiet=True, link_path=tmp_path / "bench") as device,
        acquiring(store, printer(device.path, on_connect=("on",))) as acquisition,
    ):
        for _ in range(2):
            wait_until(lambda: acquisition.boards()[0].rate_hz > 0)
            device.unplug()
            wait_until(lambda: state(acquisition) is LinkState.AWAY)
            device.replug()
            acquisition.devices.links()[0].rate_hz = 0.0


def test_a_silent_device_of_which_nothing_is_known_is_switched_on_too(store: DatabaseServer, tmp_path: Path) -> None:
    source = SourceConfig(name="bench", link=str(tmp_path / "bench"), on_connect=("on", "0985000000000014000000000000"))
    with (
        SimulatedDevice("csv", rate_hz=100, silence_s=0, quiet=True, link_path=tmp_path / "bench"),
        acquiring(store, source) as acquisition,
    ):
        wait_until(lambda: is_working(acquisition))
        assert acquisition.boards()[0].is_guessed
        wait_until(lambda: any("moves or heats" in notice.text for notice in acquisition.notices))


def test_a_silent_device_of_which_nothing_is_known_can_be_sent_commands(store: DatabaseServer, tmp_path: Path) -> None:
    source = SourceConfig(name="bench", link=str(tmp_path / "bench"))
    with (
        SimulatedDevice("plain", rate_hz=100, silence_s=0, quiet=True, link_path=tmp_path / "bench"),
        acquiring(store, source) as acquisition,
    ):
        wait_until(lambda: state(acquisition) is LinkState.SILENT)
        send = acquisition.devices.command
        assert send("bench", CommandRequest(line="t", answer="tared"), "ann").answer == "tared"
        assert send("bench", CommandRequest(line="on"), "ann").answer is None
        wait_until(lambda: is_working(acquisition))
        assert acquisition.boards()[0].is_guessed


def test_a_blitz_board_is_not_moved_on_connecting(store: DatabaseServer, tmp_path: Path) -> None:
    source = SourceConfig(name="bench", link=str(tmp_path / "bench"), on_connect=("0985000000000014000000000000",))
    with (
        SimulatedBoard("09", rate_hz=50, silence_s=0.05, link_path=tmp_path / "bench"),
        acquiring(store, source) as acquisition,
    ):
        wait_until(lambda: is_working(acquisition))
        wait_until(lambda: any("moves or heats" in notice.text for notice in acquisition.notices))


def board(acquisition: Acquisition) -> BoardRecord:
    return acquisition.boards()[0]


def test_an_older_serial_option_names_the_definition(store: DatabaseServer, tmp_path: Path) -> None:
    devices = DeviceOptions([SerialPort(str(tmp_path / "bench"), BAUD, "printer")], scan_usb="off")
    definitions = load_definitions() | {"printer": PRINTER}
    acquisition = Acquisition(store, definitions, AcquisitionOptions(devices))
    with SimulatedDevice("csv", rate_hz=100, silence_s=0, link_path=tmp_path / "bench"):
        acquisition.start()
        try:
            wait_until(lambda: is_working(acquisition))
            assert (board(acquisition).definition, board(acquisition).is_guessed) == (PRINTER, False)
        finally:
            acquisition.stop()
