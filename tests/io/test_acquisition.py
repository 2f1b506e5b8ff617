"""Boards on real ptys, recorded into a real Redis: sessions, absences, resets, mute devices."""

import itertools
import logging
import os
import shutil
import signal
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import redis
from own_redis import running_redis
from waiting import wait_until

from blitz.config import SerialPort
from blitz.data.blocks import MessageBlock
from blitz.data.boards import SessionDecoder, load_definitions
from blitz.data.database import DatabaseServer
from blitz.data.records import LinkState, TimelineKind
from blitz.data.source_config import SourceConfig
from blitz.data.source_records import CommandRequest
from blitz.errors import (
    BoardTimeout,
    CommandRefused,
    LinkError,
    NoSession,
    SessionRunning,
    StoreInUse,
    StoreUnavailable,
    UnknownBoard,
)
from blitz.io import acquisition as acquisition_module
from blitz.io import blitz_device
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import SCAN_S, DeviceOptions
from blitz.io.redis_child import RedisChild
from blitz.io.simulator import SimulatedBoard, message_number

BAUD = 921_600


@pytest.fixture(autouse=True)
def quick_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """No simulated board needs two seconds to boot."""
    monkeypatch.setattr(blitz_device, "LISTEN_S", 0.2)


@pytest.fixture
def is_listened_to(quick_to_ask: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device has its time to say something before it is asked, on a busy machine, too."""
    monkeypatch.setattr(blitz_device, "LISTEN_S", 20.0)


@contextmanager
def acquiring(store: DatabaseServer, *ports: str, **options: object) -> Iterator[Acquisition]:
    of_devices = {name: options.pop(name) for name in list(options) if name in DeviceOptions.__dataclass_fields__}
    serial = [SerialPort(port, BAUD) for port in ports]
    devices = DeviceOptions(serial, **{"scan_usb": "off"} | of_devices)
    acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(devices, **options))
    try:
        acquisition.start()
        yield acquisition
    finally:
        acquisition.stop()


@pytest.fixture
def board_stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def command(acquisition: Acquisition, name: str, line: str) -> str | None:
    return acquisition.devices.command(name, CommandRequest(line=line), "a test").answer


def numbers(block: MessageBlock, source: int = 0) -> list[int]:
    return [message_number(m) for m, index in zip(block.messages(), block.source, strict=True) if index == source]


def test_a_session_holds_what_came_between_start_and_stop_and_the_preview_the_rest(store: DatabaseServer) -> None:
    with (
        SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path) as acquisition,
    ):
        (record,) = acquisition.devices.scan()
        assert (record.board_id, record.board_name, record.mode) == ("08", "Blitz Basic", "polled")
        wait_until(lambda: acquisition.hub.next_seq(0) > 10)
        assert acquisition.status().session is None
        session = acquisition.start_session("s", "n", "me")
        with pytest.raises(SessionRunning):
            acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 50)
        assert acquisition.boards()[0].state is LinkState.RECORDING
        stopped = acquisition.stop_session(session.id)
        with pytest.raises(NoSession):
            acquisition.stop_session(None)
        block = store.messages(session.id, 0, 10_000)
        assert len(block) == stopped.message_count == acquisition.hub.next_seq(session.id)
        assert set(np.diff(numbers(block))) == {1}
        assert (np.diff(block.arrived_ns) >= 0).all()
        assert stopped.sources[0].definition == load_definitions()["08"]
        preview = acquisition.hub.preview_block(0, 10_000)
        assert max(numbers(preview)[:10]) < numbers(block)[0]
        seen = acquisition.hub.next_seq(0)
        wait_until(lambda: acquisition.hub.next_seq(0) > seen)


def test_sources_stand_in_the_order_of_the_ports_whoever_answers_first(store: DatabaseServer) -> None:
    with (
        SimulatedBoard("09", rate_hz=50, silence_s=0.1, baud=BAUD) as slow_to_answer,
        SimulatedBoard("08", rate_hz=200, silence_s=0.1, baud=BAUD, streaming=True) as streaming,
        acquiring(store, slow_to_answer.path, streaming.path) as acquisition,
    ):
        acquisition.devices.scan()
        acquisition.start_session()
        stopped = acquisition.stop_session(None)
        assert [(source.index, source.board_id) for source in stopped.sources] == [(0, "09"), (1, "08")]


def test_a_long_answer_does_not_put_off_the_next_poll(store: DatabaseServer) -> None:
    """At 57600 baud 15 messages take 80 ms: a pause behind them would let a ring of 20 run over."""
    master, slave = os.openpty()
    tty.setraw(slave)
    asked_s: list[float] = []

    def answer() -> None:
        with os.fdopen(master, "r+b", buffering=0) as board, suppress(OSError):
            while request := board.read(5):
                if request.endswith(b"C0\n"):
                    asked_s.append(time.monotonic())
                    threading.Event().wait(0.08)
                board.write(b"0882\r\n" if request == b"0081\n" else b"0840\r\n")

    board = threading.Thread(target=answer)
    board.start()
    with acquiring(store, os.ttyname(slave)):
        wait_until(lambda: len(asked_s) > 15)
    os.close(slave)
    board.join(30)
    assert np.median(np.diff(asked_s)) < 0.15


def test_without_preview_a_polled_board_is_left_alone_until_a_session_starts(store: DatabaseServer) -> None:
    with (
        SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path, preview=False) as acquisition,
    ):
        acquisition.devices.scan()
        assert not board.is_logging
        session = acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 5)
        acquisition.stop_session(session.id)
        wait_until(lambda: not board.is_logging)


@pytest.mark.parametrize("own_power", [False, True])
def test_an_unplugged_board_is_found_again_and_the_time_away_is_a_gap(
    store: DatabaseServer, tmp_path, own_power: bool
) -> None:
    """With its own power the board still holds its last messages: they are fetched before anything else."""
    ring_size = 250  # over a second: a busy test machine's pauses must not make it overflow while it is polled
    with (
        SimulatedBoard(
            "08",
            rate_hz=200,
            silence_s=0.1,
            baud=BAUD,
            link_path=tmp_path / "port",
            own_power=own_power,
            ring=ring_size,
        ) as board,
        acquiring(store, str(tmp_path / "port")) as acquisition,
    ):
        acquisition.devices.scan()
        session = acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 20)
        board.unplug(mid_line=True)
        wait_until(lambda: acquisition.boards()[0].state is LinkState.AWAY)
        generated = board.generated
        wait_until(lambda: not own_power or board.generated > generated + ring_size + 50)
        count = acquisition.status().session.message_count
        board.replug()
        wait_until(lambda: acquisition.status().session.message_count > count + (ring_size if own_power else 20))
        stopped = acquisition.stop_session(session.id)
        block = store.messages(session.id, 0, 10_000)
        (gap,) = stopped.gaps
        assert gap.reason == "unplugged"
        assert gap.to_ns - gap.from_ns > 100_000_000
        assert block.arrived_ns[gap.seq - 1] == gap.from_ns
        assert block.arrived_ns[gap.seq] >= gap.from_ns
        sequence = numbers(block)
        assert sequence == sorted(set(sequence))
        holes = [later - earlier for earlier, later in itertools.pairwise(sequence) if later - earlier > 1]
        if own_power:
            assert len(holes) == 1
            ring = sequence[gap.seq : gap.seq + ring_size]
            assert ring == list(range(ring[0], ring[0] + ring_size))


def test_a_board_that_resets_with_the_cable_in_is_started_again_with_a_gap(store: DatabaseServer, redis_url) -> None:
    with (
        SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path) as acquisition,
    ):
        acquisition.devices.scan()
        name = acquisition.boards()[0].name
        session = acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 10)
        assert command(acquisition, name, "0820") == "0840"  # a board that does not log any more: as after a reset
        count = acquisition.status().session.message_count
        wait_until(lambda: acquisition.status().session.message_count > count + 10)
        stopped = acquisition.stop_session(session.id)
        assert [gap.reason for gap in stopped.gaps] == ["board was reset"]
        assert any("was reset" in notice.text for notice in acquisition.notices)


def test_a_board_plugged_in_while_a_session_is_stopped_goes_to_the_preview(
    store: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board, acquiring(store) as acquisition:
        close_session = acquisition.appender.close_session

        def close_late(session_id: int, reason: str) -> object:
            acquisition.devices.add_source(SourceConfig(name="late", link=board.path), "a test")
            return close_session(session_id, reason)

        monkeypatch.setattr(acquisition.appender, "close_session", close_late)
        acquisition.start_session()
        acquisition.stop_session(None)
        wait_until(lambda: acquisition.hub.next_seq(0) > 0)


def test_a_mute_device_slows_nobody_and_is_named(store: DatabaseServer) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    mute = os.ttyname(slave)
    with (
        SimulatedBoard("09", rate_hz=100, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, mute, board.path) as acquisition,
    ):
        began_s = time.monotonic()
        acquisition.devices.scan()
        assert time.monotonic() - began_s < SCAN_S + 2
        # It takes up nearly all the time that a scan waits: on a busy machine, a little more.
        wait_until(lambda: acquisition.boards()[0].state is LinkState.SILENT)
        records = acquisition.boards()
        assert [record.state for record in records] == [LinkState.SILENT, LinkState.READY]
        assert mute in records[0].error
        asked = os.read(master, 1000)
        assert asked == b"0081\n0081\n"
        with pytest.raises(BoardTimeout):
            command(acquisition, records[0].name, "0883")
        acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 10)
        began_s = time.monotonic()
        acquisition.stop_session(None, drain_s=60.0)
        assert time.monotonic() - began_s < 30
    os.close(master)
    os.close(slave)


@pytest.mark.usefixtures("is_listened_to")
def test_a_device_that_just_prints_is_left_to_print_and_its_lines_are_kept(store: DatabaseServer) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    with acquiring(store, os.ttyname(slave)) as acquisition:
        wait_until(lambda: acquisition.boards()[0].state is LinkState.IDENTIFYING)
        session = acquisition.start_session()
        os.write(master, b"8,730\r\n512,498,730\r\n513,498,")
        wait_until(lambda: acquisition.status().session.message_count == 2)
        os.write(master, b"731\r\ntemp:\xb0\xff\n")
        wait_until(lambda: acquisition.status().session.message_count == 4)
        acquisition.stop_session(session.id)
        assert store.get_all_from_session(session.id) == ["8,730", "512,498,730", "513,498,731", "temp:°ÿ"]
        (record,) = acquisition.boards()
        assert (record.mode, record.board_id, record.bad_frames) == ("streaming", None, 0)
        assert store.session(session.id).sources[0].definition is None
    os.set_blocking(master, False)
    with pytest.raises(OSError):
        os.read(master, 100)
    os.close(master)
    os.close(slave)


@pytest.mark.usefixtures("is_listened_to")
def test_a_streaming_board_caught_in_mid_line_is_known_by_its_second_line(store: DatabaseServer) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    line = b"08a0000000640123456789ab0000"
    with acquiring(store, os.ttyname(slave)) as acquisition:
        wait_until(lambda: acquisition.boards()[0].state is LinkState.IDENTIFYING)
        session = acquisition.start_session()
        os.write(master, line[9:] + b"\r\n" + line + b"\r\n")
        wait_until(lambda: acquisition.status().session.message_count == 1)
        os.write(master, line + b"\r\nnoise\xff\r\n" + line + b"\r\n")
        wait_until(lambda: acquisition.status().session.message_count == 3)
        (record,) = acquisition.boards()
        assert (record.mode, record.board_id, record.bad_frames) == ("streaming", "08", 2)
        acquisition.stop_session(session.id)
        assert store.get_all_from_session(session.id) == [line.decode()] * 3
    os.close(master)
    os.close(slave)


def test_a_named_device_that_says_one_word_at_its_start_is_asked_all_the_same(
    store: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blitz_device, "LISTEN_S", 2.0)
    master, slave = os.openpty()
    tty.setraw(slave)
    with acquiring(store, os.ttyname(slave)) as acquisition:
        wait_until(lambda: acquisition.boards()[0].state is LinkState.IDENTIFYING)
        os.write(master, b"Ready.\r\n")
        assert os.read(master, 100) == b"0081\n"
        os.write(master, b"0882\r\n")
        wait_until(lambda: acquisition.boards()[0].mode == "polled")
        assert acquisition.boards()[0].board_id == "08"
    os.close(master)
    os.close(slave)


def test_a_silent_device_is_asked_again_by_a_scan(store: DatabaseServer) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    with acquiring(store, os.ttyname(slave)) as acquisition:
        wait_until(lambda: acquisition.devices.scan()[0].state is LinkState.SILENT)
        os.read(master, 100)
        scanning = threading.Thread(target=acquisition.devices.scan)
        scanning.start()
        assert os.read(master, 100) == b"0081\n"
        os.write(master, b"0982\r\n")
        scanning.join(30)
        assert acquisition.boards()[0].board_id == "09"
    os.close(master)
    os.close(slave)


def test_commands_go_between_polls_and_errors_are_typed(store: DatabaseServer) -> None:
    with (
        SimulatedBoard("09", rate_hz=500, ring=1000, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path, "/dev/does-not-exist") as acquisition,
    ):
        (record, absent) = acquisition.devices.scan()
        session = acquisition.start_session()
        for angle in (20, 40):
            assert command(acquisition, record.name, f"0985{0:08X}{angle:04X}".ljust(27, "0")) == "0940"
        with pytest.raises(CommandRefused, match="error 6"):
            command(acquisition, record.name, "09E0")
        for line in ("", "  ", "0983\n", "°"):
            with pytest.raises(ValueError, match="never empty"):
                command(acquisition, record.name, line)
        with pytest.raises(UnknownBoard, match=record.name):
            command(acquisition, "nobody", "0883")
        assert absent.state is LinkState.AWAY
        assert "no such port" in absent.error
        with pytest.raises((LinkError, BoardTimeout)):
            command(acquisition, absent.name, "0883")
        wait_until(lambda: acquisition.status().session.message_count > 200)
        acquisition.stop_session(session.id)
        assert set(np.diff(numbers(store.messages(session.id, 0, 100_000)))) == {1}


def test_a_command_that_was_reported_as_not_sent_is_never_sent(
    store: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never move a motor unasked: not when the board comes back later, either."""
    monkeypatch.setattr("blitz.io.sending.COMMAND_WAIT_S", 0.3)
    monkeypatch.setattr(blitz_device, "LISTEN_S", 3.5)
    link = tmp_path / "port"
    with (
        SimulatedBoard("09", rate_hz=20, silence_s=3.0, baud=BAUD, link_path=link, own_power=False) as board,
        acquiring(store, str(link)) as acquisition,
    ):
        wait_until(lambda: acquisition.boards()[0].state is LinkState.IDENTIFYING)
        with pytest.raises(BoardTimeout, match="was not sent"):
            command(acquisition, "port", f"0985{0:08X}{37:04X}".ljust(27, "0"))
        wait_until(lambda: acquisition.boards()[0].state is LinkState.READY)
        seen = acquisition.hub.next_seq(0)
        wait_until(lambda: acquisition.hub.next_seq(0) > seen + 10)
        definition = load_definitions()["09"]
        (readings,) = SessionDecoder(acquisition.hub.sources(0)).decode(acquisition.hub.preview_block(0, 1000))
        set_point = [channel.name for channel in definition.channels].index("set_point")
        assert 37 not in readings.values[:, set_point]
        assert board.is_alive


def test_one_device_under_two_names_is_opened_once_and_a_forbidden_one_never(
    store: DatabaseServer, tmp_path: Path
) -> None:
    master, slave = os.openpty()
    port, alias, other = os.ttyname(slave), tmp_path / "by-id-arduino", tmp_path / "by-path"
    alias.symlink_to(port)
    other.symlink_to(port)
    with acquiring(store, str(alias), port, str(other)) as acquisition:
        assert [record.link for record in acquisition.boards()] == [str(alias)]
    with acquiring(store, port, never_touch=[str(alias)]) as acquisition:
        assert acquisition.boards() == []
    os.close(master)
    os.close(slave)


def test_a_server_that_lost_its_lease_stands_by_until_the_other_is_gone(
    store: DatabaseServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acquisition_module, "LEASE_EVERY_S", 1)
    with (
        redis.Redis.from_url(redis_url) as raw,
        SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path, is_private_store=False) as acquisition,
    ):
        acquisition.devices.scan()
        session = acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 10)
        raw.set("server", "lease process 1 on another-machine", px=60_000)
        wait_until(lambda: acquisition.status().session is None)
        wait_until(lambda: acquisition.boards()[0].state is LinkState.READY)
        with pytest.raises(StoreInUse):
            acquisition.start_session()
        seen = acquisition.hub.next_seq(0)
        wait_until(lambda: acquisition.hub.next_seq(0) > seen)  # and what was on its way to the session is there
        count = store.count_messages(session.id)
        wait_until(lambda: acquisition.hub.next_seq(0) > seen + 300)  # three seconds: it looks at the store each second
        assert store.count_messages(session.id) == count
        assert store.running_session() == session.id
        assert sum("another-machine" in notice.text for notice in acquisition.notices) == 1
        assert not any("another program" in notice.text for notice in acquisition.notices)
        raw.delete("server")
        wait_until(lambda: acquisition.status().session is not None)
        acquisition.stop_session(session.id)


