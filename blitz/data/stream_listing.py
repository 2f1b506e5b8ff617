"""Which sessions belong to streams: for whatever must not leave them out."""

from typing import TYPE_CHECKING, Any

from blitz.data.store_faults import translated
from blitz.data.store_keys import StoreKeys

if TYPE_CHECKING:
    import redis


def sessions_of_streams(client: "redis.Redis", keys: StoreKeys) -> list[int]:
    """Return the sessions of all streams, and of their downlinks.

    :raises StoreUnavailable: if Redis does not answer.
    """
    with translated():
        streams: Any = client.execute_command("HVALS", keys.streams)  # type: ignore[no-untyped-call]
        found = [int(session_id) for session_id in streams]
        pipeline = client.pipeline(transaction=False)
        for session_id in found:
            pipeline.hget(keys.meta(session_id), "downlink_id")
        return found + [int(reply) for reply in pipeline.execute() if reply is not None]
