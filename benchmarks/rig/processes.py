"""What processes take: CPU time and memory, as Linux counts them."""

import os
from pathlib import Path

import redis

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(process_id: int) -> float:
    """Return the seconds of CPU, user and system, that a process has used in all its threads."""
    # The name, in brackets, may hold anything.
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def resident_bytes(process_id: int) -> int:
    """Return the memory that a process has in use, what it shares with others included."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return 1024 * int(status.partition("VmRSS:")[2].split(maxsplit=1)[0])


def proportional_bytes(process_id: int) -> int:
    """Return the memory that a process has in use; of what several share, its part."""
    rollup = Path(f"/proc/{process_id}/smaps_rollup").read_text()
    return 1024 * int(rollup.partition("\nPss:")[2].split(maxsplit=1)[0])


def redis_process(client: redis.Redis) -> int:
    """Return the process of a Redis on this machine."""
    return int(client.info("server")["process_id"])
