"""The numbers of one channel as they stand in messages, before calibration, and means of some of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.boards import SessionDecoder
from blitz.data.calibration_facts import CalibrationStep
from blitz.data.records import Source

_SURE = 4.0
"""Halves whose means differ by more than so many standard errors have moved."""
_FEWEST = 4
"""Below so many readings nobody can tell whether they are steady."""
_OWN_NUMBERS = {"zero", "scale", "divisor", "polynomial", "table", "valid_low", "valid_high", "calibration"}


def uncalibrated(channel: Channel) -> Channel:
    """Return a channel whose readings are the numbers as they were sent.

    >>> uncalibrated(Channel(name="a", zero=5, scale=2, valid_low=0)) == Channel(name="a")
    True
    """
    return Channel.model_validate(channel.model_dump(exclude=_OWN_NUMBERS))


def same_place(one: Channel, other: Channel) -> bool:
    """Whether two channels read the same numbers out of a message, whatever they make of them."""
    fields = {"bit", "bits", "is_flag", "signed", "byte_order", "column", "offset", "type"}
    return one.model_dump(include=fields) == other.model_dump(include=fields)


class RawNumbers:
    """Listens to blocks; gives the raw numbers of one channel of one source.

    :param source: its name.
    :param definition: as it reads the source's messages now; only where the channel stands counts.
    :param column: the channel's place in the definition.
    """

    def __init__(self, source: str, definition: BoardDefinition, column: int) -> None:
        self._source = source
        channel = uncalibrated(definition.channels[column])
        # One channel only: the others, counters of messages for example, cost time and tell nothing here.
        self._definition = definition.model_copy(update={"channels": (channel,)})
        self._rows: dict[int, SessionDecoder] = {}

    def learn(self, session_id: int, sources: Sequence[Source]) -> None:
        """Take over the source table of a session."""
        ours = [source for source in sources if source.name == self._source]
        self._rows[session_id] = SessionDecoder(
            source.model_copy(update={"definition": self._definition}) for source in ours
        )

    def take(self, block: MessageBlock) -> NDArray[np.float64]:
        """Return the channel's numbers in a block, those of its source that have one, in their order."""
        decoder = self._rows.get(block.session_id)
        if decoder is None or not len(block):
            return np.empty(0)
        parts = [part.values[:, 0] for part in decoder.read(block)]
        found: NDArray[np.float64] = np.concatenate(parts) if parts else np.empty(0)
        return found[~np.isnan(found)]


@dataclass(frozen=True)
class Average:
    """The mean of some readings.

    :param deviation: their standard deviation (of a sample, n - 1); 0 of a single one.
    :param drift: by how much the mean of the second half is above that of the first.
    :param is_steady: whether that may be by chance.
    """

    mean: float
    deviation: float
    count: int
    drift: float = 0.0
    is_steady: bool = True

    def step(self, reference: float) -> CalibrationStep:
        """Return what a calibration is made of."""
        return CalibrationStep(reference=reference, raw=self.mean, deviation=self.deviation, count=self.count)


def average(numbers: NDArray[np.float64]) -> Average:
    """Return the mean of readings in the order in which they came, at least one.

    >>> average(np.array([1.0, 3.0])).mean
    2.0
    """
    count = len(numbers)
    deviation = float(numbers.std(ddof=1)) if count > 1 else 0.0
    first, second = numbers[: count // 2], numbers[count // 2 :]
    if count < _FEWEST:
        return Average(float(numbers.mean()), deviation, count)
    drift = float(second.mean() - first.mean())
    error = (first.var() / len(first) + second.var() / len(second)) ** 0.5
    smallest = float(np.abs(numbers).max()) * 1e-12
    return Average(float(numbers.mean()), deviation, count, drift, abs(drift) <= max(_SURE * error, smallest))
