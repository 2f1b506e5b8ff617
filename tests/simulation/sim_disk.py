"""A disk in memory that keeps apart what was written and what a power failure would leave.

What :meth:`SimDisk.fail_power` leaves of what was not synchronised is decided by the random numbers it is given: a
write may survive wholly, in part, with garbage in it, or not at all; a rename, a new file or a removal whose folder
was not synchronised may be undone, each on its own. A process that dies loses nothing that it had written.
"""

import errno
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

Step = Callable[[str], str | None]
"""Told of each call before it is made; may raise; may answer what shall go wrong: see :class:`SimDisk`."""


class Inode:
    """The content of a file.

    Attributes:
        written: what reading gives.
        durable: what stood in it when it was last synchronised.
        low: how short it has been since then; what stands before is safe.
        spoiled: a synchronisation failed: what was dirty then is never written, whatever a later one says.
    """

    def __init__(self) -> None:
        self.written = bytearray()
        self.durable = b""
        self.low = 0
        self.spoiled: list[tuple[int, int]] = []

    def synchronise(self) -> None:
        durable = bytearray(self.written)
        for start, stop in self.spoiled:
            durable[start:stop] = bytes(len(durable[start:stop]))
        self.durable = bytes(durable)
        self.low = len(durable)

    def spoil(self) -> None:
        """The kernel reports that writing failed once, and forgets it: what was dirty then counts as written."""
        if self.low < len(self.written):
            self.spoiled.append((self.low, len(self.written)))

    def cut(self, size: int) -> None:
        del self.written[size:]
        self.low = min(self.low, size)
        self.spoiled = [(start, min(stop, size)) for start, stop in self.spoiled if start < size]

    def fail_power(self, random: Random) -> None:
        """Keep what a power failure leaves."""
        safe, new, old = self.durable[: self.low], bytes(self.written[self.low :]), self.durable[self.low :]
        outcome = random.random()
        if outcome < 0.3:
            left = old
        elif outcome < 0.5:
            left = new
        else:
            cut = random.randrange(len(new) + 1)
            left = new[:cut]
            if outcome > 0.8:  # the length was written, and not all of the content
                left += bytes(random.choice((len(new) - cut, random.randrange(len(new) - cut + 1))))
            elif outcome > 0.7:
                left += random.randbytes(random.randrange(len(new) - cut + 1))
            elif outcome > 0.65 and len(old) > cut:
                left += old[cut:]
        self.written = bytearray(safe + left)
        self.synchronise()
        self.written, self.spoiled = bytearray(self.durable), []


