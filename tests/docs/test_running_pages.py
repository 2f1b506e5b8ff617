"""The examples of README.md and the guide, run page by page (`tests/support/page_runs.py` says how)."""

import shutil
from pathlib import Path

import pytest
from code_blocks import PAGES, code_blocks, name_of
from page_runs import RUNNING, SHELLS, run_page
from page_world import PageWorld, make_lab


def needs_curl(page: Path) -> bool:
    return any("curl " in block.text for block in code_blocks(page) if block.language in SHELLS)


def runs(page: Path) -> bool:
    return any(block.language in RUNNING and block.not_run is None for block in code_blocks(page))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, module_port: int) -> Path:
    return make_lab(tmp_path_factory.mktemp("lab"), module_port, "")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in PAGES if runs(page)])
def test_a_page_does_what_it_says(page: Path, lab: Path, steady_port: int, redis_url: str, tmp_path: Path) -> None:
    if needs_curl(page) and shutil.which("curl") is None:
        pytest.skip("no curl here")
    with PageWorld(tmp_path, steady_port, redis_url) as world:
        run_page(page, world, lab)
