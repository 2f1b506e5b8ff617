"""Watching how much room there is for messages: Redis' memory, the disks, the spool.

Called once a second by the acquisition's housekeeping. Owns what is measured; what the numbers mean is decided in
:mod:`blitz.data.room`. Tells the operator once at each change for better or worse.
"""

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

from blitz.data.disk import Disk, LocalDisk
from blitz.data.records import RoomRecord
from blitz.data.room import (
    LEVELS,
    MEGABYTE,
    GrowthMeter,
    Level,
    Stock,
    appraise,
    disk_spare_bytes,
    explain_refusal,
    refusal_sentence,
    size_words,
    stop_sentence,
)
from blitz.data.store_sizes import StoreMemory
from blitz.errors import BlitzError, StoreFull, StoreUnavailable
from blitz.io.room_options import Load, RoomOptions

log = logging.getLogger(__name__)

Severity = Literal["info", "warning", "error"]
Tell = Callable[[Severity, str, str | None], None]

_FRAME_BYTES = 30
"""Beside its own bytes a message takes about that much in a file: lengths, and its part of the read's entry."""
_SMOOTHING_S = 10.0
_SHRINK_RATIO, _SHRINK_LEAST_BYTES = 2, 8 * MEGABYTE
_ARCHIVE_EACH_S = 60.0
_SEVERITIES: Final[dict[Level, Severity]] = {"ok": "info", "warning": "warning", "critical": "error", "full": "error"}


class MemorySource(Protocol):
    """What tells how large Redis is, and makes it smaller; ``DatabaseServer.sizes``."""

    def memory(self) -> StoreMemory:
        """Return what Redis takes at present."""

    def shrink_files(self) -> None:
        """Let Redis write its files anew, without what was deleted or moved away."""


