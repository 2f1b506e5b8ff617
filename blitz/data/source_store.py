"""What the server keeps of its sources over restarts: the sources, each change to them, and versions of definitions.

Owns the tables in ``server.db`` in the server's data folder. Knows nothing of ports, sessions and Redis, and
nothing of the file ``--serial`` options come from. Every call is one short transaction on a local disk; it may come
from any thread, but never from an event loop.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from blitz.data.board_definition import BoardDefinition
from blitz.data.kind_tables import forget_source, make_tables
from blitz.data.model_faults import first_fault
from blitz.data.server_tables import DEFINITIONS, HISTORY, IGNORED, SOURCES
from blitz.data.source_changes import changed_source, describe_changes
from blitz.data.source_config import SourceConfig
from blitz.data.source_kinds import SourceKind
from blitz.data.source_places import SourcePlaces, forget_place
from blitz.data.source_records import DefinitionVersion, SourceChange
from blitz.errors import SourceExists, TablesError, UnknownSource

__all__ = ["SourceChange", "SourceStore", "changed_source"]

log = logging.getLogger(__name__)

_Kept = TypeVar("_Kept", bound=BaseModel)


class SourceStore(SourcePlaces):
    """The sources of one server, open until :meth:`close`."""

    def sources(self) -> list[SourceConfig]:
        """Return all sources, in the order in which they were added; those that cannot be read left out."""
        return self.all_sources()[0]

    def all_sources(self) -> tuple[list[SourceConfig], dict[str, str]]:
        """Return all sources in the order in which they were added, and by name what is wrong with the others."""
        with self.transaction() as db:
            rows = db.execute(select(SOURCES.c.name, SOURCES.c.config).order_by(SOURCES.c.id)).all()
        sources, wrong = [], {}
        for name, config in rows:
            try:
                sources.append(self._read(SourceConfig, config, f"source {name!r}"))
            except TablesError as error:
                wrong[name] = str(error)
        return sources, wrong

    def source(self, name: str) -> SourceConfig:
        """Return one source.

        :raises UnknownSource: if there is none of that name.
        """
        with self.transaction() as db:
            return self._find(db, name)

    def add(
        self,
        config: SourceConfig,
        who: str = "",
        *,
        kind: SourceKind | None = None,
        start: Callable[[Connection], None] = lambda db: None,
    ) -> SourceConfig:
        """Keep a new source and return it; a definition that comes with it is in force.

        :param kind: what it is, whose own tables are made with it.
        :param start: called before it is kept: what it raises undoes all of it.
        :raises SourceExists: if there is one of that name.
        """
        with self.transaction() as db:
            self._check_free(db, config.name)
            db.execute(insert(SOURCES).values(name=config.name, config=_to_json(config)))
            _log(db, config.name, who, f"added: {config.link}", config)
            if config.definition is not None:
                self._put_in_force(db, config.name, config.definition, who, _serial_number(config))
            forget_place(db, config.link)
            if kind is not None:
                make_tables(db, kind)
            start(db)
        return config

    def make_tables(self, kind: SourceKind) -> None:
        """Make the tables of a kind that are not there: a newer package may have more of them."""
        with self.transaction() as db:
            make_tables(db, kind)

    def update(self, name: str, changes: SourceConfig | Mapping[str, Any], who: str = "") -> SourceConfig:
        """Change a source and return it as it is now.

        :param changes: fields and their new values, those of ``serial`` one by one, what is absent staying as it is;
            or the source as a whole. A new ``name`` takes history and definitions along; a new definition is in force.
        :raises UnknownSource: if there is none of that name.
        :raises SourceExists: if the new name is taken.
        :raises ConfigError: if a field does not exist, or its value is wrong.
        """
        with self.transaction() as db:
            before = self._find(db, name)
            after = changes if isinstance(changes, SourceConfig) else changed_source(before, changes)
            if after == before:
                return before
            if after.name != name:
                self._check_free(db, after.name)
                _rename(db, name, after.name)
            db.execute(update(SOURCES).where(SOURCES.c.name == name).values(name=after.name, config=_to_json(after)))
            _log(db, after.name, who, describe_changes(before, after), after)
            if after.definition not in (None, before.definition):
                self._put_in_force(db, after.name, after.definition, who, _serial_number(after))
        return after

    def delete(self, name: str, who: str = "", *, kind: SourceKind | None = None) -> None:
        """Forget a source. Its history stays; its definitions stay as versions, none being in force.

        One that cannot be read any more goes, too.

        :param kind: what it is: its rows in the kind's tables go, and the tables with the last source of the kind.
        :raises UnknownSource: if there is none of that name.
        """
        with self.transaction() as db:
            document = self._document(db, name)
            try:
                config = self._read(SourceConfig, document, f"source {name!r}")
            except TablesError as error:
                log.warning("%s It is removed", error)
                config = None
            db.execute(delete(SOURCES).where(SOURCES.c.name == name))
            if config is not None:
                forget_place(db, config.link)
                forget_source(db, kind, config)
            if _newest(db, name) is not None:
                _insert_version(db, name, None, who, "")
            _log(db, name, who, "removed", config)

    def ignored_devices(self) -> frozenset[str]:
        """Return the devices of which nobody wants to be asked, by what tells them from others."""
        with self.transaction() as db:
            return frozenset(db.scalars(select(IGNORED.c.device)))

    def ignore_device(self, device: str, is_ignored: bool = True) -> None:
        """Ask no more of a new device; or again."""
        with self.transaction() as db:
            db.execute(delete(IGNORED).where(IGNORED.c.device == device))
            if is_ignored:
                db.execute(insert(IGNORED).values(device=device))

    def history(self, name: str) -> list[SourceChange]:
        """Return each change to the sources that had this name, oldest first."""
        columns = HISTORY.c.changed_ms, HISTORY.c.who, HISTORY.c.what
        with self.transaction() as db:
            rows = db.execute(select(*columns).where(HISTORY.c.source == name).order_by(HISTORY.c.id)).all()
        return [SourceChange(at=_moment(changed_ms), who=who, what=what) for changed_ms, who, what in rows]

    def definition(self, source_name: str, serial_number: str | None = None) -> BoardDefinition | None:
        """Return the definition in force for a source, which need not be a configured one; None if there is none.

        :param serial_number: of the device that stands there now: what was saved for another device does not count.
        """
        with self.transaction() as db:
            row = _newest(db, source_name, serial_number)
        return None if row is None or row.definition is None else self._definition(source_name, row)

    def save_definition(
        self, source_name: str, definition: BoardDefinition, who: str = "", serial_number: str = ""
    ) -> int:
        """Put a definition in force and return the number of its version, an old one if nothing has changed.

        :param source_name: need not be a configured one: ports that were found have definitions, too.
        """
        with self.transaction() as db:
            return self._put_in_force(db, source_name, definition, who, serial_number)

    def definition_versions(self, source_name: str) -> list[DefinitionVersion]:
        """Return all definitions that a source had, oldest first."""
        query = select(DEFINITIONS).where(DEFINITIONS.c.source == source_name, DEFINITIONS.c.definition.is_not(None))
        with self.transaction() as db:
            rows = db.execute(query.order_by(DEFINITIONS.c.version)).all()
        return [
            DefinitionVersion(
                version=row.version,
                changed_at=_moment(row.changed_ms),
                who=row.who,
                serial_number=row.serial_number,
                definition=self._definition(source_name, row),
            )
            for row in rows
        ]

    def _find(self, db: Connection, name: str) -> SourceConfig:
        return self._read(SourceConfig, self._document(db, name), f"source {name!r}")

    def _document(self, db: Connection, name: str) -> str:
        document = db.scalar(select(SOURCES.c.config).where(SOURCES.c.name == name))
        if document is None:
            raise UnknownSource(f"There is no source {name!r}. 'blitz source list' lists those that are configured.")
        return str(document)

    def _check_free(self, db: Connection, name: str) -> None:
        if db.scalar(select(SOURCES.c.id).where(SOURCES.c.name == name)) is not None:
            raise SourceExists(f"There is a source {name!r} already. Choose another name, or change that one.")

    def _put_in_force(
        self, db: Connection, source_name: str, definition: BoardDefinition, who: str, serial_number: str
    ) -> int:
        newest = _newest(db, source_name)
        is_same_device = newest is not None and newest.definition and newest.serial_number == serial_number
        if newest is not None and is_same_device and self._definition(source_name, newest) == definition:
            return int(newest.version)
        version = _insert_version(db, source_name, _to_json(definition), who, serial_number)
        _log(db, source_name, who, f"definition: version {version}, {definition.id}", None)
        return version

    def _definition(self, source_name: str, row: Row[Any]) -> BoardDefinition:
        what = f"definition of {source_name!r}, version {row.version}"
        return self._read(BoardDefinition, row.definition, what)

    def _read(self, kind: type[_Kept], document: str, what: str) -> _Kept:
        try:
            return kind.model_validate_json(document)
        except ValidationError as error:
            raise TablesError(
                f"The {what} in {self.path} cannot be read: {first_fault(error)}. "
                "Bring the file back from a backup, or move it away and configure the sources anew."
            ) from error


def _serial_number(config: SourceConfig) -> str:
    return config.identity.serial_number if config.identity is not None else ""


def _newest(db: Connection, source_name: str, serial_number: str | None = None) -> Row[Any] | None:
    query = select(DEFINITIONS).where(DEFINITIONS.c.source == source_name)
    if serial_number is not None:
        query = query.where(DEFINITIONS.c.serial_number.in_(("", serial_number)))
    return db.execute(query.order_by(DEFINITIONS.c.version.desc()).limit(1)).first()


def _insert_version(db: Connection, source: str, document: str | None, who: str, serial_number: str) -> int:
    last = db.scalar(select(func.max(DEFINITIONS.c.version)).where(DEFINITIONS.c.source == source))
    version = (last or 0) + 1
    row = {
        "source": source,
        "version": version,
        "changed_ms": _now_ms(),
        "who": who,
        "serial_number": serial_number,
        "definition": document,
    }
    db.execute(insert(DEFINITIONS).values(row))
    return version


def _rename(db: Connection, name: str, new_name: str) -> None:
    """Let history and definitions follow a source; those of an earlier source of the new name come before them."""
    earlier = _newest(db, new_name)
    moved = update(DEFINITIONS).where(DEFINITIONS.c.source == name)
    db.execute(moved.values(source=new_name, version=DEFINITIONS.c.version + (earlier.version if earlier else 0)))
    db.execute(update(HISTORY).where(HISTORY.c.source == name).values(source=new_name))


def _log(db: Connection, source: str, who: str, what: str, config: SourceConfig | None) -> None:
    document = None if config is None else _to_json(config)
    row = {"source": source, "changed_ms": _now_ms(), "who": who, "what": what, "config": document}
    db.execute(insert(HISTORY).values(row))


def _to_json(model: BaseModel) -> str:
    return model.model_dump_json()


def _now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
