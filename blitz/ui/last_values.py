"""The last values of one server's channels, as they come: recorded ones, and those of the preview.

On an event loop of its caller's. Knows no widget.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from blitz.data.boards import Channel, Readings
from blitz.errors import BlitzError
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient
from blitz.ui.formats import fitting_decimals, format_value

log = logging.getLogger(__name__)

_TELL_S = 0.5
_AGAIN_S = 5.0


@dataclass(frozen=True)
class LastValue:
    """The newest reading of a channel."""

    source: str
    channel: Channel
    value: float
    decimals: int
    time_s: float
    """When it was, in seconds since the Unix epoch by the server's clock."""

    @property
    def text(self) -> str:
        """The value with its unit."""
        return f"{format_value(self.value, self.decimals)} {self.channel.unit}".rstrip()


TellValues = Callable[[str, tuple[LastValue, ...]], object]


async def tell_values(server: ServerAddress, tell: TellValues) -> None:
    """Tell the last values of a server again and again, until cancelled; twice a second at most.

    Only the newest of what comes is taken, so that a server with a high rate costs little here.

    :param tell: called with the server's address, and its values by source and channel.
    """
    while True:
        try:
            async with AsyncClient(server, keepalive=False) as client:
                await _read(client, partial(tell, str(server)))
        except BlitzError as error:
            log.debug("No values of %s: %s", server, error)
        await asyncio.sleep(_AGAIN_S)


async def _read(client: AsyncClient, tell: Callable[[tuple[LastValue, ...]], object]) -> None:
    values: dict[tuple[str, str], LastValue] = {}
    changed = asyncio.Event()

    async def take(wanted: Any) -> None:
        async with client.live(wanted, latest=True) as entries:
            async for entry in entries:
                if isinstance(entry, Readings) and len(entry):
                    _keep(entry, values)
                    changed.set()

    tasks = [asyncio.create_task(take(wanted), name="blitz last values") for wanted in (None, "preview")]
    try:
        while not any(task.done() for task in tasks):
            tell(tuple(values.values()))
            changed.clear()
            await asyncio.sleep(_TELL_S)
            waiting = asyncio.create_task(changed.wait(), name="blitz last values waiting")
            try:
                await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _keep(readings: Readings, values: dict[tuple[str, str], LastValue]) -> None:
    for column, channel in enumerate(readings.channels):
        value = float(readings.values[-1, column])
        if math.isnan(value):
            continue
        key = readings.source.name, channel.name
        before = values.get(key)
        decimals = fitting_decimals(channel, [value], before.decimals if before is not None else 0)
        values[key] = LastValue(readings.source.name, channel, value, decimals, float(readings.time_ns[-1]) / 1e9)
