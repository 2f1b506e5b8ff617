"""Devices by what they are: guessed, named by the operator, known again after a restart and under another port name."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_until

from blitz.config import SerialPort
from blitz.data.board_definition import BoardDefinition, Format
from blitz.data.boards import SessionDecoder, load_definitions
from blitz.data.database import DatabaseServer
from blitz.data.records import BoardRecord, LinkState, SessionRecord, TimelineKind
from blitz.data.source_config import SourceConfig, UsbIdentity
from blitz.data.source_store import SourceStore
from blitz.errors import ConfigError, SourceExists, UnknownSource
from blitz.io import asking, blitz_device
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.simulated_device import SimulatedDevice
from blitz.io.simulated_port import SimulatedPort
from blitz.io.simulator import SimulatedBoard
from blitz.io.usb_ports import FoundPort

BAUD = 115_200


@pytest.fixture(autouse=True)
def quick_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """No simulated board needs two seconds to boot."""
    monkeypatch.setattr(blitz_device, "LISTEN_S", 0.2)
    monkeypatch.setattr(asking, "LISTEN_S", 0.2)


@contextmanager
def acquiring(store: DatabaseServer, *ports: str, kept: Path | None = None, **options: object) -> Iterator[Acquisition]:
    serial = [SerialPort(port, BAUD) for port in ports]
    devices = DeviceOptions(serial, **{"scan_usb": "off"} | options)  # type: ignore[arg-type]
    with SourceStore(kept or ":memory:") as sources:
        acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(devices), sources)
        acquisition.start()
        try:
            yield acquisition
        finally:
            acquisition.stop()


def board(acquisition: Acquisition, name: str) -> BoardRecord:
    return next(record for record in acquisition.boards() if record.name == name)


def names(acquisition: Acquisition) -> set[str]:
    return {record.name for record in acquisition.boards()}


def is_working(acquisition: Acquisition, name: str) -> bool:
    return name in names(acquisition) and board(acquisition, name).state in (LinkState.READY, LinkState.RECORDING)


def renamed(definition: BoardDefinition, *channels: str) -> BoardDefinition:
    named = tuple(
        channel.model_copy(update={"name": name}) for channel, name in zip(definition.channels, channels, strict=True)
    )
    return definition.model_copy(update={"name": "My bench", "channels": named})


def wait_for_messages(acquisition: Acquisition, session: SessionRecord, count: int) -> None:
    goal = (acquisition.hub.next_seq(session.id) or 0) + count
    wait_until(lambda: (acquisition.hub.next_seq(session.id) or 0) >= goal)


class Usb:
    """Sockets for simulated devices: port names lead to ptys, and the system says what is plugged in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._there: dict[str, tuple[SimulatedPort, FoundPort]] = {}

    def plug(
        self,
        device: SimulatedPort,
        name: str,
        place: str,
        serial_number: str = "",
        kind: tuple[int, int] = (0x1A86, 0x7523),
    ) -> str:
        """Plug a started device in; return the port's path."""
        device.replug()  # nothing happens if it is plugged in
        port = self._folder / name
        port.symlink_to(device.path)
        identity = UsbIdentity(vendor_id=kind[0], product_id=kind[1], serial_number=serial_number, usb_path=place)
        self._there[name] = (device, FoundPort(str(port), "", identity))
        return str(port)

    def pull(self, name: str) -> None:
        device, port = self._there.pop(name)
        Path(port.port).unlink()
        device.unplug()

    def find(self) -> list[FoundPort]:
        return [port for _, port in list(self._there.values())]


@pytest.fixture
def usb(tmp_path: Path) -> Usb:
    return Usb(tmp_path)


# ---- what is printed is guessed, and named by the operator -----------------------------------------------------------


