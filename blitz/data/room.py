"""How much room there is for messages, how long it lasts, and what an operator should do about it.

Pure: numbers in, a :class:`~blitz.data.records.RoomRecord` out. What is measured, and how, is the business of
:mod:`blitz.io.room_watch`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from blitz.data.records import RoomRecord

Level = Literal["ok", "warning", "critical", "full"]
Place = Literal["redis", "disk", "spool"]
LEVELS: Final[tuple[Level, ...]] = ("ok", "warning", "critical", "full")

MEGABYTE: Final = 1 << 20
_BUDGET_SHARE = 4
_BUDGET_LIMIT_MB = 2048
_WARNING_S, _CRITICAL_S = 24 * 3600.0, 3600.0
_FULL_S = 10.0
"""What is full so soon counts as full: fetching what boards still hold, and closing the session, take that long."""
_WARNING_SHARE, _CRITICAL_SHARE = 0.10, 0.02
_RELIEF = 1.5
"""A level is left for a better one only where there is half as much again as the limit of that level."""
_RELIEF_SHARE = 0.01
"""What is full counts as full until a hundredth of it is free again."""
_DISK_COUNTED_BYTES = 20 << 30
"""Of a larger disk that much is counted: a tenth of 4 TB is no reason to warn anybody."""
_WEIGHT_OF_A_SAMPLE = 0.2
_REDIS_FILES = 3
"""Times the memory that Redis' files may take: the file, as much again before it is written anew, and the new one."""


