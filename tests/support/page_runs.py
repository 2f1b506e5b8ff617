"""Runs a page of the documents: its Python, its commands and its SQL, in the order in which a reader comes to them.

What is shown of a program's output is compared (`shown_output.py`): in a `console` block what stands between two
commands, after a `python` block the `text` block that follows at once. A command may only fail where the next one is
`echo $?`. Programs that run until they are told to end are started, and end with the page.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from code_blocks import PAGES, CodeBlock, code_blocks
from page_sessions import PythonSession
from page_world import START_S, PageWorld
from shown_output import is_as_shown
from waiting import LOOK_S

from blitz.data.database import DatabaseClient

SHELLS = {"console", "sh", "bash"}
RUNNING = {"python", "sql", *SHELLS}
_SERVE = re.compile(r"(\w+=\S+ )*blitz(-server| serve)\b")
_STAYS = re.compile(r"(\w+=\S+ )*blitz (simulate|replay)\b")
_CACHE = re.compile(r'DatabaseClient\(path="([\w-]+\.db)"\)')
_ENDLESS = re.compile(r"(\w+=\S+ )*(blitz-client|blitz (client|tail|watch)|blitz sync .*--watch)\b")


def running_pages() -> list[Path]:
    """Return the pages that have something to run."""
    return [
        page
        for page in PAGES
        if any(block.language in RUNNING and block.not_run is None for block in code_blocks(page))
    ]


def run_page(page: Path, world: PageWorld, lab: Path) -> str:
    """Run a page in a world that was not used before.

    :returns: what its Python wrote.
    :raises AssertionError: naming the block, and what it wrote.
    """
    blocks = [block for block in code_blocks(page) if block.language in RUNNING and block.not_run is None]
    shown = {
        block.follows.line: block.text for block in code_blocks(page) if block.follows and block.language == "text"
    }
    first = [command for block in blocks[:1] if block.language in SHELLS for command, _ in commands_of(block.text)]
    if not any(_SERVE.match(world.as_here(command)) for command in first):
        world.serve_lab(lab, set(_CACHE.findall("".join(block.text for block in blocks))))
    python = PythonSession(world.work, world.environment, world.logs)
    try:
        for block in blocks:
            if block.language in SHELLS:
                _run_commands(block, world)
            elif block.language == "sql":
                _run_sql(block, world)
            else:
                _run_python(block, world, python, shown.get(block.line))
    finally:
        code = python.close()
    complaints = python.complaints()
    assert (code, complaints) == (0, ""), f"{page.name}: written to the standard error:\n{complaints}"
    return python.written()


def commands_of(text: str) -> Iterator[tuple[str, str | None]]:
    """Give the commands of a block, each with what is shown of its output; None where nothing is ever shown.

    Lines that begin with `$ ` are commands, the others output; where no line does, each is a command. A backslash at
    its end, or `<<'END'`, continues a command.
    """
    lines = text.splitlines()
    has_prompts = any(line.startswith("$ ") for line in lines)
    while lines:
        line = lines.pop(0)
        if not line.strip():
            continue
        assert line.startswith("$ ") or not has_prompts, f"output before a command: {line}"
        command = [line.removeprefix("$ ") if has_prompts else line]
        document = re.search(r"<<'?(\w+)'?", command[0])
        while lines and (command[-1].endswith("\\") or (document and command[-1].strip() != document[1])):
            command.append(lines.pop(0))
        shown = []
        while has_prompts and lines and not lines[0].startswith("$ "):
            shown.append(lines.pop(0))
        yield "\n".join(command), "\n".join(shown) if has_prompts else None


def _run_python(block: CodeBlock, world: PageWorld, python: PythonSession, shown: str | None) -> None:
    failed, said = python.run(world.as_here(block.text), block.page.name, block.line)
    assert not failed, f"{block.place}:\n{said}\n{python.complaints()}"
    if shown is not None:
        _compare(block.place, world.as_here(shown), said)


def _run_sql(block: CodeBlock, world: PageWorld) -> None:
    with DatabaseClient(path=str(world.work / "analysis.db")) as cache:  # which its page opens
        for statement in filter(str.strip, re.sub(r"--.*", "", block.text).split(";")):
            cache.query(statement)


def _run_commands(block: CodeBlock, world: PageWorld) -> None:
    commands = list(commands_of(block.text))
    for (command, shown), (following, _) in zip(commands, [*commands[1:], ("", None)], strict=True):
        here, expected = world.as_here(command), None if shown is None else world.as_here(shown)
        place = f"{block.place}: $ {command}"
        if _SERVE.match(here):
            _wait_for_shown(place, expected or "", world, world.serve(here))
        elif _STAYS.match(here) or (_ENDLESS.match(here) and expected):
            _wait_for_shown(place, expected or "", world, world.shell.start(here))
            if _ENDLESS.match(here):
                assert world.shell.stop() in (0, 130), place
        elif _ENDLESS.match(here):  # its arguments are looked at, no more
            code, said = world.shell.run(re.sub(r"\s+#.*", "", here) + " --help")
            assert code == 0, f"{place}:\n{said}"
        else:
            code, said = world.shell.run(here)
            assert code == 0 or following.startswith("echo $?"), f"{place}: exit code {code}\n{said}"
            _compare(place, expected, said)


def _wait_for_shown(place: str, shown: str, world: PageWorld, log: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while not log.stat().st_size or not is_as_shown(shown, log.read_text("utf-8"), is_whole=False):
        written = log.read_text("utf-8")
        is_late = not world.shell.is_running() or time.monotonic() > deadline_s
        assert not is_late, f"{place}: shown is\n{shown}\nnot\n{written}"
        time.sleep(LOOK_S)


def _compare(place: str, shown: str | None, said: str) -> None:
    if shown and shown.strip():
        assert is_as_shown(shown, said), f"{place}: shown is\n{shown}\nwritten was\n{said}"
