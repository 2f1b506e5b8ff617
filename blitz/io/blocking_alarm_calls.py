"""The calls of :class:`~blitz.io.alarm_calls.AlarmCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from blitz.data.alarm_records import AlarmOccurrence, KeptRule
from blitz.data.alarm_rule import AlarmRule
from blitz.io.alarm_calls import AlarmCalls

_T = TypeVar("_T")


class BlockingAlarmCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> AlarmCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def alarms(self) -> list[AlarmOccurrence]:
        """Return the present alarms, newest first: active, or over and seen by nobody."""
        return self._call(self._calls.alarms)

    def alarm_history(self, before: int | None = None, count: int = 100, rule_id: str = "") -> list[AlarmOccurrence]:
        """Return a page of all alarms that there were, newest first."""
        return self._call(partial(self._calls.alarm_history, before, count, rule_id))

    def acknowledge_alarm(self, alarm_id: int, note: str = "") -> AlarmOccurrence:
        """Say that an alarm was seen, and return it."""
        return self._call(partial(self._calls.acknowledge_alarm, alarm_id, note))

    def acknowledge_alarms(self, note: str = "") -> list[AlarmOccurrence]:
        """Say that all present alarms were seen; return those of which that is new."""
        return self._call(partial(self._calls.acknowledge_alarms, note))

    def alarm_rules(self) -> list[KeptRule]:
        """Return all rules, how they stand, and what is wrong with them."""
        return self._call(self._calls.alarm_rules)

    def add_alarm_rule(self, rule: AlarmRule | Mapping[str, Any], *, later: bool = False) -> KeptRule:
        """Add a rule, which holds from now on, and return it with its id."""
        return self._call(partial(self._calls.add_alarm_rule, rule, later=later))

    def change_alarm_rule(
        self, rule_id: str, *, version: int | None = None, later: bool = False, **changes: Any
    ) -> KeptRule:
        """Change some fields of a rule, such as ``is_enabled=False``, and return it."""
        return self._call(partial(self._calls.change_alarm_rule, rule_id, version=version, later=later, **changes))

    def confirm_alarm_rule(self, rule_id: str, *, version: int | None = None) -> KeptRule:
        """Say that a rule, as it stands, is to send what moves or heats something; needed twice, a second apart."""
        return self._call(partial(self._calls.confirm_alarm_rule, rule_id, version=version))

    def remove_alarm_rule(self, rule_id: str) -> None:
        """Remove a rule; what it had raised is over. A source's own rule is then as it was at first."""
        self._call(partial(self._calls.remove_alarm_rule, rule_id))
