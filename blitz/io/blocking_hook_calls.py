"""The calls of :class:`~blitz.io.hook_calls.HookCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

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

    def test_hook(self, name: str) -> HookTest:
        """Let the server tell somebody that this is a test; waits until it was taken or refused."""
        return self._call(partial(self._calls.test_hook, name))
