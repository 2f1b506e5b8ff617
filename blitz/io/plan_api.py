"""The HTTP calls about timed runs: starts that are planned, and the end of the session that runs.

Owns how these requests look. Plain functions run in worker threads, so that a call which waits for Redis holds up
nobody; errors become problem details in :mod:`blitz.io.api`.
"""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from blitz.data.records import LONGEST_RUN_S, SHORTEST_PART_S, PlannedStart, RunWishes, SessionRecord
from blitz.data.session_words import NAME_LENGTH, NOTES_LENGTH
from blitz.io.askers import NoteSubject, TokenName
from blitz.io.notes_api import Fields, Tags
from blitz.io.run_planner import RunPlanner
from blitz.io.source_api import Owner


class _Request(BaseModel):
    """A mistyped field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


DurationS = Annotated[
    float | None, Field(gt=0, le=LONGEST_RUN_S, description="the server stops it after so long; absent: never")
]
MessageCount = Annotated[
    int | None,
    Field(gt=0, lt=1 << 53, description="the server stops it at so many messages of all boards, or a few more"),
]
RepeatEveryS = Annotated[
    float | None,
    Field(
        ge=SHORTEST_PART_S,
        le=LONGEST_RUN_S,
        description="a new session follows each time, without a message lost in between; `duration_s` and "
        "`message_count` are of all of them together",
    ),
]


class SessionWishes(_Request):
    """What a session is called, and when the server ends it by itself."""

    name: str = Field("", max_length=NAME_LENGTH)
    notes: str = Field("", max_length=NOTES_LENGTH)
    owner: str = Field("", max_length=200)
    tags: Tags = []
    fields: Fields = {}
    duration_s: DurationS = None
    message_count: MessageCount = None
    repeat_every_s: RepeatEveryS = None

    @property
    def run(self) -> RunWishes:
        """When it is to end."""
        return RunWishes(
            duration_s=self.duration_s, message_count=self.message_count, repeat_every_s=self.repeat_every_s
        )


class NewPlannedStart(SessionWishes):
    """A session that the server is to start by itself."""

    start_at: AwareDatetime = Field(description="by the server's clock")


class PlanChanges(_Request):
    """What is new of the running session's plan; what is absent stays, null takes it away."""

    left_s: DurationS = Field(None, description="it is stopped so many seconds from now")
    message_count: MessageCount = Field(None, description="it is stopped when it has so many messages")
    repeat_every_s: RepeatEveryS = None


PlanNumber = Annotated[int, Path(ge=1, lt=1 << 53, description="as the list has it")]


def plan_calls(planner: RunPlanner) -> APIRouter:
    """Return the calls, ``/planned`` and ``/sessions/{id}/plan``."""
    calls = APIRouter(tags=["timed runs"])

    @calls.get("/planned", response_model_exclude_none=True)
    def list_planned() -> list[PlannedStart]:
        """Return the starts that are planned, soonest first."""
        return list(planner.starts.all())

    @calls.post("/planned", status_code=201, response_model_exclude_none=True)
    def plan_start(request: NewPlannedStart, owner: Owner, token: TokenName, note_subject: NoteSubject) -> PlannedStart:
        """Plan a start: it takes place although nobody is connected, and outlives a restart of the server.

        If it cannot begin in time, it begins as soon as it can, less than its duration late (an hour where it has
        none), and ends when it was to end. Else it is missed, and a notice says so.
        """
        planned = planner.plan_start(
            request.start_at,
            request.run,
            name=request.name,
            notes=request.notes,
            owner=token or request.owner or owner,
            tags=request.tags,
            fields=request.fields,
        )
        note_subject(planned.id)
        return planned

    @calls.delete("/planned/{plan_id}", status_code=204)
    def cancel_planned(plan_id: PlanNumber, owner: Owner, token: TokenName) -> None:
        """Cancel a planned start."""
        planner.starts.cancel(plan_id, token or owner)

    @calls.patch("/sessions/{session_id}/plan", response_model_exclude_none=True)
    def change_plan(session_id: int, changes: PlanChanges, owner: Owner, token: TokenName) -> SessionRecord:
        """Say anew when the running session ends, if it does by itself; 409 if it does not run."""
        return planner.change(session_id, changes.model_dump(exclude_unset=True), token or owner)

    return calls
