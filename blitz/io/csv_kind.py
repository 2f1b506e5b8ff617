"""Files of comma-separated values as sources: ``csv:/home/lab/run.csv``. Which rows become messages, and what is kept.

What is known of a file lies in a table of ``server.db``, and its rows' hashes in a folder ``csv`` of the data folder.
"""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, Text, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from blitz.data.csv_rows import LIMIT_BYTES
from blitz.data.framing_rule import FramingRule
from blitz.data.source_config import SourceConfig
from blitz.data.source_kinds import SourceContext, SourceKind, register_kind
from blitz.errors import ConfigError, LinkError, TablesError
from blitz.io.csv_file import Identity, OpenFile
from blitz.io.csv_head import HEAD_BYTES, read_head
from blitz.io.csv_link import CsvLink, said
from blitz.io.csv_reading import Kept
from blitz.io.file_watch import FileWatch

FILES = "files"
"""The folder in the data folder from which files can be named over the network."""
ROWS = FramingRule(delimiter="00", limit_bytes=LIMIT_BYTES)
"""How rows come from the link: they hold line endings, and no zero bytes."""

_OPTIONS = {"rows": ("missing", "new"), "headings": ("auto", "none")}
_metadata = MetaData()
_FILE = Table(
    "csv_file",
    _metadata,
    Column("path", Text, primary_key=True),
    Column("folder", Text, nullable=False),
    Column("state", Text, nullable=False),
)


class CsvKind(SourceKind):
    """A file of comma-separated values that some program writes: each of its rows is a message, once."""

    prefix = "csv"
    summary = "a CSV file that some program writes: each of its rows is a message, once"
    tables = _metadata
    is_steady = False

    def __init__(self) -> None:
        self._watch = FileWatch()
        self._left: dict[str, str | None] = {}
        """Folders of deleted sources, by the file."""

    def check(self, config: SourceConfig) -> SourceConfig:
        """Complete and check how a file is configured."""
        path = _path(config)
        if not path.is_absolute():
            raise ConfigError(f"{config.link!r} names no file: give its whole path, such as csv:/home/lab/{path.name}.")
        if config.framing not in (None, ROWS):
            raise ConfigError(f"source {config.name!r} is a CSV file: its rows are its messages, without a framing")
        for name, value in config.options.items():
            if value not in _OPTIONS.get(name, ()):
                known = "; ".join(f"{option}: {' or '.join(values)}" for option, values in _OPTIONS.items())
                raise ConfigError(f"A CSV file has no option {name}={value}. There are {known}.")
        options = {name: values[0] for name, values in _OPTIONS.items()} | config.options
        return config.model_copy(update={"link": f"csv:{path}", "framing": ROWS, "options": options})

    def check_remote(self, config: SourceConfig, data_dir: Path) -> None:
        """Let files in one folder be named by those who are not on this machine."""
        folder = data_dir / FILES
        path = _path(config)
        try:
            is_inside = path.is_absolute() and path.resolve().is_relative_to(folder.resolve())
        except (OSError, ValueError, RuntimeError):  # a name that is none, or a loop of symbolic links
            is_inside = False
        if not is_inside:
            raise ConfigError(
                f"{config.link!r} cannot be read: over the network only files in the server's folder {folder} can be "
                "named, by their whole path. Let the file be written there, or name it in the server's settings."
            )

    def place(self, config: SourceConfig) -> str:
        """Return the file itself, whatever leads to it."""
        path = _path(config)
        try:
            return f"csv:{path.resolve()}"
        except (OSError, RuntimeError):
            return f"csv:{path}"

    def open(self, config: SourceConfig, context: SourceContext) -> CsvLink:
        """Open a file.

        :raises LinkError: if it is not there, cannot be read, or is no table.
        """
        path = _path(config)
        has_headings = False if config.options.get("headings") == "none" else None
        file = OpenFile(path)
        try:
            size = file.stamp().size
            read_head(file.read_at(0, HEAD_BYTES), is_settled=True, has_headings=has_headings)
        except LinkError as error:
            raise LinkError(said(path, error)) from error
        finally:
            file.close()
        keeper = _Keeper(path, context)
        keeper.note(file.identity)
        return CsvLink(
            path,
            context,
            keeper,
            self._watch,
            only_new=config.options.get("rows") == "new",
            has_headings=has_headings,
            interval_s=config.poll_interval_s or self.interval_s,
            size=size,
        )

    def forget(self, config: SourceConfig, db: Connection) -> None:
        """Forget a deleted source's file."""
        path = str(_path(config))
        self._left[path] = db.scalar(select(_FILE.c.folder).where(_FILE.c.path == path))
        db.execute(delete(_FILE).where(_FILE.c.path == path))

    def forgotten(self, config: SourceConfig, data_dir: Path) -> None:
        """Remove what is known of a deleted source's rows."""
        folder = self._left.pop(str(_path(config)), None)
        if folder is not None:
            shutil.rmtree(data_dir / self.prefix / folder, ignore_errors=True)


class _Keeper:
    """What is known of one file. See :class:`~blitz.io.csv_link.Keeper`."""

    def __init__(self, path: Path, context: SourceContext) -> None:
        self._path = str(path)
        self._context = context
        self._all = context.data_dir / CsvKind.prefix
        self.folder = self._all / "none"

    def note(self, identity: Identity) -> None:
        """Write down which file is meant, where nothing is known of it: it may be moved before it is read."""
        with self._fault("read"), self._context.transaction() as db:
            if db.scalar(select(_FILE.c.path).where(_FILE.c.path == self._path)) is None:
                self._remove_left({str(name) for name in db.scalars(select(_FILE.c.folder))})
                kept = Kept(0, self._context.position or 0, *identity)
                state = json.dumps({"files": [asdict(kept)], "is_new": True})
                db.execute(insert(_FILE).values(path=self._path, folder=uuid.uuid4().hex[:12], state=state))

    def load(self) -> Mapping[str, Any]:
        """Return what was saved last; nothing if that is lost. Makes the folder."""
        with self._fault("read"):
            with self._context.transaction() as db:
                found = db.execute(select(_FILE.c.folder, _FILE.c.state).where(_FILE.c.path == self._path)).one()
            known: dict[str, Any] = json.loads(found.state)
            self.folder = self._all / str(found.folder)
            if not self.folder.is_dir() and not known.get("is_new"):
                known = {}
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return known

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep it."""
        with self._fault("kept"), self._context.transaction() as db:
            db.execute(update(_FILE).where(_FILE.c.path == self._path).values(state=json.dumps(state)))

    @contextmanager
    def _fault(self, what: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, TablesError, OSError) as error:
            raise LinkError(
                f"What is known of {self._path} cannot be {what}: {error}. Check the disk of the data folder."
            ) from error

    def _remove_left(self, known: set[str]) -> None:
        """Remove what a crash has left between a folder and its row in the table."""
        for folder in self._all.glob("*") if self._all.is_dir() else ():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)


def _path(config: SourceConfig) -> Path:
    return Path(config.link.removeprefix("csv:"))


_KIND = CsvKind()
register_kind(CsvKind.prefix, lambda: _KIND)
