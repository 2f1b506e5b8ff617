import os
import subprocess
import sys

import pytest

from blitz.cli.faults import report
from blitz.cli.output import Output
from blitz.errors import ServerError


def test_text_table_is_aligned_and_without_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).table(("ID", "Name"), [("1", "x\x1b[31m"), ("12", "pump")])
    assert capsys.readouterr().out == "ID  Name\n1   x?[31m\n12  pump\n"


def test_json_is_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=True)
    out.line("text")
    out.table(("ID",), [("1",)])
    out.document(sessions=[{"name": "Ä"}])
    with out.progress("work") as progress:
        progress(1, 2)
    assert capsys.readouterr().out == '{"sessions": [{"name": "Ä"}]}\n'


def test_reader_that_leaves_early_is_no_error() -> None:
    program = "from blitz.cli.main import invoke; import sys; sys.exit(invoke(['serve', '--help']))"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(30) == 1


def test_an_error_from_a_server_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    report(ServerError("no\x1b[2J such\nrun\x07"), as_json=False)
    assert capsys.readouterr().err == "no?[2J such\nrun?\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no ptys")
@pytest.mark.parametrize(("variables", "is_marked"), [({"TERM": "xterm-256color"}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_a_table_and_marks_unless_it_wants_none(variables: dict[str, str], is_marked: bool) -> None:
    import pty

    program = "from blitz.cli.output import Output; Output(as_json=False).table(('ID', 'Name'), [('1', 'pump')])"
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "CI")}
    leader, follower = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", program],
            stdout=follower,
            check=True,
            timeout=60,
            env=environment | {"TERM": "xterm-256color"} | variables,
        )
        shown = os.read(leader, 65536).decode()
    finally:
        os.close(leader)
        os.close(follower)
    assert "pump" in shown
    assert "───" in shown, "a table for a terminal"
    assert ("\x1b[" in shown) == is_marked
