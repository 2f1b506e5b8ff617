"""The two databases under the names that scripts know: the server's store and the client's cache.

Imported on first use: a client needs no Redis package, a server no cache.
"""

from typing import TYPE_CHECKING

__all__ = ["DatabaseClient", "DatabaseServer"]

if TYPE_CHECKING:
    from blitz.data.database_client import DatabaseClient
    from blitz.data.database_server import DatabaseServer


def __getattr__(name: str) -> object:
    if name == "DatabaseClient":
        from blitz.data.database_client import DatabaseClient

        return DatabaseClient
    if name == "DatabaseServer":
        from blitz.data.database_server import DatabaseServer

        return DatabaseServer
    raise AttributeError(f"module 'blitz.data.database' has no attribute {name!r}")
