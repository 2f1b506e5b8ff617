"""A small computer, as far as this one can play it: half a core, little memory, a disk that takes its time.

Limits come from a control group of our own (cgroup v2, or v1 where that is what there is), which needs root. A slow
disk is a library that is loaded before others and makes each fsync take longer; it is compiled here, with gcc or cc.
What cannot be had is said in ``missing``, and then not played.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000
_SLOW_FSYNC = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static void wait_a_little(void) { struct timespec t = {0, DELAY_MS * 1000000L}; nanosleep(&t, 0); }
int fsync(int fd) {
    static int (*real)(int); if (!real) real = dlsym(RTLD_NEXT, "fsync");
    wait_a_little(); return real(fd);
}
int fdatasync(int fd) {
    static int (*real)(int); if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    wait_a_little(); return real(fd);
}
"""


class SmallMachine:
    """What a program is started with to find itself on it."""

    def __init__(self) -> None:
        self.wrapper: list[str] = []
        """Stands before the command."""
        self.environment: dict[str, str] = {}
        self.missing: list[str] = []
        """What could not be played, and why."""
        self._groups: list[Path] = []

    def process_ids(self) -> list[int]:
        """Return all processes on it; none if there are no control groups."""
        return [int(line) for line in (self._groups[0] / "cgroup.procs").read_text().split()] if self._groups else []


@contextmanager
def small_machine(cores: float | None, memory_bytes: int, fsync_ms: int) -> Iterator[SmallMachine]:
    """Make one; what runs on it must have ended before it goes.

    :param cores: share of one core; None does not limit it, and only counts.
    """
    machine = SmallMachine()
    with tempfile.TemporaryDirectory() as folder:
        try:
            _make_groups(machine, cores, memory_bytes)
        except OSError as error:
            machine.missing.append(f"no limits of CPU and memory: {error}")
        if fsync_ms:
            _make_slow_fsync(machine, Path(folder), fsync_ms)
        if machine._groups:
            joining = " ".join(f"echo $$ > {group}/cgroup.procs;" for group in machine._groups)
            machine.wrapper = ["/bin/sh", "-c", f'{joining} exec "$@"', "sh"]
        try:
            yield machine
        finally:
            for group in machine._groups:
                _remove(group)


def _make_groups(machine: SmallMachine, cores: float | None, memory_bytes: int) -> None:
    name = f"blitz-bench-{os.getpid()}"
    quota = None if cores is None else round(cores * _PERIOD_US)
    if (_CGROUPS / "cgroup.controllers").exists():
        (_CGROUPS / "cgroup.subtree_control").write_text("+cpu +memory")
        group = _new_group(machine, _CGROUPS / name)
        (group / "cpu.max").write_text(f"{quota or 'max'} {_PERIOD_US}")
        (group / "memory.max").write_text(str(memory_bytes))
        return
    group = _new_group(machine, _CGROUPS / "cpu" / name)
    (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
    (group / "cpu.cfs_quota_us").write_text(str(quota or -1))
    group = _new_group(machine, _CGROUPS / "memory" / name)
    (group / "memory.limit_in_bytes").write_text(str(memory_bytes))


def _new_group(machine: SmallMachine, path: Path) -> Path:
    path.mkdir()
    machine._groups.append(path)
    return path


def _make_slow_fsync(machine: SmallMachine, folder: Path, fsync_ms: int) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        machine.missing.append("no slow disk: there is no C compiler")
        return
    source, library = folder / "slow_fsync.c", folder / "slow_fsync.so"
    source.write_text(_SLOW_FSYNC)
    options = ["-shared", "-fPIC", "-O2", f"-DDELAY_MS={fsync_ms}"]
    subprocess.run([compiler, *options, "-o", str(library), str(source), "-ldl"], check=True)
    machine.environment = {"LD_PRELOAD": str(library)}


def _remove(group: Path) -> None:
    deadline_s = time.monotonic() + 10
    while True:
        try:
            group.rmdir()
            return
        except OSError:  # the last process is just ending
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
