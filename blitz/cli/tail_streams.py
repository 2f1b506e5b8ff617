"""`blitz tail --streams`: all streams of a server, looked at once a second over one connection."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blitz.cli.tail_lines import point_line, write_lines
from blitz.cli.tail_picture import streams_picture
from blitz.cli.tail_state import Choice
from blitz.errors import RequestTimeout, ServerBusy, ServerUnreachable, StreamNotFound

if TYPE_CHECKING:
    from blitz.data.stream_records import StreamRecord
    from blitz.io.connection import AsyncClient

_LOOK_S = 1.0
_LONGEST_WAIT_S = 30.0
_AT_ONCE = 8
"""So many newest points are asked for at a time."""
_LONGEST = 60


@dataclass
class _Seen:
    """A stream as it was when it was looked at last."""

    record: "StreamRecord"
    count: int
    """Points that have been shown."""
    newest: Any = None
    is_there: bool = False


class _Watch:
    """What is known of the streams; one that is deleted and made anew is another one."""

    def __init__(self, client: "AsyncClient", choice: Choice) -> None:
        self._client = client
        self._choice = choice
        self._seen: dict[int, _Seen] = {}
        self._has_looked = False
        self.shown = 0
        """Points that came since the beginning."""

    @property
    def seen(self) -> list[_Seen]:
        """By name, as the server lists them."""
        return list(self._seen.values())

    async def look(self, take: Callable[["StreamRecord", list[Any]], None] | None) -> None:
        """Ask for what has come since.

        :param take: called with every new point, a page at a time; None: the newest of each stream is enough.
        """
        records = [record for record in await self._client.streams() if self._choice.has_source(record.name)]
        before, self._seen = self._seen, {}
        limit = asyncio.Semaphore(_AT_ONCE)
        for record in records:
            # What was there at the beginning is not new; of a stream that was made since, everything is.
            start = 0 if self._has_looked else record.point_count
            self._seen[record.id] = before.get(record.id) or _Seen(record, start)
        self._has_looked = True
        if take is not None:
            for record in records:
                await self._bring(record, self._seen[record.id], take)
        else:
            await asyncio.gather(*(self._newest(record, self._seen[record.id], limit) for record in records))

    async def _bring(
        self, record: "StreamRecord", seen: _Seen, take: Callable[["StreamRecord", list[Any]], None]
    ) -> None:
        seen.record = record
        while seen.count < record.point_count:
            stop = min(record.point_count, seen.count + 16384)
            try:
                points = await self._client.stream_points(record.id, seen.count, stop)
            except StreamNotFound:
                return
            if not points:
                return
            seen.count += len(points)
            take(record, points)

    async def _newest(self, record: "StreamRecord", seen: _Seen, limit: asyncio.Semaphore) -> None:
        is_known = seen.is_there and record.point_count == seen.count
        self.shown += max(0, record.point_count - seen.count)
        seen.record, seen.count = record, record.point_count
        if is_known or not record.point_count:
            return
        async with limit:
            try:
                points = await self._client.stream_points(record.id, record.point_count - 1, record.point_count)
            except StreamNotFound:
                return
        if points:
            seen.newest, seen.is_there = points[-1]["d"], True


async def follow_streams(
    client: "AsyncClient", choice: Choice, count: int | None, *, as_json: bool, is_table: bool
) -> None:
    """Show what comes into streams, until ``count`` points came."""
    watch = _Watch(client, choice)
    if is_table:
        await _draw(client, watch, count)
        return

    def write(record: "StreamRecord", points: list[Any]) -> None:
        left = None if count is None else count - watch.shown
        lines = [point_line(record, point, as_json=as_json) for point in points[:left]]
        watch.shown += len(lines)
        write_lines(lines)

    await _keep_looking(client, watch, count, write)


async def _draw(client: "AsyncClient", watch: _Watch, count: int | None) -> None:
    from blitz.cli.tailing import screen

    away = ""

    def draw(width: int, height: int, *, plain: bool) -> Any:
        now_s = time.time()
        rows = [
            (
                seen.record.name,
                seen.record.nickname,
                _short(seen.newest) if seen.is_there else "",
                seen.record.unit,
                math.nan if seen.record.newest_t is None else max(0.0, now_s - seen.record.newest_t),
                seen.count,
            )
            for seen in watch.seen
        ]
        return streams_picture(rows, away or f"Streams of {client.address}", height)

    def tell(reason: str) -> None:
        nonlocal away
        away = reason

    with screen(draw) as redraw:
        await _keep_looking(client, watch, count, None, redraw, tell)


async def _keep_looking(
    client: "AsyncClient",
    watch: _Watch,
    count: int | None,
    take: Callable[["StreamRecord", list[Any]], None] | None,
    redraw: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Look again and again; a server that has answered before is waited for."""
    wait_s, has_answered = _LOOK_S, False
    while count is None or watch.shown < count:
        try:
            await watch.look(take)
        except (ServerUnreachable, RequestTimeout, ServerBusy) as error:
            if not has_answered:
                raise
            tell(f"{error} Trying again until the server is back.")
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        else:
            wait_s, has_answered = _LOOK_S, True
            tell("")
        redraw()
        if count is None or watch.shown < count:
            await asyncio.sleep(wait_s)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
