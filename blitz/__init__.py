"""Blitz: serial data acquisition for laboratories.

The names that scripts use are imported on first use, so that ``import blitz`` stays quick and a base
installation needs neither Qt nor the server's packages.
"""

from typing import TYPE_CHECKING

__version__ = "0.3.0"
__all__ = [
    "MICROSECOND",
    "MILLISECOND",
    "NANOSECOND",
    "SECOND",
    "AsyncClient",
    "Client",
    "Logger",
    "Points",
    "Servers",
    "__version__",
]

if TYPE_CHECKING:
    from blitz.data.points import Points
    from blitz.data.time_precision import MICROSECOND, MILLISECOND, NANOSECOND, SECOND
    from blitz.io.blocking import Client
    from blitz.io.connection import AsyncClient
    from blitz.io.logger import Logger
    from blitz.io.servers import Servers


def __getattr__(name: str) -> object:
    if name == "AsyncClient":
        from blitz.io.connection import AsyncClient

        return AsyncClient
    if name == "Client":
        from blitz.io.blocking import Client

        return Client
    if name == "Logger":
        from blitz.io.logger import Logger

        return Logger
    if name == "Points":
        from blitz.data.points import Points

        return Points
    if name == "Servers":
        from blitz.io.servers import Servers

        return Servers
    if name in ("SECOND", "MILLISECOND", "MICROSECOND", "NANOSECOND"):
        from blitz.data.time_precision import TimePrecision

        return TimePrecision[name]
    raise AttributeError(f"module 'blitz' has no attribute {name!r}")
