"""Bringing a backup back into an empty store and an empty data folder. The counterpart of :mod:`blitz.data.backup`.

The whole file is verified before anything is changed. The sessions' keys are written first and compared with the
backup, the lists that make them known last and in one moment: a restore that is broken off leaves an empty store.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from blitz.data import store_schema
from blitz.data.backup import Account, Progress, verify_backup
from blitz.data.backup_format import (
    BackupReader,
    Manifest,
    SavedBlock,
    SavedFile,
    SavedSession,
    SessionDigest,
    SessionSnapshot,
    StoreSnapshot,
)
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import LocalDisk
from blitz.data.store_copying import (
    closed,
    digest_of,
    put_block,
    put_session,
    put_store,
    session_snapshot,
)
from blitz.data.store_reader import translated
from blitz.errors import BackupError, StoreTooNew


def restore_backup(
    path: Path, store: DatabaseServer, data_dir: Path | None = None, progress: Progress | None = None
) -> Manifest:
    """Put all that a backup holds into an empty store and folder; return what it holds.

    :param store: a Redis without sessions under the store's prefix, which nobody else uses meanwhile.
    :param data_dir: where the server's files go; None leaves them out.
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
    with _undone_after_a_fault(store, manifest, data_dir):
        _put(path, store, data_dir, manifest, progress)
    return manifest


def check_empty(store: DatabaseServer) -> None:
    """Make sure that a store has no sessions.

    :raises BackupError: if it has some, or if a server uses it.
    """
    keys = store.keys
    with translated():
        has_sessions = store.client.exists(keys.sessions, keys.trash, keys.session)
        has_server = store.client.exists(keys.server)
    if has_server:
        raise BackupError(f"A Blitz server uses the store at {store.address}. Stop it, then restore.")
    if has_sessions:
        raise BackupError(
            f"The store at {store.address} with the prefix {keys.prefix!r} has sessions already. Restore into an empty "
            "data folder (--data-dir), or with another --redis-prefix."
        )


def _put(
    path: Path, store: DatabaseServer, data_dir: Path | None, manifest: Manifest, progress: Progress | None
) -> None:
    """Write everything, compare it, and make it known."""
    with translated():
        store.client.set(store.keys.store_id, manifest.store.store_id)
    wanted = {session.id: session for session in manifest.sessions}
    account = Account()
    reader, total = BackupReader(path), path.stat().st_size
    keys: SessionSnapshot | None = None
    last_ns: int | None = None
    for part in reader.parts():
        if not isinstance(part, Manifest):
            account.take(part)
        if isinstance(part, SavedBlock):
            if keys is not None:
                put_block(store, part)
                last_ns = int(part.block.arrived_ns[-1])
        elif isinstance(part, SavedFile):
            if data_dir is not None:
                _write_file(data_dir / part.name, part.content)
        elif not isinstance(part, StoreSnapshot):
            if keys is not None:
                _finish_session(store, keys, last_ns, wanted[keys.id])
            # One that was deleted while the backup was made has a beginning there, and no end.
            keys, last_ns = (part if isinstance(part, SessionSnapshot) and part.id in wanted else None), None
            if keys is not None:
                put_session(store, keys)
        if progress is not None:
            progress(reader.done_bytes, total)
    account.compared(manifest, path)  # it is the same file as before
    with translated():
        given = int(store.client.get(store.keys.session_last) or 0)
    put_store(store, manifest.store.model_copy(update={"session_last": max(given, manifest.store.session_last)}))


def _finish_session(store: DatabaseServer, keys: SessionSnapshot, last_ns: int | None, expected: SavedSession) -> None:
    """Close a session that ran, and compare what stands in the store with what the backup holds."""
    whole: SessionDigest = digest_of(store, keys)
    keys_there = session_snapshot(store, keys.id)
    found = whole.saved(keys_there.model_copy(update={"is_running": keys.is_running}))
    if found != expected:
        raise BackupError(
            f"Session {keys.id} does not stand in the store as in the backup: {found.message_count} messages of "
            f"{expected.message_count}. Nothing was restored."
        )
    store_closed = closed(keys, last_ns)
    if store_closed is not keys:
        with translated():
            store.client.set(store.keys.end(keys.id), str(store_closed.end))
            store.client.hset(store.keys.meta(keys.id), "interrupted", "1")


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
            for session in manifest.sessions:
                number = session.id
                names = (keys.messages(number), keys.arrivals(number), keys.start(number), keys.end(number))
                store.client.unlink(*names, keys.meta(number), keys.markers(number), keys.first(number))
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
