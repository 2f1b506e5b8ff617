"""What the two modules that run pages share: they are two so that two processes run beside each other."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from code_blocks import code_blocks
from forked_servers import ForkingProcess
from page_runs import SHELLS, run_page
from page_world import PageWorld, make_lab

AS_INSTALLED = "start"
"""The page whose programs are those that are installed. Those of the others are forked: starting takes longest."""


@pytest.fixture(scope="module")
def forks() -> Iterator[Path]:
    """Where programs are forked."""
    with tempfile.TemporaryDirectory(prefix="blitz-test-") as folder:
        process = ForkingProcess(Path(folder) / "forks")
        yield Path(folder) / "forks"
        process.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, module_port: int, forks: Path) -> Path:
    """The recordings that each page finds."""
    return make_lab(tmp_path_factory.mktemp("lab"), module_port, forks)


@pytest.fixture
def run(lab: Path, steady_port: int, redis_url: str, tmp_path: Path, forks: Path) -> Callable[..., None]:
    """Run a page; ``lines`` are patterns of lines that its Python must have written."""

    def run_whole(page: Path, lines: tuple[str, ...] = ()) -> None:
        commands = [block.text for block in code_blocks(page) if block.language in SHELLS and block.not_run is None]
        if "curl " in "".join(commands) and shutil.which("curl") is None:
            pytest.skip("no curl here")
        with PageWorld(tmp_path, steady_port, redis_url, None if page.stem == AS_INSTALLED else forks) as world:
            written = run_page(page, world, lab)
        for line in lines:
            pattern = line.replace("URL", re.escape(world.url))
            assert any(re.fullmatch(pattern, each) for each in written.splitlines()), f"{line}\nis not in\n{written}"

    return run_whole
