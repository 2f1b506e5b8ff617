"""The examples of README.md and the guide's pages whose names begin with m to z, run (see `test_pages_to_l.py`)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from code_blocks import name_of
from page_runs import running_pages

PAGES = [page for page in running_pages() if page.stem.lower() >= "m"]
LINES = {"streams": ("points: 1", r"newest: 21\.5", "True", "light on", "acknowledged ")}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in PAGES])
def test_a_page_does_what_it_says(page: Path, run: Callable[..., None]) -> None:
    run(page, LINES.get(page.stem, ()))
