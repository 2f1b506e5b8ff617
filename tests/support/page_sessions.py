"""A shell and a Python that run a page's blocks one after the other, each keeping what the ones before it made."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from waiting import LOOK_S

BLOCK_S = 90.0
"""What one block may take, on a busy machine."""

_PYTHON = r"""
import ast, asyncio, inspect, os, pathlib, sys, traceback
kept = os.dup(0)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
names = {"__name__": "__main__"}
with asyncio.Runner() as runner, os.fdopen(kept) as orders:
    for order in orders:
        path, page, line = order.rstrip("\n").split("\t")
        text = "\n" * (int(line) - 1) + pathlib.Path(path).read_text("utf-8")
        failed = 0
        try:
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            code = compile(text, page, "exec", flags=flags, dont_inherit=True)
            if code.co_flags & inspect.CO_COROUTINE:
                runner.run(eval(code, names))
            else:
                exec(code, names)
        except BaseException:
            traceback.print_exc()
            failed = 1
        sys.stderr.flush()
        print(f"\n\x1e{failed}\x1e", flush=True)
"""
_ENDED = re.compile("\n\x1e(\\d+)\x1e\n")


class _Session:
    """A program that is told what to do a line at a time, and says when it has done it."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str], said: Path) -> None:
        self._said = said
        with said.open("ab") as output, self.errors(said).open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors if self.errors(said) != said else output,
            )

    @staticmethod
    def errors(said: Path) -> Path:
        """Return the file of the standard error, given that of the output."""
        return said

    def ask(self, order: str) -> tuple[int, str]:
        """Return the exit code and what was written, when it is done."""
        assert self._process.stdin is not None
        begin = self._said.stat().st_size
        self._process.stdin.write(order.encode() + b"\n")
        self._process.stdin.flush()
        deadline_s = time.monotonic() + BLOCK_S
        while True:
            text = self._said.read_bytes()[begin:].decode("utf-8", "replace")
            ended = _ENDED.search(text)
            if ended:
                return int(ended[1]), text[: ended.start()]
            assert self._process.poll() is None, f"the session ended:\n{text}"
            assert time.monotonic() < deadline_s, f"after {BLOCK_S:g} s it has not ended:\n{text}"
            time.sleep(LOOK_S)

    def close(self) -> int:
        """End it as the end of a script does."""
        try:
            self._process.communicate(timeout=BLOCK_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        return self._process.returncode


class PythonSession(_Session):
    """Runs blocks in one `__main__`; warnings are errors."""

    def __init__(self, folder: Path, environment: Mapping[str, str], logs: Path) -> None:
        command = [sys.executable, "-W", "error", "-u", "-c", _PYTHON]
        super().__init__(command, folder, environment, logs / "python.out")
        self._code = logs / "block.py"

    @staticmethod
    def errors(said: Path) -> Path:
        """Apart: what is shown of a block is its output."""
        return said.with_suffix(".err")

    def run(self, code: str, page: str, line: int) -> tuple[int, str]:
        """Run a block; return whether it failed, and its output."""
        self._code.write_text(code, "utf-8")
        return self.ask(f"{self._code}\t{page}\t{line}")

    def written(self) -> str:
        """Return what was written to the standard output."""
        return _ENDED.sub("\n", self._said.read_text("utf-8"))

    def complaints(self) -> str:
        """Return what was written to the standard error so far."""
        return self.errors(self._said).read_text("utf-8")


class ShellSession(_Session):
    """Runs commands in one bash, whose variables and folder stay."""

    def __init__(self, folder: Path, environment: Mapping[str, str], logs: Path) -> None:
        super().__init__(["bash", "--noprofile", "--norc"], folder, environment, logs / "shell.out")
        self._logs = logs
        # Job control: what runs in the background is a group of its own, which Ctrl-C reaches.
        assert self.run("set -m") == (0, "")
        self._services: list[tuple[str, Path]] = []

    def run(self, command: str) -> tuple[int, str]:
        """Run a command; return its exit code, which `$?` has in the next one, and what it wrote."""
        script = self._logs / "command.sh"
        script.write_text(command + "\n", "utf-8")
        return self.ask(rf"(exit ${{code:-0}}); . '{script}' </dev/null; code=$?; printf '\n\036%d\036\n' $code")

    def start(self, command: str) -> Path:
        """Start what ends when it is told to; return the file of what it writes."""
        log = self._logs / f"service{len(self._services)}.out"
        log.touch()
        # The trap lets the subshell outlive the signal, so that waiting for it is waiting for the program.
        _, said = self.run(f"( trap : INT TERM\n{command}\n) >'{log}' 2>&1 & echo $!")
        self._services.append((said.strip(), log))
        return log

    def is_running(self) -> bool:
        """Whether the service that was started last still runs."""
        return self.run(f"kill -0 {self._services[-1][0]} 2>/dev/null")[0] == 0

    def stop(self, sign: signal.Signals = signal.SIGINT) -> int:
        """Tell the service that was started last to end; return its exit code."""
        number, _ = self._services.pop()
        code, _ = self.run(f"kill -{sign.value} -- -{number} 2>/dev/null; wait {number}")
        return code

    def close(self) -> int:
        """Stop what still runs, newest first, and end."""
        while self._services:
            self.stop()
        return super().close()
