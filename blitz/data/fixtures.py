"""Rows that ``DatabaseClient.load_fixtures`` puts into a cache: configuration always, examples to try things with."""

from typing import TYPE_CHECKING

from blitz.config import DEFAULT_HOST, DEFAULT_PORT
from blitz.data.models import Cache, Reading, Session

if TYPE_CHECKING:
    from blitz.data.database_client import DatabaseClient

CONFIGURATION = {"server": f"http://{DEFAULT_HOST}:{DEFAULT_PORT}"}
"""Configuration, by key, for programs that keep theirs in a cache; Blitz's own stands in :mod:`blitz.config`."""

CATEGORIES = ("adc_channel_one", "adc_channel_two", "motor_value")

SESSIONS = (
    (1, 1_400_000_000_000, 1_400_000_004_000, 12),
    (2, 1_400_000_600_000, 1_400_000_660_000, 600),
    (3, 1_400_001_200_000, None, 0),
)
"""As the server lists them: one whose readings are here, one that is not here, one that runs."""

_READINGS = 4
_CACHE_VALUES = 60


def load_examples(cache: "DatabaseClient") -> None:
    """Add categories, sessions with the readings of the first, live values and an error to a cache."""
    categories = cache.categories_named(CATEGORIES)
    start_ms = SESSIONS[0][1]
    cache.add_many(
        Session(ref_id=ref_id, time_started=started, time_stopped=stopped, number_of_readings=count, available=False)
        for ref_id, started, stopped, count in SESSIONS
    )
    cache.add_many(
        Reading(session_id=1, time_logged=start_ms + 1000 * step, category_id=category.id, value=100.0 * step + place)
        for step in range(_READINGS)
        for place, category in enumerate(categories)
    )
    cache.update_session_availability(1)
    cache.add_many(
        Cache(time_logged=start_ms + 100 * step, category_id=category.id, value=10.0 * step + place)
        for step in range(_CACHE_VALUES)
        for place, category in enumerate(categories)
    )
    cache.log_error("An example of an error: the board with the id 08 did not answer.", severity=2)