def test_what_devices_send_after_start_has_returned_goes_to_the_session(store: DatabaseServer) -> None:
    with (
        SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path) as acquisition,
    ):
        (link,) = acquisition.devices.links()
        for _ in range(5):
            wait_until(lambda: acquisition.boards()[0].state is LinkState.READY)
            session = acquisition.start_session()
            assert link.delivery.active == session.id
            acquisition.stop_session(session.id)


def test_the_gap_of_a_session_after_one_that_another_program_stopped_begins_at_0(store: DatabaseServer) -> None:
    with (
        SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path) as acquisition,
    ):
        acquisition.devices.scan()
        acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 10)
        store.stop_session()
        wait_until(lambda: acquisition.status().session is None)
        board.unplug()
        wait_until(lambda: acquisition.boards()[0].state is LinkState.AWAY)
        second = acquisition.start_session()
        (link,) = acquisition.devices.links()
        wait_until(lambda: link.delivery.active == second.id)
        stopped = acquisition.stop_session(second.id)
        assert [gap.seq for gap in stopped.gaps] == [0]


def test_a_dead_redis_is_noticed_while_nothing_is_recorded(tmp_path: Path) -> None:
    with RedisChild(tmp_path / "data", "none") as child:
        store = DatabaseServer(child.url)
        with acquiring(store, revive_store=None) as acquisition:
            assert child._process is not None
            os.kill(child._process.pid, signal.SIGKILL)
            wait_until(lambda: not acquisition.status().store.is_up)
            wait_until(lambda: any("redis.log" in notice.text for notice in acquisition.notices))
            assert child.revive()
            wait_until(lambda: acquisition.status().store.is_up)
            assert not child.revive()
        store.close()


