"""The examples of the guide's pages whose names begin with a to l, run (`tests/support/page_runs.py` says how)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from code_blocks import name_of
from page_runs import running_pages

PAGES = [page for page in running_pages() if page.stem.lower() < "m"]
LINES = {
    "logger": (
        *(r"0\.25", "synchronised: True waiting: 0", "True", "all is there", "refused: 1", "refused: 0"),
        "server: URL role: admin",
        r"Stream 'door': 'ajar' is not one of.*",
        r"not now: A point of room: refused by the server, such as 21\.8.*",
        r"waiting: \d True \['room', 'door'\]",
    )
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in PAGES])
def test_a_page_does_what_it_says(page: Path, run: Callable[..., None]) -> None:
    run(page, LINES.get(page.stem, ()))
