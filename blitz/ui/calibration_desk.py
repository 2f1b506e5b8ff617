"""What a calibration works with: the channels there are, what they send, the step that is being read. Knows no widget.

Blocks are looked at as they come; a step is over when enough readings have come, by their own times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from blitz.data.blocks import MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.calibration_applying import find_channel
from blitz.data.calibration_draft import CalibrationDraft, CalibrationFacts
from blitz.data.raw_numbers import Average, RawNumbers, Taking, average
from blitz.data.records import BoardRecord, Source
from blitz.errors import CalibrationError


@dataclass(frozen=True)
class TakenStep:
    """A step that was read."""

    place: int
    reference: float
    average: Average


class CalibrationDesk:
    """One channel at a time; the steps of others are kept for coming back to them."""

    def __init__(self) -> None:
        self.sources: dict[str, BoardDefinition] = {}
        """By name, those whose channels are known."""
        self.draft: CalibrationDraft | None = None
        self.newest: float | None = None
        """The number that was sent last."""
        self.taking: Taking | None = None
        self.reference = 0.0
        """The known value of the step that is being read."""
        self.wanted: BoardDefinition | None = None
        """What was asked for last."""
        self.source = ""
        self._place: int | None = None
        self._result: TakenStep | None = None
        self._drafts: dict[tuple[str, int], CalibrationDraft] = {}
        self._numbers: RawNumbers | None = None
        self._tables: dict[int, tuple[Source, ...]] = {}

    @property
    def current(self) -> Channel | None:
        """The channel as it is read now."""
        if self.draft is None:
            return None
        definition = self.sources.get(self.source)
        place = find_channel(definition, self.draft.definition, self.draft.column)
        return self.draft.before if definition is None or place is None else definition.channels[place]

    def show_boards(self, boards: Sequence[BoardRecord]) -> None:
        """Take over the definitions in force."""
        self.sources = {board.name: board.definition for board in boards if board.definition and _has_channels(board)}

    def show_tables(self, tables: Mapping[int, tuple[Source, ...]]) -> None:
        """Take over the source tables of what is live, by session."""
        self._tables = dict(tables)
        if self._numbers is not None:
            for session_id, sources in self._tables.items():
                self._numbers.learn(session_id, sources)

    def choose(self, source: str, column: int) -> None:
        """Go to a channel; a step that is being read is given up."""
        self.cancel()
        self.newest, self.wanted, self.draft, self._numbers = None, None, None, None
        definition = self.sources.get(source)
        self.source = source
        if definition is None or not 0 <= column < len(definition.channels):
            return
        kept = self._drafts.get((source, column))
        if kept is None or kept.definition.channels[column] != definition.channels[column]:
            kept = self._drafts[source, column] = CalibrationDraft(definition, column)
        self.draft = kept
        self._numbers = RawNumbers(source, definition, column)
        self.show_tables(self._tables)

    def take_block(self, block: MessageBlock) -> bool:
        """Look at a block; returns whether a step got on."""
        if self._numbers is None:
            return False
        arrived_ns, numbers = self._numbers.take(block)
        if not len(numbers):
            return False
        self.newest = float(numbers[-1])
        if self.taking is None or self.draft is None:
            return False
        self.taking.add(arrived_ns, numbers)
        if self.taking.is_enough:
            known = average(self.taking.numbers)
            place = self.draft.put(known.step(self.reference), self._place)
            self._result = TakenStep(place, self.reference, known)
            self.taking = None
        return True

    def begin(self, reference: float, taking: Taking, place: int | None = None) -> None:
        """Read a step from now on.

        :param place: of the step that it takes the place of; None: it is a new one.
        """
        self.reference, self.taking, self._place, self._result = reference, taking, place, None

    def cancel(self) -> None:
        """Give up the step that is being read."""
        self.taking = None

    def take_result(self) -> TakenStep | None:
        """Return the step that was read, once."""
        result, self._result = self._result, None
        return result

    def want(self, facts: CalibrationFacts) -> BoardDefinition:
        """Return the definition in force with the channel calibrated, and keep it as :attr:`wanted`.

        :raises CalibrationError: if the steps determine no curve, or the channel is not there any more.
        """
        if self.draft is None:
            raise CalibrationError("There is no channel to be calibrated.")
        self.wanted = self.draft.applied_to(self.sources.get(self.source), facts, datetime.now(UTC))
        return self.wanted


def _has_channels(board: BoardRecord) -> bool:
    return board.definition is not None and bool(board.definition.channels)
