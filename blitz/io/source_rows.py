"""The rows of source tables: a row for each device as it was configured when its messages came."""

import threading
from collections.abc import Iterable

from blitz.data.board_definition import BoardDefinition
from blitz.data.framing_rule import LINES
from blitz.data.records import Source
from blitz.data.source_config import SourceConfig

MOST_ROWS = 100
"""From so many rows of a device on, rows are used again."""


class SourceRows:
    """Rows are made once and stay as long as the server runs. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[int, Source] = {}
        self._reserved: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._count = 0

    def reserve(self, name: str) -> int:
        """Keep a row for a source: rows stand in the order of the ports, not of who answers first."""
        with self._lock:
            if name not in self._reserved:
                self._reserved[name] = self._new_index()
                self._names[self._reserved[name]] = name
            return self._reserved[name]

    def get(self, index: int) -> Source:
        """Return a row."""
        return self._rows[index]

    def name(self, index: int) -> str | None:
        """Return whose row it is, or is kept for; None if it is nobody's."""
        with self._lock:
            row = self._rows.get(index)
            return self._names.get(index) if row is None else row.name

    def take(self, sources: Iterable[Source]) -> None:
        """Take over the rows of a session that an earlier server began."""
        with self._lock:
            for source in sources:
                self._rows[source.index] = source
                self._names[source.index] = source.name
                self._count = max(self._count, source.index + 1)

    def find(
        self,
        config: SourceConfig,
        link: str,
        board_id: str | None,
        definition: BoardDefinition | None,
        *,
        is_polled: bool = False,
    ) -> Source:
        """Return the row of a device whose messages mean this; one is made if its newest row does not.

        Of a device's rows the newest is what is in force: a definition that comes back gets a new row, too. Where rows
        have become many, as by a device whose messages change their meaning all the time, an older one serves.
        """
        framing = None if config.rule == LINES else config.rule
        with self._lock:
            rows = [row for row in self._rows.values() if row.name.partition(" (board")[0] == config.name]
            own = sorted((row for row in rows if row.board_id == board_id), key=lambda row: row.index, reverse=True)
            for row in own if len(own) >= MOST_ROWS else own[:1]:
                if (row.definition, row.framing) == (definition, framing):
                    return row
            name = config.name
            if rows and rows[0].board_id != board_id:  # another board at the same port is another device
                name = f"{name} (board {board_id})"
            index = self._reserved.pop(name, None)
            if index is None:
                index = self._new_index()
            row = Source(
                index=index,
                name=name,
                link=link,
                board_id=board_id,
                definition=definition,
                framing=framing,
                is_polled=is_polled,
            )
            self._rows[index] = row
            return row

    def _new_index(self) -> int:
        self._count += 1
        return self._count - 1
