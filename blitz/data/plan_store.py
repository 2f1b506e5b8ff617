"""The starts of sessions that are planned, kept in ``server.db`` over restarts.

Knows nothing of when they are due: see :mod:`blitz.data.run_plans`.
"""

from sqlalchemy import delete, func, insert, select, update

from blitz.data.records import PlannedStart
from blitz.data.server_tables import PLANNED
from blitz.data.table_file import TableFile
from blitz.errors import ConfigError, PlanNotFound

MOST_PLANNED = 200


class PlanStore(TableFile):
    """The planned starts of one server."""

    def planned(self) -> list[PlannedStart]:
        """Return all of them, as they were planned."""
        with self.transaction() as db:
            rows = db.execute(select(PLANNED.c.id, PLANNED.c.planned).order_by(PLANNED.c.id)).all()
        return [PlannedStart.model_validate_json(planned).model_copy(update={"id": number}) for number, planned in rows]

    def add(self, planned: PlannedStart) -> PlannedStart:
        """Keep another one and return it with its number.

        :raises ConfigError: if there are too many.
        """
        with self.transaction() as db:
            if (db.scalar(select(func.count()).select_from(PLANNED)) or 0) >= MOST_PLANNED:
                raise ConfigError(f"{MOST_PLANNED} starts are planned already. Cancel some of them.")
            made = db.execute(insert(PLANNED).values(planned=planned.model_dump_json()))
            number = int((made.inserted_primary_key or (0,))[0])
            planned = planned.model_copy(update={"id": number})
            db.execute(update(PLANNED).where(PLANNED.c.id == number).values(planned=planned.model_dump_json()))
        return planned

    def remove(self, number: int) -> None:
        """Forget one.

        :raises PlanNotFound: if there is none with that number.
        """
        with self.transaction() as db:
            if not db.execute(delete(PLANNED).where(PLANNED.c.id == number)).rowcount:
                raise no_such_plan(number)


def no_such_plan(number: int) -> PlanNotFound:
    """Return the error for a planned start that is not there."""
    return PlanNotFound(f"No start is planned under the number {number}: it was cancelled, or has taken place.")
