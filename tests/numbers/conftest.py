"""The sessions that all figures are computed of."""

from collections.abc import Iterator

import pytest
import rough_session
from rough_numbers import Numbers

from blitz.data.database_client import DatabaseClient
from blitz.ui.history import History, load_history


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Numbers]:
    folder = tmp_path_factory.mktemp("numbers")
    with DatabaseClient(path=folder / "cache.db") as cache:
        for session_id in (1, 2):
            rough_session.fill(cache, rough_session.rough_session(session_id))
        yield Numbers(folder / "cache.db", cache, folder)


@pytest.fixture(scope="session")
def history(numbers: Numbers) -> Iterator[History]:
    history = load_history(numbers.path, 1, lambda *_: None, lambda: False)
    yield history
    history.close()
