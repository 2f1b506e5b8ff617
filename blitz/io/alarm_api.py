"""The HTTP calls about alarms: what there is, who has seen it, and the rules.

Owns how these requests look. Plain functions run in worker threads, so that a call which waits for the disk holds up
nobody; errors become problem details in :mod:`blitz.io.api`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from blitz.data.alarm_records import AlarmOccurrence, KeptRule
from blitz.data.alarm_rule import AlarmRule
from blitz.errors import ConfigError
from blitz.io.alarms import Alarms
from blitz.io.askers import NoteSubject, TokenName
from blitz.io.source_api import Owner

MOST_OF_PAGE = 1000

AlarmId = Annotated[int, Path(ge=1, lt=1 << 53, description="as the list has it")]
RuleId = Annotated[str, Path(max_length=100, description="as the list has it; `no_data:SOURCE` is a source's own")]
Version = Annotated[int | None, Query(ge=1, lt=1 << 53, description="the change is based on it; absent: on any")]
Later = Annotated[bool, Query(description="its source or channel need not be there yet")]


class SeenRequest(BaseModel):
    """What whoever acknowledges writes of it."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=1000)


def alarm_calls(alarms: Alarms | None) -> APIRouter:
    """Return the calls, ``/alarms``. :param alarms: None where there are none."""
    calls = APIRouter(tags=["alarms"])

    def known() -> Alarms:
        if alarms is None:
            raise ConfigError("This server has no alarms: it was put together without them.")
        return alarms

    @calls.get("/alarms", response_model_exclude_none=True)
    def list_alarms() -> list[AlarmOccurrence]:
        """Return the present alarms, newest first: active, or over and seen by nobody."""
        return known().present()

    @calls.get("/alarms/history", response_model_exclude_none=True)
    def list_past_alarms(
        before: Annotated[int | None, Query(ge=1, lt=1 << 53, description="behind this id of the page before")] = None,
        count: Annotated[int, Query(ge=1, le=MOST_OF_PAGE)] = 100,
        rule: Annotated[str, Query(max_length=100, description="only those of this rule")] = "",
    ) -> list[AlarmOccurrence]:
        """Return a page of all alarms that there were, newest first."""
        return known().history(before, count, rule)

    @calls.post("/alarms/acknowledge", response_model_exclude_none=True)
    def acknowledge_all(request: SeenRequest, owner: Owner, token: TokenName) -> list[AlarmOccurrence]:
        """Say that all present alarms were seen; return those of which that is new."""
        return known().acknowledge_all(token or owner, request.note)

    @calls.post("/alarms/{alarm_id}/acknowledge", response_model_exclude_none=True)
    def acknowledge(alarm_id: AlarmId, request: SeenRequest, owner: Owner, token: TokenName) -> AlarmOccurrence:
        """Say that an alarm was seen; the first who says so stands there."""
        return known().acknowledge(alarm_id, token or owner, request.note)

    @calls.get("/alarms/rules", response_model_exclude_none=True)
    def list_rules() -> list[KeptRule]:
        """Return all rules, how they stand, and what is wrong with them."""
        return known().rules()

    @calls.post("/alarms/rules", status_code=201, response_model_exclude_none=True)
    def add_rule(
        rule: AlarmRule, owner: Owner, token: TokenName, note_subject: NoteSubject, later: Later = False
    ) -> KeptRule:
        """Add a rule, which holds from now on; what its commands move waits until it was confirmed twice."""
        kept = known().add(rule, token or owner, later=later)
        note_subject(kept.id)
        return kept

    @calls.patch("/alarms/rules/{rule_id}", response_model_exclude_none=True)
    def change_rule(
        rule_id: RuleId,
        changes: dict[str, Any],
        owner: Owner,
        token: TokenName,
        version: Version = None,
        later: Later = False,
    ) -> KeptRule:
        """Change some fields of a rule, `is_enabled` among them; 409 if somebody else has changed it meanwhile."""
        return known().change(rule_id, changes, version, token or owner, later=later)

    @calls.post("/alarms/rules/{rule_id}/confirm", response_model_exclude_none=True)
    def confirm_rule(rule_id: RuleId, owner: Owner, token: TokenName, version: Version = None) -> KeptRule:
        """Say that the rule, as it stands, is to send what moves or heats something; needed twice."""
        return known().confirm(rule_id, version, token or owner)

    @calls.delete("/alarms/rules/{rule_id}", status_code=204)
    def remove_rule(rule_id: RuleId, owner: Owner, token: TokenName) -> None:
        """Remove a rule; what it had raised is over. A source's own is then as it was at first."""
        known().remove(rule_id, token or owner)

    return calls
