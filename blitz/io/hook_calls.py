"""The client library's calls about hooks: whom the server tells what happens."""

from pydantic import TypeAdapter

from blitz.data.hook_records import HookRecord, HookTest
from blitz.io.calls import Calls, quoted

_HOOKS = TypeAdapter(list[HookRecord])
_HOOK_TEST = TypeAdapter(HookTest)
_TEST_S = 330.0
"""A hook may be given five minutes."""


class HookCalls(Calls):
    """What a server can be asked about its hooks; a base of :class:`blitz.AsyncClient`."""

    async def hooks(self) -> list[HookRecord]:
        """Return whom the server tells what happens, and how that went."""
        return await self._ask(_HOOKS, "GET", "/hooks")

    async def test_hook(self, name: str) -> HookTest:
        """Let the server tell somebody that this is a test; waits until it was taken or refused."""
        return await self._ask(_HOOK_TEST, "POST", f"/hooks/{quoted(name)}/test", timeout_s=_TEST_S)
