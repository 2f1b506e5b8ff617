"""The `blitz` command as it runs some days later: ``python days_later.py DAYS CHATTER_KB ARGUMENTS…``

The clock that people read is set forward before anything of Blitz is loaded; the monotonic clock is left alone. A
simulated day lasts seconds, so that retention begins a second after the start, not five minutes; and a server writes
as much into its log as a real one does in a day.
"""

import datetime
import logging
import sys
import threading
import time
from typing import Any

RETENTION_AFTER_S = 1.0
LOG_SEARCH_S = 0.05
_REAL = datetime.datetime


class _Kind(type):
    """What a library made of C code is a date, too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _REAL)


def set_clock_forward(days: float) -> None:
    """From now on `time` and `datetime` tell what they would tell then."""
    ahead = datetime.timedelta(days=days)
    ahead_s = ahead.total_seconds()
    ahead_ns = round(ahead_s) * 1_000_000_000
    now_s, now_ns = time.time, time.time_ns

    class Later(_REAL, metaclass=_Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return _REAL.now(tz) + ahead

    time.time = lambda: now_s() + ahead_s
    time.time_ns = lambda: now_ns() + ahead_ns
    datetime.datetime = Later  # type: ignore[misc]


def fill_log(size_kb: int) -> None:
    """Write that much into the log, once the server has opened its file."""

    def run() -> None:
        from blitz.io.log_files import PrivateRotatingFile

        while not any(isinstance(each, PrivateRotatingFile) for each in logging.getLogger().handlers):
            time.sleep(LOG_SEARCH_S)
        log = logging.getLogger("blitz.month")
        for number in range(size_kb):
            log.info("Line %06d of the day: %s", number, "." * 960)

    threading.Thread(target=run, name="a day's log", daemon=True).start()


def main() -> None:
    """Be the program."""
    days, chatter_kb = float(sys.argv[1]), int(sys.argv[2])
    set_clock_forward(days)
    from blitz.cli.main import run
    from blitz.io import session_keeper

    session_keeper._FIRST_AFTER_S = RETENTION_AFTER_S
    if chatter_kb:
        fill_log(chatter_kb)
    del sys.argv[1:3]
    run()


if __name__ == "__main__":
    main()
