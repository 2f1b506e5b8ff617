"""New USB devices are not opened before somebody says so: ptys that are said to be USB ports."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import wait_until

from blitz.config import ScanUsb, ServerSettings
from blitz.data.boards import load_definitions
from blitz.data.database_server import DatabaseServer
from blitz.data.records import Event, EventKind, LinkState
from blitz.data.source_config import UsbIdentity
from blitz.data.source_store import SourceStore
from blitz.errors import ConfigError, SourceExists
from blitz.io import blitz_device
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.simulator import SimulatedDevice
from blitz.io.usb_ports import FoundPort

CH340, STRANGER = 0x1A86, 0x1234


class Usb:
    """What is plugged in."""

    def __init__(self) -> None:
        self.ports: list[FoundPort] = []

    def plug(self, port: str, vendor_id: int, usb_path: str = "1-2", serial_number: str = "") -> None:
        identity = UsbIdentity(
            vendor_id=vendor_id,
            product_id=0x7523,
            usb_path=usb_path,
            serial_number=serial_number,
            product="USB2.0-Serial",
        )
        self.ports = [*self.ports, FoundPort(port, "", identity)]

    def find(self) -> list[FoundPort]:
        return list(self.ports)


@pytest.fixture(autouse=True)
def quick_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """No simulated device needs two seconds to boot."""
    monkeypatch.setattr(blitz_device, "LISTEN_S", 0.2)


@pytest.fixture
def usb() -> Usb:
    return Usb()


@contextmanager
def acquiring(
    store: DatabaseServer,
    usb: Usb,
    scan: ScanUsb = "ask",
    kept: Path | str = ":memory:",
    never_touch: tuple[str, ...] = (),
) -> Iterator[Acquisition]:
    devices = DeviceOptions(scan_usb=scan, find_ports=usb.find, never_touch=never_touch)
    with SourceStore(kept) as sources:
        acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(devices), sources)
        acquisition.start()
        try:
            yield acquisition
        finally:
            acquisition.stop()


def ports(acquisition: Acquisition) -> list[str]:
    return [device.port for device in acquisition.status().found]


def test_the_server_asks_unless_it_is_told_otherwise() -> None:
    assert ServerSettings().scan_usb == "ask"  # type: ignore[call-arg]
    words = {True: "known", False: "off", "true": "known", "0": "off", "Known": "known", "ask": "ask"}
    assert {word: ServerSettings(scan_usb=word).scan_usb for word in words} == words  # type: ignore[arg-type,call-arg]


def test_a_new_device_is_told_and_not_opened_until_somebody_says_so(
    store: DatabaseServer, usb: Usb, tmp_path: Path
) -> None:
    heard: list[Event] = []
    with SimulatedDevice("csv", rate_hz=50, silence_s=0) as device:
        with acquiring(store, usb, kept=tmp_path / "server.db") as acquisition:
            acquisition.hub.listeners.append(heard.append)
            usb.plug(device.path, CH340)
            wait_until(lambda: ports(acquisition) == [device.path])
            (found,) = acquisition.status().found
            assert found.words == "QinHeng CH340 on USB 1-2"
            assert (found.is_known_kind, found.product) == (True, "USB2.0-Serial")
            assert acquisition.boards() == []
            wait_until(lambda: any(event.event is EventKind.FOUND and event.found == (found,) for event in heard))
            config = acquisition.devices.listen(device.path, "oven", None, "ann")
            assert (config.name, config.identity is not None) == ("oven", True)
            wait_until(lambda: acquisition.boards()[0].state is LinkState.READY)
            wait_until(lambda: ports(acquisition) == [])
            with pytest.raises(SourceExists):
                acquisition.devices.listen(device.path, None, None, "ann")
        with acquiring(store, usb, kept=tmp_path / "server.db") as acquisition:  # known by now
            wait_until(lambda: acquisition.boards() and acquisition.boards()[0].state is LinkState.READY)
            assert (acquisition.boards()[0].name, ports(acquisition)) == ("oven", [])


def test_a_device_that_is_ignored_is_not_asked_of_again_and_can_be_listened_to(
    store: DatabaseServer, usb: Usb, tmp_path: Path
) -> None:
    with SimulatedDevice("csv", rate_hz=50, silence_s=0) as device:
        usb.plug(device.path, CH340)
        with acquiring(store, usb, kept=tmp_path / "server.db") as acquisition:
            wait_until(lambda: ports(acquisition))
            acquisition.devices.ignore(device.path, "ann")
            wait_until(lambda: not ports(acquisition))
        with acquiring(store, usb, kept=tmp_path / "server.db") as acquisition:
            wait_until(lambda: acquisition.devices.found(ignored=True))
            assert ports(acquisition) == []
            assert acquisition.devices.found(ignored=True)[0].is_ignored
            acquisition.devices.listen(device.path, None, 9600, "ann")
            wait_until(lambda: acquisition.boards()[0].state is LinkState.READY)
            assert acquisition.devices.sources()[0].serial.baud == 9600


def test_a_device_of_no_known_maker_is_told_of_where_others_are_opened(store: DatabaseServer, usb: Usb) -> None:
    with (
        SimulatedDevice("csv", rate_hz=50, silence_s=0) as known,
        SimulatedDevice("csv", rate_hz=50, silence_s=0) as stranger,
        acquiring(store, usb, "known") as acquisition,
    ):
        usb.plug(known.path, CH340, "1-1")
        usb.plug(stranger.path, STRANGER, "1-2")
        usb.ports.append(FoundPort("/dev/ttyS0"))
        wait_until(lambda: acquisition.boards() and acquisition.boards()[0].state is LinkState.READY)
        assert ports(acquisition) == [stranger.path]
        assert acquisition.status().found[0].words == "USB2.0-Serial on USB 1-2"
        assert not acquisition.status().found[0].is_known_kind


def test_what_must_never_be_touched_is_neither_told_nor_opened(store: DatabaseServer, usb: Usb) -> None:
    usb.plug("/dev/ttyUSB8", CH340, "1-1")
    usb.plug("/dev/ttyUSB9", CH340, "1-2")
    with acquiring(store, usb, never_touch=("/dev/ttyUSB9",)) as acquisition:
        wait_until(lambda: ports(acquisition) == ["/dev/ttyUSB8"])
        with pytest.raises(ConfigError, match="never-touch"):
            acquisition.devices.listen("/dev/ttyUSB9", None, None, "")
        with pytest.raises(ConfigError, match="New ones are: /dev/ttyUSB8"):
            acquisition.devices.ignore("/dev/ttyUSB7", "")


def test_nothing_is_told_where_nobody_looks(store: DatabaseServer, usb: Usb) -> None:
    usb.plug("/dev/ttyUSB9", CH340)
    with acquiring(store, usb, "off") as acquisition:
        acquisition.devices.scan()
        assert ports(acquisition) == []
