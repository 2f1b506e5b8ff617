"""Each code block of README.md and the guide is run or checked as what it is, or says why not.

What runs is in `test_running_pages.py` and its like; here is the rest: settings, definitions, sketches, units, data.
"""

import configparser
import json
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from code_blocks import PAGES, ROOT, CodeBlock, code_blocks
from page_runs import RUNNING, commands_of
from shown_output import is_as_shown

from blitz.config import ClientSettings, ServerSettings
from blitz.data.board_definition import BoardDefinition
from blitz.data.hook_config import read_hooks
from blitz.data.source_config import SourceConfig

BLOCKS = [block for page in PAGES for block in code_blocks(page)]
NOT_RUN_AT_MOST = 29


def check_toml(block: CodeBlock, _: Path) -> None:
    """Tables of the settings file, a package's pyproject.toml, or a board's definition."""
    tables = tomllib.loads(block.text)
    if not {"server", "client"}.isdisjoint(tables):
        assert set(tables) <= {"server", "client"}
        ClientSettings.model_validate(tables.get("client", {}))
        settings = ServerSettings.model_validate(tables.get("server", {}))
        read_hooks(settings.hooks)
        for source in settings.sources:
            assert set(source) <= set(SourceConfig.model_fields)
            SourceConfig.model_validate(source)
    elif "project" not in tables:
        BoardDefinition.model_validate(tables)


def check_ini(block: CodeBlock, folder: Path) -> None:
    """A unit of systemd, where that is there to say what it thinks of it."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(block.text)
    analyze = shutil.which("systemd-analyze")
    if analyze is None or "Unit" not in parser:
        return
    unit = folder / "example.service"
    unit.write_text(block.text, "utf-8")
    command = [analyze, "--man=no", "verify", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    wrong = [line for line in done.stderr.splitlines() if "Unknown" in line or "Failed to parse" in line]
    assert wrong == []


def check_cpp(block: CodeBlock, folder: Path) -> None:
    """A sketch: compiled for this machine, with our library and the names of Arduino's."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler here")
    sketch = folder / "sketch.cpp"
    sketch.write_text("#include <Arduino.h>\n" + block.text, "utf-8")
    folders = [f"-I{ROOT / 'tests' / 'support' / 'arduino'}", f"-I{ROOT / 'firmware' / 'Blitz' / 'src'}"]
    done = subprocess.run(
        [compiler, "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *folders, sketch],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def check_yaml(block: CodeBlock, _: Path) -> None:
    assert yaml.safe_load(block.text)


def check_json(block: CodeBlock, _: Path) -> None:
    assert json.loads(block.text) is not None


CHECKS: dict[str, Callable[[CodeBlock, Path], None]] = {
    "toml": check_toml,
    "ini": check_ini,
    "cpp": check_cpp,
    "yaml": check_yaml,
    "json": check_json,
}
CHECKED = [pytest.param(block, id=block.place) for block in BLOCKS if block.language in CHECKS and not block.not_run]


@pytest.mark.parametrize("block", CHECKED)
def test_a_block_is_what_it_says(block: CodeBlock, tmp_path: Path) -> None:
    CHECKS[block.language](block, tmp_path)


def test_each_block_has_a_language_that_is_run_or_checked() -> None:
    known = {*RUNNING, *CHECKS, "text"}
    assert [f"{block.place}: {block.language!r}" for block in BLOCKS if block.language not in known] == []


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    reasons = [(block.place, block.not_run) for block in BLOCKS if block.not_run is not None]
    assert [place for place, reason in reasons if len(reason.split()) < 3] == []
    assert len(reasons) <= NOT_RUN_AT_MOST, reasons


def test_blocks_are_found_wherever_they_stand() -> None:
    page = ROOT / "page.md"
    text = """
Text.

    indented

1. A list.

   ```toml
   a = 1
   ```
    continued

   <!-- not run: it says so -->
   ```sh
   ls
   ```

- another

    - nested, no code
"""
    found = [(block.line, block.language, block.text, block.not_run) for block in code_blocks(page, text)]
    assert found == [
        (4, "indented", "indented\n", None),
        (9, "toml", "a = 1\n", None),
        (15, "sh", "ls\n", "it says so"),
    ]
    (shown, output) = code_blocks(page, "```python\nprint(1)\n```\n\n```text\n1\n```\n")
    assert (shown.follows, output.follows) == (None, shown)


def test_commands_are_told_from_their_output() -> None:
    text = "$ a \\\n  b\n1\n\n2\n$ cat > x <<'END'\n$ c\nEND\n$ d\n"
    assert list(commands_of(text)) == [("a \\\n  b", "1\n\n2"), ("cat > x <<'END'\n$ c\nEND", ""), ("d", "")]
    assert list(commands_of("a\n\nb  # why\n")) == [("a", None), ("b  # why", None)]


def test_output_is_compared_with_what_is_shown() -> None:
    assert is_as_shown("a … c\n…\nend", "a  b   c\n\n1\n2\nend\n")
    assert not is_as_shown("a … c", "a b c\nmore\n")
    assert is_as_shown("a … c", "a b c\nmore\n", is_whole=False)
    assert not is_as_shown("1.5", "1x5\n")
