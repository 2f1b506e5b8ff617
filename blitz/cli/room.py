"""Sentences about the store and how much room it has, for `blitz status`."""

from typing import TYPE_CHECKING

from blitz.cli.output import local_time, plural

if TYPE_CHECKING:
    from blitz.data.records import RoomRecord, StoreRecord

_GB, _MB = 10**9, 10**6
_HOUR_S, _DAY_S = 3600, 86_400


def describe_store(store: "StoreRecord") -> list[str]:
    """Say how the store is, and what lies on disk while it is away."""
    kind = "its own Redis" if store.is_private else "Redis"
    if store.is_up:
        waiting = f", {store.waiting_messages} messages waiting" if store.waiting_messages else ""
        sentences = [f"Store: {kind}, durability {store.durability}, {store.append_ms:.1f} ms an append{waiting}."]
    else:
        sentences = [f"Store: {kind} is away{f': {store.error}' if store.error else '.'}"]
    spooled = f"{plural(store.spooled_messages, 'message')} ({size(store.spooled_bytes)})"
    if store.spooled_messages and store.is_up:
        sentences.append(f"Spool: {spooled} on the way from the disk into the session.")
    elif store.spooled_messages or store.spooling_since is not None:
        since = f" since {local_time(store.spooling_since)}" if store.spooling_since is not None else ""
        sentences.append(f"Spooling{since}: {spooled} safe on disk; they enter the session when Redis is back.")
    return sentences


def describe_room(room: "RoomRecord | None") -> list[str]:
    """Say how much room there is and how long it lasts; nothing of a server that does not tell."""
    if room is None:
        return []
    budget = f" of {size(room.redis_budget_bytes)}" if room.redis_budget_bytes else ""
    archive = f", archive {size(room.archive_bytes)}" if room.archive_bytes else ""
    lasts = ""
    if room.full_in_s:
        until = f" until the {room.limited_by} is full" if room.limited_by else ""
        lasts = f"; at the present rate {span(room.full_in_s)}{until}"
    free = f"{size(room.disk_free_bytes)} free on disk" if room.disk_free_bytes > 0 else "only the reserve left on disk"
    sentences = [f"Room: Redis {size(room.redis_used_bytes)}{budget}{archive}, {free}{lasts}."]
    if room.level != "ok":
        sentences.append(f"{room.level.capitalize()}: {room.text}" if room.text else f"Room is {room.level}.")
    return sentences


def size(count: int) -> str:
    """Return bytes as people say them.

    >>> size(1_500_000), size(12_000_000_000), size(800)
    ('1.5 MB', '12.0 GB', '0.8 kB')
    """
    for unit, length in (("GB", _GB), ("MB", _MB)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count / 1000:.1f} kB"


def span(seconds: float) -> str:
    """Return a long time roughly.

    >>> span(5400), span(40 * 86_400)
    ('1.5 hours', '40 days')
    """
    if seconds < 2 * _DAY_S:
        return f"{seconds / _HOUR_S:.1f} hours"
    return f"{seconds / _DAY_S:.0f} days"
