"""The `blitz` command with a clock that can be set ahead while it runs, and USB sockets that a test fills:

``python hours_later.py CLOCK_FILE PORTS_FILE ARGUMENTS…``

The clock file holds by how many ns all clocks but that of waiting are ahead: what seven hours bring is there within
seconds, with the stamps that it would have. The ports file lists what is plugged in, as JSON.
"""

import datetime
import mmap
import struct
import sys
import time
from pathlib import Path
from typing import Any

_REAL = datetime.datetime


class _Kind(type):
    """What a library made of C code is a date, too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _REAL)


def follow_clock(path: Path) -> None:
    """From now on `time` and `datetime` tell what the file says; deadlines go by ``time.monotonic`` as ever."""
    with path.open("rb") as file:
        ahead = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    now_s, now_ns, steady_ns, any_ns = time.time, time.time_ns, time.monotonic_ns, time.clock_gettime_ns

    def ahead_ns() -> int:
        number: int = struct.unpack("q", ahead[:8])[0]
        return number

    class Later(_REAL, metaclass=_Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return _REAL.now(tz) + datetime.timedelta(microseconds=ahead_ns() // 1000)

    time.time = lambda: now_s() + ahead_ns() / 1e9
    time.time_ns = lambda: now_ns() + ahead_ns()
    time.monotonic_ns = lambda: steady_ns() + ahead_ns()
    time.clock_gettime_ns = lambda clock: any_ns(clock) + ahead_ns()
    datetime.datetime = Later  # type: ignore[misc]


def main() -> None:
    """Be the program."""
    follow_clock(Path(sys.argv[1]))
    sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
    from blitz.data.optional_packages import leave_out_pandas

    leave_out_pandas()  # as `run` does, which comes later here; pandas does not bear another kind of date
    from usb_sockets import look_into

    from blitz.cli.main import run

    look_into(Path(sys.argv[2]))
    del sys.argv[1:3]
    run()


if __name__ == "__main__":
    main()
