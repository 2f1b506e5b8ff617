"""Devices that send by themselves, over ports, sockets and recordings: what is cut, kept, changed and accounted for."""

import os
import random
import socket
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cobs import cobs
from waiting import wait_until

from blitz.config import SerialPort
from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.boards import SessionDecoder, load_definitions
from blitz.data.database import DatabaseServer
from blitz.data.framing_rule import FramingKind, FramingRule
from blitz.data.records import Account, BoardRecord, LinkState, SessionRecord
from blitz.data.source_config import SourceConfig
from blitz.errors import LinkError, UnknownBoard
from blitz.io import device_link
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.recording import RecordingWriter
from blitz.io.serial_link import SerialLink
from blitz.io.simulated_device import SimulatedDevice, device_message_number

NUMBERED = BoardDefinition(
    id="numbered",
    name="Numbered text",
    format=Format.COLUMNS,
    channels=(Channel(name="number", column=0, counts_messages=True), Channel(name="x", column=1)),
)
COBS_RULE = FramingRule(kind=FramingKind.COBS, checksum="CRC-16/IBM-3740")
BINARY = BoardDefinition(
    id="binary",
    name="Binary",
    format=Format.STRUCT,
    framing=COBS_RULE,
    channels=(
        Channel(name="number", offset=0, type="u32", counts_messages=True),
        Channel(name="x", offset=8, type="i16"),
    ),
)


@contextmanager
def acquiring(
    store: DatabaseServer, *sources: SourceConfig, serial: tuple[SerialPort, ...] = ()
) -> Iterator[Acquisition]:
    devices = DeviceOptions(serial, sources, scan_usb="off")
    acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(devices))
    acquisition.start()
    try:
        yield acquisition
    finally:
        acquisition.stop()


def source(name: str, link: object, definition: BoardDefinition | None = NUMBERED, **fields: object) -> SourceConfig:
    return SourceConfig.model_validate({"name": name, "link": str(link), "definition": definition, **fields})


def board(acquisition: Acquisition, name: str = "bench") -> BoardRecord:
    return next(record for record in acquisition.boards() if record.name == name)


def is_working(acquisition: Acquisition, name: str = "bench") -> bool:
    return board(acquisition, name).state in (LinkState.READY, LinkState.RECORDING)


def wait_for_messages(acquisition: Acquisition, session: SessionRecord, count: int) -> None:
    goal = (acquisition.hub.next_seq(session.id) or 0) + count
    wait_until(lambda: (acquisition.hub.next_seq(session.id) or 0) >= goal)


def finish(acquisition: Acquisition, store: DatabaseServer) -> SessionRecord:
    """Stop; whatever a test is about, the accounts balance."""
    record = store.session(acquisition.stop_session(None).id)
    for account in record.accounts:
        assert account.surplus_bytes == account.surplus_messages == 0, account
        assert account.messages_waiting == account.unexamined == 0
    assert sum(account.messages_appended for account in record.accounts) == record.message_count
    assert record.verdict.endswith("account balances"), record.verdict
    return record


def messages_of(store: DatabaseServer, record: SessionRecord, *names: str) -> list[bytes]:
    block = store.messages(record.id, 0, record.message_count)
    rows = {row.index for row in record.sources if row.name in names}
    return [m for m, row in zip(block.messages(), block.source.tolist(), strict=True) if row in rows]


def missing(numbers: list[int]) -> int:
    assert numbers == sorted(set(numbers)), "each once, in order"
    return sum(after - before - 1 for before, after in pairwise(numbers))


class Wire:
    """A pty whose other end is the test's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        path.symlink_to(os.ttyname(self._slave))

    def write(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._master, content) :]

    def close(self) -> None:
        with suppress(OSError):
            self.path.unlink()
            os.close(self._master)
            os.close(self._slave)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    wire = Wire(tmp_path / "bench")
    yield wire
    wire.close()


class Listener:
    """The other end of ``socket://``: what a serial-to-Ethernet box does."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(20)
        self.port = self._server.getsockname()[1]
        self.link = f"socket://127.0.0.1:{self.port}"

    def accept(self) -> socket.socket:
        return self._server.accept()[0]

    def close(self) -> None:
        self._server.close()

    def reopen(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port))
        self._server.settimeout(20)


def frame(number: int) -> bytes:
    content = number.to_bytes(4, "little") + bytes(4) + (number % 100).to_bytes(2, "little") + bytes(6)
    return cobs.encode(content + _crc(content)) + b"\0"