class RoomWatch:
    """Measures the room and says how long it lasts. May be called from several threads.

    :param memory: ``DatabaseServer.sizes``.
    :param tell: told of each change: severity, sentence, None.
    :param total_bytes: returns how large the disk of a folder is.
    :param disk_of: returns what is the same for two folders on one disk.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        memory: MemorySource,
        options: RoomOptions,
        tell: Tell,
        *,
        disk: Disk | None = None,
        total_bytes: Callable[[Path], int] | None = None,
        disk_of: Callable[[Path], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory_source = memory
        self._options = options
        self._tell = tell
        self._disk = disk or LocalDisk()
        self.archived: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """Returns how many bytes and messages are in the archive; asked once a minute."""
        self._total_bytes = total_bytes or _total_bytes
        self._disk_of = disk_of or _device
        self._clock = clock
        self._lock = threading.Lock()
        self._memory = StoreMemory(used_bytes=0)
        self._archive = (0, 0)
        self._archive_at_s: float | None = None
        self._looked_at_s: float | None = None
        self._load = Load()
        self._volume_per_s = 0.0
        self._recorded_bytes = 0.0
        self._file_growth, self._memory_growth, self._spool_growth = (GrowthMeter(1.0) for _ in range(3))
        self._has_told_of_eviction = False
        self._record: RoomRecord | None = None

    @property
    def record(self) -> RoomRecord | None:
        """What was found last; None before the first look."""
        return self._record

    @property
    def stop_reason(self) -> str | None:
        """Why the running session must be stopped now, as a sentence; None while there is room."""
        record = self._record
        return stop_sentence(record) if record is not None and record.level == "full" else None

    def check_start(self) -> None:
        """Measure anew, and refuse a session that could not be stored.

        :raises StoreFull: if no room is left, with what to do.
        """
        record = self.look(self._load)
        if record.level == "full":
            raise StoreFull(refusal_sentence(record))

    def check(self) -> None:
        """Refuse what could not be stored, by what was found last.

        :raises StoreFull: if no room is left, with what to do.
        """
        record = self._record
        if record is not None and record.level == "full":
            raise StoreFull(refusal_sentence(record))

    def look(self, load: Load) -> RoomRecord:
        """Measure everything and return what there is; a change of the level is told. Redis may be asked."""
        with self._lock:
            before: Level = "ok" if self._record is None else self._record.level
            self._measure(load)
            stocks = self._stocks(load)
            trouble = None if load.store_error is None else explain_refusal(load.store_error)
            record = appraise(stocks, before, trouble=trouble, known=self._known(stocks, load))
            self._record = record
        self._tell_change(before, record)
        if self._memory.evicts and not self._has_told_of_eviction:
            self._has_told_of_eviction = True
            self._tell("error", _EVICTION, None)
        return record

    def _tell_change(self, before: Level, record: RoomRecord) -> None:
        if record.level == before:
            return
        is_worse = LEVELS.index(record.level) > LEVELS.index(before)
        if is_worse and record.level in ("critical", "full"):
            self._shrink_files()
        text = record.text or "There is room for messages again."
        self._tell(_SEVERITIES[record.level] if is_worse else "info", text, None)

    def _shrink_files(self) -> None:
        """Get back what Redis' files hold of messages that are no longer there, where that is much."""
        memory = self._memory
        if memory.file_bytes < _SHRINK_RATIO * memory.used_bytes + _SHRINK_LEAST_BYTES:
            return
        try:
            self._memory_source.shrink_files()
        except StoreUnavailable as error:
            log.debug("Redis cannot write its files anew: %s", error)

    # ---- measuring ------------------------------------------------------------------------------------------------

    def _measure(self, load: Load) -> None:
        now_s = self._clock()
        passed_s = 0.0 if self._looked_at_s is None else max(now_s - self._looked_at_s, 0.0)
        volume_per_s = load.bytes_per_s + _FRAME_BYTES * load.messages_per_s
        weight = 1.0 if self._looked_at_s is None else passed_s / (passed_s + _SMOOTHING_S)
        self._volume_per_s += weight * (volume_per_s - self._volume_per_s)
        self._looked_at_s, self._load = now_s, load
        if load.store_error is None:
            try:
                self._memory = self._memory_source.memory()
            except StoreUnavailable as error:
                log.debug("The room in Redis is not known: %s", error)
        if load.is_recording:
            self._recorded_bytes += volume_per_s * passed_s
            if load.store_error is None:
                self._file_growth.measure(self._memory.file_bytes, self._recorded_bytes)
                self._memory_growth.measure(self._memory.used_bytes, self._recorded_bytes)
            else:
                self._spool_growth.measure(load.spool_bytes, self._recorded_bytes)
        if self._archive_at_s is None or now_s - self._archive_at_s >= _ARCHIVE_EACH_S:
            self._archive_at_s = now_s
            try:
                self._archive = self.archived()
            except BlitzError as error:
                log.debug("The size of the archive is not known: %s", error)

    def _redis_limit(self) -> int:
        limits = [n for n in (self._options.redis_budget_bytes, self._memory.limit_bytes) if n > 0]
        return min(limits, default=0)

    def _archive_per_s(self, load: Load) -> float:
        size, count = self._archive
        if count:
            return size / count * load.messages_per_s
        return _ASSUMED_ARCHIVE_RATIO * self._volume_per_s

    # ---- what can be full -------------------------------------------------------------------------------------------

    def _stocks(self, load: Load) -> list[Stock]:
        stocks = self._disks(load)
        is_archiving = self._options.archive_dir is not None and load.is_archiving_possible
        limit = self._redis_limit()
        if load.store_error is not None:
            size = self._options.spool_limit_bytes
            left = size - load.spool_bytes - min(size // 100, MEGABYTE)
            rate = self._spool_growth.ratio * self._volume_per_s
            name = f"the spool ({size_words(size)} at most)"
            stocks.append(Stock("spool", name, size, left, bytes_per_s=rate))
        elif limit and not is_archiving:
            # Closing a session and its accounts must still fit.
            kept_back = min(max(limit // 50, MEGABYTE), 16 * MEGABYTE)
            rate = self._memory_growth.ratio * self._volume_per_s
            name = f"the memory of Redis ({size_words(limit)} at most)"
            stocks.append(Stock("redis", name, limit, limit - self._memory.used_bytes - kept_back, bytes_per_s=rate))
        return stocks

    def _disks(self, load: Load) -> list[Stock]:
        """Return each disk once, with all that grows on it."""
        options = self._options
        folders = [options.data_dir, options.spool_dir]
        if options.archive_dir is not None:
            folders.append(options.archive_dir)
        by_disk: dict[object, list[Path]] = {}
        for folder in folders:
            by_disk.setdefault(self._disk_of(folder), []).append(folder)
        stocks = []
        for on_disk in by_disk.values():
            try:
                stocks.append(self._disk_stock(on_disk, load))
            except OSError as error:
                log.debug("The room in %s is not known: %s", on_disk[0], error)
        return stocks

    def _disk_stock(self, folders: Sequence[Path], load: Load) -> Stock:
        options = self._options
        rate, spare, later = 0.0, 0.0, None
        has_redis = options.is_private_store and options.data_dir in folders
        if load.store_error is not None:
            rate = self._spool_growth.ratio * self._volume_per_s if options.spool_dir in folders else 0.0
        else:
            rate = self._file_growth.ratio * self._volume_per_s if has_redis else 0.0
            if options.archive_dir is not None and load.is_archiving_possible:
                spare = disk_spare_bytes(options.redis_budget_bytes, self._memory.file_bytes) if has_redis else 0.0
                later = self._archive_per_s(load) if options.archive_dir in folders else 0.0
        return Stock(
            "disk",
            f"the disk of {folders[0]}",
            self._total_bytes(folders[0]),
            self._disk.free_bytes(folders[0]) - options.reserve_bytes,
            options.reserve_bytes,
            rate,
            spare,
            later,
        )

    def _known(self, stocks: Sequence[Stock], load: Load) -> RoomRecord:
        disks = [stock for stock in stocks if stock.place == "disk"]
        fullest = min(disks, key=lambda stock: stock.left_bytes, default=None)
        return RoomRecord(
            redis_used_bytes=self._memory.used_bytes,
            redis_budget_bytes=self._redis_limit(),
            archive_bytes=self._archive[0],
            disk_free_bytes=max(int(fullest.left_bytes), 0) if fullest else 0,
            disk_reserve_bytes=self._options.reserve_bytes,
            spool_limit_bytes=self._options.spool_limit_bytes,
            bytes_per_s=round(sum(stock.bytes_per_s for stock in disks), 1),
        )


_ASSUMED_ARCHIVE_RATIO = 0.5
_EVICTION = (
    "This Redis is set up to throw away keys when its memory is full: recorded messages would vanish. Set its "
    "maxmemory-policy to noeviction."
)


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _total_bytes(folder: Path) -> int:
    return shutil.disk_usage(_existing(folder)).total


def _device(folder: Path) -> object:
    return os.stat(_existing(folder)).st_dev
