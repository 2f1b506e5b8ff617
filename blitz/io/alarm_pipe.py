"""The server's side of the alarms' process: starts it, sends it requests with blocks of messages, takes its answers.

A request is a line of JSON, and behind it as many bytes as its ``bytes`` says; an answer is a line of JSON. One request
is under way at a time. Knows nothing of what is in them (:mod:`blitz.io.alarm_process`). For one thread, but for
:meth:`AlarmPipe.kill`.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
from typing import Any

ANSWER_S = 60.0
"""A process that answers nothing for so long has lost its way."""
_END_S = 2.0
_PIECE_BYTES = 1 << 16


class AlarmProcessGoneError(Exception):
    """The process ended before it answered; says how."""


class AlarmPipe:
    """A running process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "blitz.io.alarm_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the server
        )
        self._read = bytearray()

    @property
    def process_id(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, request: dict[str, Any], payload: bytes = b"") -> dict[str, Any]:
        """Send one request and return the answer.

        :raises AlarmProcessGoneError: if there is none.
        """
        head = json.dumps(request | {"bytes": len(payload)}).encode() + b"\n"
        try:
            self._send(head)
            if payload:
                self._send(payload)
            return self._answer()
        except OSError as error:
            raise AlarmProcessGoneError(f"it ended ({self._process.poll()}): {error}") from error

    def end(self) -> None:
        """Close its input, which ends it; a second time does nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def kill(self) -> None:
        """End it at once; whoever waits for an answer is told. From any thread."""
        self._process.kill()

    def _send(self, piece: bytes) -> None:
        assert self._process.stdin is not None
        rest = memoryview(piece)
        while rest:
            rest = rest[self._process.stdin.write(rest) or 0 :]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._read:
            if not select.select([descriptor], [], [], ANSWER_S)[0]:
                self._process.kill()
                raise AlarmProcessGoneError(f"it did not answer within {ANSWER_S:g} s")
            piece = os.read(descriptor, _PIECE_BYTES)
            if not piece:
                raise AlarmProcessGoneError(f"it ended with code {self._process.wait()}")
            self._read += piece
        line, _, rest = bytes(self._read).partition(b"\n")
        self._read = bytearray(rest)
        answer: dict[str, Any] = json.loads(line)
        return answer