def test_a_printing_device_is_guessed_and_its_channels_are_renamed_in_mid_session(
    store: DatabaseServer, tmp_path: Path
) -> None:
    kept, link = tmp_path / "server.db", tmp_path / "bench"
    with SimulatedDevice("plain", rate_hz=100, silence_s=0, link_path=link) as device:
        with acquiring(store, device.path, kept=kept) as acquisition:
            wait_until(lambda: is_working(acquisition, "bench"))
            guess = board(acquisition, "bench")
            assert guess.is_guessed
            assert guess.format == "columns"
            assert guess.definition is not None
            assert [channel.name for channel in guess.definition.channels] == ["column_1", "column_2", "column_3"]
            session = acquisition.start_session()
            wait_for_messages(acquisition, session, 20)
            mine = renamed(guess.definition, "left", "right", "count")
            assert acquisition.devices.set_definition("bench", mine, "ann@desk") == mine
            assert not board(acquisition, "bench").is_guessed
            assert acquisition.devices.definition("bench") == mine
            wait_for_messages(acquisition, session, 20)
            record = acquisition.stop_session(None)
        record = store.session(record.id)
        assert [(source.name, source.definition and source.definition.name) for source in record.sources] == [
            ("bench", guess.definition.name),
            ("bench", "My bench"),
        ]
        block = store.messages(record.id, 0, record.message_count)
        changed_at = int(np.flatnonzero(block.source == record.sources[1].index)[0])
        assert (np.diff(block.source.astype(int)) >= 0).all(), "from one message on"
        (entry,) = [entry for entry in record.timeline if entry.kind is TimelineKind.DEFINITION]
        assert (entry.seq, entry.source, entry.who) == (changed_at, "bench", "ann@desk")
        assert entry.text == "The definition of bench is 'My bench' now, version 1."
        before, after = SessionDecoder(record.sources).decode(block)
        assert [len(before.seq), len(after.seq)] == [changed_at, record.message_count - changed_at]
        assert np.isfinite(np.concatenate((before.values, after.values))).all()
        assert after.source.definition == mine
        assert {account.source for account in record.accounts} == {source.index for source in record.sources}
        assert all(account.is_balanced for account in record.accounts), record.accounts
        assert sum(account.messages_appended for account in record.accounts) == record.message_count
        assert record.verdict.endswith("account balances"), record.verdict
        with acquiring(store, device.path, kept=kept) as acquisition:
            wait_until(lambda: is_working(acquisition, "bench"))
            again = board(acquisition, "bench")
            assert (again.definition, again.is_guessed) == (mine, False)
            other = mine.model_copy(update={"name": "Another"})
            acquisition.devices.set_definition("bench", other, "bob@desk")
            versions = acquisition.devices.definition_versions("bench")
            assert [(v.version, v.who, v.definition) for v in versions] == [
                (1, "ann@desk", mine),
                (2, "bob@desk", other),
            ]


def test_a_guess_stays_the_same_after_an_absence_until_something_else_is_printed(
    store: DatabaseServer, tmp_path: Path
) -> None:
    link = tmp_path / "bench"
    with acquiring(store, str(link)) as acquisition:
        with SimulatedDevice("csv-header", rate_hz=100, silence_s=0, link_path=link) as device:
            wait_until(lambda: is_working(acquisition, "bench"))
            guess = board(acquisition, "bench").definition
            assert guess is not None
            device.unplug(mid_line=True)
            wait_until(lambda: board(acquisition, "bench").state is LinkState.AWAY)
            device.replug()
            wait_until(lambda: is_working(acquisition, "bench"))
            assert board(acquisition, "bench").definition == guess
        wait_until(lambda: board(acquisition, "bench").state is LinkState.AWAY)
        with SimulatedDevice("pairs", rate_hz=100, silence_s=0, link_path=link):
            wait_until(lambda: is_working(acquisition, "bench"))
            definition = board(acquisition, "bench").definition
            assert definition is not None
            assert definition.format is Format.PAIRS


def test_a_definition_that_is_given_to_a_device_that_is_away_waits_for_it(
    store: DatabaseServer, tmp_path: Path
) -> None:
    link = tmp_path / "bench"
    with acquiring(store, str(link)) as acquisition:
        with SimulatedDevice("plain", rate_hz=100, silence_s=0, link_path=link):
            wait_until(lambda: is_working(acquisition, "bench"))
            guess = board(acquisition, "bench").definition
            assert guess is not None
        wait_until(lambda: board(acquisition, "bench").state is LinkState.AWAY)
        mine = renamed(guess, "left", "right", "count")
        acquisition.devices.set_definition("bench", mine, "")
        assert acquisition.devices.definition("bench") == mine
        with pytest.raises(UnknownSource, match="There is no source 'oven'"):
            acquisition.devices.set_definition("oven", mine, "")
        with SimulatedDevice("plain", rate_hz=100, silence_s=0, link_path=link):
            wait_until(lambda: is_working(acquisition, "bench"))
            assert board(acquisition, "bench").definition == mine


