"""The client library's calls about timed runs: what is planned, and the end of the session that runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from blitz.data.records import PlannedStart, SessionRecord
from blitz.io.calls import NOTHING, Calls
from blitz.io.session_calls import told, told_run

_PLANNED = TypeAdapter(PlannedStart)
_ALL_PLANNED = TypeAdapter(list[PlannedStart])
_SESSION = TypeAdapter(SessionRecord)


class PlanCalls(Calls):
    """The server owns the timer: what is planned takes place although nobody is connected."""

    async def planned(self) -> list[PlannedStart]:
        """Return the starts that are planned, soonest first."""
        return await self._ask(_ALL_PLANNED, "GET", "/planned")

    async def plan_start(
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
        """Plan a start by the server's clock; the server keeps it over restarts.

        See :meth:`blitz.AsyncClient.start` for the other parameters.

        :param start_at: with a time zone, or in this computer's.
        :raises BlitzError: if that moment has passed.
        """
        body: dict[str, Any] = {
            "start_at": (start_at if start_at.tzinfo is not None else start_at.astimezone()).isoformat(),
            "name": name,
            "notes": notes,
            "owner": self.owner if owner is None else owner,
        }
        body |= told(tags, fields)
        body |= told_run(duration_s, message_count, repeat_every_s)
        return await self._ask(_PLANNED, "POST", "/planned", body)

    async def cancel_planned(self, plan_id: int) -> None:
        """Cancel a planned start.

        :raises PlanNotFound: if there is none with that number.
        """
        await self._ask(NOTHING, "DELETE", f"/planned/{int(plan_id)}")

    async def change_plan(self, session_id: int, **changes: float | int | None) -> SessionRecord:
        """Say anew when the running session ends by itself; return it with its plan.

        ::

            await client.change_plan(7, left_s=600)

        :param changes: ``left_s``, in how many seconds it is stopped; ``message_count``, at how many messages;
            ``repeat_every_s``, when sessions follow one another. None takes away, what is not given stays.
        :raises NoSession: if it does not run.
        """
        return await self._ask(_SESSION, "PATCH", f"/sessions/{int(session_id)}/plan", changes)
