"""The HTTP calls about hooks: how they are doing, and a test. Plain functions run in worker threads and may wait."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from blitz.data.hook_records import HookRecord, HookTest
from blitz.io.hooks import Hooks


def hook_calls(hooks: Hooks) -> APIRouter:
    """Return the calls about hooks, ``/hooks``."""
    calls = APIRouter(tags=["supervision"])

    @calls.get("/hooks", response_model_exclude_none=True)
    def list_hooks() -> list[HookRecord]:
        """Return whom the server tells what, and how that went."""
        return hooks.records()

    @calls.post("/hooks/{name}/test", response_model_exclude_none=True)
    def test_hook(name: str) -> HookTest:
        """Tell somebody now that this is a test; the answer says whether it was taken."""
        outcome = hooks.test(name)
        if outcome is None:
            raise HTTPException(404, f"there is no hook {name!r}")
        return outcome

    return calls