def test_a_board_that_is_renamed_while_it_is_away_comes_back_with_its_new_channels(
    store: DatabaseServer, usb: Usb
) -> None:
    with (
        SimulatedBoard("08", rate_hz=50, silence_s=0.05, baud=BAUD, own_power=True) as one,
        SimulatedDevice("plain", rate_hz=50, silence_s=0) as other,
        acquiring(store, scan_usb="known", find_ports=usb.find) as acquisition,
    ):
        usb.plug(one, "ttyUSB0", "1-1", "S-1")
        wait_until(lambda: is_working(acquisition, "ttyUSB0"))
        session = acquisition.start_session()
        wait_for_messages(acquisition, session, 5)
        usb.pull("ttyUSB0")
        wait_until(lambda: board(acquisition, "ttyUSB0").state is LinkState.AWAY)
        usb.plug(other, "ttyUSB0", "1-1", "S-2")
        wait_until(lambda: is_working(acquisition, "ttyUSB0-2"))
        definition = acquisition.devices.definition("ttyUSB0")
        mine = renamed(definition, *(f"mine_{place}" for place in range(len(definition.channels))))
        acquisition.devices.set_definition("ttyUSB0", mine, "ann")
        usb.plug(one, "ttyUSB1", "1-2", "S-1")
        wait_until(lambda: is_working(acquisition, "ttyUSB0"))
        wait_for_messages(acquisition, session, 20)
        record = store.session(acquisition.stop_session(None).id)
        assert board(acquisition, "ttyUSB0").link.endswith("ttyUSB1")
    rows = [row for row in record.sources if row.name == "ttyUSB0"]
    assert [row.definition for row in rows] == [definition, mine]
    assert all(account.is_balanced for account in record.accounts), record.accounts


# ---- devices are known by what they are ------------------------------------------------------------------------------


def test_a_usb_device_keeps_its_source_and_definition_under_another_port_name_and_over_a_restart(
    store: DatabaseServer, tmp_path: Path, usb: Usb
) -> None:
    kept = tmp_path / "server.db"
    with (
        SimulatedDevice("plain", rate_hz=100, silence_s=0) as one,
        SimulatedDevice("csv", rate_hz=100, silence_s=0) as two,
    ):
        usb.plug(one, "ttyUSB0", "1-1", "SERIAL-1")
        with acquiring(store, kept=kept, scan_usb="known", find_ports=usb.find) as acquisition:
            wait_until(lambda: is_working(acquisition, "ttyUSB0"))
            guess = board(acquisition, "ttyUSB0").definition
            assert guess is not None
            mine = renamed(guess, "left", "right", "count")
            acquisition.devices.set_definition("ttyUSB0", mine, "")
            row = acquisition.devices.present_sources()[0]
            usb.pull("ttyUSB0")
            wait_until(lambda: board(acquisition, "ttyUSB0").state is LinkState.AWAY)
            usb.plug(one, "ttyUSB5", "2-3", "SERIAL-1")
            wait_until(lambda: is_working(acquisition, "ttyUSB0"))
            assert names(acquisition) == {"ttyUSB0"}
            assert board(acquisition, "ttyUSB0").link.endswith("ttyUSB5")
            assert acquisition.devices.present_sources() == [row], "the same row, too"
            usb.pull("ttyUSB5")
            usb.plug(two, "ttyUSB0", "1-1", "SERIAL-2")
            wait_until(lambda: is_working(acquisition, "ttyUSB0-2"))
            other = board(acquisition, "ttyUSB0-2")
            assert (other.link.rpartition("/")[2], other.definition == mine) == ("ttyUSB0", False)
            wait_until(lambda: board(acquisition, "ttyUSB0").state is LinkState.AWAY)
        usb.plug(one, "ttyUSB7", "4-4", "SERIAL-1")
        with acquiring(store, kept=kept, scan_usb="known", find_ports=usb.find) as acquisition:
            wait_until(lambda: is_working(acquisition, "ttyUSB0") and is_working(acquisition, "ttyUSB0-2"))
            assert names(acquisition) == {"ttyUSB0", "ttyUSB0-2"}
            assert board(acquisition, "ttyUSB0").link.endswith("ttyUSB7")
            assert board(acquisition, "ttyUSB0").definition == mine
            assert board(acquisition, "ttyUSB0-2").link.endswith("ttyUSB0")


