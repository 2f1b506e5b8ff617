"""The audit trail: who did what with the server, from where, and how it ended. Bounded by count and age.

What was refused is counted apart from what was done, so that somebody who knocks a million times cannot push the
traces of others out of it.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from blitz.data.access_records import AuditRecord
from blitz.data.server_tables import AUDIT
from blitz.data.table_file import TableFile

KEPT_ROWS = 50_000
"""Of what was done, and again of what was refused: some 10 MB in all."""
KEPT_DAYS = 400

_DAY_MS = 86_400_000
_PRUNED_EACH = 500
_TEXT_LENGTH = 300


class Outcome(StrEnum):
    """How a call ended."""

    DONE = "done"
    FAILED = "failed"
    """It was allowed, and answered with an error."""
    FORBIDDEN = "forbidden"
    """The role does not allow it."""
    REFUSED = "refused"
    """Nobody knows who it was: no token, a wrong one, a foreign page, too many attempts."""


_DONE = (Outcome.DONE, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is to be kept of a call."""

    time_ms: int
    who: str
    origin: str
    what: str
    status: int
    outcome: Outcome
    count: int = 1


class AuditStore(TableFile):
    """The audit trail of one server, open until :meth:`close`. May be used from any thread, but from no event loop."""

    _until_pruning = 0

    def add(self, entries: Sequence[AuditEntry]) -> None:
        """Keep entries, in one transaction; now and then the oldest go."""
        if not entries:
            return
        rows = [
            asdict(entry)
            | {"who": _cut(entry.who), "origin": _cut(entry.origin), "what": _cut(entry.what)}
            | {"outcome": str(entry.outcome)}
            for entry in entries
        ]
        with self.transaction() as db:
            db.execute(insert(AUDIT), rows)
            self._until_pruning -= len(rows)
            if self._until_pruning <= 0:
                _prune(db, KEPT_ROWS, now_ms() - KEPT_DAYS * _DAY_MS)
                self._until_pruning = _PRUNED_EACH

    def last(self, count: int) -> list[AuditRecord]:
        """Return the last entries, oldest first."""
        with self.transaction() as db:
            rows = db.execute(select(AUDIT).order_by(AUDIT.c.id.desc()).limit(count)).all()
        return [_record(row) for row in reversed(rows)]


def now_ms() -> int:
    """Return the time in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def _prune(db: Connection, kept_rows: int, kept_since_ms: int) -> None:
    db.execute(delete(AUDIT).where(AUDIT.c.time_ms < kept_since_ms))
    was_done = AUDIT.c.outcome.in_(_DONE)
    for kind in (was_done, ~was_done):
        surplus = db.scalar(select(func.count()).select_from(AUDIT).where(kind)) or 0
        if surplus > kept_rows:
            oldest = select(AUDIT.c.id).where(kind).order_by(AUDIT.c.id).limit(surplus - kept_rows)
            db.execute(delete(AUDIT).where(AUDIT.c.id.in_(oldest)))


def _cut(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:_TEXT_LENGTH])


def _record(row: Row[Any]) -> AuditRecord:
    moment = datetime.fromtimestamp(row.time_ms / 1000, UTC)
    return AuditRecord(
        id=row.id,
        time=moment,
        who=row.who,
        origin=row.origin,
        what=row.what,
        status=row.status,
        outcome=row.outcome,
        count=row._mapping["count"],
    )
