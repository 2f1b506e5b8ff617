"""The HTTP calls about hooks: how they are doing, and a test, which waits for whoever is told."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from blitz.data.hook_records import HookRecord, HookTest
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

    @calls.post("/hooks/{name}/test", response_model_exclude_none=True)
    @tests
    def test_hook(name: str) -> HookTest:
        """Tell somebody now that this is a test; the answer says whether it was taken."""
        outcome = hooks.test(name)
        if outcome is None:
            raise HTTPException(404, f"there is no hook {name!r}: 'blitz hooks list' names those that there are")
        return outcome

    return calls
