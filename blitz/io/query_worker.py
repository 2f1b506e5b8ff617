"""The subprocess in which one query runs: ``python -m blitz.io.query_worker``. Low priority, bounded memory and time.

It takes one JSON object and gives one: the answer, or code and sentence of an error. SQL is somebody else's program:
the engine reaches nothing but the tables that it is given, and the system ends what takes too much all the same.
"""

import json
import os
import sys
from typing import Any

from blitz.data.database_server import DatabaseServer
from blitz.data.optional_packages import leave_out_pandas
from blitz.data.time_precision import TimePrecision
from blitz.errors import BlitzError, QueryError

MEMORY_BYTES = 4 << 30
"""Of address space; the engine's own limit, 512 MB besides the tables, is reached before."""
_NICENESS = 10


def main() -> None:
    """Answer the one request on the standard input."""
    leave_out_pandas()
    orders = json.load(sys.stdin)
    _bound(int(orders["timeout_s"]))
    answer: dict[str, Any]
    try:
        answer = {"answer": _run(orders)}
    except BlitzError as error:
        answer = {"code": error.code, "error": str(error)}
    except MemoryError:
        answer = {"code": QueryError.code, "error": "The query needs more memory than it may have."}
    json.dump(answer, sys.stdout, separators=(",", ":"))


def _run(orders: dict[str, Any]) -> dict[str, list[list[Any]]]:
    from blitz.data.stream_queries import query_streams  # where pandas is left out by now

    store = DatabaseServer(orders["redis_url"], orders["redis_prefix"])  # which says itself where the archive is
    try:
        return query_streams(store, orders["sql"], TimePrecision(orders["time_precision"]))
    finally:
        store.close()


def _bound(timeout_s: int) -> None:
    """Let the system end this process where it takes too much, or writes a file."""
    if sys.platform == "win32":
        return
    import resource

    os.nice(_NICENESS)
    cpu_s = 2 * timeout_s + 10
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(limit)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    main()