class SimDisk:
    """See :class:`blitz.data.disk.Disk`.

    :param step: told of each call. It may answer ``"refuse"`` (an error, nothing done), ``"full"`` (no room; a write
        may be done in part), ``"part"`` (the process dies in the middle: a part is written, then it raises), or
        None. ``"lie"`` lets a synchronisation return without doing anything.
    """

    def __init__(self, step: Step, random: Random, capacity: int = 1 << 30) -> None:
        self.capacity = capacity
        self._step = step
        self._random = random
        self._files: dict[Path, Inode] = {}
        self._lasting: dict[Path, Inode] = {}
        self._folders: set[Path] = set()
        self._changes: list[dict[Path, Inode | None]] = []
        """Changes of names that no synchronisation of their folder has made last, oldest first."""
        self._boots = 0

    # ---- what goes wrong ----------------------------------------------------------------------------------------

    def reboot(self) -> None:
        """A new process: handles of the old one do nothing."""
        self._boots += 1

    def fail_power(self) -> None:
        """The machine loses power."""
        random = self._random
        fate = random.random()
        names = dict(self._lasting)
        for change in self._changes:
            if fate < 0.3 or (fate < 0.8 and random.random() < 0.5):
                _apply(change, names)
        for inode in {id(inode): inode for inode in (*self._lasting.values(), *names.values())}.values():
            inode.fail_power(random)
        self._files, self._lasting, self._changes = names, dict(names), []
        self.reboot()

    @property
    def has_unsynchronised(self) -> bool:
        """Whether a power failure would change anything."""
        return bool(self._changes) or any(inode.durable != inode.written for inode in self._files.values())

    @property
    def used(self) -> int:
        """Bytes in all files."""
        return sum(len(inode.written) for inode in self._files.values())

    def contents(self, folder: Path) -> list[bytes]:
        """Return what is in the files of a folder, by name; nobody is asked."""
        return [bytes(self._files[path].written) for path in sorted(self._files) if path.parent == folder]

    # ---- the interface ------------------------------------------------------------------------------------------

    def names(self, folder: Path) -> list[str]:
        self._ask("names")
        files = {path.relative_to(folder).parts[0] for path in self._files if folder in path.parents}
        return sorted(files | {path.name for path in self._folders if path.parent == folder})

    def make_folder(self, folder: Path) -> None:
        self._ask("make_folder")
        self._folders.update((folder, *folder.parents))

    def open(self, path: Path) -> "SimFile":
        self._ask("open")
        if path.parent not in self._folders:
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(path))
        if path not in self._files:
            self._change({path: Inode()})
        return SimFile(self, path, self._files[path])

    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        self._ask("read")
        written = self._file(path).written
        return bytes(written[offset:] if size < 0 else written[offset : offset + size])

    def size(self, path: Path) -> int:
        self._ask("size")
        return len(self._file(path).written)

    def replace(self, source: Path, target: Path) -> None:
        self._ask("replace")
        self._change({target: self._file(source), source: None})

    def remove(self, path: Path) -> None:
        self._ask("remove")
        if path in self._files:
            self._change({path: None})

    def remove_folder(self, folder: Path) -> None:
        self._ask("remove_folder")
        for path in sorted(path for path in self._files if folder in path.parents):
            self._change({path: None})
        self._folders = {path for path in self._folders if path != folder and folder not in path.parents}

    def sync_folder(self, folder: Path) -> None:
        if self._ask("sync_folder") == "lie":
            return
        if folder not in self._folders:
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))
        remaining = []
        for change in self._changes:
            # A rename between two folders is one step of the file system's journal.
            if any(path.parent == folder for path in change):
                _apply(change, self._lasting)
            else:
                remaining.append(change)
        self._changes = remaining

    def free_bytes(self, folder: Path) -> int:
        self._ask("free_bytes")
        return max(self.capacity - self.used, 0)

    # ---- below --------------------------------------------------------------------------------------------------

    def _ask(self, call: str) -> str | None:
        fault = self._step(call)
        if fault == "refuse":
            raise OSError(errno.EIO, f"simulated: {call} fails")
        if fault == "full" and call in ("open", "make_folder", "replace"):
            raise OSError(errno.ENOSPC, "simulated: no room")
        return fault

    def _file(self, path: Path) -> Inode:
        inode = self._files.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return inode

    def _change(self, change: dict[Path, Inode | None]) -> None:
        _apply(change, self._files)
        self._changes.append(change)


class SimFile:
    """See :class:`blitz.data.disk.DiskFile`."""

    def __init__(self, disk: SimDisk, path: Path, inode: Inode) -> None:
        self._disk = disk
        self._inode = inode
        self._boots = disk._boots
        self._is_open = True
        self.path = path

    @property
    def size(self) -> int:
        return len(self._inode.written)

    def write(self, chunk: bytes) -> None:
        self._check()
        disk, room = self._disk, len(chunk)
        fault = disk._step("write")
        if fault == "refuse":
            room = disk._random.choice((0, disk._random.randrange(len(chunk) + 1)))
        elif fault in ("full", "part"):
            room = disk._random.randrange(len(chunk) + 1)
        room = min(room, max(disk.capacity - disk.used, 0)) if disk.capacity < 1 << 30 else room
        self._inode.written += chunk[:room]
        if fault == "part":
            disk._step("die")
        if fault == "refuse":
            raise OSError(errno.EIO, "simulated: write fails")
        if room < len(chunk) or fault == "full":
            raise OSError(errno.ENOSPC, "simulated: no room")

    def sync(self) -> None:
        self._check()
        fault = self._disk._step("sync")
        if fault == "lie":
            return
        if fault == "refuse":
            self._inode.spoil()
            raise OSError(errno.EIO, "simulated: sync fails")
        self._inode.synchronise()

    def truncate(self, size: int) -> None:
        self._check()
        if self._disk._step("truncate") == "refuse":
            raise OSError(errno.EIO, "simulated: truncate fails")
        assert size <= self.size, "a file is cut, never lengthened"
        self._inode.cut(size)

    def close(self) -> None:
        self._is_open = False

    def _check(self) -> None:
        if self._boots != self._disk._boots:
            raise AssertionError("a process that is dead goes on writing")
        if not self._is_open:
            raise ValueError("simulated: the file is closed")


def _apply(change: dict[Path, Any], names: dict[Path, Any]) -> None:
    for path, inode in change.items():
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode
