"""A server whose wall clock can be set from outside: ``python -m blitz.io.drill_clock FILE serve …``.

The file holds how many seconds its clock is ahead. Nothing but this process sees that clock.
"""

import contextlib
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path

_LOOK_EACH_S = 0.02


def offset_reader(path: Path, clock: Callable[[], float] = time.monotonic) -> Callable[[], float]:
    """Return a function that says how many seconds are written in the file, looking now and then; 0 without it."""
    offset_s, looked_s = 0.0, float("-inf")

    def offset() -> float:
        nonlocal offset_s, looked_s
        if clock() - looked_s >= _LOOK_EACH_S:
            looked_s = clock()
            with contextlib.suppress(OSError, ValueError):  # it is just being written
                offset_s = float(path.read_text())
        return offset_s

    return offset


def main() -> None:
    """Change the clock, then be the `blitz` program."""
    offset, real_s, real_ns = offset_reader(Path(sys.argv[1])), time.time, time.time_ns
    time.time = lambda: real_s() + offset()
    time.time_ns = lambda: real_ns() + int(offset() * 1e9)
    del sys.argv[1]
    runpy.run_module("blitz", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
