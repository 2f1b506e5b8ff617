"""One user's connections to the server's tables: transactions for any thread, one at a time, until it is closed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import sqlalchemy

from blitz.data.server_tables import open_reading, open_tables, tables_fault
from blitz.errors import TablesError


class TableFile:
    """The base of what keeps something in ``server.db``.

    :param path: the file, made on first use; ``:memory:`` for one that is gone afterwards.
    :raises TablesError: if the file cannot be opened, is damaged, belongs to another program, or was written by a
        newer Blitz. It is never changed or deleted then.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self._turn = threading.Lock()
        self._engine: sqlalchemy.Engine | None = open_tables(self.path)
        self._reading_turn = threading.Lock()
        self._reading_engine: sqlalchemy.Engine | None = None

    def close(self) -> None:
        """Release the file. A second call does nothing."""
        with self._turn, self._reading_turn:
            for engine in (self._engine, self._reading_engine):
                if engine is not None:
                    engine.dispose()
            self._engine = self._reading_engine = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlalchemy.Connection]:
        """Give the one connection, whose work is kept at the end, or undone when an error leaves the block.

        :raises TablesError: with the remedy, if the file is closed, or cannot be read or written.
        """
        with self._turn:
            if self._engine is None:
                raise TablesError(f"The server's tables {self.path} are closed.")
            with tables_fault(self.path), self._engine.begin() as connection:
                yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlalchemy.Connection]:
        """Give a connection of its own that sees one state of the file, and waits for no writer.

        :raises TablesError: with the remedy, if the file is closed or cannot be read.
        """
        if self.path == ":memory:":
            with self.transaction() as connection:
                yield connection
            return
        with self._reading_turn:
            if self._engine is None:
                raise TablesError(f"The server's tables {self.path} are closed.")
            if self._reading_engine is None:
                self._reading_engine = open_reading(self.path)
            with tables_fault(self.path), self._reading_engine.begin() as connection:
                yield connection