def test_a_private_redis_that_dies_in_mid_session_is_started_again_and_nothing_is_lost(tmp_path: Path) -> None:
    with (
        RedisChild(tmp_path / "data", "always") as child,
        SimulatedBoard("08", rate_hz=200, silence_s=0.1, baud=BAUD) as board,
    ):
        store = DatabaseServer(child.url)
        with acquiring(store, board.path, revive_store=child.revive) as acquisition:
            acquisition.devices.scan()
            session = acquisition.start_session()
            for _ in range(2):
                count = acquisition.status().session.message_count
                wait_until(lambda: acquisition.status().session.message_count > count + 50)  # noqa: B023 - waited for
                dead = child._process
                assert dead is not None
                os.kill(dead.pid, signal.SIGKILL)
                wait_until(lambda: child._process is not dead and acquisition.status().store.is_up)  # noqa: B023
            stopped = acquisition.stop_session(session.id)
            sequence = numbers(store.messages(session.id, 0, 100_000))
            assert sequence == list(range(sequence[0], sequence[0] + stopped.message_count))
        store.close()


def test_a_session_that_another_program_stops_is_over_here_too(store: DatabaseServer, redis_url: str) -> None:
    with (
        SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path) as acquisition,
    ):
        acquisition.devices.scan()
        session = acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 10)
        other = DatabaseServer(redis_url)
        other.stop_session()
        wait_until(lambda: acquisition.status().session is None)
        wait_until(lambda: any("another program" in notice.text for notice in acquisition.notices))
        kept = other.get_all_from_session(session.id)
        following = acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 10)
        acquisition.stop_session(following.id)
        assert other.get_all_from_session(session.id) == kept
        other.close()


