"""The calls of :class:`~blitz.io.plan_calls.PlanCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from blitz.data.records import PlannedStart, SessionRecord
from blitz.io.plan_calls import PlanCalls

_T = TypeVar("_T")


class BlockingPlanCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> PlanCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def planned(self) -> list[PlannedStart]:
        """Return the starts that are planned, soonest first."""
        return self._call(self._calls.planned)

    def plan_start(
        self,
        start_at: datetime,
        name: str = "",
        notes: str = "",
        owner: str | None = None,
        *,
        tags: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
        duration_s: float | None = None,
        message_count: int | None = None,
        repeat_every_s: float | None = None,
    ) -> PlannedStart:
        """Plan a start by the server's clock; the server keeps it over restarts."""
        plan = partial(self._calls.plan_start, start_at, name, notes, owner, tags=tags, fields=fields)
        return self._call(
            partial(plan, duration_s=duration_s, message_count=message_count, repeat_every_s=repeat_every_s)
        )

    def cancel_planned(self, plan_id: int) -> None:
        """Cancel a planned start."""
        self._call(partial(self._calls.cancel_planned, plan_id))

    def change_plan(self, session_id: int, **changes: float | int | None) -> SessionRecord:
        """Say anew when the running session ends by itself, as ``change_plan(7, left_s=600)``."""
        return self._call(partial(self._calls.change_plan, session_id, **changes))
