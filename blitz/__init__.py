"""Blitz: serial data acquisition for laboratories.

The names that scripts use are imported on first use, so that ``import blitz`` stays quick and a base
installation needs neither Qt nor the server's packages.
"""

from typing import TYPE_CHECKING

__version__ = "0.3.0"
__all__ = ["AsyncClient", "Client", "Logger", "__version__"]

if TYPE_CHECKING:
    from blitz.io.blocking import Client
    from blitz.io.connection import AsyncClient
    from blitz.io.logger import Logger


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
    raise AttributeError(f"module 'blitz' has no attribute {name!r}")
