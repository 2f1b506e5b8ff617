"""The code blocks of the documents: found, with their languages, and with why one is not run.

A block that cannot run has an invisible comment in the line before it::

    <!-- not run: it needs the rights of root -->
    ```console
    $ sudo usermod -aG dialout $USER
    ```
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

_OPENING = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>[\w+-]*)(?P<more>.*)")
_NOT_RUN = re.compile(r"\s*<!-- not run:(.*)-->\s*")
_LIST = re.compile(r" *([-*+]|\d+[.)]) ")


@dataclass(frozen=True)
class CodeBlock:
    """One fenced block, or an indented one, whose language is ``indented``."""

    page: Path
    line: int
    """Of its first line of code, from 1."""
    language: str
    text: str
    """Without the indentation that it shares with a list."""
    not_run: str | None
    """Why it is not run; None: it is."""
    follows: "CodeBlock | None"
    """The block before it, where nothing but empty lines lies between."""

    @property
    def place(self) -> str:
        """Such as ``docs/streams.md:12``."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """Return a page's name as from the repository's folder."""
    return page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name


def code_blocks(page: Path, text: str | None = None) -> list[CodeBlock]:
    """Return the blocks of a page in their order.

    :param text: what stands in it, where it is no file.
    """
    lines = (page.read_text("utf-8") if text is None else text).split("\n")
    blocks: list[CodeBlock] = []
    end_of_last = 0
    for start, end, language in _spans(lines):
        before = start - 2 if language != "indented" else start - 1
        while before >= 0 and not lines[before].strip():
            before -= 1
        marked = _NOT_RUN.fullmatch(lines[before]) if before >= 0 else None
        blocks.append(
            CodeBlock(
                page,
                start + 1,
                language,
                textwrap.dedent("\n".join(lines[start:end])).strip("\n") + "\n",
                marked[1].strip() if marked else None,
                blocks[-1] if blocks and before < end_of_last else None,
            )
        )
        end_of_last = end + 1
    return blocks


def _spans(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Give the first line of each block, the line behind its last one, and its language."""
    index = 0
    while index < len(lines):
        opening = _OPENING.fullmatch(lines[index])
        if opening:
            start = index + 1
            index = start
            while index < len(lines) and lines[index].strip() != opening["fence"]:
                index += 1
            yield start, index, opening["language"]
        elif _begins_indented(lines, index):
            start = index
            while index < len(lines) and (lines[index].startswith("    ") or not lines[index].strip()):
                index += 1
            end = index
            while not lines[end - 1].strip():
                end -= 1
            yield start, end, "indented"
            continue
        index += 1


def _begins_indented(lines: list[str], index: int) -> bool:
    """Whether a line begins code: four spaces further than what it could continue, after an empty line."""
    if not lines[index].startswith("    ") or (index and lines[index - 1].strip()):
        return False
    indent = _indent(lines[index])
    for earlier in reversed(lines[:index]):
        if earlier.strip() and (_indent(earlier) < indent or _LIST.match(earlier)):
            listed = _LIST.match(earlier)
            if listed:
                return indent >= len(listed[0]) + 4
            if _indent(earlier) == 0:
                return True
    return True


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
