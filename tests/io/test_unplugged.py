"""Devices that are unplugged again and again: what came through is there once, what is missing is a gap."""

import os
import random
import threading
import time
import tty
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from waiting import wait_until

from blitz.config import SerialPort
from blitz.data.blocks import MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel, Format, load_definitions
from blitz.data.database_server import DatabaseServer
from blitz.data.records import LinkState, SessionRecord
from blitz.io import blitz_device, conversation
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.simulator import SimulatedBoard, message_number

ROUNDS = 100 if os.environ.get("BLITZ_SOAK") else 8

NUMBERED_LINES = load_definitions()["08"].model_copy(
    update={"channels": (Channel(name="number", bit=0, bits=48, counts_messages=True),)}
)
NUMBERED_TEXT = BoardDefinition(
    id="numbered",
    name="Numbered text",
    format=Format.COLUMNS,
    channels=(
        Channel(name="number", column=0, counts_messages=True),
        Channel(name="value", column=1),
    ),
)


class Cable:
    """A device that sends numbered lines, and a port that goes away in the middle of one."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.written_bytes = 0
        """Of what was written to ports that were open at the other end."""
        self.number = 0
        self.whole: list[int] = []
        """Numbers of the lines whose end was written, and was read."""
        self._kind = kind
        self._master: int | None = None

    def line(self) -> bytes:
        self.number += 1
        if self._kind == "blitz":
            return b"08a0%08x%012x0000\r\n" % (self.number, self.number)
        return b"%d,%d.5\r\n" % (self.number, self.number % 97)

    def plug_in(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path.symlink_to(os.ttyname(slave))
        self._slave = slave

    def write(self, part: bytes) -> None:
        assert self._master is not None
        self.written_bytes += os.write(self._master, part)

    def pull_out(self) -> None:
        assert self._master is not None
        self.path.unlink()
        os.close(self._master)
        os.close(self._slave)
        self._master = None


def make_acquisition(store: DatabaseServer, port: str, definition: BoardDefinition) -> Acquisition:
    definitions = load_definitions() | {definition.id: definition}
    name = "" if definition.format is Format.BLITZ else definition.id
    devices = DeviceOptions([SerialPort(port, 921_600, name)], scan_usb="off")
    return Acquisition(store, definitions, AcquisitionOptions(devices))


def open_files() -> int:
    """Descriptors but sockets: Redis' connections are opened as they are needed, and kept."""
    links = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/self/fd/{number}"))
    return sum(not link.startswith("socket:") for link in links)


def check_account(record: SessionRecord, block: MessageBlock) -> None:
    (account,) = record.accounts
    assert account.surplus_bytes == 0, account
    assert account.surplus_messages == 0, account
    assert account.messages_appended == account.messages_served == len(block) == record.message_count
    assert account.unexamined == 0
    assert record.verdict.endswith("account balances"), record.verdict


