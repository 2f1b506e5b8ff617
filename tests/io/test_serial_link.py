"""Serial links, over real pseudo-terminals."""

import contextlib
import errno
import os
import pty
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blitz.data.source_config import SerialOptions
from blitz.errors import LinkError
from blitz.io.link import Link, open_link
from blitz.io.port_faults import check_rate, is_in_use_by_others, why_not_opened
from blitz.io.serial_link import LineErrors, PyserialLink, SerialLink

DEADLINE_S = 20.0


class Device:
    """The device's end of a pty."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        os.close(slave)

    def say(self, content: bytes) -> None:
        while content:
            content = content[os.write(self.master, content) :]

    def pull(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device()
    yield device
    device.pull()


@pytest.fixture(params=[SerialLink, PyserialLink])
def link(request: pytest.FixtureRequest, device: Device) -> Iterator[PyserialLink]:
    link = request.param(device.port, SerialOptions(baud=115200))
    yield link
    link.close()


def read_all(link: Link, count: int) -> bytes:
    received = b""
    deadline_s = time.monotonic() + DEADLINE_S
    while len(received) < count and time.monotonic() < deadline_s:
        received += link.read(1.0)
    return received


def test_all_that_has_come_is_read_in_one_call(link: PyserialLink, device: Device) -> None:
    device.say(b"512,498,730\r\n" * 20)
    assert link.read(DEADLINE_S) == b"512,498,730\r\n" * 20
    assert link.read(0.0) == b""
    assert link.read(-1.0) == b""


def test_what_piled_up_is_read_whole(link: PyserialLink, device: Device) -> None:
    content = bytes(range(256)) * 60
    writer = threading.Thread(target=device.say, args=(content,))
    writer.start()
    assert read_all(link, len(content)) == content
    writer.join(DEADLINE_S)


def test_a_torrent_is_read_without_loss_in_few_calls(device: Device) -> None:
    content = os.urandom(1 << 20)
    link = SerialLink(device.port)
    writer = threading.Thread(target=device.say, args=(content,))
    writer.start()
    received, calls = b"", 0
    while len(received) < len(content):
        chunk = link.read(DEADLINE_S)
        assert chunk
        assert len(chunk) < 2 * 65536
        received += chunk
        calls += 1
    writer.join(DEADLINE_S)
    link.close()
    assert received == content
    assert calls < 4000


def test_what_pours_in_slower_than_it_is_read_is_whole_and_its_end_is_noticed(device: Device) -> None:
    content = b"".join(b"%07d\n" % n for n in range(30_000))
    link = SerialLink(device.port)

    def pour() -> None:
        for start in range(0, len(content), 1200):
            device.say(content[start : start + 1200])
            time.sleep(0.001)

    writer = threading.Thread(target=pour)
    writer.start()
    received = b""
    while len(received) < len(content):
        received += link.read(DEADLINE_S)
    writer.join(DEADLINE_S)
    assert received == content
    assert link.read(0.01) == b""
    device.say(b"1")
    assert link.read(DEADLINE_S) == b"1"
    device.pull()
    with pytest.raises(LinkError):
        link.read(DEADLINE_S)
    link.close()


def test_what_is_written_arrives(link: PyserialLink, device: Device) -> None:
    link.write(b"0081\n")
    assert os.read(device.master, 100) == b"0081\n"


def test_a_waiting_read_is_woken_from_another_thread(link: PyserialLink, device: Device) -> None:
    begun_s = time.monotonic()
    timer = threading.Timer(0.05, link.wake)
    timer.start()
    assert link.read(60.0) == b""
    assert time.monotonic() - begun_s < 30
    timer.join()
    device.say(b"x")
    assert link.read(DEADLINE_S) == b"x"


def test_a_link_that_is_called_when_it_is_closed_touches_nobody_else(link: PyserialLink) -> None:
    link.close()
    taken = [os.pipe() for _ in range(8)]
    link.wake()
    link.close()
    for reading, writing in taken:
        os.set_blocking(reading, False)
        with pytest.raises(BlockingIOError):
            os.read(reading, 1)
        os.close(reading)
        os.close(writing)
    with pytest.raises(LinkError):
        link.read(0.0)
    with pytest.raises(LinkError):
        link.write(b"x")
    assert link.overruns is None


def test_a_pulled_cable_is_told(link: PyserialLink, device: Device) -> None:
    device.pull()
    with pytest.raises(LinkError, match=f"^Lost {device.port}: the device was unplugged. It is opened again when"):
        link.read(DEADLINE_S)
    with pytest.raises(LinkError, match=f"^Cannot write to {device.port}: the device was unplugged.$"):
        link.write(b"x")


def test_a_cable_that_is_pulled_while_we_wait_is_noticed(link: PyserialLink, device: Device) -> None:
    timer = threading.Timer(0.05, device.pull)
    timer.start()
    with pytest.raises(LinkError, match="the device was unplugged"):
        link.read(60.0)
    timer.join()


def test_links_leave_no_descriptor_open(device: Device) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for _ in range(20):
        open_link(device.port).close()
        with pytest.raises(LinkError):
            open_link("/dev/no-such-port")
    assert count() <= before


def test_a_line_is_set_as_it_is_told(device: Device) -> None:
    options = SerialOptions(baud=9600, data_bits=7, parity="even", stop_bits=2, flow_control="xonxoff")
    link = open_link(device.port, options)
    slave = os.open(device.port, os.O_RDWR | os.O_NOCTTY)
    iflag, _, cflag, lflag, ispeed, _, _ = termios.tcgetattr(slave)
    os.close(slave)
    link.close()
    # A pty itself takes 8 bits without parity, whatever it is told.
    assert cflag & termios.CSTOPB
    assert iflag & (termios.IXON | termios.IXOFF) == termios.IXON | termios.IXOFF
    assert not lflag & (termios.ECHO | termios.ICANON)
    assert ispeed == termios.B9600


def test_all_line_options_reach_pyserial(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.Serial.open", lambda _port: None)
    monkeypatch.setattr(PyserialLink, "_claim", lambda *_: None)
    options = SerialOptions(parity="mark", stop_bits=1.5, data_bits=5, flow_control="rtscts", dtr="off", rts="off")
    port = PyserialLink(device.port, options)._serial
    assert (port.parity, port.stopbits, port.bytesize) == ("M", 1.5, 5)
    assert (port.rtscts, port.xonxoff, port.dsrdtr, port.dtr, port.rts) == (True, False, False, False, False)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any rate")
def test_a_rate_that_no_list_has_is_set_and_read_back(device: Device) -> None:
    link = SerialLink(device.port, SerialOptions(baud=74880))
    assert link.baud == 74880
    link.close()


def test_a_rate_that_the_driver_changed_is_told() -> None:
    check_rate("/dev/ttyUSB0", 115200, 117647)
    check_rate("/dev/ttyUSB0", 115200, None)
    with pytest.raises(LinkError, match=r"with 921600 baud: the driver set 1000000 instead, 8\.5 % off\."):
        check_rate("/dev/ttyUSB0", 921600, 1000000)


def test_a_port_whose_driver_changed_the_rate_is_closed_again(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr("blitz.io.serial_link._real_baud", lambda _fd: 9600)
    with pytest.raises(LinkError, match=r"with 115200 baud: the driver set 9600 instead, 91\.7 % off\."):
        open_link(device.port, SerialOptions(baud=115200))
    assert len(os.listdir("/proc/self/fd")) <= before
    monkeypatch.setattr("blitz.io.serial_link._real_baud", lambda _fd: 117647)
    link = SerialLink(device.port, SerialOptions(baud=115200))
    assert link.baud == 117647
    link.close()


def test_lost_bytes_are_counted_from_the_opening_on(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = LineErrors(framing=1, overruns=7, parity=0, breaks=2)
    monkeypatch.setattr("blitz.io.serial_link._count_errors", lambda _fd: counted)
    link = SerialLink(device.port)
    assert link.overruns == 0
    counted = LineErrors(framing=4, overruns=19, parity=1, breaks=2)
    assert link.line_errors == LineErrors(framing=3, overruns=12, parity=1, breaks=0)
    link.close()
    assert link.overruns == 12


def test_a_pty_counts_no_overruns(link: PyserialLink) -> None:
    assert link.overruns is None
    assert link.line_errors is None


def test_a_port_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(LinkError) as caught:
        open_link("/dev/no-such-port")
    text = str(caught.value)
    assert text.startswith("Cannot open /dev/no-such-port: there is no such port. Plug the device in, or check the")
    assert "There are: /dev/" in text or "This machine has no serial port now." in text


def test_what_is_no_port_is_told(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(LinkError, match="it is no serial port"):
        open_link(str(plain))


def test_a_rate_that_the_driver_refuses_is_told() -> None:
    sentence = why_not_opened("/dev/ttyS9", SerialOptions(baud=3_999_999), OSError(errno.EINVAL, "Invalid argument"))
    assert sentence == (
        "Cannot open /dev/ttyS9 with 3999999 baud: the driver refuses this rate or framing. Give a rate that both the "
        "device and the adapter know, such as 9600, 57600 or 115200."
    )


def test_a_permission_that_is_missing_is_told_with_the_group_that_the_port_belongs_to(tmp_path: Path) -> None:
    import grp

    port = tmp_path / "ttyUSB0"
    port.touch()
    denied = PermissionError(errno.EACCES, "Permission denied")
    port.chmod(0o600)
    assert "Only its owner may open it" in why_not_opened(str(port), SerialOptions(), denied)
    port.chmod(0o660)
    group = next((each for each in grp.getgrall() if each.gr_name in ("dialout", "uucp")), None)
    with contextlib.suppress(PermissionError):
        os.chown(port, -1, group.gr_gid if group else -1)
    owner = grp.getgrgid(port.stat().st_gid).gr_name
    sentence = why_not_opened(str(port), SerialOptions(), denied)
    if owner == "root":
        assert "Only its owner may open it" in sentence
    else:
        assert f"the group {owner}" in sentence
        assert "log in again." in sentence


HOLDER = """
import serial, sys
with serial.Serial(sys.argv[1], exclusive=sys.argv[2] == "locked" or None):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start another program that has a port open."""
    with contextlib.ExitStack() as ended:

        def start(port: str, how: str = "locked", *more: str) -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-c", HOLDER, port, how, *more]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            ended.callback(process.communicate)
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            return process

        yield start


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a port open")
def test_a_port_that_is_in_use_is_told_with_the_program(
    device: Device, hold: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    assert is_in_use_by_others(device.port) == []
    process = hold(device.port)
    alias = tmp_path / "board"
    alias.symlink_to(device.port)
    (program,) = is_in_use_by_others(str(alias))
    assert program.endswith(f"(process {process.pid})")
    with pytest.raises(LinkError) as caught:
        open_link(device.port)
    assert str(caught.value) == (
        f"Cannot open {device.port}: {program} uses it. Close that program, or let it release the port."
    )
    process.communicate()
    open_link(device.port).close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a port open")
def test_a_port_that_a_blitz_server_has_open_can_be_lent(
    device: Device, hold: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    process = hold(device.port, "locked", "/usr/bin/blitz", "serve")
    with pytest.raises(LinkError) as caught:
        open_link(device.port)
    assert str(caught.value) == (
        f"Cannot open {device.port}: a Blitz server (process {process.pid}) uses it. It lends the port to another "
        "program: blitz release NAME -- PROGRAM. 'blitz boards' tells the name."
    )


def test_a_port_is_ours_alone(device: Device) -> None:
    link = open_link(device.port)
    with pytest.raises(LinkError, match="another program uses it"):
        open_link(device.port)
    link.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a port open")
def test_a_real_port_is_not_shared_with_a_program_that_knows_no_locks(
    device: Device, hold: Callable[..., "subprocess.Popen[bytes]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blitz.io.serial_link.real_port", lambda _port: "/dev/ttyUSB0")
    process = hold(device.port, "unlocked")
    with pytest.raises(LinkError, match=rf"\(process {process.pid}\) uses it"):
        open_link(device.port)
    process.communicate()
    link = open_link(device.port)
    device.say(b"x")
    assert link.read(DEADLINE_S) == b"x"
    link.close()
    open_link(device.port).close()
