"""Alarms of one server in ``server.db``: rules, what was raised, and how far messages were looked at.

What was raised and how far it was looked is written in one transaction: after a crash evaluation goes on from there,
and each crossing is there once. Knows nothing of how rules are evaluated (:mod:`blitz.data.alarm_evaluation`).
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or_leave

from blitz.data.alarm_records import AlarmCrossing, AlarmOccurrence, AlarmState
from blitz.data.alarm_rule import AlarmRule
from blitz.data.server_tables import ALARM_PLACE, ALARMS
from blitz.data.table_file import TableFile
from blitz.errors import AlarmNotFound

log = logging.getLogger(__name__)

MOST_KEPT = 20_000
"""Of alarms that are over and seen, the oldest go."""
MOST_OPEN = 200
"""Of one rule that nobody acknowledges; of more, the oldest are taken for seen by nobody."""
_CLEAN_EACH = 500
UNSEEN = "nobody: many more followed"
_ALARM = select(ALARMS.c.id, ALARMS.c.occurrence)


class AlarmStore(TableFile):
    """Occurrences, and the place of evaluation. Rules are in :class:`~blitz.data.alarm_rule_store.AlarmRuleStore`."""

    def present(self) -> list[AlarmOccurrence]:
        """Return what operators are shown: what is active, or was and nobody has seen it; oldest first."""
        with self.transaction() as db:
            return _read(db, _ALARM.where(ALARMS.c.is_open == 1).order_by(ALARMS.c.id))

    def history(self, before: int | None = None, count: int = 100, rule_id: str = "") -> list[AlarmOccurrence]:
        """Return a page of all that was raised, newest first.

        :param before: the id of the oldest one of the page before.
        """
        query = _ALARM
        if before is not None:
            query = query.where(ALARMS.c.id < before)
        if rule_id:
            query = query.where(ALARMS.c.rule_id == rule_id)
        with self.transaction() as db:
            return _read(db, query.order_by(ALARMS.c.id.desc()).limit(count))

    def occurrence(self, alarm_id: int) -> AlarmOccurrence:
        """Return one.

        :raises AlarmNotFound: if there is none with that id.
        """
        with self.transaction() as db:
            return _find(db, alarm_id)

    def place(self) -> dict[str, Any] | None:
        """Return what :meth:`commit` wrote last; None if it never did."""
        with self.transaction() as db:
            place = db.scalar(select(ALARM_PLACE.c.place))
        found: dict[str, Any] | None = None if place is None else json.loads(place)
        return found

    def commit(
        self,
        crossings: Sequence[AlarmCrossing],
        rules: Mapping[str, AlarmRule],
        place: Mapping[str, Any] | None,
        unit_of: Callable[[AlarmRule], str] = lambda rule: "",
    ) -> tuple[list[tuple[AlarmCrossing, AlarmOccurrence]], list[AlarmOccurrence]]:
        """Write down what was crossed, and up to where was looked; all of it or nothing.

        :param rules: those that are evaluated, by id; what others raise is left out.
        :param place: fit for JSON; None: as it was.
        :returns: what is new, in order; what is there already, is not. And those that nobody has to acknowledge any
            more, since too many followed.
        """
        told: list[tuple[AlarmCrossing, AlarmOccurrence]] = []
        given_up: list[AlarmOccurrence] = []
        with self.transaction() as db:
            for crossing in crossings:
                if crossing.is_raised:
                    if crossing.rule_id not in rules:
                        continue
                    rule = rules[crossing.rule_id]
                    occurrence = _raise(db, crossing, rule, unit_of(rule))
                    changed = [] if occurrence is None else [occurrence]
                    given_up += _give_up(db, crossing.rule_id, _moment(crossing.time_ns))
                else:
                    moment = _moment(crossing.time_ns)
                    changed = _clear(db, crossing.rule_id, moment)
                told += [(crossing, occurrence) for occurrence in changed]
            if place is not None:
                db.execute(delete(ALARM_PLACE))
                db.execute(insert(ALARM_PLACE).values(id=1, place=json.dumps(place)))
        return told, given_up

    def clear(self, rule_id: str, at: datetime) -> list[AlarmOccurrence]:
        """A rule is gone, or another: what it had raised is over."""
        with self.transaction() as db:
            return _clear(db, rule_id, at)

    def acknowledge(self, alarm_id: int, who: str, note: str, at: datetime) -> tuple[AlarmOccurrence, bool]:
        """Write down that somebody has seen it; return it as it is now, and whether that is new.

        :raises AlarmNotFound: if there is none with that id.
        """
        with self.transaction() as db:
            before = _find(db, alarm_id)
            if before.acknowledged_at is not None:
                return before, False
            return _write(db, _acknowledged(before, who, note, at)), True

    def acknowledge_all(self, who: str, note: str, at: datetime) -> list[AlarmOccurrence]:
        """Write down that somebody has seen all that is shown; return those of which that is new."""
        with self.transaction() as db:
            shown = _read(db, _ALARM.where(ALARMS.c.is_open == 1).order_by(ALARMS.c.id))
            unseen = [each for each in shown if each.acknowledged_at is None]
            return [_write(db, _acknowledged(each, who, note, at)) for each in unseen]

    def add_done(self, alarm_id: int, sentence: str) -> AlarmOccurrence:
        """Write down what came of an action."""
        with self.transaction() as db:
            before = _find(db, alarm_id)
            return _write(db, before.model_copy(update={"done": (*before.done, sentence)}))


def _raise(db: Connection, crossing: AlarmCrossing, rule: AlarmRule, unit: str) -> AlarmOccurrence | None:
    """Write down one that is raised; None if it is there."""
    occurrence = AlarmOccurrence(
        id=0,
        rule_id=crossing.rule_id,
        rule=rule,
        source=rule.source,
        channel=rule.channel,
        unit=unit,
        session_id=crossing.session_id or None,
        seq=None if crossing.seq < 0 else crossing.seq,
        value=crossing.value,
        raised_at=_moment(crossing.time_ns),
        raised_ns=crossing.time_ns,
    )
    made = db.execute(
        insert_or_leave(ALARMS)
        .values(
            crossing=f"{crossing.rule_id} {crossing.session_id} {crossing.seq} {crossing.time_ns}",
            rule_id=crossing.rule_id,
            raised_ns=crossing.time_ns,
            is_open=1,
            occurrence="",
        )
        .on_conflict_do_nothing()
    )
    if not made.rowcount:
        return None
    alarm_id = int((made.inserted_primary_key or (0,))[0])
    occurrence = _write(db, occurrence.model_copy(update={"id": alarm_id}))
    if alarm_id % _CLEAN_EACH == 0:
        _clean(db)
    return occurrence


def _clear(db: Connection, rule_id: str, at: datetime) -> list[AlarmOccurrence]:
    query = _ALARM.where(ALARMS.c.rule_id == rule_id, ALARMS.c.is_open == 1).order_by(ALARMS.c.id)
    active = [each for each in _read(db, query) if each.cleared_at is None]
    return [_write(db, each.model_copy(update={"cleared_at": max(at, each.raised_at)})) for each in active]


def _acknowledged(occurrence: AlarmOccurrence, who: str, note: str, at: datetime) -> AlarmOccurrence:
    return occurrence.model_copy(update={"acknowledged_at": at, "acknowledged_by": who, "note": note})


def _give_up(db: Connection, rule_id: str, at: datetime) -> list[AlarmOccurrence]:
    """Let nobody have to acknowledge thousands that a badly chosen limit has raised."""
    of_rule = select(func.count()).select_from(ALARMS).where(ALARMS.c.rule_id == rule_id, ALARMS.c.is_open == 1)
    too_many = (db.scalar(of_rule) or 0) - MOST_OPEN
    if too_many <= 0:
        return []
    query = _ALARM.where(ALARMS.c.rule_id == rule_id, ALARMS.c.is_open == 1).order_by(ALARMS.c.id).limit(too_many)
    return [_write(db, _acknowledged(each, UNSEEN, "", at)) for each in _read(db, query)]


def _clean(db: Connection) -> None:
    of_kept = select(ALARMS.c.id).where(ALARMS.c.is_open == 0).order_by(ALARMS.c.id.desc()).limit(1).offset(MOST_KEPT)
    last = db.scalar(of_kept)
    if last is not None:
        db.execute(delete(ALARMS).where(ALARMS.c.is_open == 0, ALARMS.c.id <= last))


def _write(db: Connection, occurrence: AlarmOccurrence) -> AlarmOccurrence:
    is_open = occurrence.state is not AlarmState.NORMAL
    row = {"is_open": int(is_open), "occurrence": occurrence.model_dump_json()}
    db.execute(update(ALARMS).where(ALARMS.c.id == occurrence.id).values(row))
    return occurrence


def _find(db: Connection, alarm_id: int) -> AlarmOccurrence:
    found = _read(db, _ALARM.where(ALARMS.c.id == alarm_id))
    if not found:
        raise AlarmNotFound(f"There is no alarm {alarm_id}. 'blitz alarm history' lists those that there were.")
    return found[0]


def _read(db: Connection, query: Select[Any]) -> list[AlarmOccurrence]:
    return [each for row in db.execute(query) if (each := _occurrence(row)) is not None]


def _occurrence(row: Row[Any]) -> AlarmOccurrence | None:
    try:
        return AlarmOccurrence.model_validate_json(row.occurrence)
    except ValidationError:
        log.warning("Alarm %s in the server's tables cannot be read", row.id)
        return None


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9, UTC)
