"""The rules of alarms of one server, kept in ``server.db`` over restarts.

Each source has a rule of its own about no data, which is here only where somebody has changed it.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, delete, func, insert, select, update

from blitz.data.alarm_records import KeptRule
from blitz.data.alarm_rule import DEFAULT_PREFIX, AlarmRule, CommandAction, default_id, default_rule
from blitz.data.model_faults import first_fault
from blitz.data.server_tables import ALARM_RULES
from blitz.data.table_file import TableFile
from blitz.errors import AlarmRuleExists, AlarmRuleNotFound, ConfigError, EditConflict

log = logging.getLogger(__name__)

MOST_RULES = 1000


class _Kept(BaseModel):
    """What a row has."""

    rule: AlarmRule
    is_default: bool = False
    version: int = 1
    who: str = ""
    changed_at: datetime


class AlarmRuleStore(TableFile):
    """The rules that somebody has made or changed."""

    def rules(self) -> list[KeptRule]:
        """Return all of them, in the order in which they were made; one that cannot be read is left out, and said."""
        with self.transaction() as db:
            return [_shown(number, kept) for number, kept in _rows(db)]

    def rule(self, rule_id: str) -> KeptRule:
        """Return one; of a source's own rule, the one that it has if nobody has changed it.

        :raises AlarmRuleNotFound: if there is none with that id.
        """
        with self.transaction() as db:
            return self._find(db, rule_id)[1]

    def add(self, rule: AlarmRule, who: str = "") -> KeptRule:
        """Keep another one and return it with its id.

        :raises AlarmRuleExists: if there is one of that name.
        :raises ConfigError: if there are too many.
        """
        with self.transaction() as db:
            if (db.scalar(select(func.count()).select_from(ALARM_RULES)) or 0) >= MOST_RULES:
                raise ConfigError(f"The server keeps {MOST_RULES} rules already. Delete some of them.")
            return _insert(db, _Kept(rule=rule, who=who, changed_at=datetime.now(UTC)))

    def change(
        self,
        rule_id: str,
        version: int | None,
        new: Callable[[AlarmRule], AlarmRule],
        who: str,
        own: Callable[[str], KeptRule] | None = None,
    ) -> KeptRule:
        """Change one and return it as it is now.

        :param version: on which the change is based; None: whatever it is.
        :param new: makes the new rule of the old one.
        :param own: says how a source's own rule is at first.
        :raises AlarmRuleNotFound: if there is none with that id.
        :raises EditConflict: if somebody else has changed it meanwhile.
        :raises AlarmRuleExists: if there is one of the new name.
        """
        with self.transaction() as db:
            number, before = self._find(db, rule_id, own)
            if version is not None and version != before.version:
                raise EditConflict(
                    f"{before.who or 'Somebody'} has changed the rule {before.rule.name!r} meanwhile. Look at it again."
                )
            after = new(before.rule)
            if before.is_default and (after.source != before.rule.source or after.condition.kind != "no_data"):
                raise ConfigError(
                    f"The rule {before.rule.name!r} says that nothing comes from {before.rule.source!r}: make another "
                    "one for anything else."
                )
            if after == before.rule:
                return before
            kept = _Kept(
                rule=after,
                is_default=before.is_default,
                version=before.version + 1,
                who=who,
                changed_at=datetime.now(UTC),
            )
            if number is None:
                return _insert(db, kept)
            _check_free(db, after.name, number)
            row = {"name": after.name, "rule": kept.model_dump_json()}
            db.execute(update(ALARM_RULES).where(ALARM_RULES.c.id == number).values(row))
            return _shown(number, kept)

    def rename_source(self, rule_id: str, before: str, after: str) -> KeptRule:
        """Let a rule follow a source that has another name now, and return it; what was confirmed is not any more.

        :raises AlarmRuleNotFound: if there is none with that id.
        """
        with self.transaction() as db:
            number, kept = self._find(db, rule_id)
            moved = _Kept(
                rule=renamed(kept.rule, before, after),
                is_default=kept.is_default,
                version=kept.version + 1,
                who=kept.who,
                changed_at=datetime.now(UTC),
            )
            if number is None:
                return own_rule(after)
            _check_free(db, moved.rule.name, number)
            row = {"name": moved.rule.name, "rule": moved.model_dump_json()}
            db.execute(update(ALARM_RULES).where(ALARM_RULES.c.id == number).values(row))
            return _shown(number, moved)

    def remove(self, rule_id: str) -> KeptRule:
        """Forget one, and return what it was; a source's own rule is then as it was at first.

        :raises AlarmRuleNotFound: if there is none with that id.
        """
        with self.transaction() as db:
            number, kept = self._find(db, rule_id)
            if number is not None:
                db.execute(delete(ALARM_RULES).where(ALARM_RULES.c.id == number))
        return kept

    def _find(
        self, db: Connection, rule_id: str, own: Callable[[str], KeptRule] | None = None
    ) -> tuple[int | None, KeptRule]:
        """Return a rule, and in which row it is; None for a source's own rule that is as at first."""
        for number, kept in _rows(db):
            shown = _shown(number, kept)
            if shown.id == rule_id:
                return number, shown
        if rule_id.startswith(DEFAULT_PREFIX) and len(rule_id) > len(DEFAULT_PREFIX):
            return None, (own or own_rule)(rule_id.removeprefix(DEFAULT_PREFIX))
        raise AlarmRuleNotFound(f"There is no rule {rule_id!r}. 'blitz alarm rules' lists those that there are.")