def test_a_session_that_another_program_starts_is_recorded_and_its_messages_are_shown(
    store: DatabaseServer, redis_url: str
) -> None:
    with (
        SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path) as acquisition,
    ):
        acquisition.devices.scan()
        other = DatabaseServer(redis_url)
        session_id = other.start_session()
        wait_until(lambda: acquisition.status().session is not None)
        wait_until(lambda: acquisition.status().session.message_count > 10)
        other.queue("from a script")
        stopped = acquisition.stop_session(session_id)
        messages = other.get_all_from_session(session_id)
        assert messages.count("from a script") == 1
        assert stopped.message_count == len(messages)
        assert stopped.sources[0].board_id == "08"
        other.close()


def test_messages_queued_by_a_script_are_shown_without_any_board(store: DatabaseServer) -> None:
    with acquiring(store) as acquisition:
        session = acquisition.start_session()
        store.queue("one")
        store.queue("two")
        wait_until(lambda: acquisition.hub.next_seq(session.id) == 2)
        acquisition.stop_session(session.id)


def test_a_crashed_servers_lease_is_waited_out_and_a_living_ones_is_not(store: DatabaseServer, redis_url: str) -> None:
    raw = redis.Redis.from_url(redis_url)
    raw.set("server", "lease of a dead server", px=1500)
    with acquiring(store, is_private_store=False):
        assert raw.get("server") != b"lease of a dead server"
        with pytest.raises(StoreInUse, match=str(os.getpid())), acquiring(store, is_private_store=False):
            pass
    assert raw.get("server") is None
    raw.close()


