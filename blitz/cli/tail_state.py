"""What `blitz tail` knows at a moment: the newest value of each channel, the state of recording, notices.

Pure: readings, events and the time in, rows out. Memory is bounded by the number of channels.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import PREVIEW_ID
from blitz.data.boards import Channel, Readings
from blitz.data.records import Event, EventKind, Notice, SessionRecord, Source, StatusRecord
from blitz.ui.formats import fitting_decimals

TREND_READINGS = 32
_TREND_EVERY_NS = 500_000_000
_NOTICES = 3


@dataclass(frozen=True)
class Choice:
    """Which channels are wanted: patterns such as ``sim*``, whatever the case; none means all."""

    sources: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    def has_source(self, name: str) -> bool:
        """Whether a source is wanted.

        >>> Choice(("SIM*",)).has_source("sim1"), Choice(("pump",)).has_source("sim1"), Choice().has_source("sim1")
        (True, False, True)
        """
        return _matches(name, self.sources)

    def has_channel(self, channel: Channel) -> bool:
        """Whether a channel of a wanted source is wanted, by its name or its label."""
        return _matches(channel.name, self.channels) or _matches(channel.label, self.channels)


@dataclass
class ChannelRow:
    """One channel as it is now; numbers that are not known are NaN."""

    source: str
    channel: Channel
    value: float = math.nan
    """The newest that is a reading."""
    time_ns: int = 0
    """Of that; 0 where none has come."""
    low: float = math.nan
    high: float = math.nan
    trend: deque[float] = field(default_factory=lambda: deque(maxlen=TREND_READINGS))
    """A value each half a second, oldest first."""
    decimals: int = 0
    _trend_ns: int = 0

    def add(self, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Take the readings of a block, shape (n,) both."""
        (there,) = np.nonzero(np.isfinite(values))
        if not len(there):
            return
        self.value, self.time_ns = float(values[there[-1]]), int(time_ns[there[-1]])
        self.low = float(np.fmin(self.low, values[there].min()))
        self.high = float(np.fmax(self.high, values[there].max()))
        self.decimals = fitting_decimals(self.channel, [self.value], self.decimals)
        if self.time_ns - self._trend_ns >= _TREND_EVERY_NS:
            self._trend_ns = self.time_ns
            self.trend.append(self.value)


class TailState:
    """Takes what a live view brings, in its order.

    :param is_followed: whether it goes on with whatever is recorded; else it shows one session.
    """

    def __init__(self, choice: Choice, *, is_followed: bool = True) -> None:
        self._choice = choice
        self._is_followed = is_followed
        self._rows: dict[tuple[str, str], ChannelRow] = {}
        self._beside: frozenset[str] = frozenset()
        self._shown_id: int | None = None
        self.status: StatusRecord | None = None
        self.session: SessionRecord | None = None
        """What runs, or the one session that is shown."""
        self.away = ""
        """Why there is no connection; empty where there is one."""
        self.notices: deque[Notice] = deque(maxlen=_NOTICES)
        self.message_count = 0
        """Messages that were shown."""
        self.ahead_s = 0.0
        """How far the server's clock is ahead of this computer's."""

    @property
    def rows(self) -> list[ChannelRow]:
        """The wanted channels, in the order of the source table."""
        return list(self._rows.values())

    @property
    def is_recording(self) -> bool:
        """Whether what is shown is being recorded."""
        return self.session is not None and self.session.is_running

    @property
    def rates_hz(self) -> dict[str, float]:
        """Messages a second, by source, as the server counts them."""
        boards = self.status.boards if self.status is not None else ()
        return {board.name: board.rate_hz for board in boards}

    def is_shown(self, session_id: int, source: str) -> bool:
        """Whether messages of a session (or the preview) are what is looked at: streams beside a session are, too."""
        if not self._choice.has_source(source):
            return False
        return not (self._is_followed and session_id == PREVIEW_ID and self.is_recording) or source in self._beside

    def learn(self, event: Event, now_s: float) -> None:
        """Take an event.

        :param now_s: this computer's time, in seconds since the Unix epoch.
        """
        if event.event is EventKind.STATUS and event.status is not None:
            self._take_status(event.status, now_s)
        elif event.event is EventKind.SOURCES and event.sources is not None:
            self._take_sources(event.session_id or PREVIEW_ID, event.sources)
        elif event.event in (EventKind.SESSION_STARTED, EventKind.SESSION_STOPPED, EventKind.SESSION_CHANGED):
            self._take_session(event)
        elif event.event is EventKind.DISCONNECTED:
            self.away = event.notice.text if event.notice is not None else "The connection was lost."
        elif event.event is EventKind.RECONNECTED:
            self.away = ""
        elif event.event is EventKind.NOTICE and event.notice is not None and event.notice not in self.notices:
            self.notices.append(event.notice)

    def add(self, readings: Readings) -> bool:
        """Take readings; False if they are not wanted."""
        source = readings.source
        if not len(readings) or not self.is_shown(readings.session_id, source.name):
            return False
        if readings.session_id not in (PREVIEW_ID, self._shown_id):
            self._shown_id = readings.session_id
            for row in self._rows.values():
                row.low = row.high = math.nan
        self.message_count += len(readings)
        for column, channel in enumerate(readings.channels):
            if self._choice.has_channel(channel):
                self._row(source.name, channel).add(readings.time_ns, readings.values[:, column])
        return True

    def age_s(self, row: ChannelRow, now_s: float) -> float:
        """Return how old a channel's newest reading is; NaN where there is none."""
        return max(0.0, now_s + self.ahead_s - row.time_ns / 1e9) if row.time_ns else math.nan

    def _take_status(self, status: StatusRecord, now_s: float) -> None:
        self.status = status
        self.ahead_s = status.now.timestamp() - now_s
        self._beside = frozenset(board.name for board in status.boards if not board.is_recorded)
        if self._is_followed or (self.session and status.session and status.session.id == self.session.id):
            self.session = status.session
        for board in status.boards:
            if self._is_followed and board.definition is not None and self._choice.has_source(board.name):
                self._show_channels(board.name, board.definition.channels)

    def _take_sources(self, session_id: int, sources: tuple[Source, ...]) -> None:
        for source in sources:
            if source.definition is not None and self.is_shown(session_id, source.name):
                self._show_channels(source.name, source.definition.channels)

    def _take_session(self, event: Event) -> None:
        session = event.session
        if session is None:
            return
        if event.event is EventKind.SESSION_STARTED and self._is_followed:
            self.session = session
        elif self.session is not None and session.id == self.session.id:
            self.session = None if self._is_followed and not session.is_running else session

    def _show_channels(self, source: str, channels: tuple[Channel, ...]) -> None:
        for channel in channels:
            if self._choice.has_channel(channel):
                self._row(source, channel)

    def _row(self, source: str, channel: Channel) -> ChannelRow:
        row = self._rows.get((source, channel.name))
        if row is None:
            row = self._rows[source, channel.name] = ChannelRow(source, channel)
        row.channel = channel
        return row


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)