def renamed(rule: AlarmRule, before: str, after: str) -> AlarmRule:
    """Return the rule with another name of a source, in what it watches and where it sends commands."""
    changes: dict[str, Any] = {
        "actions": tuple(
            action.model_copy(update={"board": after})
            if isinstance(action, CommandAction) and action.board == before
            else action
            for action in rule.actions
        )
    }
    if rule.source == before:
        changes["source"] = after
        if rule.name == default_rule(before).name:
            changes["name"] = default_rule(after).name
    return rule.model_copy(update=changes)


def own_rule(source: str, *, is_steady: bool = True) -> KeptRule:
    """Return the rule about no data that a source has without anyone making it.

    :param is_steady: something is to come from the source as long as it is there; else the rule is switched off.
    """
    rule = default_rule(source).model_copy(update={"is_enabled": is_steady})
    return KeptRule(id=default_id(source), rule=rule, is_default=True)


def _insert(db: Connection, kept: _Kept) -> KeptRule:
    _check_free(db, kept.rule.name)
    made = db.execute(insert(ALARM_RULES).values(name=kept.rule.name, rule=kept.model_dump_json()))
    return _shown(int((made.inserted_primary_key or (0,))[0]), kept)


def _check_free(db: Connection, name: str, but: int = 0) -> None:
    query = select(ALARM_RULES.c.id).where(ALARM_RULES.c.name == name, ALARM_RULES.c.id != but)
    if db.scalar(query) is not None:
        raise AlarmRuleExists(f"There is a rule {name!r} already. Choose another name, or change that one.")


def _rows(db: Connection) -> Iterator[tuple[int, _Kept]]:
    for number, document in db.execute(select(ALARM_RULES.c.id, ALARM_RULES.c.rule).order_by(ALARM_RULES.c.id)).all():
        try:
            yield number, _Kept.model_validate_json(document)
        except ValidationError as error:
            log.warning("The rule %s in the server's tables cannot be read: %s", number, first_fault(error))


def _shown(number: int, kept: _Kept) -> KeptRule:
    return KeptRule(
        id=default_id(kept.rule.source) if kept.is_default else str(number),
        rule=kept.rule,
        is_default=kept.is_default,
        version=kept.version,
        who=kept.who,
        changed_at=kept.changed_at,
    )