def test_of_clones_that_were_moved_none_is_attached_until_the_operator_says_which_is_which(
    store: DatabaseServer, tmp_path: Path, usb: Usb
) -> None:
    kept = tmp_path / "server.db"
    with (
        SimulatedDevice("plain", rate_hz=100, silence_s=0) as one,
        SimulatedDevice("plain", rate_hz=100, silence_s=0) as two,
    ):
        usb.plug(one, "ttyUSB0", "1-1")
        usb.plug(two, "ttyUSB1", "1-2")
        with acquiring(store, kept=kept, scan_usb="known", find_ports=usb.find) as acquisition:
            wait_until(lambda: is_working(acquisition, "ttyUSB0") and is_working(acquisition, "ttyUSB1"))
            usb.pull("ttyUSB0")
            usb.pull("ttyUSB1")
            wait_until(lambda: {b.state for b in acquisition.boards()} == {LinkState.AWAY})
            first, second = usb.plug(one, "ttyUSB2", "2-1"), usb.plug(two, "ttyUSB3", "2-2")
            wait_until(lambda: {b.state for b in acquisition.boards()} == {LinkState.AMBIGUOUS})
            assert names(acquisition) == {"ttyUSB0", "ttyUSB1"}, "and none of them is new"
            record = board(acquisition, "ttyUSB0")
            assert record.candidates == (first, second)
            assert record.error is not None
            assert record.error.startswith(f"Several devices look like ttyUSB0: {first}, {second}.")
            tries = acquisition.devices.links()[0]._retries
            wait_until(lambda: acquisition.devices.links()[0]._retries > tries + 2)
            told = [notice for notice in acquisition.notices if "Several devices" in notice.text]
            assert sorted(str(notice.source) for notice in told) == ["ttyUSB0", "ttyUSB1"]
            with pytest.raises(ConfigError, match=f"Candidates are: {first}, {second}"):
                acquisition.devices.attach("ttyUSB0", "/dev/nowhere", "")
            acquisition.devices.attach("ttyUSB0", second, "ann")
            wait_until(lambda: is_working(acquisition, "ttyUSB0"))
            assert board(acquisition, "ttyUSB0").link == second
            with pytest.raises(ConfigError, match=f"{second} is ttyUSB0 already"):
                acquisition.devices.attach("ttyUSB1", second, "")
            acquisition.devices.attach("ttyUSB1", first, "ann")
            wait_until(lambda: is_working(acquisition, "ttyUSB1"))
            assert board(acquisition, "ttyUSB1").candidates == ()
        with acquiring(store, kept=kept, scan_usb="known", find_ports=usb.find) as acquisition:
            wait_until(lambda: is_working(acquisition, "ttyUSB0") and is_working(acquisition, "ttyUSB1"))
            assert [board(acquisition, name).link for name in ("ttyUSB0", "ttyUSB1")] == [second, first]


def test_boards_that_look_alike_are_told_apart_by_asking_them(store: DatabaseServer, tmp_path: Path, usb: Usb) -> None:
    kept = tmp_path / "server.db"
    with (
        SimulatedBoard("08", rate_hz=50, silence_s=0.05, baud=BAUD) as one,
        SimulatedBoard("09", rate_hz=50, silence_s=0.05, baud=BAUD) as two,
    ):
        usb.plug(one, "ttyUSB0", "1-1")
        usb.plug(two, "ttyUSB1", "1-2")
        with acquiring(store, kept=kept, scan_usb="known", find_ports=usb.find) as acquisition:
            wait_until(lambda: is_working(acquisition, "ttyUSB0") and is_working(acquisition, "ttyUSB1"))
            usb.pull("ttyUSB0")
            usb.pull("ttyUSB1")
            wait_until(lambda: {b.state for b in acquisition.boards()} == {LinkState.AWAY})
            usb.plug(two, "ttyUSB2", "2-1")
            usb.plug(one, "ttyUSB3", "2-2")
            wait_until(lambda: is_working(acquisition, "ttyUSB0") and is_working(acquisition, "ttyUSB1"))
            found = {b.name: (b.board_id, b.link.rpartition("/")[2]) for b in acquisition.boards()}
            assert found == {"ttyUSB0": ("08", "ttyUSB3"), "ttyUSB1": ("09", "ttyUSB2")}
            places = {s.name: s.identity and s.identity.usb_path for s in acquisition.devices.sources()}
            assert places == {"ttyUSB0": "2-2", "ttyUSB1": "2-1"}, "where they are looked for after a restart"
            assert not [notice for notice in acquisition.notices if "Several devices" in notice.text]


