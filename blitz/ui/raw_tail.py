"""The newest raw messages of one source, whatever session they belong to. Pure."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from blitz.data.blocks import MessageBlock
from blitz.data.records import Source
from blitz.ui.definition_preview import RawMessage

KEPT = 40


class RawTail:
    """Listens to blocks; keeps the last messages of one source.

    :param source: its name.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._rows: dict[int, set[int]] = {}
        self._messages: deque[RawMessage] = deque(maxlen=KEPT)
        self.count = 0
        """How many have come."""

    @property
    def messages(self) -> tuple[RawMessage, ...]:
        """What is kept, oldest first."""
        return tuple(self._messages)

    def learn(self, session_id: int, sources: Sequence[Source]) -> None:
        """Take over the source table of a session."""
        self._rows[session_id] = {source.index for source in sources if source.name == self._source}

    def take(self, block: MessageBlock) -> None:
        """Keep what is the source's."""
        rows = self._rows.get(block.session_id)
        if not rows or not len(block):
            return
        ours = np.flatnonzero(np.isin(block.source, list(rows)))
        self.count += len(ours)
        for place in ours[-KEPT:].tolist():
            self._messages.append(RawMessage(int(block.arrived_ns[place]), block.raw[place].as_py()))
