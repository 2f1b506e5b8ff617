"""What the guide has beyond its pages: references made from the program, the changelog, links into the repository.

MkDocs calls these functions while it builds. What they write is in no file, so that it is never out of date.
"""

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from command_reference import command_reference
from http_reference import http_reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no one writes."""
    pages = {
        "changelog.md": _changelog,
        "reference/commands.md": command_reference,
        "reference/http.md": http_reference,
    }
    for name, write in pages.items():
        files.append(File.generated(config, name, content=write()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Turn links to files of the repository into their text: a code host follows them, the site has no such files."""
    folder = Path(config.docs_dir, page.file.src_uri).parent
    return outside_code(lambda text: LINK.sub(lambda link: _link(link, folder, Path(config.docs_dir)), text), markdown)


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Leave out what docstrings have for Sphinx and mkdocstrings does not know: roles, and the mark of code."""
    if not page.file.src_uri.startswith("reference/python/"):
        return html
    html = re.sub(r":(?:class|meth|func|mod|attr|data|exc):<code>(~)?([^<]*)</code>", _named, html)
    return re.sub(r"<p>::</p>|(?<=:):(?=</p>\s*<(?:pre|div class=\"highlight))", "", html)


def _named(role: re.Match[str]) -> str:
    shortened, name = role.groups()
    return f"<code>{name.rsplit('.', 1)[-1] if shortened else name}</code>"


def outside_code(change: Any, markdown: str) -> str:
    """Apply a change of text to what is not in a fenced block."""
    parts, end = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])


def _link(link: re.Match[str], folder: Path, docs: Path) -> str:
    text, address = link.groups()
    place, _, anchor = address.partition("#")
    if not place or re.match(r"[a-z]+:", place):
        return link[0]
    target = Path(os.path.normpath(folder / place))
    if target == ROOT / "CHANGELOG.md":
        up = os.path.relpath(docs / "changelog.md", folder)
        return f"[{text}]({PurePosixPath(up)}{'#' + anchor if anchor else ''})"
    if target.is_relative_to(docs) or not target.exists():
        return link[0]  # MkDocs says what it thinks of it
    name = target.relative_to(ROOT).as_posix()
    return text if name in text else f"{text} (`{name}`)"


def _changelog() -> str:
    """Return CHANGELOG.md with its links as from within docs/."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    return text.replace("](docs/", "](")
