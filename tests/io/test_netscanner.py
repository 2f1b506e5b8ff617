"""The Ethernet pressure scanner, simulated, recorded by the real acquisition: what it says, what it fails to say."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from waiting import wait_until

from blitz.config import SerialPort
from blitz.data.boards import SessionDecoder, load_definitions
from blitz.data.database import DatabaseServer
from blitz.data.records import Account, LinkState, SessionRecord
from blitz.data.source_records import CommandRequest
from blitz.errors import CommandRefused
from blitz.io import netscanner
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.simulated_scanner import SimulatedScanner


@contextmanager
def acquiring(store: DatabaseServer, scanner: SimulatedScanner) -> Iterator[Acquisition]:
    devices = DeviceOptions([SerialPort(f"netscanner://{scanner.address}")], scan_usb="off", poll_interval_s=0.02)
    acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(devices))
    acquisition.start()
    try:
        yield acquisition
    finally:
        acquisition.stop()


def state(acquisition: Acquisition) -> LinkState:
    return acquisition.boards()[0].state


def name(acquisition: Acquisition) -> str:
    return acquisition.boards()[0].name


def is_working(acquisition: Acquisition) -> bool:
    return state(acquisition) in (LinkState.READY, LinkState.RECORDING)


def wait_for_messages(acquisition: Acquisition, session: SessionRecord, count: int) -> None:
    goal = (acquisition.hub.next_seq(session.id) or 0) + count
    wait_until(lambda: (acquisition.hub.next_seq(session.id) or 0) >= goal)


def finish(acquisition: Acquisition, store: DatabaseServer) -> tuple[SessionRecord, Account]:
    record = store.session(acquisition.stop_session(None).id)
    (account,) = record.accounts
    assert account.is_balanced, account
    assert account.messages_appended == record.message_count
    return record, account


@pytest.mark.parametrize("split_bytes", [None, 7])
def test_sixteen_pressures_come_in_their_order_and_below_minus_two(
    store: DatabaseServer, split_bytes: int | None
) -> None:
    with SimulatedScanner(split_bytes=split_bytes) as scanner, acquiring(store, scanner) as acquisition:
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 5)
        record, account = finish(acquisition, store)
        assert list(scanner.requests)[:4] == [b"A", b"B", b"v01101 6.894757", b"rFFFF0"]
    block = store.messages(record.id, 0, record.message_count)
    (readings,) = SessionDecoder(record.sources).decode(block)
    assert readings.values.shape == (record.message_count, 16)
    assert [channel.name for channel in record.sources[0].definition.channels] == [f"Channel_{i}" for i in range(1, 17)]
    for values, message in zip(readings.values, block.messages(), strict=True):
        assert values.tolist() == [float(number) for number in reversed(message.split())]
    assert (readings.values[:, 15] < -2).all(), "the sixteenth stays there"
    assert np.isfinite(readings.values).all()
    assert (account.bad_frames, record.gaps) == (0, ())


def test_a_number_that_is_cut_off_for_longer_than_a_moment_is_waited_for(
    store: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netscanner, "QUIET_S", 0.001)
    with SimulatedScanner(split_bytes=5) as scanner, acquiring(store, scanner) as acquisition:
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 3)
        record, _ = finish(acquisition, store)
    block = store.messages(record.id, 0, record.message_count)
    for message in block.messages():
        assert [len(number.partition(b".")[2]) for number in message.split()] == [6] * 16


def test_a_connection_that_breaks_in_mid_answer_is_made_again_and_nothing_is_unaccounted_for(
    store: DatabaseServer,
) -> None:
    with SimulatedScanner() as scanner, acquiring(store, scanner) as acquisition:
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 3)
        for played in range(3):
            scanner.forced_answers.append(b" 1.000000 2.0000")
            wait_until(lambda: not scanner.forced_answers)
            scanner.drop_connections()
            wait_until(lambda: scanner.requests.count(b"v01101 6.894757") == played + 2)  # noqa: B023 - waited for
            wait_until(lambda: is_working(acquisition))
            wait_for_messages(acquisition, session, 3)
        scanner.unplug()
        wait_until(lambda: state(acquisition) is LinkState.AWAY)
        scanner.replug()
        wait_until(lambda: is_working(acquisition))
        wait_for_messages(acquisition, session, 3)
        record, account = finish(acquisition, store)
        assert scanner.requests.count(b"v01101 6.894757") == 5
    assert account.bad_frames == 3
    assert [gap.reason for gap in record.gaps] == ["unplugged"] * 4
    block = store.messages(record.id, 0, record.message_count)
    (readings,) = SessionDecoder(record.sources).decode(block)
    assert (readings.values[:, 15] < -2).all(), "in kilopascals after the reconnect, too"


def test_a_refused_poll_is_kept_and_the_next_one_is_a_message(store: DatabaseServer) -> None:
    with SimulatedScanner() as scanner, acquiring(store, scanner) as acquisition:
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 2)
        scanner.forced_answers += [b"N08", b" 1.0 2.0 nonsense"]
        wait_until(lambda: len(acquisition.devices.bad_frames(name(acquisition))) == 2)
        wait_until(lambda: is_working(acquisition))
        wait_for_messages(acquisition, session, 2)
        assert [(f.reason, bytes.fromhex(f.raw)) for f in acquisition.devices.bad_frames(name(acquisition))] == [
            ("refused with N08", b"N08"),
            ("not 16 numbers", b" 1.0 2.0 nonsense"),
        ]
        _, account = finish(acquisition, store)
    assert account.bad_frames == 2


def test_another_device_at_that_address_is_told_once_and_tried_again(store: DatabaseServer) -> None:
    with SimulatedScanner() as scanner:
        scanner.forced_answers += [b"SSH-2.0-dropbear\r\n"] * 3
        with acquiring(store, scanner) as acquisition:
            wait_until(lambda: is_working(acquisition))
            told = [notice.text for notice in acquisition.notices if "dropbear" in notice.text]
            assert len(told) == 1
            assert "to 'A', and not 'A'. Check the address" in told[0]


def test_a_mute_scanner_is_connected_to_anew(store: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netscanner, "ANSWER_S", 0.2)
    with SimulatedScanner() as scanner, acquiring(store, scanner) as acquisition:
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 2)
        scanner.is_mute = True
        wait_until(lambda: state(acquisition) is LinkState.AWAY)
        scanner.is_mute = False
        wait_until(lambda: is_working(acquisition))
        wait_for_messages(acquisition, session, 2)
        record, _ = finish(acquisition, store)
        assert record.gaps


def test_an_operators_command_goes_between_the_polls(store: DatabaseServer) -> None:
    with SimulatedScanner() as scanner, acquiring(store, scanner) as acquisition:
        wait_until(lambda: is_working(acquisition))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 2)
        bench = name(acquisition)
        assert acquisition.devices.command(bench, CommandRequest(line="u01101"), "ann").answer == " 6.894757"
        with pytest.raises(CommandRefused, match="refused with N01"):
            acquisition.devices.command(bench, CommandRequest(line="x"), "ann")
        wait_for_messages(acquisition, session, 2)
        _, account = finish(acquisition, store)
    assert account.bad_frames == 0
