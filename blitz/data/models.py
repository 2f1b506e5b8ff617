"""The tables of the client's cache.

Category, Reading, Cache, Session, Config and Notification carry the documented interface; SessionCopy and StoredBlock
hold what downloads bring, StoreBinding the server that the cache belongs to. Times are milliseconds since the Unix
epoch; ``session_id`` and ``ref_id`` are the server's session id. Knows nothing of engines, files and transactions.

A change here needs a revision in ``blitz/data/migrations``; a test compares the two.
"""

import math
from collections.abc import Iterable
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, Text, TypeDecorator, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

_T = TypeVar("_T")
_EVERY_ROW: Any = object()

# SQLite gives out ids by itself for INTEGER keys only; there they have 64 bits anyway.
_BIG_ID = BigInteger().with_variant(Integer, "sqlite")


class Rows(list[_T]):
    """A list whose :meth:`count`, called without an argument, is its length.

    >>> Rows("aab").count(), Rows("aab").count("a")
    (3, 2)
    """

    def __init__(self, rows: Iterable[_T] = ()) -> None:
        super().__init__(rows)

    def count(self, value: _T = _EVERY_ROW) -> int:
        """Return how many rows there are, or how many equal ``value``."""
        return len(self) if value is _EVERY_ROW else super().count(value)


class FloatOrNaN(TypeDecorator[float]):
    """A float column that keeps NaN, as NULL: SQLite has no NaN of its own."""

    impl = Float(53)
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Any) -> float | None:
        """Return what is stored."""
        return None if value is None or math.isnan(value) else float(value)

    def process_result_value(self, value: float | None, dialect: Any) -> float:
        """Return what was stored."""
        return math.nan if value is None else value


class Base(DeclarativeBase):
    """Base of all models."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

    def __repr__(self) -> str:
        shown = (name for name in self.__mapper__.columns.keys() if name in self.__dict__ and name != "body")  # noqa: SIM118
        return f"{type(self).__name__}({', '.join(f'{name}={self.__dict__[name]!r}' for name in shown)})"


class Category(Base):
    """A variable: one channel, under the name that a session's columns have."""

    __tablename__ = "category"

    id: Mapped[int] = mapped_column(primary_key=True)
    variable_name: Mapped[str] = mapped_column(Text, unique=True)


class Reading(Base):
    """One variable's value at one time of a session, in the variable's unit."""

    __tablename__ = "reading"
    __table_args__ = (
        Index("ix_reading_time", "session_id", "time_logged"),
        Index("ix_reading_variable", "session_id", "category_id", "time_logged"),
    )

    id: Mapped[int] = mapped_column(_BIG_ID, primary_key=True)
    session_id: Mapped[int]
    time_logged: Mapped[int] = mapped_column(BigInteger)
    category_id: Mapped[int] = mapped_column(ForeignKey("category.id"))
    value: Mapped[float] = mapped_column(FloatOrNaN, nullable=True)
    category: Mapped[Category] = relationship(lazy="selectin")


class Cache(Base):
    """One variable's value at one time, of the live view."""

    __tablename__ = "cache"
    __table_args__ = (Index("ix_cache_variable", "category_id", "time_logged"),)

    id: Mapped[int] = mapped_column(_BIG_ID, primary_key=True)
    time_logged: Mapped[int] = mapped_column(BigInteger)
    category_id: Mapped[int] = mapped_column(ForeignKey("category.id"))
    value: Mapped[float] = mapped_column(FloatOrNaN, nullable=True)
    category: Mapped[Category] = relationship(lazy="selectin")


class Session(Base):
    """A session of the server's list.

    ``available`` says that the whole session is in the cache; ``number_of_readings`` counts the server's messages;
    ``time_stopped`` is None while the session runs; ``record`` is the server's own description, as JSON.
    ``is_gone``: the server does not have it any more; ``is_wanted``: background synchronisation brings it.
    """

    __tablename__ = "session"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref_id: Mapped[int] = mapped_column(unique=True)
    available: Mapped[bool] = mapped_column(default=False)
    time_started: Mapped[int] = mapped_column(BigInteger)
    time_stopped: Mapped[int | None] = mapped_column(BigInteger)
    number_of_readings: Mapped[int] = mapped_column(BigInteger, default=0)
    name: Mapped[str] = mapped_column(Text, default="")
    record: Mapped[str | None] = mapped_column(Text)
    is_gone: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_wanted: Mapped[bool] = mapped_column(default=False, server_default=false())


class Config(Base):
    """One setting, as text."""

    __tablename__ = "config"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    value: Mapped[str] = mapped_column(Text)


class Notification(Base):
    """An error that the operator has not yet handled; the higher the severity, the worse."""

    __tablename__ = "notification"

    id: Mapped[int] = mapped_column(primary_key=True)
    time_logged: Mapped[int] = mapped_column(BigInteger)
    severity: Mapped[int] = mapped_column(default=1)
    description: Mapped[str] = mapped_column(Text)


class SessionCopy(Base):
    """One download of a session. A session has at most one whole and one unfinished copy.

    ``started_ms`` tells apart two sessions with one id; ``record`` is the server's description when the download
    ended, with sources and gaps, as JSON.
    """

    __tablename__ = "session_copy"
    __table_args__ = (Index("uq_session_copy_session_ref_id_is_whole", "session_ref_id", "is_whole", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_ref_id: Mapped[int]
    started_ms: Mapped[int] = mapped_column(BigInteger)
    is_whole: Mapped[bool] = mapped_column(default=False)
    record: Mapped[str | None] = mapped_column(Text)


class DefinitionVersion(Base):
    """Definitions by which a session is read anew, all of its sources at once; 0 are those of the recording.

    ``started_ms`` tells apart two sessions with one id; ``definitions`` is JSON, by source index.
    """

    __tablename__ = "definition_version"
    __table_args__ = (Index("uq_definition_version", "session_ref_id", "started_ms", "number", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_ref_id: Mapped[int]
    started_ms: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int]
    created_ms: Mapped[int] = mapped_column(BigInteger)
    who: Mapped[str] = mapped_column(Text, default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    definitions: Mapped[str] = mapped_column(Text)


class StoredBlock(Base):
    """One block of a copy, on the grid: messages first_seq to first_seq + count, zstd-compressed Arrow in ``body``."""

    __tablename__ = "message_block"
    __table_args__ = (Index("uq_message_block_copy_id_grid_index", "copy_id", "grid_index", unique=True),)

    id: Mapped[int] = mapped_column(_BIG_ID, primary_key=True)
    copy_id: Mapped[int] = mapped_column(ForeignKey("session_copy.id", ondelete="CASCADE"))
    session_ref_id: Mapped[int]
    grid_index: Mapped[int] = mapped_column(BigInteger)
    first_seq: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int]
    checksum: Mapped[str] = mapped_column(Text)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class StoreBinding(Base):
    """The one store that this cache belongs to; at most one row."""

    __tablename__ = "store_binding"

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[str] = mapped_column(Text)
