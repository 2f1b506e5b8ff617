"""The subprocess for what would hold the server's interpreter: ``python -m blitz.io.worker``. Low priority.

The server talks to it in lines of JSON: first what it works on, then requests, each answered under its number; in
between it tells what it does. It ends when it has had nothing to do for a while, and when the server is gone, which
closes its input. Whatever it does, it may be killed at any moment. :mod:`blitz.io.archiver` is the other side.
"""

import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

from blitz.data.archive import Archive
from blitz.data.archive_plan import Pressure
from blitz.data.archive_reach import Reach
from blitz.data.archive_tasks import restore_part, verify_part
from blitz.data.archiving import Archiving
from blitz.data.database_server import DatabaseServer
from blitz.data.optional_packages import leave_out_pandas
from blitz.errors import ArchiveError, BlitzError

log = logging.getLogger(__name__)

_NICENESS = 10
_LOOK_EACH_S = 1.0
_PART_S = 2.0
_LAST_WORK_S = 2.0


class Worker:
    """Archives while memory is full, and answers requests in between. One thread.

    :param orders: what the server sends first: ``redis_url``, ``redis_prefix``, ``archive_dir``, ``budget_bytes`` (0:
        Redis' own limit), ``is_on`` (whether messages move by themselves), ``idle_s`` (how long to stay without work),
        ``again_s`` (time from a failure to the next try), ``reach`` (how far it may go, which is told
        anew all the time; None where no server records).
    :param say: sends a line to the server.
    """

    def __init__(self, orders: dict[str, Any], say: "Say") -> None:
        self._orders = orders
        self._say = say
        self._pressure = Pressure()
        self._is_due = False
        self._trouble: str | None = None
        self._reach = _reach_of(orders["reach"])
        self._is_begun = False
        self._database = DatabaseServer(orders["redis_url"], orders["redis_prefix"])
        self._store = self._database.archive_store()
        self._archive = Archive(Path(orders["archive_dir"]), self._database.store_id)
        self._archiving = Archiving(self._store, self._archive)

    def run(self, requests: "queue.Queue[dict[str, Any] | None]") -> None:
        """Work until the server is gone, or there has been nothing to do for a while."""
        worked_s = look_s = time.monotonic()
        while True:
            try:
                request = requests.get(timeout=max(look_s - time.monotonic(), 0.0))
                if request is None:
                    return
                if request["do"] == "reach":
                    self._reach = _reach_of(request["reach"])
                    continue
                self._answer(request)
                worked_s = look_s = time.monotonic()
                continue
            except queue.Empty:
                pass
            has_moved = self._look()
            pause_s = 0.0 if has_moved else self._orders["again_s"] if self._trouble else _LOOK_EACH_S
            look_s = time.monotonic() + pause_s
            if has_moved or self._is_due or self._trouble:
                worked_s = time.monotonic()
            elif time.monotonic() - worked_s > self._orders["idle_s"]:
                return

    def _look(self) -> bool:
        """Move a segment if memory is full; return whether one was moved."""
        try:
            self._begin()
            used, limit = self._store.memory()
            budget = self._orders["budget_bytes"] or limit
            self._is_due = bool(self._orders["is_on"]) and self._pressure.is_due(used, budget, was_due=self._is_due)
            is_tight = self._pressure.is_tight(used, budget)
            if not self._is_due:
                self._archiving.rest()
            moved = self._archiving.step(is_tight=is_tight, reach=self._reach) if self._is_due else None
        except BlitzError as error:
            self._tell_trouble(str(error))
            return False
        self._tell_trouble(None)
        if moved is not None:
            self._say(moved={"session_id": moved.session_id, "first": moved.first, "stop": moved.stop})
        return moved is not None

    def _begin(self) -> None:
        if not self._is_begun:
            for sentence in self._archiving.begin():
                self._say(notice=sentence)
            self._is_begun = True

    def _tell_trouble(self, text: str | None) -> None:
        if text != self._trouble:
            self._trouble = text
            self._say(trouble=text)

    def _answer(self, request: dict[str, Any]) -> None:
        until_s = time.monotonic() + _PART_S

        def is_over() -> bool:
            return time.monotonic() > until_s

        try:
            self._begin()
            if request["do"] == "verify":
                where = request["session_id"], request["first"], request["only"]
                answer: Any = verify_part(self._store, self._archive, *where, is_over)
            elif request["do"] == "restore":
                budget = self._orders["budget_bytes"] or self._store.memory()[1]
                session_id = request["session_id"]
                answer = restore_part(self._store, self._archive, self._archiving, session_id, budget, is_over)
            else:
                raise ArchiveError(f"The worker knows no task {request['do']!r}.")
            self._say(id=request["id"], answer=answer.model_dump(mode="json"))
        except BlitzError as error:
            self._say(id=request["id"], code=error.code, error=str(error))


def _reach_of(told: dict[str, Any] | None) -> Reach | None:
    if told is None:
        return None
    return Reach(told["newest"], {int(session_id): end for session_id, end in told["ends"].items()})


class Say:
    """Sends lines to the server. :param to: the standard output."""

    def __init__(self, to: TextIO) -> None:
        self._to = to

    def __call__(self, **fields: Any) -> None:
        """Send one line."""
        self._to.write(json.dumps(fields) + "\n")
        self._to.flush()


def main() -> None:
    """Be the program."""
    leave_out_pandas()
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    orders = json.loads(sys.stdin.readline())
    requests: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin, requests), name="requests", daemon=True).start()
    try:
        Worker(orders, Say(sys.stdout)).run(requests)
    except BlitzError as error:
        log.warning("The archive's worker ends: %s", error)
        sys.exit(1)
    except BrokenPipeError:
        os._exit(0)  # the server is gone, and what waits to be flushed has no reader


def _listen(requests_from: TextIO, requests: "queue.Queue[dict[str, Any] | None]") -> None:
    for line in requests_from:
        requests.put(json.loads(line))
    requests.put(None)
    time.sleep(_LAST_WORK_S)
    os._exit(0)  # in the middle of a segment: nothing is lost by that


if __name__ == "__main__":
    main()
