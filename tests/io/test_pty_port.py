"""A simulated device's port: plugged in, pulled out, and never mistaken for another terminal."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from blitz.io.pty_port import PtyPort


@pytest.fixture
def make() -> Iterator[Callable[[], str]]:
    """Make another terminal, as any program may; return its name."""
    with ExitStack() as stack:

        def make() -> str:
            for end in (ends := os.openpty()):
                stack.callback(os.close, end)
            return os.ttyname(ends[1])

        yield make


def test_while_a_port_is_unplugged_no_other_terminal_has_its_name(make: Callable[[], str]) -> None:
    port = PtyPort()
    port.plug_in()
    place = port.path
    reader = os.open(place, os.O_RDWR | os.O_NOCTTY)
    port.pull_out()
    assert os.read(reader, 1) == b""
    os.close(reader)
    assert not os.path.exists(place)
    assert place not in [make() for _ in range(20)]
    port.plug_in()
    assert port.path != place
    port.close()
    assert not port.is_plugged_in


def test_a_closed_port_keeps_no_file_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    port = PtyPort()
    port.close()
    for _ in range(3):
        port.plug_in()
        port.pull_out()
    port.close()
    port.close()
    assert len(os.listdir("/proc/self/fd")) <= before
