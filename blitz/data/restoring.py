"""Bringing a backup back into an empty store and an empty data folder. The counterpart of :mod:`blitz.data.backup`.

The whole file is verified before anything is changed. The sessions' keys are written first and compared with the
backup, the lists that make them known last and in one moment: a restore that is broken off leaves an empty store.
"""

import contextlib
import os
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

from blitz.data import store_schema
from blitz.data.archive import Archive
from blitz.data.archive_filling import SegmentFilling, beyond_memory
from blitz.data.backup import Account, Progress, verify_backup
from blitz.data.backup_format import (
    BackupReader,
    Manifest,
    SavedBlock,
    SavedFile,
    SessionSnapshot,
    StoreSnapshot,
)
from blitz.data.blocks import GRID_MESSAGES
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import LocalDisk
from blitz.data.store_copying import (
    closed,
    digest_of,
    put_block,
    put_end,
    put_session,
    put_store,
    session_snapshot,
)
from blitz.data.store_faults import translated
from blitz.errors import BackupError, StoreTooNew, StoreUnavailable

_RENEW_S = 3.0


def restore_backup(
    path: Path,
    store: DatabaseServer,
    data_dir: Path | None = None,
    progress: Progress | None = None,
    *,
    memory_bytes: int | None = None,
) -> Manifest:
    """Put all that a backup holds into an empty store and folder; return what it holds.

    :param store: a Redis without sessions under the store's prefix, which nobody else uses meanwhile.
    :param data_dir: where the server's files go; None leaves them out.
    :param memory_bytes: what Redis may take; older sessions go to the store's archive. None: all go to Redis.
    :raises BackupError: if the backup is damaged or from a newer Blitz, if there is something already, or if what
        was put there does not compare. Nothing is left behind then.
    """
    manifest = verify_backup(path, progress)
    if manifest.store.schema_version > store_schema.SCHEMA_VERSION:
        raise StoreTooNew(
            f"{path} holds a store of a newer Blitz ({manifest.blitz_version}; version {manifest.store.schema_version} "
            f"of its layout, this one knows {store_schema.SCHEMA_VERSION}). Install that Blitz to restore it."
        )
    check_empty(store)
    for name in manifest.files:
        if data_dir is not None and (data_dir / name).exists():
            raise BackupError(f"{data_dir / name} is there already. Restore into another data folder, or move it away.")
    with _without_a_server(store), _undone_after_a_fault(store, manifest, data_dir):
        with translated():
            store.client.set(store.keys.store_id, manifest.store.store_id)
        archived = () if memory_bytes is None else beyond_memory(manifest.sessions, memory_bytes)
        _put(path, _Target(store, data_dir, manifest, archived), progress)
    return manifest


def check_empty(store: DatabaseServer) -> None:
    """Make sure that a store has no sessions.

    :raises BackupError: if it has some, or if a server uses it.
    """
    keys = store.keys
    with translated():
        has_sessions = store.client.exists(keys.sessions, keys.trash, keys.session, keys.streams)
        has_server = store.client.exists(keys.server)
    if has_server:
        raise BackupError(f"A Blitz server uses the store at {store.address}. Stop it, then restore.")
    if has_sessions:
        raise BackupError(
            f"The store at {store.address} with the prefix {keys.prefix!r} has sessions already. Restore into an empty "
            "data folder (--data-dir), or with another --redis-prefix."
        )


def _put(path: Path, target: "_Target", progress: Progress | None) -> None:
    """Write everything, compare it, and make it known."""
    account = Account()
    reader, total = BackupReader(path), path.stat().st_size
    for part in reader.parts():
        if isinstance(part, Manifest):
            target.finish_session()
            account.compared(target.manifest, path)  # it is the same file as before
            target.finish()
        else:
            account.take(part)
            target.take(part)
        if progress is not None:
            progress(reader.done_bytes, total)


