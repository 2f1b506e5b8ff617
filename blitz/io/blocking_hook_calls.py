"""The calls of :class:`~blitz.io.hook_calls.HookCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from blitz.data.hook_records import HookRecord, HookTest
from blitz.io.hook_calls import HookCalls

_T = TypeVar("_T")


class BlockingHookCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> HookCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def hooks(self) -> list[HookRecord]:
        """Return whom the server tells what happens, and how that went."""
        return self._call(self._calls.hooks)

    def add_hook(self, name: str, kind: str = "email", **fields: Any) -> HookRecord:
        """Let the server tell one more what happens, or another in place of one that was added."""
        return self._call(partial(self._calls.add_hook, name, kind, **fields))

    def try_hook(self, name: str, kind: str = "email", **fields: Any) -> HookTest:
        """Let the server tell somebody that this is a test, by a hook that is not kept."""
        return self._call(partial(self._calls.try_hook, name, kind, **fields))

    def remove_hook(self, name: str) -> None:
        """Let the server forget a hook that was added."""
        self._call(partial(self._calls.remove_hook, name))

    def test_hook(self, name: str) -> HookTest:
        """Let the server tell somebody that this is a test; waits until it was taken or refused."""
        return self._call(partial(self._calls.test_hook, name))
