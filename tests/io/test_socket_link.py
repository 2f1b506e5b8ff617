"""Links over TCP, with a real socket at the other end."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from blitz.errors import ConfigError, LinkError
from blitz.io.link import check_link, open_link
from blitz.io.socket_link import SocketLink, parse_address

DEADLINE_S = 20.0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        yield listener


@pytest.fixture
def ends(listener: socket.socket) -> Iterator[tuple[SocketLink, socket.socket]]:
    link = open_link(f"socket://127.0.0.1:{listener.getsockname()[1]}")
    assert isinstance(link, SocketLink)
    device, _ = listener.accept()
    with device:
        yield link, device
    link.close()


def test_bytes_go_both_ways(ends: tuple[SocketLink, socket.socket]) -> None:
    link, device = ends
    device.sendall(b"temp:21.5\n")
    assert link.read(DEADLINE_S) == b"temp:21.5\n"
    assert link.read(0.0) == b""
    link.write(b"on\n")
    assert device.recv(100) == b"on\n"
    assert link.reopens
    assert link.overruns is None


def test_the_connection_is_kept_alive_and_sends_at_once(ends: tuple[SocketLink, socket.socket]) -> None:
    kept = ends[0]._socket
    assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert kept.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_a_waiting_read_is_woken(ends: tuple[SocketLink, socket.socket]) -> None:
    link, _ = ends
    begun_s = time.monotonic()
    timer = threading.Timer(0.05, link.wake)
    timer.start()
    assert link.read(60.0) == b""
    assert time.monotonic() - begun_s < 30
    timer.join()
    link.close()
    link.wake()
    with pytest.raises(LinkError):
        link.read(0.0)


def test_what_came_before_the_end_is_read_and_then_the_end_is_told(ends: tuple[SocketLink, socket.socket]) -> None:
    link, device = ends
    device.sendall(b"last")
    device.close()
    assert link.read(DEADLINE_S) == b"last"
    with pytest.raises(LinkError, match=r"^Lost socket://127.0.0.1:\d+: the other end closed it."):
        link.read(DEADLINE_S)


def test_a_broken_connection_is_told(ends: tuple[SocketLink, socket.socket]) -> None:
    link, device = ends
    device.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    device.close()
    with pytest.raises(LinkError, match="the other end broke the connection"):
        link.read(DEADLINE_S)
    with pytest.raises(LinkError, match=r"^Cannot write to socket://"):
        link.write(b"x")


def test_a_device_that_does_not_listen_is_told(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(LinkError, match=f"127.0.0.1 takes no connections at port {port}. Start what listens there"):
        open_link(f"socket://127.0.0.1:{port}")


def test_a_name_that_nobody_has_is_told() -> None:
    with pytest.raises(LinkError, match=r"there is no machine by the name no-such-host.invalid"):
        open_link("socket://no-such-host.invalid:4000")


@pytest.mark.parametrize("link", ["socket://", "socket://host", "socket://host:x", "socket://:4000", "socket://h:1/a"])
def test_what_is_no_address_is_told(link: str) -> None:
    with pytest.raises(LinkError, match="it is not socket://HOST:PORT, such as"):
        parse_address(link)


@pytest.mark.parametrize("link", ["socket://lab-pi", "socket://", "http://lab-pi:80", "replay:a.jsonl?speed=-1"])
def test_a_link_that_cannot_be_one_is_refused_where_it_is_configured(link: str) -> None:
    with pytest.raises(ConfigError):
        check_link(link)
    check_link("socket://lab-pi:4000")
    check_link("replay:a.jsonl?speed=max")
    check_link("/dev/ttyUSB0")
