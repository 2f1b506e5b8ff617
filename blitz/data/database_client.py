"""The client's cache behind the documented interface: readings, sessions, live values, settings, errors.

What downloads need stands in ``session_copies``, how they are read in ``definition_versions``, the list of sessions in
``session_list``, the database itself in ``cache_engine``. Times are milliseconds since the Unix epoch; a ``session_id``
is the server's id, ``ref_id``.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, inspect, or_, select
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.orm.attributes import set_committed_value

from blitz.data import fixtures
from blitz.data.imported_sessions import ImportedSessions
from blitz.data.models import Base, Cache, Category, Config, Notification, Reading, Rows, Session
from blitz.data.query_sessions import SessionQueries
from blitz.data.records import SessionRecord
from blitz.data.session_reader import SessionReadings
from blitz.data.session_search import SessionSearch
from blitz.data.session_series import SessionSeries
from blitz.errors import SessionNotFound

_CACHE_LIMIT = 50
_PAGE_ROWS = 4096

M = TypeVar("M", bound=Base)
V = TypeVar("V", Reading, Cache)


class DatabaseClient(ImportedSessions, SessionQueries, SessionSeries):
    """The local database of a client (SQLAlchemy); see :class:`~blitz.data.cache_engine.CacheEngine` for opening it.

    Every method is one transaction, may be called from any thread, and raises
    :class:`~blitz.errors.CacheError` where the database refuses. Objects that are returned stay usable, also when the
    cache is closed; one that was changed is saved by giving it to :meth:`add`.
    """

    def add(self, item: M) -> M:
        """Add one row, and return it with its id."""
        return self.add_many([item])[0]

    def add_many(self, items: Iterable[M]) -> Rows[M]:
        """Add rows in one transaction, all or none, and return them with their ids."""
        rows = Rows(items)
        with self._writing() as db:
            db.add_all(rows)
            db.flush()
            _attach_categories(db, rows)
        return rows

    def all(self, model: type[M]) -> Rows[M]:
        """Return all rows of a model, by id. ``count()`` of the list is its length."""
        return self.find(model, {})

    def find(self, model: type[M], query: Mapping[str, Any]) -> Rows[M]:
        """Return the rows whose fields have the given values, by id. ``count()`` of the list is its length.

        :raises ValueError: naming a field that the model does not have.
        """
        with self._reading() as db:
            return Rows(db.scalars(_matching(model, query)))

    def get(self, model: type[M], query: Mapping[str, Any]) -> M | None:
        """Return the first row whose fields have the given values, None where there is none.

        :raises ValueError: naming a field that the model does not have.
        """
        with self._reading() as db:
            return db.scalar(_matching(model, query).limit(1))

    def get_by_id(self, model: type[M], model_id: int) -> M | None:
        """Return the row with that id, None where there is none."""
        with self._reading() as db:
            return db.get(model, int(model_id))

    def add_reading(self, session_id: int, time_logged: int, category_id: int, value: float) -> Reading:
        """Add one reading to a session, and return it."""
        return self.add(
            Reading(
                session_id=int(session_id),
                time_logged=int(time_logged),
                category_id=int(category_id),
                value=float(value),
            )
        )

    def add_cache(self, time_logged: int, category_id: int, value: float) -> Cache:
        """Add one live value, and return it."""
        return self.add(Cache(time_logged=int(time_logged), category_id=int(category_id), value=float(value)))

    def get_or_create_category(self, key: str) -> int:
        """Return the id of the category with that name, which is created if need be."""
        return self.categories_named([key])[0].id

    def categories_named(self, names: Sequence[str]) -> list[Category]:
        """Return the categories with these names, in the same order, creating those that are missing."""
        with self._reading() as db:
            known = _categories(db, names)
        if missing := [name for name in dict.fromkeys(names) if name not in known]:
            with self._writing() as db:
                known |= _categories(db, missing)
                added = {name: Category(variable_name=name) for name in missing if name not in known}
                db.add_all(added.values())
                known |= added
        return [known[name] for name in names]

    def get_cache(self, since: int = 0) -> list[list[Cache]]:
        """Return the live values of each variable, newest first, at most 50 a variable.

        :param since: leave out what is older; a value of exactly this time is returned.
        :returns: a list a variable, in the order of :meth:`get_cache_variables`; empty where nothing is new enough.
        """
        with self._reading() as db:
            return [
                list(db.scalars(_newest_first(Cache, category_id, Cache.time_logged >= int(since)).limit(_CACHE_LIMIT)))
                for category_id in _category_ids(db, Cache)
            ]

    def get_cache_variables(self) -> list[Cache]:
        """Return the latest live value of each variable, its ``category`` loaded, in the order of the categories."""
        with self._reading() as db:
            return _latest(db, Cache)

    def clear_cache(self) -> None:
        """Delete all live values."""
        with self._writing() as db:
            db.execute(delete(Cache))

    def get_session_readings(self, session_id: int) -> SessionReadings:
        """Return a session's readings, added one by one or downloaded, as a sequence that is read as it is used.

        Downloaded messages are read by the newest definitions of the session.
        """
        try:
            sources = self.session_sources(session_id)
        except SessionNotFound:
            return SessionReadings(self, int(session_id), None)
        return SessionReadings(self, int(session_id), sources)

    def search_sessions(self, text: str) -> list[SessionRecord]:
        """Return the sessions that a search finds, newest first; markers' texts only where they are downloaded.

        :param text: words that must all be found, whatever their case and accents, in name, notes, tags, fields, owner,
            markers and date. ``tag:x``, ``owner:x``, ``FIELD:x`` and ``starred`` look in one place; quotes hold words
            together.
        """
        search = SessionSearch(text)
        return [record for record in self.session_records() if search.matches(record)]

    def get_session_variables(self, session_id: int) -> list[Reading]:
        """Return the latest reading of each variable of a session, its ``category`` loaded.

        For a downloaded session this decodes all of it.
        """
        with self._reading() as db:
            rows = _latest(db, Reading, Reading.session_id == int(session_id))
        latest = {row.category_id: row for row in rows}
        for reading in self.get_session_readings(session_id).latest_of_blocks():
            known = latest.get(reading.category_id)
            if known is None or known.time_logged <= reading.time_logged:
                latest[reading.category_id] = reading
        return list(latest.values())

    def get_config(self, key: str) -> Config | None:
        """Return the setting with that key, None where there is none."""
        return self.get(Config, {"key": key})

    def set_config(self, key: str, value: object, do_update: bool = True) -> None:
        """Set a setting; it is kept as text.

        :param do_update: False leaves a value that is there already.
        """
        with self._writing() as db:
            config = db.scalar(select(Config).where(Config.key == key))
            if config is None:
                db.add(Config(key=key, value=str(value)))
            elif do_update:
                config.value = str(value)

    def log_error(self, description: str, severity: int = 1) -> Notification:
        """Keep an error until it is handled, and return it."""
        now_ms = time.time_ns() // 1_000_000
        return self.add(Notification(time_logged=now_ms, severity=int(severity), description=str(description)))

    def handle_error(self, err_id: int) -> None:
        """Remove one error."""
        with self._writing() as db:
            db.execute(delete(Notification).where(Notification.id == int(err_id)))

    def clear_errors(self) -> None:
        """Remove all errors."""
        with self._writing() as db:
            db.execute(delete(Notification))

    def load_fixtures(self, testing: bool = False) -> None:
        """Load the rows of :mod:`blitz.data.fixtures`; what is there already is left alone.

        :param testing: also categories, sessions, readings, live values and an error to try things with.
        """
        for key, value in fixtures.CONFIGURATION.items():
            self.set_config(key, value, do_update=False)
        if testing and not self.find(Session, {"ref_id": fixtures.SESSIONS[0][0]}):
            fixtures.load_examples(self)

    def count_rows(self, session_id: int) -> int:
        """Return how many readings of a session were added one by one."""
        with self._reading() as db:
            return db.scalar(select(func.count()).select_from(Reading).where(Reading.session_id == session_id)) or 0

    def rows_between(self, session_id: int, start: int, stop: int) -> list[Reading]:
        """Return the readings ``start`` to ``stop`` of those that were added one by one, by time."""
        with self._reading() as db:
            return list(db.scalars(_by_time(session_id).offset(start).limit(stop - start)))

    def iterate_rows(self, session_id: int) -> Iterator[Reading]:
        """Iterate over the readings that were added one by one, by time; no transaction stays open between."""
        query = _by_time(session_id)
        page: Sequence[Reading] | None = None
        while page is None or len(page) == _PAGE_ROWS:
            behind: ColumnElement[bool] | None = None
            if page:
                last = page[-1]
                same_time = and_(Reading.time_logged == last.time_logged, Reading.id > last.id)
                behind = or_(Reading.time_logged > last.time_logged, same_time)
            with self._reading() as db:
                page = db.scalars((query if behind is None else query.where(behind)).limit(_PAGE_ROWS)).all()
            yield from page


def _matching(model: type[M], query: Mapping[str, Any]) -> Select[M]:
    fields = inspect(model).columns
    for name in query:
        if name not in fields:
            raise ValueError(f"{model.__name__} has no field {name!r}. It has: {', '.join(fields.keys())}.")
    return select(model).filter_by(**query).order_by(fields["id"])


def _by_time(session_id: int) -> Select[Reading]:
    return select(Reading).where(Reading.session_id == session_id).order_by(Reading.time_logged, Reading.id)


def _newest_first(model: type[V], category_id: int, *conditions: ColumnElement[bool]) -> Select[V]:
    query = select(model).where(model.category_id == category_id, *conditions)
    return query.order_by(model.time_logged.desc(), model.id.desc())


def _category_ids(db: Transaction, model: type[V], *conditions: ColumnElement[bool]) -> Sequence[int]:
    has_values = exists().where(model.category_id == Category.id, *conditions)
    return db.scalars(select(Category.id).where(has_values).order_by(Category.id)).all()


def _latest(db: Transaction, model: type[V], *conditions: ColumnElement[bool]) -> list[V]:
    """Return one row a category, through the index: the table can be long, the categories are few."""
    return [
        db.scalars(_newest_first(model, category_id, *conditions).limit(1)).one()
        for category_id in _category_ids(db, model, *conditions)
    ]


def _categories(db: Transaction, names: Iterable[str]) -> dict[str, Category]:
    found = db.scalars(select(Category).where(Category.variable_name.in_(list(names))))
    return {category.variable_name: category for category in found}


def _attach_categories(db: Transaction, rows: Iterable[Base]) -> None:
    """Load the categories of new rows, so that they can be asked for them afterwards."""
    valued = [row for row in rows if isinstance(row, Reading | Cache)]
    ids = {row.category_id for row in valued}
    categories = {category.id: category for category in db.scalars(select(Category).where(Category.id.in_(ids)))}
    for row in valued:
        set_committed_value(row, "category", categories[row.category_id])