def test_a_session_goes_on_while_redis_is_away_and_is_whole_when_it_is_back(tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = f"unix://{tmp_path}/redis.sock"
        redis_server = stack.enter_context(running_redis(tmp_path))
        store = DatabaseServer(url)
        stack.callback(store.close)
        board = stack.enter_context(SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD))
        acquisition = stack.enter_context(acquiring(store, board.path, spool_dir=tmp_path / "spool"))
        acquisition.devices.scan()
        session = acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 50)
        killed_s = time.monotonic()
        redis_server.kill()
        wait_until(lambda: not acquisition.status().store.is_up)
        wait_until(lambda: acquisition.status().store.spooled_messages > 100)
        status = acquisition.status()
        assert status.store.spooling_since is not None
        assert status.session.message_count > 150, "what is spooled is shown"
        end = status.session.message_count
        live = acquisition.messages(session.id, end - 20, 20)
        assert len(live) == 20
        assert acquisition.session_record(session.id).message_count >= end
        stack.enter_context(running_redis(tmp_path))
        wait_until(lambda: acquisition.status().store.spooling_since is None)
        away_ms = 1000 * (time.monotonic() - killed_s)
        wait_until(lambda: acquisition.status().store.is_up)  # who asks for signs of life may see it a little later
        assert acquisition.status().store.append_ms < away_ms / 2, "the time away is not the time of an append"
        stopped = acquisition.stop_session(None)
        stored = numbers(store.messages(session.id, 0, 100_000))
        assert len(stored) == stopped.message_count > 150
        assert stored == list(range(stored[0], stored[0] + len(stored)))
        assert "account balances" in stopped.verdict
        assert store.messages(session.id, end - 20, 20).messages() == live.messages()
        assert sum("answers again and has everything" in notice.text for notice in acquisition.notices) == 1
        assert [entry.kind for entry in stopped.timeline] == ["server", "server"]
        assert acquisition.start_session().id == session.id + 1
        acquisition.stop()  # while there is a Redis


