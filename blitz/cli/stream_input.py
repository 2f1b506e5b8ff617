"""Points from the standard input into a stream, each as soon as it has come."""

import asyncio
import itertools
import os
import threading
import time
from typing import TYPE_CHECKING

import typer

from blitz.cli.output import plural
from blitz.cli.stream_values import Typed, parse_line
from blitz.errors import PointsRefused

if TYPE_CHECKING:
    from blitz.io.async_stream import AsyncStream

_CHUNK_BYTES = 1 << 16
_LONGEST_LINE = 1 << 20


class _Reader:
    """Reads a file in a thread of its own, a chunk ahead.

    Nothing waits for that thread: what it reads from may be silent for ever. It reads by the system, not by Python's
    buffer, whose lock it would hold when the program ends.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._chunks: asyncio.Queue[bytes | OSError] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._has_room = threading.Semaphore(2)
        threading.Thread(target=self._run, name="blitz standard input", daemon=True).start()

    async def get(self) -> bytes:
        """Return what has come; nothing at the end.

        :raises OSError: if it cannot be read.
        """
        chunk = await self._chunks.get()
        self._has_room.release()
        if isinstance(chunk, OSError):
            raise chunk
        return chunk

    def _run(self) -> None:
        chunk: bytes | OSError = b"first"
        while chunk and not isinstance(chunk, OSError):
            self._has_room.acquire()
            try:
                chunk = os.read(self._descriptor, _CHUNK_BYTES)
            except OSError as error:
                chunk = error
            try:
                self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
            except RuntimeError:  # the command has ended
                return


async def insert_lines(stream: "AsyncStream", descriptor: int, *, restamp: bool) -> int:
    """Put a point a line into a stream, until the end of a file; return how many.

    :raises typer.BadParameter: at a line that is no point; those before it are stored.
    :raises PointsRefused: at points that cannot be stored; those of earlier lines are.
    """
    await stream.record()  # a wrong name is told before anything is typed
    reader, rest, number, count = _Reader(descriptor), b"", 0, 0
    while True:
        chunk = await reader.get()
        *lines, rest = (rest + chunk).split(b"\n")
        if not chunk:
            lines, rest = [rest], b""
        if len(rest) > _LONGEST_LINE:
            raise typer.BadParameter(f"line {number + len(lines) + 1} is longer than a megabyte.")
        points, fault = _parse(lines, number)
        number += len(lines)
        for has_time, group in itertools.groupby(points, lambda point: point.t is not None):
            now_s = time.time()
            run = [{"t": now_s if point.t is None else point.t, "d": point.d} for point in group]
            try:
                result = await stream.insert_array(run, restamp=restamp or not has_time)
            except PointsRefused as error:
                raise PointsRefused(f"{error} {plural(count, 'point')} of earlier lines stored.") from error
            count += result.count
        if fault:
            raise typer.BadParameter(f"{fault}. {plural(count, 'point')} before it stored.")
        if not chunk:
            return count


def _parse(lines: list[bytes], before: int) -> tuple[list[Typed], str]:
    """Return the points of lines up to the first that is none, and what is wrong with that."""
    points: list[Typed] = []
    for number, line in enumerate(lines, before + 1):
        try:
            point = parse_line(line.decode())
        except ValueError as error:
            return points, f"line {number} {error}"
        if point is not None:
            points.append(point)
    return points, ""
