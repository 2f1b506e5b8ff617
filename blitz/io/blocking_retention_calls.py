"""The calls of :class:`~blitz.io.retention_calls.RetentionCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from blitz.data.retention import RetentionPlan
from blitz.io.retention_calls import RetentionCalls

_T = TypeVar("_T")


class BlockingRetentionCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> RetentionCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def retention(self) -> RetentionPlan:
        """Return which sessions would go by the server's rule now, and why; nothing is changed."""
        return self._call(self._calls.retention)

    def apply_retention(self) -> RetentionPlan:
        """Let go what must go by rule, to the trash or out of it, and return what went."""
        return self._call(self._calls.apply_retention)
