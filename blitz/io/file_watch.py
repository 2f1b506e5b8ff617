"""Notice that files change: one observer of the operating system's for all of them, as long as any is watched.

What it cannot watch, such as drives of other computers, and what it misses, is for others to look at now and then.
"""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_TELLING = frozenset(("created", "modified", "moved", "deleted", "closed"))
"""Of the events there are; that it was opened, or closed by who only read it, changes nothing."""


class FileWatch:
    """Watches folders for the files in them. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._observer: Any = None
        self._folders: dict[str, tuple[Any, list[_Watched]]] = {}
        self._failed: set[str] = set()

    def watch(self, path: Path, changed: Callable[[], None]) -> Callable[[], None]:
        """Have it called, from another thread, when something happens to the file of that name.

        Behind a symbolic link, also what happens to the file that it leads to.

        :returns: ends that.
        """
        watched = _Watched(frozenset((str(path), os.path.realpath(path))), changed)
        folders = {os.path.dirname(name) for name in watched.names}
        with self._lock:
            for folder in folders:
                self._add(folder, watched)
        return lambda: self._end(folders, watched)

    def _add(self, folder: str, watched: "_Watched") -> None:
        from watchdog.observers import Observer

        found = self._folders.get(folder)
        if found is not None:
            found[1].append(watched)
            return
        listeners = [watched]
        try:
            if self._observer is None:
                observer = Observer()
                observer.daemon = True
                observer.start()
                self._observer = observer
            watch = self._observer.schedule(_Handler(listeners), folder, recursive=False)
        except Exception as error:  # noqa: BLE001 (the system's limits, drives that cannot be watched, no such folder)
            if folder not in self._failed:
                log.warning("%s cannot be watched, and is only looked at now and then: %s", folder, error)
            self._failed.add(folder)
            self._stop_idle()
            return
        self._failed.discard(folder)
        self._folders[folder] = watch, listeners

    def _end(self, folders: set[str], watched: "_Watched") -> None:
        with self._lock:
            for folder in folders:
                watch, listeners = self._folders.get(folder, (None, []))
                if watched in listeners:
                    listeners.remove(watched)
                if watch is not None and not listeners:
                    del self._folders[folder]
                    try:
                        self._observer.unschedule(watch)
                    except Exception as error:  # noqa: BLE001 (the folder is gone, and the watch with it)
                        log.debug("%s is not watched any more: %s", folder, error)
            self._stop_idle()

    def _stop_idle(self) -> None:
        if self._observer is not None and not self._folders:
            observer, self._observer = self._observer, None
            observer.stop()
            observer.join(5.0)


class _Watched:
    """Who wants to know of a file."""

    def __init__(self, names: frozenset[str], changed: Callable[[], None]) -> None:
        self.names = names
        self.changed = changed


class _Handler:
    """What the observer calls with each event in a folder."""

    def __init__(self, listeners: list[_Watched]) -> None:
        self._listeners = listeners

    def dispatch(self, event: Any) -> None:
        """Tell those whose file it is."""
        if event.event_type in _TELLING:
            names = {os.fsdecode(event.src_path), os.fsdecode(getattr(event, "dest_path", "") or "")}
            for watched in tuple(self._listeners):
                if names & watched.names:
                    watched.changed()
