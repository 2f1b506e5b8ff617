"""Where sources stand whose messages are counted: kept so that each message is in one session, and once.

A place says from which message of a session on a source's messages are counted there, and what number the first of
them has in the source's own count. It is written before a session's first message; nothing is written with each.
"""

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from blitz.data.server_tables import PLACES
from blitz.data.table_file import TableFile


class SourcePlace(NamedTuple):
    """Where a source stood when the session that it delivered to last got its first message of it."""

    session_id: int
    seq: int
    """From there on its messages are to be counted."""
    position: int
    """The number of the first, in the source's own count."""
    delivered: int = 0
    """How many the session got, as far as is known; its messages say it better, while there are any."""


class SourcePlaces(TableFile):
    """The part of what the server keeps that tells where sources stand."""

    def place(self, link: str) -> SourcePlace | None:
        """Return where the source at a link stands; None if nothing of it was ever recorded."""
        columns = PLACES.c.session_id, PLACES.c.seq, PLACES.c.position, PLACES.c.delivered
        with self.transaction() as db:
            row = db.execute(select(*columns).where(PLACES.c.link == link)).first()
        return None if row is None else SourcePlace(*row)

    def keep_place(self, link: str, place: SourcePlace) -> None:
        """Write down where the source at a link stands; it is safe when this returns."""
        with self.transaction() as db:
            forget_place(db, link)
            db.execute(insert(PLACES).values(link=link, **place._asdict()))


def forget_place(db: Connection, link: str) -> None:
    """Forget where a source stands: should it be added again, it begins anew."""
    db.execute(delete(PLACES).where(PLACES.c.link == link))
