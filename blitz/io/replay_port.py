"""Playing a recording on a pseudo-terminal, so that any program can open it as a port (Unix only)."""

import contextlib
import fcntl
import os
import struct
import termios
import time
from pathlib import Path

from blitz.io.pty_port import PtyPort
from blitz.io.recording import bytes_received

_LOOK_S = 0.05
_SETTLE_S = 0.5
"""Programs throw away what a port holds while they open it."""


class ReplayPort:
    """A port at which a recorded device seems to be.

    Bytes flow only while somebody has the port open, so that none is lost; what is sent to the device is ignored.

    :param link_path: a symbolic link that leads to the port.
    """

    def __init__(self, link_path: Path | None = None) -> None:
        self.played_bytes = 0
        self._port = PtyPort(link_path)
        self._port.plug_in()
        self._is_stopped = False
        self._paused_s = 0.0

    @property
    def path(self) -> str:
        """What to open."""
        return self._port.path

    def stop(self) -> None:
        """Make :meth:`play` return soon; may be called from any thread, and from a signal.

        A flag and no event: a signal may strike within the wait for an event, whose lock then is taken.
        """
        self._is_stopped = True

    def close(self) -> None:
        """Take the port away, whoever has it open."""
        self._port.close()

    def play(self, recording: Path, speed: float = 1.0) -> bool:
        """Wait for a reader, then give it what the recorded device sent; return once it has read all of it.

        :param speed: a factor of the recording's own; infinite: as fast as the reader reads.
        :returns: whether it came to the end, and was not stopped.
        :raises RecordingError: if there is no such recording.
        """
        began_s: float | None = None
        first_s = 0.0
        self._paused_s = 0.0
        for chunk in bytes_received(recording):
            if began_s is None:
                self._wait_for_reader()
                began_s, first_s = time.monotonic(), chunk.t_s
                self._paused_s = 0.0
            due_s = began_s + (chunk.t_s - first_s) / speed
            while not self._is_stopped and (wait_s := due_s + self._paused_s - time.monotonic()) > 0:
                self._pause(min(wait_s, _LOOK_S))
                self._wait_for_reader()
            self._write(chunk.content)
            if self._is_stopped:
                return False
        self._drain()
        return not self._is_stopped

    def _write(self, content: bytes) -> None:
        while content and not self._is_stopped:
            self._wait_for_reader()
            count = self._port.write(content)
            self.played_bytes += count
            content = content[count:]
            if content and not count:
                self._port.wait_for_room(round(_LOOK_S * 1000))

    def _wait_for_reader(self) -> None:
        """Return at once if somebody has the port open, else once somebody has opened it."""
        self._port.read()  # what it asks would fill its buffer
        was_open = self._port.is_open
        if self._port.look() and was_open:
            return
        began_s = time.monotonic()
        while not self._port.look():
            if self._pause(_LOOK_S):
                return
        self._pause(_SETTLE_S)
        self._paused_s += time.monotonic() - began_s

    def _drain(self) -> None:
        """Wait until the reader has read everything, or is gone: what it has not read is lost with the port."""
        empty = 0
        while empty < 3 and self._port.look() and not self._pause(_LOOK_S / 2):
            self._port.read()
            empty = empty + 1 if self._unread() == 0 else 0

    def _pause(self, seconds: float) -> bool:
        """Wait, and return whether to stop."""
        if not self._is_stopped:
            time.sleep(seconds)
        return self._is_stopped

    def _unread(self) -> int:
        # Only the reader's end of the port tells.
        with contextlib.suppress(OSError):
            reader = os.open(self._port.path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                answer = fcntl.ioctl(reader, termios.FIONREAD, struct.pack("i", 0))
            finally:
                os.close(reader)
            return int(struct.unpack("i", answer)[0])
        return 0
