"""Which links may be named over the network."""

from pathlib import Path

import pytest

from blitz.errors import ConfigError
from blitz.io.link_rule import network_rule
from blitz.io.pty_port import PtyPort


@pytest.mark.parametrize(
    "link",
    [
        *("/dev/ttyUSB0", "/dev/ttyACM12", "/dev/rfcomm0", "/dev/cu.usbmodem14101", "COM3", "com17", r"\\.\COM12"),
        *(
            "/dev/arduino",
            "/dev/serial/by-id/usb-Arduino_LLC_x-if00",
            "/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0",
        ),
        *("/dev/ttyS0", "/dev/ttyAMA0", "/dev/ttymxc2", "/dev/tty.usbserial-A6", "/dev/ttyTHS1"),
        *("socket://10.0.0.7:4001", "socket://lab-pi:23"),
    ],
)
def test_ports_and_sockets_may_be_named(link: str, tmp_path: Path) -> None:
    network_rule(tmp_path)(link)


@pytest.mark.parametrize(
    "link",
    [
        *("/etc/passwd", "etc/passwd", "/dev/../etc/passwd", "/dev/null", "/dev/full", "/dev/zero", "/dev/shm/x/y"),
        *("/dev/stdin", "/dev/fd/0", "/dev/pts/../../etc/passwd", "/dev/serial/../../etc/passwd", "", "COM3/../x"),
        *("/dev/tty", "/dev/tty1", "/dev/pts/0", "/dev/ttys001", "/dev/ttyp0", "/dev/console"),
        *("/dev/ttyUSB0\0", "/dev/ttyUSB0\n", "~/x", "file:///etc/passwd", "/proc/self/mem", "//etc/passwd"),
        *("replay:/etc/passwd", "replay:../../etc/passwd", "replay:/dev/ttyUSB0", "replay:", "replay:/\0", "replay:a"),
        *("http://10.0.0.7/", "netscanner://10.0.0.7:1"),
    ],
)
def test_nothing_else_on_the_server_may_be_named(link: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        network_rule(tmp_path)(link)


def test_recordings_in_the_data_folder_may_be_played(tmp_path: Path) -> None:
    rule = network_rule(tmp_path / "data")
    folder = tmp_path / "data" / "recordings"
    folder.mkdir(parents=True)
    secret = tmp_path / "data" / "secret.jsonl"
    secret.touch()
    (folder / "way-out").symlink_to(secret)
    (folder / "loop").symlink_to(folder / "loop")
    rule(f"replay:{folder}/run.jsonl")
    rule(f"replay:{folder}/deep/run.jsonl?speed=max")
    for path in (secret, folder / ".." / "secret.jsonl", folder / "way-out", f"{folder}-else/x", folder / "loop" / "x"):
        with pytest.raises(ConfigError, match="over the network only recordings"):
            rule(f"replay:{path}")


def test_a_name_in_dev_counts_for_what_it_leads_to(tmp_path: Path) -> None:
    port = PtyPort(tmp_path / "sim1")
    port.plug_in()
    try:
        with pytest.raises(ConfigError, match="is no serial port"):
            network_rule(tmp_path)(str((tmp_path / "sim1").readlink()))  # it could be a terminal of somebody
        with pytest.raises(ConfigError, match="is no serial port"):
            network_rule(tmp_path)(str(tmp_path / "sim1"))
    finally:
        port.close()
