"""Running another program while a port is lent to it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

from blitz.cli.ending import hand_over
from blitz.cli.faults import report
from blitz.errors import BlitzError

PORT_VARIABLE = "BLITZ_RELEASED_PORT"
_SIGNAL_BASE = 128
"""A program that was ended by signal n ends with this plus n, as shells have it."""


def run_with_port(program: Sequence[str], port: str, retake: Callable[[], object], *, as_json: bool) -> int:
    """Run a program, call `retake` however it ends, and return its exit code.

    Ctrl-C reaches the program, which decides what it means; it is waited for. Where the program did its work, but
    the port cannot be taken again, that is the error; else the program's own failure is.

    :param program: its words; ``{port}`` in them becomes the port, as does BLITZ_RELEASED_PORT in its environment.
    :raises OSError: if there is no such program.
    """
    words = [word.replace("{port}", port) for word in program]
    if words[0] == "blitz" and shutil.which("blitz") is None:  # of a virtual environment that is not active
        words[:1] = [sys.executable, "-m", "blitz"]
    exit_code = 1
    try:
        hand_over()
        exit_code = _run(words, {**os.environ, PORT_VARIABLE: port}, as_json=as_json)
    finally:
        try:
            retake()
        except BlitzError as error:
            if exit_code == 0:
                raise
            report(error, as_json=as_json)
    return exit_code


def _run(words: Sequence[str], environment: dict[str, str], *, as_json: bool) -> int:
    sys.stdout.flush()
    # Our standard output is one JSON document, and nothing else.
    process = subprocess.Popen(words, env=environment, stdout=sys.stderr.fileno() if as_json else None)
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            continue
        return code if code >= 0 else _SIGNAL_BASE - code
