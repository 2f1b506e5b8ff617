"""The guide as `make docs` builds it: without a warning, without a network, with every link leading somewhere."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from code_blocks import DOCS, ROOT
from typer.main import get_command

from blitz.cli.main import app
from blitz.io.roles import ROLES, WEBSOCKET

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
"""What a browser fetches by itself. Links that a reader follows may lead anywhere."""

LEFT = re.compile(r"```|^(?:[-*]|1\.) |^\|.*\||\]\(|:(?:class|meth|func|param|raises)\b.*:", re.MULTILINE)


class Page(HTMLParser):
    """What a page loads, and its text outside of code."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.text = ""
        self._silent = 0
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADED.get(tag, ""))
        self.loaded += [address] if address else []
        self._silent += tag in ("code", "pre", "script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("code", "pre", "script", "style")

    def handle_data(self, data: str) -> None:
        self.text += "" if self._silent else data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}


@pytest.mark.timeout(500)
def test_the_guide_is_built_without_a_warning(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        name = "index.html" if page.name == "README.md" else f"{page.stem}.html"
        assert (site / page.relative_to(DOCS).with_name(name)).is_file()


def test_nothing_is_fetched_from_a_network(site: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for address in page.loaded:
            assert not re.match(r"(\w+:)?//", address), f"{name} loads {address}"
    assert json.loads((site / "search" / "search_index.json").read_text("utf-8"))["docs"]


def test_no_markdown_is_left_in_the_text(pages: dict[str, Page]) -> None:
    """Such as a list without an empty line before it, or a block of code that is not indented as its list is."""
    for name, page in pages.items():
        found = re.search(
            r"```|^(?:[-*]|1\.) |^\|.*\||\]\(|:(?:class|meth|func|param|raises)\b.*:", page.text, re.MULTILINE
        )
        assert found is None, f"{name}: {page.text[max(found.start() - 80, 0) : found.end() + 80]}"


def test_each_command_and_each_call_has_its_place(site: Path) -> None:
    commands = (site / "reference" / "commands.html").read_text("utf-8")
    root = get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        shown = f'<h3 id="blitz-{name}'
        assert (shown in commands) is not command.hidden, name
    calls = (site / "reference" / "http.html").read_text("utf-8")
    for method, path in ROLES:
        if path.startswith("/api/") and method != WEBSOCKET:
            assert f"<code>{method} {path}</code>" in calls


def test_links_of_the_readme_lead_to_files() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for place in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", readme):
        assert (ROOT / place).exists(), place