class _Target:
    """Where a backup is brought back to."""

    def __init__(
        self, store: DatabaseServer, data_dir: Path | None, manifest: Manifest, archived: Collection[int]
    ) -> None:
        self.manifest = manifest
        self._store = store
        self._data_dir = data_dir
        self._wanted = {session.id: session for session in manifest.sessions}
        self._archived = archived
        self._archive = _claimed_archive(store) if archived else None
        self._keys: SessionSnapshot | None = None
        self._filling: SegmentFilling | None = None
        self._archived_count = 0
        self._last_ns: int | None = None

    def take(self, part: StoreSnapshot | SessionSnapshot | SavedBlock | SavedFile) -> None:
        """Write the next part."""
        if isinstance(part, SessionSnapshot):
            self.finish_session()
            self._begin_session(part)
        elif isinstance(part, SavedBlock):
            if self._keys is None:
                return
            if self._filling is None:
                put_block(self._store, part)
            elif part.block.next_seq <= self._archived_count:
                self._filling.take(part.block)
            else:
                put_block(self._store, SavedBlock(part.block, None))  # a read may have begun in the archived part
            self._last_ns = int(part.block.arrived_ns[-1])
        elif isinstance(part, SavedFile) and self._data_dir is not None:
            _write_file(self._data_dir / part.name, part.content)

    def finish_session(self) -> None:
        """Compare what stands in the store with what the backup holds, and close a session that ran.

        :raises BackupError: if it differs.
        """
        keys, store = self._keys, self._store
        self._keys = None
        if keys is None:
            return
        if self._filling is not None:
            self._filling.finish()
            with translated():
                store.client.set(store.keys.first(keys.id), self._archived_count)
        there = session_snapshot(store, keys.id).model_copy(update={"is_running": keys.is_running})
        found = digest_of(store, keys).saved(there)
        if found != self._wanted[keys.id]:
            raise BackupError(
                f"Session {keys.id} does not stand in the store as in the backup: {found.message_count} messages of "
                f"{keys.message_count}. Nothing was restored."
            )
        put_end(store, closed(keys, self._last_ns))

    def finish(self) -> None:
        """Make the sessions known."""
        store, snapshot = self._store, self.manifest.store
        with translated():
            given = int(store.client.get(store.keys.session_last) or 0)
        put_store(store, snapshot.model_copy(update={"session_last": max(given, snapshot.session_last)}))

    def _begin_session(self, keys: SessionSnapshot) -> None:
        if keys.id not in self._wanted:
            return  # it was deleted while the backup was made: the file has its beginning, and no end
        self._keys, self._last_ns = keys, None
        is_archived = self._archive is not None and keys.id in self._archived
        self._filling = SegmentFilling(self._archive, keys.id) if self._archive and is_archived else None
        is_stream = keys.meta.get("kind") == "stream"  # it grows on: what is newest stays in Redis, from a grid's line
        self._archived_count = keys.message_count // GRID_MESSAGES * GRID_MESSAGES if is_stream else keys.message_count
        if is_stream and self._archived_count == keys.message_count:
            self._archived_count = max(self._archived_count - GRID_MESSAGES, 0)
        put_session(self._store, keys)


def _claimed_archive(store: DatabaseServer) -> Archive:
    """Return the store's archive, which must be empty.

    :raises BackupError: if it is not, or if there is none.
    """
    folder = store.archive_folder()
    if folder is None:
        raise BackupError("The sessions do not fit into Redis' memory, and there is no archive for them.")
    archive = Archive(folder, store.store_id)
    if archive.sessions():
        raise BackupError(f"The archive {folder} has sessions already. Name another with archive_dir.")
    archive.claim()
    return archive


@contextlib.contextmanager
def _without_a_server(store: DatabaseServer) -> Iterator[None]:
    """Hold the lease of the store, so that no server begins to record into it meanwhile."""
    lease = store.take_lease("blitz restore")
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(_RENEW_S):
            with contextlib.suppress(StoreUnavailable):  # then the restore fails, too
                store.renew_lease(lease)

    renewing = threading.Thread(target=renew, name="restore lease")
    renewing.start()
    try:
        yield
    finally:
        is_over.set()
        renewing.join()
        with contextlib.suppress(StoreUnavailable):
            store.release_lease(lease)


@contextlib.contextmanager
def _undone_after_a_fault(store: DatabaseServer, manifest: Manifest, data_dir: Path | None) -> Iterator[None]:
    keys = store.keys
    with translated():
        store_id = store.client.get(keys.store_id)
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            store.client.delete(keys.store_id) if store_id is None else store.client.set(keys.store_id, store_id)
            for number in [session.id for session in manifest.sessions]:
                names = (keys.messages(number), keys.arrivals(number), keys.start(number), keys.end(number))
                store.client.unlink(*names, keys.meta(number), keys.markers(number), keys.first(number))
                store.archive.remove(number)
        for path in [] if data_dir is None else [data_dir / name for name in manifest.files]:
            with contextlib.suppress(OSError):
                path.unlink()
                if path.parent != data_dir:
                    path.parent.rmdir()
        raise


def _write_file(path: Path, content: bytes) -> None:
    try:
        disk = LocalDisk()
        disk.make_folder(path.parent)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        disk.sync_folder(path.parent)
    except OSError as error:
        raise BackupError(f"Cannot write {path}: {(error.strerror or str(error)).lower()}. Make room there.") from error
