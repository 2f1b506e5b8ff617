"""Live clients that cost little: one process reads many raw sockets, counts WebSocket frames, and looks into none but
the last one of each client, to see how far it came."""

import os
import selectors
import socket
import time
from urllib.parse import urlsplit

from blitz.data.blocks import MessageBlock

_BINARY = 0x82
_PING, _PONG = 0x89, 0x8A


class _Viewer:
    """One connection: where it stands within a frame."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self.socket = socket.create_connection((host, port))
        key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n"
        upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        self.socket.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\n%b%b\r\n" % (path.encode(), upgrade, key))
        self.frames = self.bytes = 0
        self.last: list[memoryview] = []
        """The last binary frame, as far as it has come."""
        self._kind = 0
        self._missing = 0
        self._head = self._read_answer()

    def _read_answer(self) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.socket.recv(65536)
        answer, _, rest = received.partition(b"\r\n\r\n")
        if b" 101 " not in answer:
            raise SystemExit(answer.decode())
        return rest

    def read(self) -> bool:
        """Take what is there; False at the end."""
        chunk = self.socket.recv(1 << 18)
        self.feed(chunk)
        return bool(chunk)

    def feed(self, chunk: bytes) -> None:
        """Count the frames in it."""
        self.bytes += len(chunk)
        view = memoryview(self._head + chunk if self._head else chunk)
        self._head = b""
        while view:
            if self._missing:
                part, view = view[: self._missing], view[self._missing :]
                self._missing -= len(part)
                if self._kind == _BINARY:
                    self.last.append(part)
                    self.frames += not self._missing
                continue
            size = view[1] if len(view) > 1 else 0
            head = 2 + (2 if size == 126 else 8 if size == 127 else 0)
            if len(view) < head:
                self._head = bytes(view)
                return
            self._kind = view[0]
            self._missing = int.from_bytes(view[2:head], "big") if size > 125 else size
            if self._kind == _BINARY:
                self.last = []
            elif self._kind == _PING:
                self.socket.sendall(bytes([_PONG, 0x80, 0, 0, 0, 0]))
            view = view[head:]

    @property
    def next_seq(self) -> int:
        """How far it came; 0 if its last frame is not whole."""
        if (self._missing and self._kind == _BINARY) or not self.last:
            return 0
        return MessageBlock.decode(b"".join(self.last)).next_seq


def watch(url: str, session_id: int, count: int, clients: int, ready: int) -> None:
    """Follow a session with many clients until each has seen all; SystemExit if nothing comes for half a minute.

    :param ready: a pipe that is told when all are connected.
    """
    address = urlsplit(url)
    path = f"/api/v1/live?session={session_id}&first=0"
    viewers = [_Viewer(address.hostname or "", address.port or 0, path) for _ in range(clients)]
    os.write(ready, b"1")
    behind = set(viewers)
    with selectors.DefaultSelector() as selector:
        for viewer in viewers:
            selector.register(viewer.socket, selectors.EVENT_READ, viewer)
        looked_s = time.monotonic()
        while behind:
            readable = [key.data for key, _ in selector.select(30.0)]
            if not readable or not all(viewer.read() for viewer in readable):
                least = min(each.next_seq for each in behind)
                raise SystemExit(f"{len(behind)} of {clients} clients did not get all, one only {least}")
            if time.monotonic() - looked_s > 1.0:
                looked_s = time.monotonic()
                behind = {viewer for viewer in behind if viewer.next_seq < count}
    for viewer in viewers:
        viewer.socket.close()