def _crc(content: bytes) -> bytes:
    import binascii

    return binascii.crc_hqx(content, 0xFFFF).to_bytes(2, "little")


# ---- framing --------------------


def test_broken_frames_are_counted_kept_a_hundred_of_them_and_never_stop_the_next(
    store: DatabaseServer, wire: Wire
) -> None:
    chance = random.Random(3)
    with acquiring(store, source("bench", wire.path, BINARY)) as acquisition:
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_until(lambda: board(acquisition).state is LinkState.RECORDING)
        started_ns = acquisition.now_ns()
        good, bad = 0, 0
        for number in range(500):
            whole = frame(number)
            if number % 4 == 1:
                place = chance.randrange(1, len(whole) - 1)
                whole = whole[:place] + bytes([whole[place] ^ 0x55 or 0x55]) + whole[place + 1 :]
                bad += 1
            else:
                good += 1
            wire.write(whole)
        wait_until(lambda: board(acquisition).bad_frames + board(acquisition).message_count >= 500)
        kept = acquisition.devices.bad_frames("bench")
        record = finish(acquisition, store)
        assert session.id == record.id
    numbers = [device_message_number("cobs", message) for message in messages_of(store, record, "bench")]
    assert set(numbers) >= {number for number in range(500) if number % 4 != 1}
    (account,) = record.accounts
    assert account.bad_frames >= bad - 3, "one in 65536 is right by chance"
    assert account.messages_appended + account.bad_frames >= 500
    assert good <= account.messages_appended
    assert account.lost == 500 - account.messages_appended - (499 - max(numbers)), "each broken one is missing"
    assert len(kept) == 100
    assert all(started_ns <= each.time_ns <= acquisition.now_ns() for each in kept)
    assert all(each.reason for each in kept)
    assert {each.reason.partition(" ")[0] for each in kept} >= {"checksum"}


def test_a_frame_in_two_halves_around_an_absence_is_no_message(store: DatabaseServer, wire: Wire) -> None:
    with acquiring(store, source("bench", wire.path, BINARY)) as acquisition:
        wait_until(lambda: is_working(acquisition))
        acquisition.start_session()
        wait_until(lambda: board(acquisition).state is LinkState.RECORDING)
        wire.write(frame(0) + frame(1)[:7])
        wait_until(lambda: board(acquisition).message_count == 1)
        acquisition.devices.release("bench", 100, "")
        acquisition.devices.retake("bench", "")
        wait_until(lambda: board(acquisition).state is not LinkState.RELEASED)
        wire.write(frame(1)[7:] + frame(2))
        wait_until(lambda: board(acquisition).message_count == 2)
        record = finish(acquisition, store)
    assert [device_message_number("cobs", m) for m in messages_of(store, record, "bench")] == [0, 2]
    assert record.accounts[0].bad_frames == 2


# ---- sockets and recordings --------------------