def test_stop_is_taken_while_redis_is_away_and_the_session_ends_when_it_is_back(tmp_path: Path) -> None:
    with ExitStack() as stack:
        redis_server = stack.enter_context(running_redis(tmp_path))
        store = DatabaseServer(f"unix://{tmp_path}/redis.sock")
        stack.callback(store.close)
        board = stack.enter_context(SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD))
        acquisition = stack.enter_context(acquiring(store, board.path, spool_dir=tmp_path / "spool"))
        acquisition.devices.scan()
        session = acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 50)
        redis_server.kill()
        stopped = acquisition.stop_session(None)
        assert not stopped.is_running
        assert "account balances" in stopped.verdict
        assert acquisition.status().session is None
        with pytest.raises(StoreUnavailable):
            acquisition.start_session()
        stack.enter_context(running_redis(tmp_path))
        wait_until(lambda: acquisition.status().store.spooling_since is None)
        record = store.session(session.id)
        assert not record.is_running
        assert record.message_count == stopped.message_count
        assert record.verdict == stopped.verdict
        assert abs((record.stopped_at - stopped.stopped_at).total_seconds()) < 5, "not when Redis came back"
        assert acquisition.start_session().id == session.id + 1
        acquisition.stop()


def test_what_is_spooled_when_the_server_ends_goes_into_the_store_at_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        redis_server = stack.enter_context(running_redis(tmp_path))
        store = DatabaseServer(f"unix://{tmp_path}/redis.sock")
        stack.callback(store.close)
        board = stack.enter_context(SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD))
        with acquiring(store, board.path, spool_dir=tmp_path / "spool") as acquisition:
            acquisition.devices.scan()
            session = acquisition.start_session()
            wait_until(lambda: acquisition.status().session.message_count > 50)
            redis_server.kill()
            wait_until(lambda: acquisition.status().store.spooled_messages > 50)
            stopped = acquisition.stop_session(None)
            began_s = time.monotonic()
            acquisition.stop()
            assert time.monotonic() - began_s < 20
            assert not acquisition.ended_incomplete
        assert "stay in the spool" in caplog.text
        assert "Traceback" not in caplog.text
        stack.enter_context(running_redis(tmp_path))
        assert store.running_session() == session.id
        with acquiring(store, board.path, spool_dir=tmp_path / "spool") as acquisition:
            assert acquisition.status().session is None, "it was stopped"
            record = store.session(session.id)
            assert record.message_count == stopped.message_count
            stored = numbers(store.messages(session.id, 0, 100_000))
            assert stored == list(range(stored[0], stored[0] + len(stored)))
            wait_until(lambda: store.session(session.id).verdict == stopped.verdict)


def test_a_session_that_was_stopped_while_redis_was_empty_is_stopped_when_it_is_back(tmp_path: Path) -> None:
    with ExitStack() as stack:
        redis_server = stack.enter_context(running_redis(tmp_path))
        store = DatabaseServer(f"unix://{tmp_path}/redis.sock")
        stack.callback(store.close)
        acquisition = stack.enter_context(acquiring(store, spool_dir=tmp_path / "spool"))
        session = acquisition.start_session()
        redis_server.kill()
        redis_server.wait(30)
        (tmp_path / "appendonlydir").rename(tmp_path / "lost")
        emptied = stack.enter_context(running_redis(tmp_path))
        acquisition.stop_session(None)
        emptied.kill()
        emptied.wait(30)
        shutil.rmtree(tmp_path / "appendonlydir")
        (tmp_path / "lost").rename(tmp_path / "appendonlydir")
        stack.enter_context(running_redis(tmp_path))
        wait_until(lambda: acquisition.status().store.spooling_since is None)
        assert not store.session(session.id).is_running
        acquisition.stop()


