"""The HTTP calls about what the store keeps and for how long: the trash, and retention.

Owns how these requests look. Plain functions run in worker threads, so that a call which waits for Redis holds up
nobody; errors become problem details in :mod:`blitz.io.api`.
"""

from fastapi import APIRouter

from blitz.data.records import SessionRecord
from blitz.data.retention import RetentionPlan
from blitz.io.session_keeper import SessionKeeper
from blitz.io.source_api import Owner


def store_calls(keeper: SessionKeeper) -> APIRouter:
    """Return the calls, ``/trash`` and ``/retention``."""
    calls = APIRouter(tags=["store"])

    @calls.get("/trash", response_model_exclude_none=True)
    def list_trash() -> list[SessionRecord]:
        """Return the sessions in the trash, what was put there last coming first."""
        return keeper.in_trash()

    @calls.post("/trash/{session_id}/restore", response_model_exclude_none=True)
    def restore_session(session_id: int, owner: Owner) -> SessionRecord:
        """Take a session out of the trash: it can be read again, and stands where it stood."""
        return keeper.restore(session_id, owner)

    @calls.delete("/trash/{session_id}", status_code=204)
    def delete_from_trash(session_id: int, owner: Owner) -> None:
        """Delete a session that is in the trash for good, a starred one, too."""
        keeper.delete(session_id, owner)

    @calls.get("/retention", response_model_exclude_none=True)
    def plan_retention() -> RetentionPlan:
        """Return which sessions would go by rule now, and why; nothing is changed."""
        return keeper.plan()

    @calls.post("/retention/apply", response_model_exclude_none=True)
    def apply_retention(owner: Owner) -> RetentionPlan:
        """Let go what must go by rule, to the trash or out of it, and return what went."""
        return keeper.apply(owner)

    return calls