@pytest.mark.parametrize("kind", ["blitz", "text"])
def test_what_came_through_is_there_once_and_what_is_missing_is_in_a_gap(
    store: DatabaseServer, tmp_path: Path, kind: str, seed: int
) -> None:
    print(f"Repeat with --hypothesis-seed={seed}")  # noqa: T201 - shown where the test fails
    chance = random.Random(seed)
    cable = Cable(tmp_path / "port", kind)
    cable.plug_in()
    acquisition = make_acquisition(store, str(cable.path), NUMBERED_LINES if kind == "blitz" else NUMBERED_TEXT)
    acquisition.start()
    try:
        (link,) = acquisition.devices.links()
        wait_until(lambda: link.state is LinkState.IDENTIFYING)
        cable.write(cable.line() + cable.line())
        wait_until(lambda: link.state is LinkState.READY)
        acquisition.start_session()
        wait_until(lambda: link.state is LinkState.RECORDING)
        numbers: list[int] = []
        for played in range(ROUNDS):
            if played == 2:  # whatever is opened once is open now
                threads, files = threading.active_count(), open_files()
            for _ in range(chance.randrange(40)):
                cable.write(cable.line())
                numbers.append(cable.number)
                if chance.random() < 0.1:
                    time.sleep(chance.random() * 0.01)
            lost_line = cable.line()
            cable.write(lost_line[: chance.randrange(len(lost_line) - 1)])
            wait_until(lambda: link.ledger.bytes_read == cable.written_bytes)
            cable.pull_out()
            wait_until(lambda: link.state is LinkState.AWAY)
            cable.number += chance.randrange(50)
            cable.plug_in()
            returned_s = time.monotonic()
            wait_until(lambda: link.state is not LinkState.AWAY)
            assert time.monotonic() - returned_s < 15  # a second, on a machine that has nothing else to do
            for _ in range(3):
                cable.write(cable.line())
                numbers.append(cable.number)
            wait_until(lambda: link.state is LinkState.RECORDING)
        wait_until(lambda: link.ledger.bytes_read == cable.written_bytes)
        wait_until(lambda: threading.active_count() <= threads)
        wait_until(lambda: open_files() <= files)
        record = acquisition.stop_session(None)
        cable.pull_out()
    finally:
        acquisition.stop()
    record = store.session(record.id)
    block = store.messages(record.id, 0, record.message_count)
    received = [int(m[12:24], 16) if kind == "blitz" else int(m.partition(b",")[0]) for m in block.messages()]
    assert received == numbers
    check_account(record, block)
    check_gaps(record, received)
    (account,) = record.accounts
    assert account.bad_frames >= ROUNDS // 2, "most lines were cut behind their first byte"
    assert len(record.gaps) == ROUNDS


def check_gaps(record: SessionRecord, received: list[int]) -> None:
    """Each number that is missing is in the account, and in the gap that lies there."""
    missing = {
        seq: after - before - 1 for seq, (before, after) in enumerate(pairwise(received), 1) if after > before + 1
    }
    # Of what is missing before the first message no number tells: it is estimated.
    counted = [gap for gap in record.gaps if gap.seq > 0]
    estimated = sum(gap.lost or 0 for gap in record.gaps if gap.seq == 0)
    assert record.accounts[0].lost == sum(missing.values()) + estimated
    assert {gap.seq: gap.lost for gap in counted if gap.lost} == missing
    assert all(gap.is_exact for gap in counted if gap.lost)