def test_it_is_said_why_what_is_spooled_is_not_taken(store: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(records: object) -> int:
        raise StoreUnavailable("Redis refuses this one.")

    with acquiring(store) as acquisition:
        acquisition.start_session()
        monkeypatch.setattr(acquisition.intake, "_carry_out_first", refuse)
        monkeypatch.setattr(acquisition.intake, "_end_spooling", lambda: None)  # before there is anything to refuse
        with acquisition.intake._lock:
            acquisition.intake._begin_spooling("Redis hung.")
        acquisition.record(TimelineKind.SERVER, "something to put into the session")
        wait_until(lambda: acquisition.status().store.error == "Redis refuses this one.")
        monkeypatch.undo()
        wait_until(lambda: acquisition.status().store.error is None)


def test_messages_of_others_that_move_when_the_spool_is_put_before_them_are_not_shown_in_its_places(
    store: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path, spool_dir=tmp_path / "spool") as acquisition,
    ):
        acquisition.devices.scan()
        session = acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 50)
        with monkeypatch.context() as patch:
            patch.setattr(acquisition.intake, "_carry_out_first", lambda records: 0)
            patch.setattr(acquisition.intake, "_end_spooling", lambda: None)  # before there is a message
            with acquisition.intake._lock:
                acquisition.intake._begin_spooling("It is as if Redis had just come back.")
            wait_until(lambda: acquisition.status().store.spooled_messages > 50)
            begin = acquisition.intake.spool.first_seq(session.id)
            for number in range(5):
                store.queue(f"of another program {number}")
            early = acquisition.messages(session.id, begin - 10, 40)
            late = acquisition.messages(session.id, begin, 40)
        assert (early.first_seq, early.next_seq, late.next_seq) == (begin - 10, begin, begin + 40)
        wait_until(lambda: acquisition.status().store.spooling_since is None)
        assert store.messages(session.id, begin - 10, 50).messages() == early.messages() + late.messages()


def test_a_spool_never_goes_into_another_redis(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with ExitStack() as stack:
        for folder in (first, second):
            folder.mkdir()
        redis_server = stack.enter_context(running_redis(first))
        store = DatabaseServer(f"unix://{first}/redis.sock")
        stack.callback(store.close)
        board = stack.enter_context(SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD))
        with acquiring(store, board.path, spool_dir=tmp_path / "spool") as acquisition:
            acquisition.devices.scan()
            session = acquisition.start_session()
            wait_until(lambda: acquisition.status().session.message_count > 50)
            redis_server.kill()
            wait_until(lambda: acquisition.status().store.spooled_messages > 50)
            stopped = acquisition.stop_session(None)

        stack.enter_context(running_redis(second))
        other = DatabaseServer(f"unix://{second}/redis.sock")
        stack.callback(other.close)
        assert other.start_session("somebody else's") == session.id
        other.queue("hello")
        other.stop_session()
        with acquiring(other, spool_dir=tmp_path / "spool") as acquisition:
            assert not acquisition.intake.is_spooling
            assert any("another Redis" in notice.text for notice in acquisition.notices)
        assert other.get_all_from_session(session.id) == ["hello"]

        stack.enter_context(running_redis(first))
        with acquiring(store, spool_dir=tmp_path / "spool") as acquisition:
            wait_until(lambda: acquisition.status().store.spooling_since is None)
        assert store.session(session.id).message_count == stopped.message_count


def test_what_is_spooled_is_kept_from_a_redis_that_comes_back_empty(tmp_path: Path) -> None:
    with ExitStack() as stack:
        redis_server = stack.enter_context(running_redis(tmp_path))
        store = DatabaseServer(f"unix://{tmp_path}/redis.sock")
        stack.callback(store.close)
        board = stack.enter_context(SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD))
        acquisition = stack.enter_context(acquiring(store, board.path, spool_dir=tmp_path / "spool"))
        acquisition.devices.scan()
        acquisition.start_session()
        wait_until(lambda: acquisition.status().session.message_count > 50)
        redis_server.kill()
        wait_until(lambda: acquisition.status().store.spooled_messages > 50)
        redis_server.wait(30)
        (tmp_path / "appendonlydir").rename(tmp_path / "lost")
        emptied = stack.enter_context(running_redis(tmp_path))
        wait_until(lambda: "another store" in (acquisition.status().store.error or ""))
        spooled = acquisition.status().store.spooled_messages
        wait_until(lambda: acquisition.status().store.spooled_messages > spooled + 50)
        emptied.kill()
        emptied.wait(30)
        shutil.rmtree(tmp_path / "appendonlydir")
        (tmp_path / "lost").rename(tmp_path / "appendonlydir")
        stack.enter_context(running_redis(tmp_path))
        wait_until(lambda: acquisition.status().store.spooling_since is None)
        stopped = acquisition.stop_session(None)
        stored = numbers(store.messages(stopped.id, 0, 100_000))
        assert stored == list(range(stored[0], stored[0] + stopped.message_count))
        acquisition.stop()