def test_a_socket_that_is_closed_is_opened_again_and_a_refused_one_floods_nothing(
    store: DatabaseServer, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener()
    with acquiring(store, source("bench", listener.link)) as acquisition:
        with listener.accept() as connection:
            connection.sendall(b"".join(b"%d,1\n" % number for number in range(10)))
            wait_until(lambda: board(acquisition).message_count == 10)
            acquisition.start_session()
            wait_until(lambda: board(acquisition).state is LinkState.RECORDING)
            connection.sendall(b"".join(b"%d,1\n" % number for number in range(10, 20)) + b"20,")
            wait_until(lambda: board(acquisition).message_count == 20)
            listener.close()  # before it could be connected to again
        link = acquisition.devices.links()[0]
        wait_until(lambda: link._retries > 6)
        assert board(acquisition).state is LinkState.AWAY
        assert len([n for n in acquisition.notices if n.source == "bench"]) == 1
        assert len([r for r in caplog.records if "bench" in r.getMessage() and r.levelname != "DEBUG"]) < 8
        listener.reopen()
        for _ in range(5):  # takes connections, and ends them at once
            listener.accept().close()
        assert len([n for n in acquisition.notices if n.source == "bench"]) <= 2
        with listener.accept() as connection:
            connection.sendall(b"25,1\n26,1\n")
            wait_until(lambda: board(acquisition).message_count == 22)
            record = finish(acquisition, store)
        listener.close()
    assert [int(m.partition(b",")[0]) for m in messages_of(store, record, "bench")] == [*range(10, 20), 25, 26]
    assert [(gap.reason, gap.lost, gap.is_exact) for gap in record.gaps] == [("unplugged", 5, True)]
    assert record.accounts[0].bad_frames == 1


def make_recording(path: Path, *chunks: tuple[float, bytes]) -> str:
    with RecordingWriter(path, {"link": "x"}) as writer:
        for t_s, content in chunks:
            writer.add(t_s, "rx", content)
    return f"replay:{path}?speed=max"


def test_a_recording_is_played_to_its_end_and_is_no_absence(store: DatabaseServer, tmp_path: Path) -> None:
    lines = b"".join(b"%d,%d\r\n" % (number, number * number) for number in range(500))
    cuts = [lines[place : place + 333] for place in range(0, len(lines), 333)]
    link = make_recording(tmp_path / "run.jsonl", *[(place / 1000, cut) for place, cut in enumerate(cuts)])
    with acquiring(store) as acquisition:
        acquisition.start_session()
        acquisition.devices.add_source(SourceConfig(name="bench", link=link), "ann")
        wait_until(lambda: acquisition.devices.links()[0].is_over)
        played = board(acquisition)
        assert played.state is LinkState.AWAY
        assert played.error is not None
        assert played.error.endswith("has been played to its end.")
        assert played.definition is not None, "what it prints is guessed as if a device printed it"
        with pytest.raises(LinkError, match="closed already"):
            acquisition.devices.release("bench", 10, "")
        record = finish(acquisition, store)
        assert [int(m.partition(b",")[0]) for m in messages_of(store, record, "bench")] == list(range(500))
        assert not [gap for gap in record.gaps if gap.reason == "unplugged"]
        assert {notice.severity for notice in acquisition.notices if notice.source == "bench"} == {"info"}
        session = acquisition.start_session()
        acquisition.devices.retake("bench", "ann")
        wait_until(lambda: (acquisition.hub.next_seq(session.id) or 0) == 500)
        finish(acquisition, store)


def test_a_recorded_blitz_board_is_known_by_its_lines(store: DatabaseServer, tmp_path: Path) -> None:
    lines = b"".join(b"08a0%08x%03x0000000000000\r\n" % (number * 10, number) for number in range(50))
    link = make_recording(tmp_path / "run.jsonl", (0.0, lines + b"0840\r\n"))
    with acquiring(store) as acquisition:
        acquisition.start_session()
        acquisition.devices.add_source(SourceConfig(name="bench", link=link, protocol="stream"), "ann")
        wait_until(lambda: acquisition.devices.links()[0].is_over)
        assert (board(acquisition).board_id, board(acquisition).board_name) == ("08", "Blitz Basic")
        record = finish(acquisition, store)
    assert record.message_count == 50
    block = store.messages(record.id, 0, 50)
    (readings,) = SessionDecoder(record.sources).decode(block)
    assert readings.values[:, 0].tolist() == list(range(50))


def test_a_stream_that_prints_seldom_is_guessed_later(store: DatabaseServer, wire: Wire) -> None:
    with acquiring(store, source("bench", wire.path, None, protocol="stream")) as acquisition:
        wait_until(lambda: is_working(acquisition))
        assert board(acquisition).definition is None
        acquisition.start_session()
        wait_until(lambda: board(acquisition).state is LinkState.RECORDING)
        for line in (b"1,2,3\r\n", b"4,5,6\r\n", b"7,8,9\r\n"):
            count = board(acquisition).message_count
            wire.write(line)
            wait_until(lambda: board(acquisition).message_count > count)  # noqa: B023
        definition = board(acquisition).definition
        assert definition is not None
        assert len(definition.channels) == 3
        record = finish(acquisition, store)
    assert messages_of(store, record, "bench") == [b"1,2,3", b"4,5,6", b"7,8,9"]


def test_names_of_a_header_outlast_an_absence_after_which_it_is_not_printed_again(
    store: DatabaseServer, tmp_path: Path
) -> None:
    with (
        SimulatedDevice("csv-time", rate_hz=100, silence_s=0, own_power=True, link_path=tmp_path / "bench") as device,
        acquiring(store, source("bench", device.path, None)) as acquisition,
    ):
        wait_until(lambda: is_working(acquisition))
        named = board(acquisition).definition
        assert named is not None
        assert named.channels[0].counts_messages
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 20)
        device.unplug()
        wait_until(lambda: board(acquisition).state is LinkState.AWAY)
        device.replug()
        wait_until(lambda: is_working(acquisition))
        wait_for_messages(acquisition, session, 20)
        assert board(acquisition).definition == named
        record = finish(acquisition, store)
    assert len(record.sources) == 1
    assert record.verdict.startswith("1 gap, ")


