"""The HTTP call that runs SQL over the streams, each time in a process of its own."""

import asyncio
import contextlib
import json
import logging
import os
import sys
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from blitz.data.database_server import DatabaseServer
from blitz.data.optional_packages import optional_package
from blitz.data.time_precision import TimePrecision
from blitz.errors import QueryError, QueryTimeout, ServerBusy, error_for_code

log = logging.getLogger(__name__)

AT_ONCE = 2
WAITING = 8
_LONGEST_SQL = 100_000


class QueryRequest(BaseModel):
    """One SELECT over streams."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(max_length=_LONGEST_SQL, description='such as select * from "some_measurement"')
    time_precision: TimePrecision = Field(TimePrecision.SECOND, description="the unit of times in the answer")
    timeout_s: float = Field(60.0, gt=0, le=3600, description="after which it is given up")


def query_calls(store: DatabaseServer) -> APIRouter:
    """Return the call, ``/query``."""
    calls = APIRouter(tags=["streams"])
    turn = asyncio.Semaphore(AT_ONCE)
    waiting = 0

    @calls.post("/query")
    async def query(request: QueryRequest) -> dict[str, list[list[Any]]]:
        """Run one SELECT; each stream that it names is a table `(time, value)`. Returns `{name: [[time, value], …]}`.

        It may only read. It runs with bounded memory and time, beside two others at most.
        """
        nonlocal waiting
        optional_package("duckdb", "A query over streams", "blitz[analysis]")
        if waiting >= WAITING:
            raise ServerBusy("Too many queries wait already. Try again later.")
        waiting += 1
        try:
            async with asyncio.timeout(request.timeout_s), turn:
                return await _run(store, request)
        except TimeoutError:
            raise QueryTimeout(
                f"The query took longer than {request.timeout_s:g} s and was ended. Allow more time, or ask for less."
            ) from None
        finally:
            waiting -= 1

    return calls


async def _run(store: DatabaseServer, request: QueryRequest) -> dict[str, list[list[Any]]]:
    orders = {
        "redis_url": store.url,  # may carry a password: not for the command line
        "redis_prefix": store.keys.prefix,
        **request.model_dump(mode="json"),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "blitz.io.query_worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("BLITZ_")},  # no token in reach
        start_new_session=True,  # Ctrl-C is for the server
    )
    try:
        out, faults = await process.communicate(json.dumps(orders).encode())
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0 or not out:
        log.warning("A query ended with code %s: %.2000s", process.returncode, faults.decode("utf-8", "replace"))
        raise QueryError("The query was ended: it needs more memory or time than it may have. Ask for less.")
    answer = json.loads(out)
    if "error" in answer:
        raise error_for_code(answer["code"], answer["error"])
    series: dict[str, list[list[Any]]] = answer["answer"]
    return series
