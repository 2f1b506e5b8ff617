"""Definitions by which a cached session is read: those of the recording, and corrected ones.

The raw messages never change. Each correction is a version of its own, kept with the session's id and start, so that
it outlives another download of that session. A version holds every definition that differs from the recording's, so
that any version can go without the others.
"""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from pydantic import AwareDatetime, Field
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session as Transaction

from blitz.data.board_definition import BoardDefinition
from blitz.data.definition_checks import check_definitions, check_readability, with_definitions
from blitz.data.models import DefinitionVersion, SessionCopy
from blitz.data.records import Record, SessionRecord, Source
from blitz.data.session_copies import SessionCopies
from blitz.data.session_list import find_copy
from blitz.data.version_comparison import VersionComparison, compare_readings
from blitz.errors import CacheError, SessionNotFound


class DefinitionVersionRecord(Record):
    """One version of the definitions of a session; number 0, the recording's own, is in no list."""

    number: int = Field(ge=1)
    created_at: AwareDatetime
    who: str = ""
    reason: str = ""
    sources: tuple[str, ...] = Field(description="names of the sources whose definition is not the recording's")


class DefinitionVersions(SessionCopies):
    """The part of the cache that says how a session's raw messages are read."""

    def session_sources(self, session_id: int, version: int | None = None) -> tuple[Source, ...]:
        """Return a downloaded session's source table with the definitions of a version.

        :param version: 0 for those of the recording; None for the newest.
        :raises SessionNotFound: if the session is not downloaded, or has no such version.
        """
        with self._reading() as db:
            copy = _whole_copy(db, session_id)
            recorded = _recorded_sources(copy)
            if version == 0:
                return recorded
            row = _version(db, copy, version)
            if row is None and version is not None:
                raise _no_version(db, copy, version)
        return recorded if row is None else _apply(recorded, row)

    def add_definition_version(
        self,
        session_id: int,
        definitions: Mapping[str, BoardDefinition] | Mapping[int, BoardDefinition],
        reason: str = "",
        who: str = "",
    ) -> int:
        """Read a downloaded session by other definitions from now on, and return the version's number, from 1.

        The other sources keep those of the newest version. Before anything is kept, the session's messages are tried.

        :param definitions: by a source's name, for all rows of the source table with that name, or by its index.
        :param reason: why, for people.
        :raises SessionNotFound: if the session is not downloaded.
        :raises UnknownSource: if it has no such source.
        :raises ConfigError: if a definition cannot read any message of its source, gives a channel two units, or
            changes nothing.
        """
        known = self.session_sources(session_id)
        sources = with_definitions(known, definitions)
        check_definitions(known, sources)
        changed = {new.index for old, new in zip(known, sources, strict=True) if old.definition != new.definition}
        check_readability(self.session_blocks(session_id), [each for each in sources if each.index in changed])
        with self._writing() as db:
            copy = _whole_copy(db, session_id)
            recorded = _recorded_sources(copy)
            if {source.index for source in recorded} - {source.index for source in sources}:
                raise CacheError(f"Session {session_id} was downloaded anew meanwhile. Try again.")
            newest = _version(db, copy, None)
            number = 1 if newest is None else newest.number + 1
            db.add(
                DefinitionVersion(
                    session_ref_id=copy.session_ref_id,
                    started_ms=copy.started_ms,
                    number=number,
                    created_ms=time.time_ns() // 1_000_000,
                    who=who,
                    reason=reason,
                    definitions=_as_json(recorded, sources),
                )
            )
        return number

    def definition_versions(self, session_id: int) -> list[DefinitionVersionRecord]:
        """Return the versions of a downloaded session, oldest first, without the recording's own.

        :raises SessionNotFound: if the session is not downloaded.
        """
        with self._reading() as db:
            copy = _whole_copy(db, session_id)
            rows = db.scalars(_of(copy).order_by(DefinitionVersion.number)).all()
        names = {source.index: source.name for source in _recorded_sources(copy)}
        return [_record(row, names) for row in rows]

    def delete_definition_version(self, session_id: int, number: int | None = None) -> int:
        """Delete a version, and return its number; the session is read by the newest that is left.

        :param number: None for the newest.
        :raises SessionNotFound: if the session is not downloaded, or has no such version.
        """
        with self._writing() as db:
            copy = _whole_copy(db, session_id)
            row = _version(db, copy, number)
            if row is None:
                raise _no_version(db, copy, number)
            deleted = row.number
            db.delete(row)
        return deleted

    def delete_session(self, session_id: int) -> None:
        """Delete a session, what is cached of it, and its corrected definitions.

        Unless the server does the same, the next list brings the session back.
        """
        super().delete_session(session_id)
        with self._writing() as db:
            db.execute(delete(DefinitionVersion).where(DefinitionVersion.session_ref_id == int(session_id)))

    def compare_versions(
        self,
        session_id: int,
        before: int | None = 0,
        after: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> VersionComparison:
        """Read a downloaded session by two versions at once, in the memory of a few blocks.

        :param before: 0 is the recording; None the newest.
        :param progress: called with messages read and messages in all; what it raises ends the comparison.
        :raises SessionNotFound: if the session is not downloaded, or has no such version.
        """
        count = self.session_record(session_id).message_count
        tables = self.session_sources(session_id, before), self.session_sources(session_id, after)
        report = None if progress is None else (lambda done: progress(min(done, count), count))
        return compare_readings(self.session_blocks(session_id), *tables, report)


def _whole_copy(db: Transaction, session_id: int) -> SessionCopy:
    copy = find_copy(db, session_id, is_whole=True)
    if copy is None:
        raise SessionNotFound(f"Session {session_id} is not in the cache. Download it first.")
    return copy


def _recorded_sources(copy: SessionCopy) -> tuple[Source, ...]:
    if copy.record is None:
        raise CacheError(
            f"Session {copy.session_ref_id} is damaged in the cache: its record is gone. Download it again."
        )
    return SessionRecord.model_validate_json(copy.record).sources


def _of(copy: SessionCopy) -> Select[DefinitionVersion]:
    return select(DefinitionVersion).where(
        DefinitionVersion.session_ref_id == copy.session_ref_id, DefinitionVersion.started_ms == copy.started_ms
    )


def _version(db: Transaction, copy: SessionCopy, number: int | None) -> DefinitionVersion | None:
    """Return a version, or the newest; None where there is none."""
    query = _of(copy).order_by(DefinitionVersion.number.desc()).limit(1)
    return db.scalar(query if number is None else query.where(DefinitionVersion.number == number))


def _no_version(db: Transaction, copy: SessionCopy, number: int | None) -> SessionNotFound:
    numbers = db.scalars(_of(copy).with_only_columns(DefinitionVersion.number).order_by(DefinitionVersion.number)).all()
    what = "no corrected definitions" if number is None else f"no version {number} of its definitions"
    there = f"There are: 0 (the recording), {', '.join(map(str, numbers))}." if numbers else "It has the recording's."
    return SessionNotFound(f"Session {copy.session_ref_id} has {what}. {there}")


def _apply(recorded: tuple[Source, ...], row: DefinitionVersion) -> tuple[Source, ...]:
    try:
        definitions = {
            int(index): BoardDefinition.model_validate(fields) for index, fields in json.loads(row.definitions).items()
        }
    except (ValueError, AttributeError) as error:
        raise CacheError(
            f"Version {row.number} of the definitions of session {row.session_ref_id} is damaged in the cache. "
            "Delete it, and correct them again."
        ) from error
    return tuple(
        source.model_copy(update={"definition": definitions[source.index]}) if source.index in definitions else source
        for source in recorded
    )


def _as_json(recorded: tuple[Source, ...], sources: tuple[Source, ...]) -> str:
    """Return the definitions that are not the recording's, by index."""
    before = {source.index: source.definition for source in recorded}
    return json.dumps(
        {
            str(source.index): source.definition.model_dump(mode="json", exclude_defaults=True)
            for source in sources
            if source.definition is not None and source.definition != before.get(source.index)
        },
        ensure_ascii=False,
    )


def _record(row: DefinitionVersion, names: Mapping[int, str]) -> DefinitionVersionRecord:
    try:
        indices = [int(index) for index in json.loads(row.definitions)]
    except (ValueError, TypeError):
        indices = []  # damaged: it is in the list, so that it can be deleted
    return DefinitionVersionRecord(
        number=row.number,
        created_at=datetime.fromtimestamp(row.created_ms / 1000, UTC),
        who=row.who,
        reason=row.reason,
        sources=tuple(dict.fromkeys(names[index] for index in sorted(indices) if index in names)),
    )
