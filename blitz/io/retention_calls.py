"""The client library's calls about retention: what would go by the server's rule, and letting it go."""

from pydantic import TypeAdapter

from blitz.data.retention import RetentionPlan
from blitz.io.calls import Calls

_PLAN = TypeAdapter(RetentionPlan)
_SLOW_S = 60.0
"""The server asks Redis for the size of every session, and may move many."""


class RetentionCalls(Calls):
    """Looking at retention, and applying it."""

    async def retention(self) -> RetentionPlan:
        """Return which sessions would go by the server's rule now, and why; nothing is changed."""
        return await self._ask(_PLAN, "GET", "/retention", timeout_s=_SLOW_S)

    async def apply_retention(self) -> RetentionPlan:
        """Let go what must go by rule, to the trash or out of it, and return what went."""
        return await self._ask(_PLAN, "POST", "/retention/apply", timeout_s=_SLOW_S)
