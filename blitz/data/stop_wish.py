"""A wish, left in the store, that the server which records stops the running session.

A server that does not acquire cannot drain boards: it leaves the wish in the session's meta hash, and the server that
records stops in good order, within about a second.
"""

from typing import TYPE_CHECKING

from blitz.data.store_faults import translated

if TYPE_CHECKING:
    from blitz.data.database_server import DatabaseServer

_FIELD = "stop_wanted"


def wish_stop(store: "DatabaseServer", session_id: int) -> None:
    """Leave the wish; the session runs.

    :raises StoreUnavailable: if Redis does not take it.
    """
    store.set_fields(session_id, {_FIELD: "1"})


def is_stop_wished(store: "DatabaseServer", session_id: int) -> bool:
    """Whether somebody has left the wish.

    :raises StoreUnavailable: if Redis does not answer.
    """
    with translated():
        return bool(store.client.hexists(store.keys.meta(session_id), _FIELD))
