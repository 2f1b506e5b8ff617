"""Repair of what a power failure leaves of a private Redis' append-only file. For a Redis that does not run.

What Redis acknowledged was synchronised before (durability "always"), so that only the end of a file can be torn, or
filled with zeros or garbage. That is cut off, once it was copied; the log says what. Damage elsewhere is not what a
power failure does: nothing is changed then, and an error says where it is and what can be done.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from blitz.errors import StoreUnavailable
from blitz.io.aof_format import Ending, Part, is_whole_snapshot, parts_of_names, read_manifest, scan, write_manifest

log = logging.getLogger(__name__)

FOLDER = "appendonlydir"
MANIFEST = "appendonly.aof.manifest"
CUT_OFF = "cut-off"
"""The folder, beside that of the file, where that is kept which was cut off."""
_EMPTY_BASE_BYTES = 1000
"""The first base of a store is made of nothing, and is smaller than that."""
_WINDOW_BYTES = 8 << 20
_COPY_BYTES = 1 << 20
_TELL_S = 5.0
_MISSING = "The last messages before Redis ended may be missing; the log says what was done."


class _Damage(NamedTuple):
    path: Path
    whole: int
    """Up to where commands and transactions are whole."""
    reached: int
    """Where the first byte stands that is wrong."""
    size: int


class AofRepair:
    """The append-only file in a private Redis' folder.

    :param redis_dir: the folder in which Redis works.
    :param limit_bytes: damage nearer to the end than that is cut off, zeros at the very end not counted.
    """

    def __init__(self, redis_dir: Path, limit_bytes: int) -> None:
        self._redis_dir = redis_dir
        self._folder = redis_dir / FOLDER
        self._limit_bytes = limit_bytes

    def before_start(self) -> list[str]:
        """Mend what Redis would take for an empty store, or stumble over; return sentences for the operator.

        :raises StoreUnavailable: if the files are damaged in a way that is not mended.
        """
        with self._faults():
            self._remove_temporary()
            return self._mend_manifest() + self._mend_parts()

    def after_refusal(self) -> list[str]:
        """Find why Redis refused its file, and mend it; return sentences for the operator, none if it is whole.

        :raises StoreUnavailable: if it is damaged in a way that is not mended.
        """
        with self._faults():
            parts = self._parts()
            commands = [self._folder / part.name for part in parts if part.kind == "i"]
            for number, path in enumerate(commands):
                damage = self._examine(path)
                if damage is not None:
                    return [self._cut(damage, commands[number + 1 :])]
            return self._empty_first_base(parts)

    # ---- before the start -----------------------------------------------------------------------------------------

    def _remove_temporary(self) -> None:
        """Remove what Redis was writing anew when it ended; the file that it was to replace counts."""
        for folder, pattern in (
            (self._redis_dir, "temp-*.rdb"),
            (self._redis_dir, "temp-*.aof"),
            (self._folder, "temp-*"),
        ):
            for path in folder.glob(pattern):
                size = path.stat().st_size
                path.unlink()
                log.info("Removed %s (%d bytes), which Redis had not finished", path, size)

    def _mend_manifest(self) -> list[str]:
        """Without a manifest Redis would begin an empty store, and write over what is there."""
        path = self._folder / MANIFEST
        names = sorted(entry.name for entry in self._folder.iterdir()) if self._folder.is_dir() else []
        text = path.read_bytes().decode("utf-8", "replace") if path.is_file() else None
        if text is None and not any(".aof" in name for name in names):
            return []
        if text is not None and read_manifest(text) is not None:
            return []
        state = "is missing" if text is None else "is damaged"
        if text is not None:
            self._keep(path, 0, len(path.read_bytes()))
        parts = parts_of_names(names)
        if parts is not None:
            new = self._folder / f"temp-{MANIFEST}"
            new.write_text(write_manifest(parts), encoding="utf-8")
            _sync(new)
            new.replace(path)
            _sync(self._folder)
            log.warning("The manifest %s %s; it was made anew of the names of the files there", path, state)
            return [f"The list of Redis' files {state} after a crash, and was made anew. {_MISSING}"]
        files = [self._folder / name for name in names if name != MANIFEST and ".aof" in name]
        if any(file.stat().st_size > (_EMPTY_BASE_BYTES if file.suffix == ".rdb" else 0) for file in files):
            raise StoreUnavailable(
                f"The manifest {path} {state}, and which of the files beside it count is not certain; nothing was "
                f"changed. Copy the folder {self._folder}, then bring a backup back ('blitz restore'), or write the "
                "manifest by hand."
            )
        for file in (*files, path):
            file.unlink(missing_ok=True)
        log.warning("The manifest %s %s, and there is nothing in the files beside it: Redis begins anew", path, state)
        return [f"The list of Redis' files {state} after a crash, and they are empty: Redis begins anew. {_MISSING}"]

    def _mend_parts(self) -> list[str]:
        told = []
        for part in self._parts():
            path = self._folder / part.name
            is_base = part.kind == "b"
            if path.exists() and not (is_base and path.stat().st_size == 0):
                continue
            if not _is_first_base(part):
                raise StoreUnavailable(
                    f"Redis' file {path} is {'empty' if path.exists() else 'missing'}; what it held is lost, and "
                    f"nothing was changed. Look for it, or copy the folder {self._folder} and bring a backup back "
                    "('blitz restore')."
                )
            if not path.exists():
                path.touch(mode=0o600)
                _sync(self._folder)
                log.warning("Redis' file %s, in which nothing was kept, was missing; an empty one was made", path)
                told.append(f"Redis' file {part.name}, in which nothing was kept, was missing, and was made anew.")
        return told

    def _parts(self) -> list[Part]:
        """Return what the manifest names, in the order in which Redis reads it: nothing where there is none."""
        try:
            text = (self._folder / MANIFEST).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return []
        parts = read_manifest(text) or []
        return sorted((part for part in parts if part.kind != "h"), key=lambda part: (part.kind, part.seq))

    # ---- after a refusal ------------------------------------------------------------------------------------------

    def _examine(self, path: Path) -> _Damage | None:
        """Follow a file of commands to its end; it may have gigabytes, of which a second takes some tens of MB."""
        size = path.stat().st_size
        start = whole = 0
        in_transaction = False
        length = _WINDOW_BYTES
        told_s = time.monotonic()
        with path.open("rb") as file:
            while start < size:
                file.seek(start)
                content = file.read(length)
                found = scan(content, size - start, in_transaction)
                whole = max(whole, start + found.whole) if found.whole > 0 else whole
                in_transaction = found.in_transaction
                is_at_end = start + len(content) >= size
                if found.ending in (Ending.FAULT, Ending.BEYOND) or (found.ending is Ending.CUT and is_at_end):
                    return _Damage(path, whole, start + found.reached, size)
                length = _WINDOW_BYTES if found.stop else 2 * length
                start += found.stop
                if time.monotonic() - told_s > _TELL_S:
                    told_s = time.monotonic()
                    log.info("Looking for the damage in %s: %d of %d MB are well", path, start >> 20, size >> 20)
        return _Damage(path, whole, size, size) if in_transaction else None

    def _cut(self, damage: _Damage, later: list[Path]) -> str:
        """Cut a file where it is damaged, and those that follow it: their commands build on what is lost."""
        path, whole, reached, size = damage
        used = size - _zeros_at_end(path, size)
        behind = max(used - reached, 0) + sum(file.stat().st_size for file in later)
        if behind > self._limit_bytes:
            raise StoreUnavailable(
                f"Redis' file {path} is damaged at byte {reached}, {behind / 1e6:.1f} MB before its end: no crash does "
                f"that, and nothing was changed. Copy the folder {self._folder}. Then bring a backup back ('blitz "
                f"restore'), or give up all that came later: truncate -s {whole} '{path}'"
                + "".join(f", truncate -s 0 '{file}'" for file in later)
                + " (redis-check-aof --fix does the same)."
            )
        # The damaged file last: if this is interrupted, the next start finds it as it was.
        for file, start, stop in (*((file, 0, file.stat().st_size) for file in reversed(later)), (path, whole, used)):
            kept = self._keep(file, start, max(stop, start))
            with file.open("r+b") as opened:
                before = opened.seek(0, os.SEEK_END)
                opened.truncate(start)
                os.fsync(opened.fileno())
            log.warning(
                "Redis' file %s was damaged at byte %d of %d; %d bytes from byte %d on were cut off, %s",
                file,
                reached if file == path else 0,
                before,
                before - start,
                start,
                f"and are kept in {kept}" if kept else "all of them zeros",
            )
        return f"The end of Redis' file {path.name} was damaged by a crash, and was cut off. {_MISSING}"

    def _empty_first_base(self, parts: list[Part]) -> list[str]:
        for part in parts:
            path = self._folder / part.name
            if not _is_first_base(part) or path.stat().st_size > _EMPTY_BASE_BYTES:
                continue
            content = path.read_bytes()
            if content and not is_whole_snapshot(content):
                kept = self._keep(path, 0, len(content))
                os.truncate(path, 0)
                _sync(path)
                log.warning("Redis' file %s was damaged; nothing can have been in it. It is kept in %s", path, kept)
                return [f"Redis' file {part.name}, in which nothing was kept, was damaged by a crash, and was emptied."]
        return []

    def _keep(self, path: Path, start: int, stop: int) -> Path | None:
        """Copy bytes of a file aside; return where they are, None if there are none."""
        if stop <= start:
            return None
        folder = self._redis_dir / CUT_OFF
        folder.mkdir(exist_ok=True, mode=0o700)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{path.name}"
        kept = folder / f"{name}-from-{start}"
        try:
            with path.open("rb") as source, kept.open("xb") as target:
                source.seek(start)
                while start < stop and (chunk := source.read(min(_COPY_BYTES, stop - start))):
                    target.write(chunk)
                    start += len(chunk)
                target.flush()
                os.fsync(target.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                kept.unlink(missing_ok=True)
            raise
        _sync(folder)
        return kept

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable:
            raise
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StoreUnavailable(
                f"Cannot repair Redis' files in {self._redis_dir}: {error.filename or 'a file there'}: {reason}. Check "
                "the disk, make room, and see that you may write there."
            ) from error


def _is_first_base(part: Part) -> bool:
    """Whether it is the base of an empty store. That of a store which a Redis before 7 kept has another name."""
    return part.kind == "b" and part.seq == 1 and part.name.endswith(".1.base.rdb")


def _zeros_at_end(path: Path, size: int) -> int:
    """Return how many zeros a file ends with."""
    count = 0
    with path.open("rb") as file:
        while count < size:
            length = min(_COPY_BYTES, size - count)
            file.seek(size - count - length)
            kept = len(file.read(length).rstrip(b"\0"))
            count += length - kept
            if kept:
                break
    return count


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
