"""The folder of overviews beside a cache: finding them, making those that are missing, keeping within the budget."""

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from blitz.data.blocks import MessageBlock
from blitz.data.pyramid_building import Progress, build_pyramid
from blitz.data.pyramid_format import DamagedPyramid, Pyramid, PyramidKey
from blitz.data.records import Source

log = logging.getLogger(__name__)

DEFAULT_LIMIT_BYTES = 2048 << 20
_MOST_OPEN = 8
_CHECKED_AT_ONCE_BYTES = 16 << 20
_SUFFIX = ".overview"


class Pyramids:
    """Overviews of one cache's sessions. Usable from several threads, and by several programs at once.

    :param folder: where they lie; None for a temporary folder, which goes when this object goes.
    """

    def __init__(self, folder: Path | None) -> None:
        self._wanted_folder = folder
        self._folder: Path | None = None
        self._open: dict[PyramidKey, Pyramid] = {}
        self._turn = threading.Lock()
        self._is_closed = threading.Event()
        self._checks: list[threading.Thread] = []
        self._building: dict[PyramidKey, threading.Lock] = {}

    def find(self, key: PyramidKey) -> Pyramid | None:
        """Return the overview, None where it was not made yet; a damaged one is removed."""
        with self._turn:
            found = self._open.get(key)
            if found is not None:
                return found
            path = self._path(key)
            if path is None:
                return None
            try:
                found = self._checked(Pyramid(path, key))
                os.utime(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except (DamagedPyramid, OSError) as error:
                log.warning("An overview is made anew: %s", error)
                _remove(path)
                return None
            self._open[key] = found
            while len(self._open) > _MOST_OPEN:
                del self._open[next(iter(self._open))]
            return found

    def close(self) -> None:
        """Let go of the files. A second call does nothing."""
        self._is_closed.set()
        with self._turn:
            self._open.clear()
            checks, self._checks = self._checks, []
        for check in checks:
            check.join()

    def _checked(self, pyramid: Pyramid) -> Pyramid:
        """Check a file at once; a large one, of which a view reads little, in a thread, while it is looked at.

        :raises DamagedPyramid: if it is small, and damaged.
        """
        if pyramid.size_bytes <= _CHECKED_AT_ONCE_BYTES:
            pyramid.check()
            return pyramid
        self._checks = [check for check in self._checks if check.is_alive()]
        check = threading.Thread(target=self._check, args=(pyramid,), name="blitz overview check", daemon=True)
        self._checks.append(check)
        check.start()
        return pyramid

    def _check(self, pyramid: Pyramid) -> None:
        try:
            pyramid.check(self._is_closed.is_set)
        except DamagedPyramid as error:
            log.warning("An overview is made anew: %s", error)
            self.drop(pyramid)
        except OSError as error:  # such as one that was removed meanwhile
            log.info("An overview was not checked: %s", error)

    def drop(self, pyramid: Pyramid) -> None:
        """Remove an overview that turned out to be damaged."""
        with self._turn:
            self._open = {key: known for key, known in self._open.items() if known is not pyramid}
            _remove(pyramid.path)

    def clocks_before(self, pyramid: Pyramid, seq: int) -> tuple[int, Mapping[str, Any]]:
        """Return from where on a session can be decoded: a message at or before ``seq``, and the clocks before it."""
        try:
            return pyramid.clocks_before(seq)
        except DamagedPyramid as error:
            log.warning("An overview is made anew: %s", error)
            self.drop(pyramid)
            return 0, {}

    def make(
        self,
        key: PyramidKey,
        sources: Sequence[Source],
        blocks: Callable[[], Iterator[MessageBlock]],
        limit_bytes: int,
        progress: Progress,
        is_cancelled: Callable[[], bool],
    ) -> Pyramid:
        """Return the overview, which is made if it is missing; whoever asks meanwhile waits.

        :param limit_bytes: what all of them may take on disk; those that were not used for longest go first.
        :raises DownloadCancelled: if ``is_cancelled`` said so.
        :raises OSError: if it cannot be written.
        """
        with self._turn:
            self._make_folder()
            path = self._path(key)
            turn = self._building.setdefault(key, threading.Lock())
        with turn:
            found = self.find(key)
            if found is None and path is not None:
                build_pyramid(path, key, sources, blocks(), progress, is_cancelled)
                found = self.find(key)
            if found is None:
                raise OSError(f"The overview of session {key.session_id} was removed by another program.")
        self._keep_within(limit_bytes)
        return found

    def _path(self, key: PyramidKey) -> Path | None:
        """Return where an overview lies, if it was made; None where there is no folder yet."""
        folder = self._folder or self._wanted_folder
        return None if folder is None else folder / f"{key.session_id}-{key.started_ms}-{key.definitions}{_SUFFIX}"

    def _make_folder(self) -> None:
        """Choose the folder: beside the cache, or a temporary one where that cannot be written to."""
        if self._folder is not None:
            return
        if self._wanted_folder is not None:
            try:
                self._wanted_folder.mkdir(parents=True, exist_ok=True)
                tempfile.TemporaryFile(dir=self._wanted_folder).close()
            except OSError as error:
                log.warning("Overviews cannot be kept, and are made anew each time: %s", error)
            else:
                self._folder = self._wanted_folder
                return
        temporary = tempfile.TemporaryDirectory(prefix="blitz-overview-", ignore_cleanup_errors=True)
        weakref.finalize(self, temporary.cleanup)
        self._folder = Path(temporary.name)

    def _keep_within(self, limit_bytes: int) -> None:
        if self._folder is None:
            return
        found = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= limit_bytes:
                return
            # One that is open stays readable where the system allows that; elsewhere it cannot be removed yet.
            _remove(path)
            total -= size


def definitions_hash(sources: Sequence[Source]) -> str:
    """Return what tells apart two ways to read a session."""
    rows = [
        [source.index, source.name, None if source.definition is None else source.definition.model_dump(mode="json")]
        for source in sources
    ]
    return hashlib.blake2b(json.dumps(rows, sort_keys=True).encode(), digest_size=12).hexdigest()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
