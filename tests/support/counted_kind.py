"""A kind of source for tests, as a package would bring it: the lines of a file, each once, with a table of its own.

Each of its steps, and each statement on the server's tables, can be the server's last: see :func:`step`.
"""

import os
import signal
import threading
from pathlib import Path

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, delete, event, insert
from sqlalchemy.engine import Engine

from blitz.data.source_config import SourceConfig
from blitz.data.source_kinds import SourceContext, SourceKind
from blitz.errors import CommandRefused, LinkError

TABLES = MetaData()
OPENED = Table("lines_opened", TABLES, Column("id", Integer, primary_key=True), Column("link", Text))
_lock = threading.Lock()
_taken = 0


def step(what: str) -> None:
    """Die here if this is the step whose number stands in the file that COUNTED_KIND_LAST names; write it down else."""
    global _taken
    last = Path(os.environ.get("COUNTED_KIND_LAST", os.devnull))
    if not last.is_file():
        return
    with _lock:
        _taken += 1
        with last.with_suffix(".steps").open("a") as steps:
            steps.write(what.replace("\n", " ") + "\n")
        if _taken == int(last.read_text()):
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()


def watch_statements() -> None:
    """Make a step of each statement, before and after, and of each commit; but for those of the audit trail."""

    def on_statement(when: str) -> None:
        def told(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if "audit" not in statement and "token" not in statement:
                step(f"{when} {statement}")

        event.listen(Engine, f"{when}_cursor_execute", told)

    on_statement("before")
    on_statement("after")
    event.listen(Engine, "commit", lambda _: step("commit"))


class Lines(SourceKind):
    """Lines of a file: lines:PATH."""

    prefix = "lines"
    tables = TABLES
    interval_s = 0.02

    def check(self, config: SourceConfig) -> SourceConfig:
        """Look at nothing."""
        step("check")
        return config

    def open(self, config: SourceConfig, context: SourceContext) -> "LinesLink":
        """Open the file."""
        step("open")
        if config.options.get("hangs"):
            threading.Event().wait(config.options["hangs"])
        link = LinesLink(config, context)
        step("opened")
        return link

    def forget(self, config: SourceConfig, db: Connection) -> None:
        """Remove its row."""
        step("forget")
        db.execute(delete(OPENED).where(OPENED.c.link == config.link))
        step("forgotten")


class LinesLink:
    """The file, read from where sessions have it; what was only shown comes again when something is recorded."""

    reopens = True
    overruns = None

    def __init__(self, config: SourceConfig, context: SourceContext) -> None:
        self.name = config.link
        self._path = Path(config.link.removeprefix("lines:"))
        self._at_once = int(config.options.get("at_once", 7))
        self.position = self._recorded = context.position or 0
        self._read = self.position
        self._woken = threading.Event()
        self._wait_s = config.poll_interval_s or 1
        with context.transaction() as db:
            db.execute(delete(OPENED).where(OPENED.c.link == self.name))
            db.execute(insert(OPENED).values(link=self.name))
        if not self._path.is_file():
            raise LinkError(f"There is no file {self._path}.")

    def begin(self, session_id: int | None) -> None:
        """Give again what was only shown."""
        step("begin")
        self.position = self._read = self._recorded

    def delivered(self, count: int, session_id: int | None) -> None:
        """Count them."""
        self.position += count
        if session_id is not None:
            self._recorded = self.position

    def rewind(self) -> None:
        """Read again."""
        self._read = self.position

    def read(self, timeout_s: float) -> bytes:
        """Return some lines."""
        if self._woken.wait(min(timeout_s, self._wait_s)):
            self._woken.clear()
            return b""
        lines = self._path.read_bytes().splitlines(keepends=True)[self._read :][: self._at_once]
        self._read += len(lines)
        return b"".join(lines)

    def write(self, line: bytes) -> None:
        """Refuse."""
        raise CommandRefused("A file takes no commands.")

    def wake(self) -> None:
        """End a waiting read."""
        self._woken.set()

    def close(self) -> None:
        """Nothing is open."""
        step("close")
