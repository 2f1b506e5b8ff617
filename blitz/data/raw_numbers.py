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
_FEWEST_TO_COMPARE = 8
_FAR, _FAR_STEPS = 12.0, 3.0
"""Of the usual distance from the median; of the last digit that readings have."""
_LOOKED_AT = 100
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
    :param definition: as it reads the source's messages now.
    :param column: the channel's place in the definition.
    """

    def __init__(self, source: str, definition: BoardDefinition, column: int) -> None:
        self._source = source
        self._column = column
        channels = list(definition.channels)
        channels[column] = uncalibrated(channels[column])
        self._definition = definition.model_copy(update={"channels": tuple(channels)})
        self._decoders: dict[int, SessionDecoder] = {}

    def learn(self, session_id: int, sources: Sequence[Source]) -> None:
        """Take over the source table of a session."""
        ours = [source for source in sources if source.name == self._source]
        self._decoders[session_id] = SessionDecoder(
            source.model_copy(update={"definition": self._definition}) for source in ours
        )

    def take(self, block: MessageBlock) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return when the source's messages in a block arrived, in ns, and the channel's numbers; those that have one.

        :returns: two arrays of shape (n,), in the order of the messages.
        """
        decoder = self._decoders.get(block.session_id)
        if decoder is None or not len(block):
            return np.empty(0, np.int64), np.empty(0)
        parts = [(part.arrived_ns, part.values[:, self._column]) for part in decoder.read(block)]
        if not parts:
            return np.empty(0, np.int64), np.empty(0)
        arrived_ns, numbers = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        known = ~np.isnan(numbers)
        return arrived_ns[known], numbers[known]


class Taking:
    """Gathers readings until there are enough, by their own times: nothing here asks a clock.

    :param span_s: until so much lies between the arrivals of the first and the last.
    :param count: until there are so many; goes before the span.
    """

    def __init__(self, span_s: float = 0.0, count: int | None = None) -> None:
        self._span_ns = span_s * 1e9
        self._count = count
        self._first_ns = 0
        self._last_ns = 0
        self._parts: list[NDArray[np.float64]] = []

    def add(self, arrived_ns: NDArray[np.int64], numbers: NDArray[np.float64]) -> None:
        """Take readings, as :meth:`RawNumbers.take` gives them; those beyond what is enough are left out."""
        if not len(numbers) or self.is_enough:
            return
        if not self._parts:
            self._first_ns = int(arrived_ns[0])
        keep = len(numbers) if self._count is None else self._count - len(self.numbers)
        if self._count is None:
            enough = np.flatnonzero(arrived_ns - self._first_ns >= self._span_ns)
            keep = int(enough[0]) + 1 if len(enough) else keep
        self._parts.append(numbers[:keep])
        self._last_ns = int(arrived_ns[:keep][-1])

    @property
    def numbers(self) -> NDArray[np.float64]:
        """What has come, in its order."""
        return np.concatenate(self._parts) if self._parts else np.empty(0)

    @property
    def share(self) -> float:
        """How much of what is wanted has come, 0 to 1."""
        if not self._parts:
            return 0.0
        if self._count is not None:
            return min(len(self.numbers) / self._count, 1.0)
        return min((self._last_ns - self._first_ns) / self._span_ns, 1.0) if self._span_ns else 1.0

    @property
    def is_enough(self) -> bool:
        """Whether all that is wanted has come."""
        return self.share >= 1.0


@dataclass(frozen=True)
class Average:
    """The mean of some readings.

    :param deviation: their standard deviation (of a sample, n - 1); 0 of a single one.
    :param drift: by how much the mean of the second half is above that of the first.
    :param is_steady: whether that may be by chance.
    :param outliers: how many readings are far from the others, such as one from before the value was there.
    """

    mean: float
    deviation: float
    count: int
    drift: float = 0.0
    is_steady: bool = True
    outliers: int = 0

    @property
    def doubt(self) -> str:
        """What speaks against it, and what to wait for, without a full stop; empty where nothing does."""
        if self.outliers:
            what = "1 reading was" if self.outliers == 1 else f"{self.outliers} readings were"
            return f"{what} far from the others: wait until the value is there"
        return "" if self.is_steady else f"It moved by {abs(self.drift):.3g} meanwhile: wait until it rests"

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
    is_steady = bool(abs(drift) <= max(_SURE * error, smallest))
    return Average(float(numbers.mean()), deviation, count, drift, is_steady, _outliers(numbers))


def _outliers(numbers: NDArray[np.float64]) -> int:
    """Count what lies far beyond the middle half of the readings; few steps of a converter are never far."""
    if len(numbers) < _FEWEST_TO_COMPARE:
        return 0
    apart = np.abs(numbers - np.median(numbers))
    usual = max(float(np.quantile(apart, 0.5)), float(np.quantile(apart, 0.75)), float(np.abs(numbers).max()) * 1e-9)
    return int((apart > max(_FAR * usual, _FAR_STEPS * _resolution(numbers))).sum())


def _resolution(numbers: NDArray[np.float64]) -> float:
    """Return the worth of the last digit that numbers have: 1 of whole ones."""
    texts = (f"{number:.9g}" for number in numbers[:_LOOKED_AT].tolist())
    return float(10.0 ** -max(len(text.partition("e")[0].partition(".")[2]) for text in texts))
