"""Whether the server does what it is there for: what ``/health`` answers to supervisors. Pure."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from blitz.data.records import StatusRecord


class Health(BaseModel):
    """For supervisors: 200 and ok, or 503 and why not."""

    status: Literal["ok", "degraded"]
    reason: str | None = Field(default=None, description="all reasons, in one text")
    reasons: dict[str, str] | None = Field(
        default=None, description="a sentence by what is wrong: store, spool, disk, parts, links"
    )


def examine(status: StatusRecord, troubles: Sequence[str] = (), dead_links: Sequence[str] = ()) -> Health:
    """Return how the server is doing. A device that is away is no fault of the server's.

    :param troubles: a sentence for each part that hangs.
    :param dead_links: sources whose link has ended by a fault and waits to be started anew.
    """
    store, room = status.store, status.room
    reasons: dict[str, str] = {}
    if not store.is_up or store.error:
        reasons["store"] = store.error or "The store is away."
    if store.spooling_since is not None:
        reasons["spool"] = f"{store.spooled_messages} messages are in the spool, and not in the store yet."
    if room is not None and room.level in ("critical", "full"):
        reasons["disk"] = room.text or f"Room for messages: {room.level}."
    if troubles:
        reasons["parts"] = " ".join(troubles)
    if dead_links:
        reasons["links"] = f"The link of {', '.join(dead_links)} has failed, and waits to be started anew."
    if not reasons:
        return Health(status="ok")
    return Health(status="degraded", reason=" ".join(reasons.values()), reasons=reasons)