def redis_budget_bytes(redis_memory_mb: int | None, machine_bytes: int) -> int:
    """Return what Redis may take of the machine's memory.

    >>> redis_budget_bytes(None, 1 << 30) >> 20, redis_budget_bytes(None, 64 << 30) >> 20
    (256, 2048)
    """
    if redis_memory_mb is not None:
        return redis_memory_mb * MEGABYTE
    return max(min(machine_bytes // _BUDGET_SHARE, _BUDGET_LIMIT_MB * MEGABYTE), 32 * MEGABYTE)


@dataclass(frozen=True)
class Stock:
    """Something that messages fill."""

    place: Place
    name: str
    """As it stands in a sentence, such as ``the disk of /var/lib/blitz``."""
    size_bytes: int
    left_bytes: float
    """The reserve not counted."""
    reserve_bytes: int = 0
    bytes_per_s: float = 0.0
    spare_bytes: float = 0.0
    """Of what is left, how much is filled at :attr:`bytes_per_s`; what lies behind it, at :attr:`later_bytes_per_s`."""
    later_bytes_per_s: float | None = None
    """None: everything is filled at one rate."""

    @property
    def full_in_s(self) -> float:
        """Seconds until nothing is left; infinite where it is not in sight."""
        if self.left_bytes <= 0:
            return 0.0
        if self.later_bytes_per_s is None or self.left_bytes <= self.spare_bytes:
            return _divide(self.left_bytes, self.bytes_per_s)
        return _divide(self.spare_bytes, self.bytes_per_s) + _divide(
            self.left_bytes - self.spare_bytes, self.later_bytes_per_s
        )

    @property
    def share(self) -> float:
        """The part that is left, 0 to 1."""
        counted = min(self.size_bytes, _DISK_COUNTED_BYTES) if self.place == "disk" else self.size_bytes
        return max(self.left_bytes, 0.0) / counted if counted > 0 else 0.0


def disk_spare_bytes(redis_budget: int, file_bytes: int) -> float:
    """Return how much more Redis' files may take on disk while the archive empties its memory.

    Redis keeps at most its budget of messages then; its append-only file grows to twice that before it is written
    anew, and while it is, the new one stands beside it.
    """
    return float(max(_REDIS_FILES * redis_budget - file_bytes, 0))


def judge(stock: Stock, before: Level = "ok") -> Level:
    """Return how bad it is.

    :param before: the level until now: a better one is given only where there is clearly more room than it needs.
    """
    for level in ("full", "critical", "warning"):
        if _holds(stock, level, eased=LEVELS.index(before) >= LEVELS.index(level)):
            return level
    return "ok"


def _holds(stock: Stock, level: Level, *, eased: bool) -> bool:
    if level == "full":
        is_short = stock.full_in_s < _FULL_S * (_RELIEF if eased else 1.0)
        return stock.left_bytes <= 0 or is_short or (eased and stock.share < _RELIEF_SHARE)
    seconds, share = (_CRITICAL_S, _CRITICAL_SHARE) if level == "critical" else (_WARNING_S, _WARNING_SHARE)
    factor = _RELIEF if eased else 1.0
    return stock.full_in_s < seconds * factor or stock.share < share * factor


def appraise(
    stocks: Sequence[Stock], before: Level, *, trouble: str | None = None, known: RoomRecord | None = None
) -> RoomRecord:
    """Return the record of all stocks: that which is worst, and of equals that which is full first, tells the level.

    :param before: the level until now.
    :param trouble: a sentence about what Redis refuses; it makes matters critical at least.
    :param known: a record with the numbers; level, text, and what is full first, are put in.
    """
    known = known or RoomRecord()
    ranked = sorted(stocks, key=lambda s: (-LEVELS.index(judge(s, before)), s.full_in_s, s.share))
    worst = ranked[0] if ranked else None
    level: Level = judge(worst, before) if worst is not None else "ok"
    text = describe(worst, level) if worst is not None else ""
    if trouble is not None:
        level = max(level, "critical", key=LEVELS.index)
        text = f"{trouble} {text}".strip()
    first = min(stocks, key=lambda stock: stock.full_in_s, default=None)
    if level != "ok" and worst is not None:
        first = worst
    is_in_sight = first is not None and math.isfinite(first.full_in_s)
    is_named = first is not None and (is_in_sight or level != "ok")
    return known.model_copy(
        update={
            "level": level,
            "text": text,
            "full_in_s": round(first.full_in_s, 1) if first is not None and is_in_sight else None,
            "limited_by": first.place if first is not None and is_named else None,
        }
    )


def describe(stock: Stock, level: Level) -> str:
    """Return what an operator should know; nothing while all is well."""
    if level == "ok":
        return ""
    name = stock.name[0].upper() + stock.name[1:]
    if level == "full":
        but = f": only the reserve of {size_words(stock.reserve_bytes)} is left" if stock.reserve_bytes else ""
        return f"{name} is full{but}. {_remedy(stock.place)}"
    lasts = ""
    if math.isfinite(stock.full_in_s):
        lasts = f", which lasts for {duration_words(stock.full_in_s)} at the present rate"
    besides = f" besides the reserve of {size_words(stock.reserve_bytes)}" if stock.reserve_bytes else ""
    return f"{name} has {size_words(stock.left_bytes)} left{besides}{lasts}. {_remedy(stock.place)}"


def stop_sentence(record: RoomRecord) -> str:
    """Return why a session is stopped, for its record and for the operator."""
    return f"No room was left: {record.text}"


def refusal_sentence(record: RoomRecord) -> str:
    """Return why a session cannot be started."""
    return f"A session cannot be started, for no room is left. {record.text}"


def explain_refusal(error: str) -> str | None:
    """Return what a refusal of Redis means and what to do, for errors that are about room or its set-up.

    >>> explain_refusal("OOM command not allowed when used memory > 'maxmemory'.")[:48]
    'Redis has reached its limit of memory and takes '
    >>> explain_refusal("Connection refused") is None
    True
    """
    return next((sentence for words, sentence in _REFUSALS if any(word in error for word in words)), None)


_REFUSALS: Final = (
    (
        ("OOM ", "used memory > 'maxmemory'"),  # redis-py cuts off the first word
        "Redis has reached its limit of memory and takes no more messages. Turn the archive on, raise redis_memory_mb "
        "(of a Redis of your own, its maxmemory), or delete sessions; 'blitz retention' shows which could go.",
    ),
    (
        ("MISCONF", "Errors writing to the AOF file", "unable to persist"),
        "Redis cannot write to its disk and takes no more messages. Make room on that disk, or mend what its log says "
        "of it; Redis then goes on by itself.",
    ),
    (
        ("No space left on device",),
        "The disk of Redis is full, and it takes no more messages. Make room on that disk; Redis then goes on by "
        "itself.",
    ),
    (
        ("READONLY", "read only replica", "read only slave"),
        "The Redis at this address is a read-only replica. Give the address of its primary with redis_url, or make it "
        "the primary again.",
    ),
)


def _remedy(place: Place) -> str:
    return {
        "redis": "Turn the archive on, raise redis_memory_mb, or delete sessions; 'blitz retention' shows which could "
        "go.",
        "disk": "Delete sessions ('blitz retention' shows which could go, 'blitz trash empty' gives their room back), "
        "or put archive_dir on a larger disk.",
        "spool": "Messages are kept there while Redis is away: start Redis again, or raise spool_limit_mb.",
    }[place]


def size_words(size_bytes: float) -> str:
    """Return a size as people say it.

    >>> size_words(1_234_000_000), size_words(512), size_words(18_400_000)
    ('1.2 GB', '512 bytes', '18 MB')
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= unit:
            number = size_bytes / unit
            return f"{number:.1f} {name}" if number < 10 else f"{number:.0f} {name}"
    return f"{max(size_bytes, 0):.0f} bytes"


def duration_words(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration_words(47.2), duration_words(5400), duration_words(90_000), duration_words(3_000_000)
    ('47 seconds', '90 minutes', '25 hours', '34 days')
    """
    for unit_s, name, least in ((86_400, "day", 2), (3600, "hour", 2), (60, "minute", 1)):
        count = int(seconds / unit_s)
        if count >= least:
            return f"{count} {name}{'s' if count != 1 else ''}"
    return f"{seconds:.0f} seconds"


def _divide(amount: float, rate: float) -> float:
    if amount <= 0:
        return 0.0
    return amount / rate if rate > 0 else math.inf


class GrowthMeter:
    """Measures how much a size grows with what is recorded: bytes there for each byte of messages and their frames.

    A size that falls (a file written anew, messages moved away) tells nothing; what was known stays.

    :param ratio: assumed until something was measured.
    :param least_bytes: so much must have been recorded for a measurement.
    """

    def __init__(self, ratio: float, least_bytes: float = 65_536.0) -> None:
        self.ratio = ratio
        self._least_bytes = least_bytes
        self._size: float | None = None
        self._recorded = 0.0

    def measure(self, size: float, recorded: float) -> None:
        """Take what the size is now, and how much has been recorded in all."""
        if self._size is None or size < self._size:
            self._size, self._recorded = size, recorded
            return
        if recorded - self._recorded < self._least_bytes:
            return
        sample = (size - self._size) / (recorded - self._recorded)
        self._size, self._recorded = size, recorded
        self.ratio += _WEIGHT_OF_A_SAMPLE * (sample - self.ratio)
