"""What is to be known of a session before something is written of it: its channels, and how much of it is here."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from blitz.data.boards import channel_labels
from blitz.data.computed import ComputedChannel
from blitz.data.database_client import DatabaseClient
from blitz.data.session_computed import fitting_channels
from blitz.errors import SessionNotFound
from blitz.ui.formats import format_count


class SeenSession(NamedTuple):
    """What an operator is asked by."""

    labels: list[str]
    caution: str


def look_at(
    cache_path: Path | str, session_id: int, version: int | None, computed: Iterable[ComputedChannel] = ()
) -> SeenSession:
    """Return the channels of a session that is in the cache, and how much of it is there if that is not all.

    :param computed: channels that are computed; those that the session has stand behind its own.
    """
    with DatabaseClient(path=str(cache_path)) as cache:
        try:
            labels = list(dict.fromkeys(channel_labels(cache.session_sources(session_id, version)).values()))
        except SessionNotFound:
            labels = [reading.category.variable_name for reading in cache.get_session_variables(session_id)]
            return SeenSession(labels, "")
        opened = cache.open_session(session_id, version)
        labels += [channel.label for channel in fitting_channels(computed, opened.channels, opened.sources)]
        if cache.is_available(session_id):
            return SeenSession(labels, "")
        held, total = opened.key.message_count, cache.session_record(session_id).message_count
        words = f"Only {format_count(held)} of this session's {format_count(total)} messages are here, and"
        return SeenSession(labels, f"{words} only they are written.")
