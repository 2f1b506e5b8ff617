"""The serial ports of a machine, from what pyserial lists."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from blitz.data.source_config import UsbIdentity
from blitz.errors import ConfigError
from blitz.io.usb_ports import FoundPort, find_ports, find_usb_ports, is_forbidden, latency_timer


@dataclass
class Listed:
    device: str
    description: str = "n/a"
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    location: str | None = None
    product: str | None = None


UNO = Listed("/dev/ttyACM0", "Arduino Uno", 0x2341, 0x0043, "75735323", "1-2:1.0", "Arduino Uno")
CLONE = Listed("/dev/ttyUSB0", "USB Serial", 0x1A86, 0x7523, None, "1-3", "USB Serial")
PRINTER = Listed("/dev/ttyACM1", "Printer", 0x04B8, 0x0202, "P1", "1-4", "Receipt printer")
MAINBOARD = Listed("/dev/ttyS0")


def list_all() -> list[Listed]:
    return [UNO, CLONE, PRINTER, MAINBOARD]


def test_ports_are_found_with_what_tells_their_devices_apart() -> None:
    uno, clone, printer, mainboard = find_ports(list_them=list_all)
    assert uno == FoundPort(
        "/dev/ttyACM0",
        "Arduino 75735323",
        UsbIdentity(
            vendor_id=0x2341, product_id=0x43, serial_number="75735323", usb_path="1-2:1.0", product="Arduino Uno"
        ),
    )
    assert clone.description == "QinHeng CH340"
    assert clone.identity is not None
    assert clone.identity.serial_number == ""
    assert printer.description == "Receipt printer P1"
    assert mainboard == FoundPort("/dev/ttyS0", "", None)


def test_only_usb_ports_of_known_kinds_are_opened_unasked() -> None:
    assert [found.port for found in find_usb_ports(list_them=list_all)] == ["/dev/ttyACM0", "/dev/ttyUSB0"]


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ("/dev/ttyUSB0", ["/dev/ttyACM0"]),
        ("usb:1A86:7523", ["/dev/ttyACM0"]),
        ("USB:2341:0043:75735323", ["/dev/ttyUSB0"]),
        ("usb:2341:0043:another", ["/dev/ttyACM0", "/dev/ttyUSB0"]),
        ("/dev/ttyUSB9", ["/dev/ttyACM0", "/dev/ttyUSB0"]),
    ],
)
def test_what_must_never_be_touched_is_not_found(entry: str, left: list[str]) -> None:
    assert [found.port for found in find_usb_ports([entry], list_them=list_all)] == left


def test_a_port_is_forbidden_under_each_of_its_names(tmp_path: Path) -> None:
    port, by_id = tmp_path / "ttyUSB0", tmp_path / "usb-heater"
    port.touch()
    by_id.symlink_to(port)
    assert is_forbidden(str(port), None, [str(by_id)])
    assert is_forbidden(str(by_id), None, [str(port)])


def test_a_port_that_is_named_is_forbidden_by_what_it_is() -> None:
    assert is_forbidden("/dev/ttyUSB0", None, ["usb:1a86:7523"], list_them=list_all)
    assert not is_forbidden("/dev/ttyS0", None, ["usb:1a86:7523"], list_them=list_all)
    assert not is_forbidden("socket://10.0.0.1:1", None, ["usb:1a86:7523"], list_them=list_all)


def test_an_entry_that_would_protect_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="'usb:403' of never_touch is not usb:VID:PID"):
        is_forbidden("/dev/ttyUSB0", None, ["usb:403"])


def test_the_latency_timer_of_an_ftdi_chip_is_read(tmp_path: Path) -> None:
    device = tmp_path / "class" / "tty" / "ttyUSB0" / "device"
    device.mkdir(parents=True)
    assert latency_timer("/dev/ttyUSB0", tmp_path) is None
    (device / "latency_timer").write_text("16\n")
    assert latency_timer("/dev/ttyUSB0", tmp_path) == (device / "latency_timer", 16)
    assert latency_timer("COM3", tmp_path) is None


def test_the_ports_of_this_machine_can_be_listed() -> None:
    assert all(isinstance(found, FoundPort) for found in find_ports())
