"""Unfinished files: what a dead program left goes, what a living one writes stays."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blitz.data.export_file import replacing
from blitz.data.unfinished_file import UnfinishedFile

_WRITER = """
import sys
from pathlib import Path
from blitz.data.unfinished_file import UnfinishedFile
with UnfinishedFile(Path(sys.argv[1])) as unfinished:
    unfinished.path.write_bytes(b"half")
    unfinished.scratch.mkdir()
    (unfinished.scratch / "sheet").write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def writer(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another program that is writing into a folder, until it is killed or told to end."""
    command = [sys.executable, "-c", _WRITER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "writing\n"
        try:
            yield program
        finally:
            program.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_program_left_goes_when_the_next_file_is_written(tmp_path: Path) -> None:
    with writer(tmp_path) as program:
        program.kill()
        program.wait()
    assert len(names(tmp_path)) == 2
    with replacing(tmp_path / "a.csv") as part:
        assert names(tmp_path) == [part.name]
        part.write_text("whole")
    assert names(tmp_path) == ["a.csv"]


def test_what_a_living_program_writes_stays(tmp_path: Path) -> None:
    with writer(tmp_path) as program:
        theirs = names(tmp_path)
        with replacing(tmp_path / "a.csv") as part, replacing(tmp_path / "b.csv") as other:
            assert names(tmp_path) == sorted([*theirs, part.name, other.name])
        assert names(tmp_path) == sorted([*theirs, "a.csv", "b.csv"])
        program.communicate("end\n")
    assert names(tmp_path) == ["a.csv", "b.csv"]


def test_files_of_other_names_stay(tmp_path: Path) -> None:
    for name in (".blitz-notes.part", "blitz-12345678.part", ".blitz-12345678.partial"):
        (tmp_path / name).touch()
    before = names(tmp_path)
    with UnfinishedFile(tmp_path):
        pass
    assert names(tmp_path) == before


def test_an_error_leaves_nothing_and_the_old_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names(tmp_path) == ["a.csv"]
    assert path.read_text() == "old"