def test_a_board_with_another_id_never_takes_the_place_of_one_without_a_serial_number(
    store: DatabaseServer, usb: Usb
) -> None:
    with (
        SimulatedBoard("08", rate_hz=50, silence_s=0.05, baud=BAUD) as one,
        SimulatedBoard("09", rate_hz=50, silence_s=0.05, baud=BAUD) as two,
        acquiring(store, scan_usb="known", find_ports=usb.find) as acquisition,
    ):
        usb.plug(one, "ttyUSB0", "1-1")
        wait_until(lambda: is_working(acquisition, "ttyUSB0"))
        usb.pull("ttyUSB0")
        wait_until(lambda: board(acquisition, "ttyUSB0").state is LinkState.AWAY)
        usb.plug(two, "ttyUSB0", "1-1")
        wait_until(lambda: is_working(acquisition, "ttyUSB0-2"))
        assert board(acquisition, "ttyUSB0-2").board_id == "09"
        assert board(acquisition, "ttyUSB0").state is LinkState.AWAY
        usb.plug(one, "ttyUSB1", "1-2")
        wait_until(lambda: is_working(acquisition, "ttyUSB0"))
        assert board(acquisition, "ttyUSB0").board_id == "08"
        assert names(acquisition) == {"ttyUSB0", "ttyUSB0-2"}


def test_a_device_with_a_serial_number_may_be_given_another_sketch(store: DatabaseServer, usb: Usb) -> None:
    with (
        SimulatedBoard("08", rate_hz=50, silence_s=0.05, baud=BAUD) as before,
        SimulatedBoard("09", rate_hz=50, silence_s=0.05, baud=BAUD) as after,
        acquiring(store, scan_usb="known", find_ports=usb.find) as acquisition,
    ):
        usb.plug(before, "ttyUSB0", "1-1", "SERIAL-1")
        wait_until(lambda: is_working(acquisition, "ttyUSB0"))
        usb.pull("ttyUSB0")
        usb.plug(after, "ttyUSB0", "1-1", "SERIAL-1")
        wait_until(lambda: is_working(acquisition, "ttyUSB0") and board(acquisition, "ttyUSB0").board_id == "09")
        assert names(acquisition) == {"ttyUSB0"}


def test_a_port_on_the_never_touch_list_is_opened_by_nobody(store: DatabaseServer, tmp_path: Path, usb: Usb) -> None:
    with (
        SimulatedDevice("plain", silence_s=0) as heater,
        SimulatedDevice("plain", silence_s=0, link_path=tmp_path / "oven") as oven,
        acquiring(
            store,
            scan_usb="known",
            find_ports=usb.find,
            never_touch=["usb:1a86:7523:HEATER", oven.path],
        ) as acquisition,
    ):
        port = usb.plug(heater, "ttyUSB0", "1-1", "HEATER")
        acquisition.devices.scan()
        for link in (oven.path, str((tmp_path / "oven").resolve())):
            with pytest.raises(ConfigError, match="never-touch list"):
                acquisition.devices.add_source(SourceConfig(name="heater", link=link), "")
        acquisition.devices.add_source(SourceConfig(name="bench", link=str(tmp_path / "bench")), "", later=True)
        with pytest.raises(ConfigError, match="never-touch list"):
            acquisition.devices.attach("bench", oven.path, "")
        with pytest.raises(ConfigError, match="never-touch list"):
            acquisition.devices.update_source("bench", {"link": oven.path}, "")
        with pytest.raises(ConfigError):
            acquisition.devices.attach("bench", port, "")
        assert names(acquisition) == {"bench"}
        assert not heater._was_open
        assert not oven._was_open


