"""The device's end of a pseudo terminal that stands for a serial port (Unix only)."""

import contextlib
import errno
import os
import pty
import select
import termios
import tty
from pathlib import Path


class PtyPort:
    """A port that can be plugged in and pulled out. One thread owns it.

    :param link_path: a symbolic link that leads to the pty while it is plugged in.
    """

    def __init__(self, link_path: Path | None = None) -> None:
        self.is_open = False
        """Whether somebody had the port open when :meth:`look` was called last."""
        self._link_path = link_path
        self._master: int | None = None
        self._kept: int | None = None
        self._place = ""

    @property
    def path(self) -> str:
        """What to open: the link, or the pty, whose name changes with each :meth:`plug_in`."""
        return str(self._link_path) if self._link_path else self._place

    @property
    def is_plugged_in(self) -> bool:
        """Whether there is a port to open."""
        return self._master is not None

    def fileno(self) -> int:
        """Return the file descriptor, for ``poll``."""
        assert self._master is not None
        return self._master

    def plug_in(self) -> None:
        """Make a new pty, without echo and line editing, and let the link lead there."""
        if self._master is not None:
            return
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self._place = os.ttyname(slave)
        os.close(slave)
        self._let_go()
        self.is_open = False
        if self._link_path is not None:
            fresh = self._link_path.with_name(f".{self._link_path.name}.{os.getpid()}")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self._place)
            fresh.replace(self._link_path)

    def pull_out(self) -> None:
        """Close the pty, whoever reads it, and take the link away. Its number is kept until :meth:`close`.

        The system gives a number to the next terminal as soon as nobody has it: a reader that waits for this port would
        open that one.
        """
        if self._master is None:
            return
        with contextlib.suppress(OSError):  # some readers let nobody else open it
            self._kept = os.open(self._place, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        if self._link_path is not None:
            with contextlib.suppress(OSError):  # gone, or that of a program that has taken our place
                if os.readlink(self._link_path) == self._place:
                    self._link_path.unlink()
        os.close(self._master)
        self._master = None
        self.is_open = False

    def close(self) -> None:
        """Pull it out, and give its number back."""
        self.pull_out()
        self._let_go()

    def look(self) -> bool:
        """Find out whether somebody has the port open now."""
        is_open = self._master is not None and not self._poll(select.POLLIN, 0) & select.POLLHUP
        if is_open and not self.is_open:
            # Closing resets a pty's settings: with echo on, the device would read its own lines as requests. The other
            # settings are the reader's business, and what it has said already must not be flushed.
            modes = termios.tcgetattr(self.fileno())[3]
            if modes & (termios.ECHO | termios.ICANON):
                tty.setraw(self.fileno(), termios.TCSANOW)
        self.is_open = is_open
        return is_open

    def read(self) -> bytes:
        """Return what has come, without waiting."""
        try:
            return os.read(self.fileno(), 4096)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno != errno.EIO:  # closed at the other end
                raise
            return b""

    def write(self, chunk: bytes) -> int:
        """Write as much as there is room for; return how much that was."""
        try:
            return os.write(self.fileno(), chunk)
        except BlockingIOError:
            return 0

    def wait_for_room(self, timeout_ms: int) -> None:
        """Wait until something can be written, but not for longer than that."""
        self._poll(select.POLLOUT, timeout_ms)

    def _let_go(self) -> None:
        if self._kept is not None:
            os.close(self._kept)
            self._kept = None

    def _poll(self, event: int, timeout_ms: int) -> int:
        poll = select.poll()
        poll.register(self.fileno(), event)
        return sum(happened for _, happened in poll.poll(timeout_ms))
