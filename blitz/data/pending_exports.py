"""Which sessions are to be exported by themselves: kept in the cache, so that a restart goes on with them.

A row of the settings a session; what becomes of it is decided in :mod:`blitz.data.export_at_stop`.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum

from pydantic import ValidationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session as Transaction

from blitz.data.cache_engine import CacheEngine
from blitz.data.models import Config
from blitz.data.records import Record

_PREFIX = "export_at_stop:"
_SINCE = "export_at_stop_since"
_MOST_SETTLED = 1000
"""So many exports that are done are remembered, lest they are done again."""


class ExportState(StrEnum):
    """How far an export by itself has come."""

    RECORDING = "recording"
    """The session runs."""
    PENDING = "pending"
    """It has stopped, and is to be exported."""
    DONE = "done"
    GIVEN_UP = "given_up"
    """The session was deleted meanwhile."""


class PendingExport(Record):
    """One session that is to be exported, or was."""

    session_id: int
    started_ms: int
    state: ExportState
    attempts: int = 0
    next_try_ms: int = 0
    error: str = ""
    path: str = ""

    @property
    def key(self) -> str:
        """Of its row."""
        return f"{_PREFIX}{self.session_id}:{self.started_ms}"

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in (ExportState.DONE, ExportState.GIVEN_UP)


class PendingExports(CacheEngine):
    """The part of the cache that remembers what is to be exported."""

    def pending_exports(self) -> list[PendingExport]:
        """Return all that is remembered, by session."""
        with self._reading() as db:
            return _all(db)

    def change_exports(
        self, change: Callable[[dict[tuple[int, int], PendingExport]], Iterable[PendingExport]]
    ) -> list[PendingExport]:
        """Change what is remembered, in one transaction.

        :param change: is given what there is, by session id and start; returns what is new or different.
        :returns: what it returned.
        """
        with self._writing() as db:
            known = {(each.session_id, each.started_ms): each for each in _all(db)}
            changed = list(change(dict(known)))
            for each in changed:
                row = db.scalar(select(Config).where(Config.key == each.key))
                if row is None:
                    db.add(Config(key=each.key, value=each.model_dump_json()))
                else:
                    row.value = each.model_dump_json()
                known[each.session_id, each.started_ms] = each
            settled = sorted((each for each in known.values() if each.is_settled), key=lambda each: each.started_ms)
            for each in settled[:-_MOST_SETTLED]:
                db.execute(delete(Config).where(Config.key == each.key))
                _set_since(db, each.started_ms + 1)
        return changed

    def exports_since(self, now_ms: int) -> int:
        """Return from which start on sessions are exported by themselves: since that was first asked for."""
        with self._reading() as db:
            since = db.scalar(select(Config.value).where(Config.key == _SINCE))
        if since is None:
            with self._writing() as db:
                _set_since(db, now_ms)
            return now_ms
        return int(since)


def _set_since(db: Transaction, since_ms: int) -> None:
    row = db.scalar(select(Config).where(Config.key == _SINCE))
    if row is None:
        db.add(Config(key=_SINCE, value=str(since_ms)))
    else:
        row.value = str(max(int(row.value), since_ms))


def _all(db: Transaction) -> list[PendingExport]:
    found = []
    for text in db.scalars(
        select(Config.value).where(Config.key.startswith(_PREFIX, autoescape=True)).order_by(Config.id)
    ):
        try:
            found.append(PendingExport.model_validate_json(text))
        except ValidationError:  # another version's
            continue
    return found