def test_two_sources_never_share_a_device(store: DatabaseServer, tmp_path: Path, usb: Usb) -> None:
    with (
        SimulatedDevice("plain", rate_hz=50, silence_s=0, link_path=tmp_path / "bench") as device,
        SimulatedDevice("plain", rate_hz=50, silence_s=0) as found,
        acquiring(store, device.path, scan_usb="known", find_ports=usb.find) as acquisition,
    ):
        port = usb.plug(found, "ttyUSB0", "1-1", "S")
        wait_until(lambda: is_working(acquisition, "bench") and is_working(acquisition, "ttyUSB0"))
        for link, holder in ((str((tmp_path / "bench").resolve()), "bench"), (port, "ttyUSB0")):
            with pytest.raises(SourceExists, match=f"is the source '{holder}' already"):
                acquisition.devices.add_source(SourceConfig(name="another", link=link), "")
        with pytest.raises(SourceExists, match="is the source 'ttyUSB0' already"):
            acquisition.devices.update_source("bench", {"link": port}, "")
        with pytest.raises(SourceExists, match="There is a source 'ttyUSB0' already"):
            acquisition.devices.update_source("bench", {"name": "ttyUSB0"}, "")
        assert names(acquisition) == {"bench", "ttyUSB0"}


def test_a_found_device_that_was_deleted_stays_away_until_it_is_plugged_in_anew(
    store: DatabaseServer, usb: Usb
) -> None:
    with (
        SimulatedDevice("plain", rate_hz=50, silence_s=0) as device,
        acquiring(store, scan_usb="known", find_ports=usb.find) as acquisition,
    ):
        usb.plug(device, "ttyUSB0", "1-1", "S")
        wait_until(lambda: is_working(acquisition, "ttyUSB0"))
        acquisition.devices.delete_source("ttyUSB0", "ann")
        for _ in range(3):
            acquisition.devices.find_new()
        assert names(acquisition) == set()
        usb.pull("ttyUSB0")
        wait_until(lambda: acquisition.devices.find_new() is None and not acquisition.devices._dismissed)
        usb.plug(device, "ttyUSB0", "1-1", "S")
        wait_until(lambda: is_working(acquisition, "ttyUSB0"))


# ---- bytes of a device that nobody knows -----------------------------------------------------------------------------


class Flood:
    """A device behind a socket that sends bytes without the end of a line, until it is told to send lines."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.link = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self.sends = b"x" * 1000
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Flood":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._server.close()

    def _run(self) -> None:
        connection, _ = self._server.accept()
        with connection, contextlib.suppress(OSError):
            while not self._is_over.wait(0.005):
                connection.sendall(self.sends)


def test_bytes_of_a_device_that_is_not_known_stand_in_an_account_live_and_of_the_session(
    store: DatabaseServer,
) -> None:
    with Flood() as flood, acquiring(store, sources=(SourceConfig(name="flood", link=flood.link),)) as acquisition:
        acquisition.start_session()
        wait_until(lambda: board(acquisition, "flood").state is LinkState.SILENT)
        wait_until(lambda: (account := board(acquisition, "flood").account) is not None and account.bytes_read > 50_000)
        record = board(acquisition, "flood")
        assert record.baud == 0, "a socket has no rate"
        assert record.account is not None
        assert record.account.is_balanced
        assert record.error is not None
        assert "sends bytes, but nothing that is a line of text" in record.error
        assert "baud" not in record.error
        assert "cable" not in record.error
        stopped = acquisition.stop_session(None)
        (account,) = store.session(stopped.id).accounts
        assert (account.name, account.is_balanced) == ("flood", True)
        assert account.bytes_read > 50_000
        assert account.message_bytes == 0
        assert sum(account.discarded.values()) > 0, "they are not said to be an unfinished line for ever"
        assert stopped.verdict.endswith("account balances")
        acquisition.start_session()
        wait_until(lambda: (account := board(acquisition, "flood").account) is not None and account.bytes_read > 5_000)
        flood.sends = b"\n1,2\n" * 20
        wait_until(lambda: is_working(acquisition, "flood"))
        stopped = acquisition.stop_session(None)
        (account,) = store.session(stopped.id).accounts
        assert account.messages_appended == account.messages_read > 0
        assert sum(account.discarded.values()) > 0, "what came before it was known is in the same account"
        assert account.is_balanced
