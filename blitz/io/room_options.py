"""What the room's watch is told: which folders and limits there are, and what comes in."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blitz.config import ServerSettings
from blitz.data.machine import machine_memory_bytes
from blitz.data.room import MEGABYTE, redis_budget_bytes


@dataclass(frozen=True)
class RoomOptions:
    """Which folders there are and what may be used; from the settings of these names."""

    data_dir: Path
    archive_dir: Path | None
    """None where nothing is moved to an archive."""
    spool_dir: Path
    redis_budget_bytes: int
    """0: only Redis' own limit counts."""
    is_private_store: bool
    """Whether Redis' files lie in the data folder."""
    reserve_bytes: int
    spool_limit_bytes: int

    @classmethod
    def from_settings(cls, settings: ServerSettings, spool_dir: Path | None = None) -> "RoomOptions":
        """Take them from the settings; of Redis elsewhere only a limit that was set is known."""
        budget = redis_budget_bytes(settings.redis_memory_mb, machine_memory_bytes())
        if settings.redis_url and settings.redis_memory_mb is None:
            budget = 0
        archive_dir = settings.archive_dir or settings.data_dir / "archive"
        return cls(
            data_dir=settings.data_dir,
            archive_dir=archive_dir if settings.archive else None,
            spool_dir=spool_dir or settings.data_dir / "spool",
            redis_budget_bytes=budget,
            is_private_store=settings.redis_url is None,
            reserve_bytes=settings.disk_reserve_mb * MEGABYTE,
            spool_limit_bytes=settings.spool_limit_mb * MEGABYTE,
        )


@dataclass(frozen=True)
class Load:
    """What comes in, and where it can go, at one moment.

    :ivar bytes_per_s: of messages; of the preview's while nothing is recorded.
    :ivar is_recording: messages are stored, so that what grows can be measured.
    :ivar spool_bytes: what the spool takes on disk.
    :ivar store_error: why Redis takes nothing at present; None while it does.
    :ivar is_archiving_possible: the archive runs, and its last file could be written.
    """

    bytes_per_s: float = 0.0
    messages_per_s: float = 0.0
    is_recording: bool = False
    spool_bytes: int = 0
    store_error: str | None = None
    is_archiving_possible: bool = True


class FlowMeter:
    """Counts what comes in, from any thread, and tells the rate since it was last asked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._bytes = self._messages = 0
        self._since_s = clock()

    def add(self, messages: Sequence[bytes]) -> None:
        """Count messages that came."""
        size = sum(map(len, messages))
        with self._lock:
            self._bytes += size
            self._messages += len(messages)

    def rates(self) -> tuple[float, float]:
        """Return bytes and messages a second since the last call."""
        with self._lock:
            now_s = self._clock()
            passed_s = max(now_s - self._since_s, 1e-3)
            rates = self._bytes / passed_s, self._messages / passed_s
            self._bytes, self._messages, self._since_s = 0, 0, now_s
        return rates
