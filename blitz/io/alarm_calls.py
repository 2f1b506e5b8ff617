"""The client library's calls about alarms: what there is, who has seen it, and the rules."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pydantic import TypeAdapter

from blitz.data.alarm_records import AlarmOccurrence, KeptRule
from blitz.data.alarm_rule import AlarmRule
from blitz.io.calls import NOTHING, Calls, quoted

_ALARM = TypeAdapter(AlarmOccurrence)
_ALARMS = TypeAdapter(list[AlarmOccurrence])
_RULE = TypeAdapter(KeptRule)
_RULES = TypeAdapter(list[KeptRule])


class AlarmCalls(Calls):
    """Rules are the server's, and evaluated there, whoever is connected. What happens comes as events ``alarm``."""

    async def alarms(self) -> list[AlarmOccurrence]:
        """Return the present alarms, newest first: active, or over and seen by nobody."""
        return await self._ask(_ALARMS, "GET", "/alarms")

    async def alarm_history(
        self, before: int | None = None, count: int = 100, rule_id: str = ""
    ) -> list[AlarmOccurrence]:
        """Return a page of all alarms that there were, newest first.

        :param before: the id of the oldest one of the page before.
        :param count: at most 1000.
        :param rule_id: only those of this rule.
        """
        wanted: dict[str, int | str] = {"count": count}
        if before is not None:
            wanted["before"] = before
        if rule_id:
            wanted["rule"] = rule_id
        return await self._ask(_ALARMS, "GET", f"/alarms/history?{urlencode(wanted)}")

    async def acknowledge_alarm(self, alarm_id: int, note: str = "") -> AlarmOccurrence:
        """Say that an alarm was seen, and return it; the first who says so stands there.

        :raises AlarmNotFound: if there is none with that id.
        """
        return await self._ask(_ALARM, "POST", f"/alarms/{int(alarm_id)}/acknowledge", {"note": note})

    async def acknowledge_alarms(self, note: str = "") -> list[AlarmOccurrence]:
        """Say that all present alarms were seen; return those of which that is new."""
        return await self._ask(_ALARMS, "POST", "/alarms/acknowledge", {"note": note})

    async def alarm_rules(self) -> list[KeptRule]:
        """Return all rules, how they stand, and what is wrong with them."""
        return await self._ask(_RULES, "GET", "/alarms/rules")

    async def add_alarm_rule(self, rule: AlarmRule | Mapping[str, Any], *, later: bool = False) -> KeptRule:
        """Add a rule, which holds from now on, and return it with its id.

        ::

            await client.add_alarm_rule(
                {"name": "Too hot", "source": "oven", "channel": "temp", "condition": {"kind": "level", "above": 90}}
            )

        :param rule: a rule, or its fields.
        :param later: its source or channel need not be there yet.
        :raises UnknownSource: if its source is not there, or has no such channel.
        :raises AlarmRuleExists: if there is a rule of that name.
        """
        fields = rule.model_dump(mode="json") if isinstance(rule, AlarmRule) else dict(rule)
        return await self._ask(_RULE, "POST", f"/alarms/rules{'?later=true' if later else ''}", fields)

    async def change_alarm_rule(
        self, rule_id: str, *, version: int | None = None, later: bool = False, **changes: Any
    ) -> KeptRule:
        """Change some fields of a rule, such as ``is_enabled=False``, and return it.

        :param version: the one that the change is based on; None: any.
        :param later: its source or channel need not be there yet.
        :raises AlarmRuleNotFound: if there is none with that id.
        :raises EditConflict: if somebody else has changed it meanwhile.
        """
        return await self._ask(_RULE, "PATCH", _path(rule_id, version, later=later), changes)

    async def confirm_alarm_rule(self, rule_id: str, *, version: int | None = None) -> KeptRule:
        """Say that a rule, as it stands, is to send what moves or heats something; needed twice, a second apart."""
        return await self._ask(_RULE, "POST", _path(rule_id, version, "/confirm"))

    async def remove_alarm_rule(self, rule_id: str) -> None:
        """Remove a rule; what it had raised is over. A source's own rule is then as it was at first.

        :raises AlarmRuleNotFound: if there is none with that id.
        """
        await self._ask(NOTHING, "DELETE", _path(rule_id))


def _path(rule_id: str, version: int | None = None, what: str = "", *, later: bool = False) -> str:
    wanted = {"version": version} if version is not None else {}
    query = urlencode(wanted | ({"later": "true"} if later else {}))
    return f"/alarms/rules/{quoted(rule_id)}{what}{f'?{query}' if query else ''}"