# ---- changes in mid-session --------------------


def test_sources_are_added_changed_renamed_and_deleted_in_mid_session(store: DatabaseServer, tmp_path: Path) -> None:
    with (
        SimulatedDevice("csv", rate_hz=100, silence_s=0, own_power=True, link_path=tmp_path / "one") as one,
        SimulatedDevice("csv", rate_hz=100, silence_s=0, own_power=True, link_path=tmp_path / "two") as two,
        acquiring(store) as acquisition,
    ):
        session = acquisition.start_session()
        devices = acquisition.devices
        devices.add_source(source("one", one.path), "ann")
        devices.add_source(source("two", two.path), "ann")
        wait_until(lambda: is_working(acquisition, "one") and is_working(acquisition, "two"))
        wait_for_messages(acquisition, session, 20)
        changed = devices.update_source("one", {"serial": {"baud": 115200, "parity": "even"}}, "ann")
        assert (changed.serial.baud, changed.serial.parity) == (115200, "even")
        wait_until(lambda: is_working(acquisition, "one"))
        wait_for_messages(acquisition, session, 20)
        devices.update_source("two", {"name": "deux"}, "ann")
        wait_until(lambda: is_working(acquisition, "deux"))
        wait_for_messages(acquisition, session, 20)
        devices.delete_source("deux", "ann")
        with pytest.raises(UnknownBoard):
            devices.release("deux", 1, "")
        wait_for_messages(acquisition, session, 10)
        record = finish(acquisition, store)
    assert [row.name for row in record.sources] == ["one", "two", "deux"]
    accounts = {account.name: account for account in record.accounts}
    for name, account in accounts.items():
        numbers = [device_message_number("csv", m) for m in messages_of(store, record, name)]
        assert account.messages_appended == len(numbers)
        # What is missing before the first number and behind the last one is an estimate.
        lost = [gap.lost or 0 for gap in record.gaps if gap.source == account.source]
        exact = [gap.lost or 0 for gap in record.gaps if gap.source == account.source and gap.is_exact]
        assert (account.lost, sum(exact)) == (sum(lost), missing(numbers))
    reasons = {gap.reason for gap in record.gaps if gap.source == record.sources[0].index and gap.seq}
    assert "the source was changed" in reasons


def test_another_framing_begins_another_row_and_both_accounts_balance(store: DatabaseServer, wire: Wire) -> None:
    with acquiring(store, source("bench", wire.path)) as acquisition:
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_until(lambda: board(acquisition).state is LinkState.RECORDING)
        wire.write(b"1,2\n3,4\nunfinished")
        wait_until(lambda: acquisition.hub.next_seq(session.id) == 2)
        acquisition.devices.set_definition("bench", BINARY, "ann")
        assert board(acquisition).framing == COBS_RULE
        wait_until(lambda: is_working(acquisition))
        wire.write(b"rest\0" + frame(1) + frame(2))
        wait_until(lambda: acquisition.hub.next_seq(session.id) == 4)
        record = finish(acquisition, store)
    assert [row.framing for row in record.sources] == [None, COBS_RULE]
    assert [account.messages_appended for account in record.accounts] == [2, 2]