def test_a_session_that_was_left_running_is_gone_on_with_and_the_boards_ring_is_fetched_first(
    store: DatabaseServer, tmp_path: Path
) -> None:
    with SimulatedBoard("08", rate_hz=100, ring=4000, own_power=True, silence_s=0.1, baud=BAUD) as board:
        with acquiring(store, board.path, spool_dir=tmp_path, on_stop="keep") as acquisition:
            acquisition.devices.scan()
            session = acquisition.start_session("long")
            wait_until(lambda: acquisition.status().session.message_count > 50)
        assert store.running_session() == session.id
        left = store.count_messages(session.id)
        time.sleep(0.5)  # the board goes on by itself
        with acquiring(store, board.path, spool_dir=tmp_path) as acquisition:
            assert acquisition.status().session.id == session.id
            assert any("goes on with session" in notice.text for notice in acquisition.notices)
            wait_until(lambda: acquisition.status().session.message_count > left + 80)
            stopped = acquisition.stop_session(None)
    assert stopped.resumed == 1
    stored = numbers(store.messages(session.id, 0, 100_000))
    assert len(stored) == stopped.message_count
    assert stored == list(range(stored[0], stored[0] + len(stored))), "nothing is missing, nothing is there twice"
    (gap,) = stopped.gaps
    assert gap.reason == "the server was restarted"
    assert gap.recovered > 20
    assert "the server was restarted once" in stopped.verdict
    assert "account balances" in stopped.verdict
    arrivals = store.messages(session.id, 0, 100_000).arrived_ns
    assert (arrivals[1:] >= arrivals[:-1]).all()


def test_times_go_on_where_the_clock_was_set_back_while_the_server_was_away(
    store: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board:
        with acquiring(store, board.path, spool_dir=tmp_path, on_stop="keep") as acquisition:
            acquisition.devices.scan()
            session = acquisition.start_session()
            wait_until(lambda: acquisition.status().session.message_count > 5)
        set_clock, hour_ns = time.time_ns, 3_600_000_000_000
        monkeypatch.setattr(time, "time_ns", lambda: set_clock() - 9 * hour_ns)
        left = []
        for stay in ("keep", "stop"):
            left.append(store.count_messages(session.id))
            with acquiring(store, board.path, spool_dir=tmp_path, on_stop=stay) as acquisition:
                wait_until(lambda: acquisition.status().session.message_count > left[-1] + 20)
                (told,) = [notice.text for notice in acquisition.notices if "behind the session" in notice.text]
    record = store.session(session.id)
    arrivals = store.messages(session.id, 0, 100_000).arrived_ns
    assert (arrivals[1:] >= arrivals[:-1]).all()
    assert arrivals[left[0] - 1] < arrivals[left[1] - 1] < arrivals[-1], "times go on"
    assert [gap.reason for gap in record.gaps] == ["the server was restarted"] * 2
    assert all(0 < gap.to_ns - gap.from_ns < hour_ns for gap in record.gaps)
    assert any(entry.kind == TimelineKind.CLOCK_STEP and entry.text == told for entry in record.timeline)


def test_a_crashed_session_is_closed_where_it_is_configured_so(store: DatabaseServer, tmp_path: Path) -> None:
    with SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board:
        with acquiring(store, board.path, spool_dir=tmp_path, on_stop="keep") as acquisition:
            acquisition.devices.scan()
            session = acquisition.start_session()
            wait_until(lambda: acquisition.status().session.message_count > 5)
        with acquiring(store, board.path, spool_dir=tmp_path, after_crash="close") as acquisition:
            assert acquisition.status().session is None
            record = store.session(session.id)
            assert record.interrupted
            assert record.verdict.startswith("interrupted")


def test_threads_and_descriptors_are_given_back(store: DatabaseServer, caplog: pytest.LogCaptureFixture) -> None:
    with SimulatedBoard("08", rate_hz=100, silence_s=0.1, baud=BAUD) as board:
        threads, descriptors = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with caplog.at_level(logging.ERROR), acquiring(store, board.path) as acquisition:
                acquisition.start_session()
                wait_until(lambda: acquisition.boards()[0].state is not LinkState.AWAY)
        store.close()
        assert set(threading.enumerate()) <= threads
        assert len(os.listdir("/proc/self/fd")) <= descriptors
        assert not caplog.records


def test_a_session_without_any_source_is_kept_house_for_and_stopped(store: DatabaseServer) -> None:
    with acquiring(store) as acquisition:
        session = acquisition.start_session()
        acquisition._keep_accounts()
        assert store.queue("from a script") == 0
        stopped = acquisition.stop_session(session.id)
        assert stopped.message_count == 1
        assert not acquisition.intake.is_spooling
        assert store.running_session() is None
