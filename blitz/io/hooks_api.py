"""The HTTP calls about hooks: how they are doing, more and fewer of them, and a test, which waits for who is told."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from starlette.exceptions import HTTPException

from blitz.data.hook_config import added_hook
from blitz.data.hook_records import HookRecord, HookTest
from blitz.io.askers import NoteSubject
from blitz.io.hooks import Hooks
from blitz.io.lanes import Lane, Lanes

_TESTS = 4
"""At one time; they wait for other machines."""


def hook_calls(hooks: Hooks, lanes: Lanes) -> APIRouter:
    """Return the calls about hooks, ``/hooks``."""
    calls = APIRouter(tags=["supervision"])
    tests = Lane("hook", _TESTS, of_each=1)

    @calls.get("/hooks", response_model_exclude_none=True)
    @lanes.memory
    def list_hooks() -> list[HookRecord]:
        """Return whom the server tells what, and how that went."""
        return hooks.records()

    @calls.post("/hooks", status_code=201, response_model_exclude_none=True)
    def add_hook(hook: Annotated[dict[str, Any], Body()], note_subject: NoteSubject) -> HookRecord:
        """Add a hook with the fields of a table `[[server.hooks]]`, or change one that was added; kept over restarts.

        Kind `email` or `webhook`; its secrets come with it, are kept in the server's tables, and are shown to nobody.
        """
        record = hooks.add(added_hook(hook))
        note_subject(record.name)
        return record

    @calls.delete("/hooks/{name}", status_code=204)
    def remove_hook(name: str) -> None:
        """Remove a hook that was added; 422 for one of the settings file."""
        if not hooks.remove(name):
            raise HTTPException(404, f"there is no hook {name!r}: 'blitz hooks list' names those that there are")

    @calls.post("/hooks/{name}/test", response_model_exclude_none=True)
    @tests
    def test_hook(name: str) -> HookTest:
        """Tell somebody now that this is a test; the answer says whether it was taken."""
        outcome = hooks.test(name)
        if outcome is None:
            raise HTTPException(404, f"there is no hook {name!r}: 'blitz hooks list' names those that there are")
        return outcome

    @calls.post("/hooks/test", response_model_exclude_none=True)
    @tests
    def try_hook(hook: Annotated[dict[str, Any], Body()]) -> HookTest:
        """Tell somebody now that this is a test, by a hook as it could be added; nothing of it is kept."""
        return hooks.try_out(added_hook(hook))

    return calls