@pytest.mark.parametrize("ring", [20, 4000])
def test_what_a_board_with_its_own_power_still_holds_is_recovered(
    store: DatabaseServer, tmp_path: Path, ring: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine the board may pause for longer than a real one: what it says behind that is no answer any more.
    monkeypatch.setattr(conversation, "ANSWER_S", 20.0)
    monkeypatch.setattr(blitz_device, "LISTEN_S", 0.2)
    rounds = max(ROUNDS // 10, 2)
    board = SimulatedBoard(
        "08", rate_hz=100, ring=ring, own_power=True, silence_s=0.05, baud=921_600, link_path=tmp_path / "port"
    )
    counter = Channel(name="number", bit=48, bits=12, counts_messages=True)
    numbered = load_definitions()["08"].model_copy(update={"channels": (counter,)})
    acquisition = make_acquisition(store, board.path, numbered)
    with board:
        acquisition.start()
        try:
            (link,) = acquisition.devices.links()
            wait_until(lambda: link.state is LinkState.READY)
            monkeypatch.setattr(blitz_device, "LISTEN_S", 20.0)
            acquisition.start_session()
            wait_until(lambda: link.state is LinkState.RECORDING)
            for _ in range(rounds):
                before = link.ledger.messages_read
                wait_until(lambda: link.ledger.messages_read > before + 5)  # noqa: B023
                board.unplug()
                wait_until(lambda: link.state is LinkState.AWAY)
                generated = board.generated
                wait_until(lambda: board.generated > generated + 40)  # noqa: B023
                board.replug()
                wait_until(lambda: link.state is LinkState.RECORDING)
            record = acquisition.stop_session(None)
        finally:
            acquisition.stop()
    record = store.session(record.id)
    block = store.messages(record.id, 0, record.message_count)
    received = [message_number(message) for message in block.messages()]
    assert received == sorted(set(received)), "each once, in order"
    check_account(record, block)
    (account,) = record.accounts
    assert account.recovered >= rounds * min(ring, 40)
    missing = sum(after - before - 1 for before, after in pairwise(received))
    assert account.lost == missing
    assert account.is_lost_exact
    assert sum(gap.recovered for gap in record.gaps) == account.recovered
    if ring == 20:
        assert missing >= rounds * 15, "the ring dropped the oldest"
        assert f"{missing} lost, {account.recovered} recovered from the board" in record.verdict


def test_an_account_shows_what_was_lost_on_its_way(
    store: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message goes missing between two parts of the server: by a fault that nobody knows of."""
    cable = Cable(tmp_path / "port", "text")
    cable.plug_in()
    acquisition = make_acquisition(store, str(cable.path), NUMBERED_TEXT)
    acquisition.start()
    try:
        (link,) = acquisition.devices.links()
        wait_until(lambda: link.state is LinkState.IDENTIFYING)
        cable.write(cable.line())
        wait_until(lambda: link.state is LinkState.READY)
        acquisition.start_session()
        wait_until(lambda: link.state is LinkState.RECORDING)
        feed = link.framing.feed
        monkeypatch.setattr(link.framing, "feed", lambda chunk: feed(chunk)[:-1])
        cable.write(cable.line() * 3)
        wait_until(lambda: link.ledger.bytes_read == cable.written_bytes)
        monkeypatch.undo()
        put = acquisition.appender.put
        monkeypatch.setattr(acquisition.appender, "put", lambda session, read: True)
        cable.write(cable.line())
        wait_until(lambda: link.ledger.bytes_read == cable.written_bytes)
        wait_until(lambda: link.delivery.tally.messages_read >= 2)
        monkeypatch.setattr(acquisition.appender, "put", put)
        record = acquisition.stop_session(None)
    finally:
        acquisition.stop()
        with suppress(OSError):
            cable.pull_out()
    (account,) = store.session(record.id).accounts
    assert account.surplus_bytes > 0
    assert account.surplus_messages > 0
    assert not account.is_balanced
    assert "does not balance" in record.verdict


def test_what_a_numbered_device_lost_that_began_anew_is_no_exact_number(store: DatabaseServer, tmp_path: Path) -> None:
    cable = Cable(tmp_path / "port", "text")
    cable.plug_in()
    acquisition = make_acquisition(store, str(cable.path), NUMBERED_TEXT)

    def send_for(seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            cable.write(cable.line())
            time.sleep(0.005)
        wait_until(lambda: link.ledger.bytes_read == cable.written_bytes)

    acquisition.start()
    try:
        (link,) = acquisition.devices.links()
        wait_until(lambda: link.state is LinkState.IDENTIFYING)
        cable.write(cable.line())
        wait_until(lambda: link.state is LinkState.READY)
        acquisition.start_session()
        wait_until(lambda: link.state is LinkState.RECORDING)
        cable.number = 5000
        send_for(1.0)
        cable.pull_out()
        wait_until(lambda: link.state is LinkState.AWAY)
        cable.number = 0
        cable.plug_in()
        wait_until(lambda: link.state is not LinkState.AWAY)
        send_for(0.5)
        record = acquisition.stop_session(None)
        cable.pull_out()
    finally:
        acquisition.stop()
    record = store.session(record.id)
    check_account(record, store.messages(record.id, 0, record.message_count))
    (gap,) = record.gaps
    (account,) = record.accounts
    assert gap.lost is not None
    assert not gap.is_exact
    assert (account.lost, account.duplicates) == (gap.lost, 0)
    assert not account.is_lost_exact
    if gap.lost:
        assert f"about {gap.lost} lost" in record.verdict