def test_accounts_of_sources_whose_messages_interleave_are_kept_apart(store: DatabaseServer, tmp_path: Path) -> None:
    with (
        SimulatedDevice("csv", rate_hz=400, silence_s=0, link_path=tmp_path / "text") as text,
        SimulatedDevice("cobs", rate_hz=300, silence_s=0, link_path=tmp_path / "binary") as binary,
        acquiring(store, source("text", text.path), source("binary", binary.path, BINARY)) as acquisition,
    ):
        wait_until(lambda: is_working(acquisition, "text") and is_working(acquisition, "binary"))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 100)
        text.unplug(mid_line=True)
        wait_until(lambda: board(acquisition, "text").state is LinkState.AWAY)
        wait_for_messages(acquisition, session, 50)
        live = board(acquisition, "binary").account
        assert live is not None
        assert live.lost == 0
        text.replug()
        wait_until(lambda: is_working(acquisition, "text"))
        wait_for_messages(acquisition, session, 100)
        record = finish(acquisition, store)
    block = store.messages(record.id, 0, record.message_count)
    assert (np.diff(block.source.astype(int)) != 0).sum() > 10, "they come in turns"
    accounts = {account.name: account for account in record.accounts}
    for name, kind in (("text", "csv"), ("binary", "cobs")):
        numbers = [device_message_number(kind, m) for m in messages_of(store, record, name)]
        account = accounts[name]
        assert (account.lost, account.messages_appended, account.is_lost_exact) == (
            missing(numbers),
            len(numbers),
            True,
        )
    (gap,) = record.gaps
    assert (record.sources[gap.source].name, gap.lost) == ("text", accounts["text"].lost)


def test_messages_that_had_to_be_dropped_are_dropped_and_lost_in_the_account(
    store: DatabaseServer, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    with acquiring(store, source("bench", wire.path)) as acquisition:
        wait_until(lambda: is_working(acquisition))
        acquisition.start_session()
        wait_until(lambda: board(acquisition).state is LinkState.RECORDING)
        wire.write(b"".join(b"%d,0\n" % number for number in range(10)))
        wait_until(lambda: board(acquisition).message_count == 10)
        monkeypatch.setattr(acquisition.appender, "put", lambda session, read: False)
        wire.write(b"10,0\n11,0\n12,0\n")
        wait_until(lambda: board(acquisition).message_count == 13)
        assert board(acquisition).dropped == 3
        monkeypatch.undo()
        wire.write(b"13,0\n14,0\n")
        wait_until(lambda: board(acquisition).message_count == 15)
        record = finish(acquisition, store)
    account: Account = record.accounts[0]
    assert (account.messages_read, account.messages_dropped, account.messages_appended, account.lost) == (15, 3, 12, 3)
    (gap,) = record.gaps
    assert (gap.lost, gap.is_exact, gap.seq) == (3, True, 10)
    assert "dropped" in gap.reason
    assert any("being dropped" in notice.text for notice in acquisition.notices)


def test_bytes_that_the_driver_lost_are_counted_over_all_connections(
    store: DatabaseServer, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    def open_counting(link: str, options: object) -> object:
        port = SerialLink(link)
        monkeypatch.setattr(type(port), "overruns", property(lambda self: 5))
        opened.append(port)
        return port

    monkeypatch.setattr(device_link, "open_link", open_counting)
    with acquiring(store, source("bench", wire.path)) as acquisition:
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_until(lambda: board(acquisition).state is LinkState.RECORDING)
        wire.write(b"1,1\n")
        wait_until(lambda: acquisition.hub.next_seq(session.id) == 1)
        acquisition.devices.release("bench", 100, "")
        acquisition.devices.retake("bench", "")
        wait_until(lambda: is_working(acquisition))
        wire.write(b"2,1\n")
        wait_until(lambda: acquisition.hub.next_seq(session.id) == 2)
        record = finish(acquisition, store)
    assert len(opened) == 2
    assert record.accounts[0].overruns == 5, "what was lost before the session is another's"
    assert "5 bytes overrun in the driver" in record.verdict


# ---- nothing is left over --------------------


def test_threads_and_descriptors_of_all_kinds_of_links_are_given_back(store: DatabaseServer, tmp_path: Path) -> None:
    def files() -> int:
        return len(os.listdir("/proc/self/fd"))

    listener = Listener()
    link = make_recording(tmp_path / "run.jsonl", (0.0, b"1,2\n"))
    for played in range(3):
        if played == 1:  # whatever is opened once is open now
            before = threading.active_count(), files()
        with (
            SimulatedDevice("csv", rate_hz=100, silence_s=0, link_path=tmp_path / "bench") as device,
            acquiring(
                store,
                source("bench", device.path),
                source("net", listener.link),
                source("played", link),
                source("away", tmp_path / "nothing"),
            ) as acquisition,
        ):
            wait_until(lambda: is_working(acquisition))
            acquisition.devices.release("bench", 100, "")
            acquisition.devices.update_source("away", {"serial": {"baud": 9600}}, "")
            acquisition.devices.delete_source("away", "")
    wait_until(lambda: (threading.active_count(), files()) <= before)
    listener.close()
