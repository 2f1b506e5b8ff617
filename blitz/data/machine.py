"""What this machine has."""

import contextlib
import os
import sys
from pathlib import Path

_CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")
_UNKNOWN_BYTES = 4 << 30


def machine_memory_bytes() -> int:
    """Return how much memory this machine has, or how much of it programs like this one may take.

    Of a machine that does not tell, 4 GiB are assumed.
    """
    total = _UNKNOWN_BYTES
    if sys.platform != "win32":
        with contextlib.suppress(OSError, ValueError):
            total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # "max" where a container has no limit
        total = min(total, int(_CONTROL_GROUP.read_text()))
    return total
