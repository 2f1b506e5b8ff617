"""The server's side of a worker process: starts it, sends it lines of JSON, takes what comes back.

Knows nothing of what the worker does (:mod:`blitz.io.worker`), nor when it is needed (:mod:`blitz.io.archiver`).
"""

import contextlib
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import IO, Any

from blitz.errors import ArchiveError, error_for_code

_ANSWER_S = 60.0
_STOP_S = 3.0


class WorkerGoneError(Exception):
    """The worker ended before it answered."""


class WorkerProcess:
    """A running worker, and what it was asked.

    :param hear: takes what it tells besides answers; called in a thread of its own.
    :param ended: takes the exit code, in that thread.
    """

    def __init__(
        self,
        orders: dict[str, Any],
        hear: Callable[[dict[str, Any]], None],
        ended: Callable[["WorkerProcess", int], None],
    ) -> None:
        self._hear = hear
        self._ended = ended
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._numbers = itertools.count(1)
        self._asked: dict[int, Future[dict[str, Any]]] = {}
        self._is_gone = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "blitz.io.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the server
            text=True,
            encoding="utf-8",
        )
        self._send(orders)
        self._thread = threading.Thread(target=self._read, name="archive worker", daemon=True)
        self._thread.start()

    def tell(self, line: dict[str, Any]) -> None:
        """Send what needs no answer."""
        self._send(line)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer.

        :raises WorkerGoneError: if the worker is gone, and did not answer.
        """
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            if self._is_gone:
                raise WorkerGoneError
            number = next(self._numbers)
            self._asked[number] = future
        self._send(request | {"id": number})
        try:
            return future.result(_ANSWER_S)
        except TimeoutError as error:
            raise ArchiveError("The archive's worker is busy, and did not answer in a minute. Try again.") from error
        finally:
            with self._lock:
                self._asked.pop(number, None)

    def stop(self) -> None:
        """Close its input, which ends it."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._thread.join()

    @property
    def _stdin(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _send(self, line: dict[str, Any]) -> None:
        # Where it is gone the reading thread sees that.
        with self._sending, contextlib.suppress(OSError, ValueError):
            self._stdin.write(json.dumps(line) + "\n")
            self._stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for text in lines:
                line = json.loads(text)
                if "id" not in line:
                    self._hear(line)
                    continue
                with self._lock:
                    future = self._asked.get(line["id"])
                if future is None:
                    continue
                if "error" in line:
                    future.set_exception(error_for_code(line["code"], line["error"]))
                else:
                    future.set_result(line["answer"])
        exit_code = self._process.wait()
        with contextlib.suppress(OSError):
            self._stdin.close()
        with self._lock:
            self._is_gone = True
            waiting = list(self._asked.values())
        for future in waiting:
            if not future.done():
                future.set_exception(WorkerGoneError())
        self._ended(self, exit_code)
