"""The client library's calls about hooks: whom the server tells what happens."""

from typing import Any

from pydantic import TypeAdapter

from blitz.data.hook_records import HookRecord, HookTest
from blitz.io.calls import NOTHING, Calls, quoted

_HOOKS = TypeAdapter(list[HookRecord])
_HOOK = TypeAdapter(HookRecord)
_HOOK_TEST = TypeAdapter(HookTest)
_TEST_S = 330.0
"""A hook may be given five minutes."""


class HookCalls(Calls):
    """What a server can be asked about its hooks; a base of :class:`blitz.AsyncClient`."""

    async def hooks(self) -> list[HookRecord]:
        """Return whom the server tells what happens, and how that went."""
        return await self._ask(_HOOKS, "GET", "/hooks")

    async def add_hook(self, name: str, kind: str = "email", **fields: Any) -> HookRecord:
        """Let the server tell one more what happens, or another in place of one that was added; kept over restarts.

        ::

            await client.add_hook("mail", host="mail.lab.example", sender="blitz@lab.example", to=["ada@lab.example"])

        :param kind: ``email`` or ``webhook``: programs are run by hooks of the settings file only.
        :param fields: as in a table ``[[server.hooks]]`` of the settings, without what names files or variables.
        :raises ConfigError: if a field is wrong, or the settings have a hook of that name.
        """
        return await self._ask(_HOOK, "POST", "/hooks", {"name": name, "kind": kind, **fields})

    async def try_hook(self, name: str, kind: str = "email", **fields: Any) -> HookTest:
        """Let the server tell somebody that this is a test, by a hook as for :meth:`add_hook`; it is not kept.

        :raises ConfigError: if a field is wrong.
        """
        return await self._ask(_HOOK_TEST, "POST", "/hooks/test", {"name": name, "kind": kind, **fields}, _TEST_S)

    async def remove_hook(self, name: str) -> None:
        """Let the server forget a hook that was added.

        :raises ConfigError: if it is one of the settings.
        """
        await self._ask(NOTHING, "DELETE", f"/hooks/{quoted(name)}")

    async def test_hook(self, name: str) -> HookTest:
        """Let the server tell somebody that this is a test; waits until it was taken or refused."""
        return await self._ask(_HOOK_TEST, "POST", f"/hooks/{quoted(name)}/test", timeout_s=_TEST_S)
