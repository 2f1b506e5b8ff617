"""Backups of a store: all sessions with all that belongs to them, and the server's own files, in one checked file.

Owns the order of things: a backup is written beside its place, synchronised, read back and only then named; a restore
verifies the whole file before it changes anything, and compares what it put into the store before the sessions are
listed there. What a backup consists of stands in :mod:`blitz.data.backup_format`. The server may run meanwhile, and
record: of a running session the messages up to the moment its turn comes are saved, and when it is restored it is
closed, interrupted at its last message. Starts no Redis, and locks no data folder.
"""

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from blitz.data import store_schema
from blitz.data.backup_format import (
    FOLDER_FILES,
    BackupReader,
    BackupWriter,
    LeftOut,
    Manifest,
    SavedBlock,
    SavedFile,
    SavedSession,
    SessionDigest,
    SessionSnapshot,
    StoreSnapshot,
    digest,
)
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import LocalDisk
from blitz.data.store_copying import saved_blocks, session_snapshot, store_snapshot
from blitz.data.stream_listing import sessions_of_streams
from blitz.errors import ArchiveError, BackupError, BlockError, SessionNotFound

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all: messages when writing, bytes when reading."""


def write_backup(
    store: DatabaseServer,
    path: Path,
    data_dir: Path | None = None,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """Save the store, and the server's files in its data folder; return what the backup holds.

    :param force: replace a file that is there.
    :raises BackupError: if the file is there already, cannot be written, or does not read back as it was written.
    :raises StoreTooNew: if a newer Blitz wrote the store.
    """
    schema_version = store_schema.check(store)
    if schema_version is None:
        raise BackupError(f"There is nothing to save: no server has used the store at {store.address} yet.")
    with _finished_file(path, force=force) as partial:
        with partial.open("wb") as file:
            writer = BackupWriter(file, version("blitz"))
            manifest = _write(store, writer, store_snapshot(store, schema_version), data_dir, progress)
            writer.finish(manifest)
            file.flush()
            os.fsync(file.fileno())
        if verify_backup(partial, progress) != manifest:
            raise BackupError(f"{path} does not read back as it was written. Check that disk, or name another place.")
    return manifest


def verify_backup(path: Path, progress: Progress | None = None) -> Manifest:
    """Read a whole backup, compare all counts and checksums, and return what it holds.

    :raises BackupError: if it is damaged, cut short, no backup, or was made by a newer Blitz.
    """
    account = Account()
    reader = BackupReader(path)
    total = _size(path)
    for part in reader.parts():
        if isinstance(part, Manifest):
            return account.compared(part, path)
        account.take(part)
        if progress is not None:
            progress(reader.done_bytes, total)
    raise AssertionError("the last part is the manifest")


class Account:
    """What was found in a backup, to compare with what its manifest says."""

    def __init__(self) -> None:
        self._sessions: dict[int, tuple[SessionSnapshot, SessionDigest]] = {}
        self._files: dict[str, str] = {}
        self._store: StoreSnapshot | None = None

    def take(self, part: StoreSnapshot | SessionSnapshot | SavedBlock | SavedFile) -> None:
        """Take in the next part.

        :raises BackupError: if messages are missing before it.
        """
        if isinstance(part, SessionSnapshot):
            self._sessions[part.id] = part, SessionDigest()
        elif isinstance(part, SavedBlock):
            number = part.block.session_id
            if number not in self._sessions:
                raise BackupError(f"The backup has messages of a session {number}, but not the session.")
            self._sessions[number][1].take(part.block)
        elif isinstance(part, SavedFile):
            self._files[part.name] = digest(part.content)
        else:
            self._store = part

    def saved(self) -> tuple[SavedSession, ...]:
        """Return what the manifest must say of the sessions, in the order of their ids."""
        return tuple(whole.saved(keys) for _, (keys, whole) in sorted(self._sessions.items()))

    def compared(self, manifest: Manifest, path: Path) -> Manifest:
        """Return the manifest, if all that it lists was found as it says.

        :raises BackupError: naming the first difference.
        """
        found = {session.id: session for session in self.saved()}
        for expected in manifest.sessions:
            if found.get(expected.id) != expected:
                raise BackupError(f"The backup {path} is damaged: session {expected.id} is not whole. Use another one.")
        store = None if self._store is None else self._store.with_only({session.id for session in manifest.sessions})
        if store != manifest.store:
            raise BackupError(f"The backup {path} is damaged: the list of sessions is not whole. Use another one.")
        if self._files != manifest.files:
            raise BackupError(f"The backup {path} is damaged: the server's files are not whole. Use another one.")
        return manifest


def _write(
    store: DatabaseServer,
    writer: BackupWriter,
    snapshot: StoreSnapshot,
    data_dir: Path | None,
    progress: Progress | None,
) -> Manifest:
    writer.add_store(snapshot)
    files = {}
    for file in [] if data_dir is None else _folder_files(data_dir):
        writer.add_file(file.name, file.content)
        files[file.name] = digest(file.content)
    streams = sessions_of_streams(store.client, store.keys) if snapshot.streams else []
    numbers = sorted({*snapshot.sessions, *snapshot.trash, *snapshot.streams.values(), *streams})
    total = sum(_counts(store, numbers))
    done, saved, left_out = 0, [], []
    for number in numbers:
        whole = SessionDigest()
        try:
            keys = session_snapshot(store, number)
            writer.add_session(keys)
            for block in saved_blocks(store, keys):
                whole.take(block.block)
                writer.add_block(block)
                if progress is not None:
                    progress(done + whole.message_count, max(total, done + whole.message_count))
            if whole.message_count != keys.message_count:
                raise BackupError(f"{keys.message_count - whole.message_count} of its messages are missing")
            saved.append(whole.saved(keys))
            done += whole.message_count
        except SessionNotFound:
            left_out.append(LeftOut(id=number, reason="it was deleted meanwhile", is_deleted=True))
        except (ArchiveError, BackupError, BlockError) as error:
            is_deleted = not store.client.exists(store.keys.start(number))
            reason = "it was deleted meanwhile" if is_deleted else str(error).rstrip(".")
            left_out.append(LeftOut(id=number, reason=reason, is_deleted=is_deleted))
    kept = {session.id for session in saved}
    return Manifest(
        blitz_version=version("blitz"),
        created_at=datetime.now(UTC),
        store=snapshot.with_only(kept),
        sessions=tuple(saved),
        left_out=tuple(left_out),
        files=files,
    )


def _counts(store: DatabaseServer, numbers: Sequence[int]) -> Iterator[int]:
    return map(store.count_messages, numbers)


def _folder_files(data_dir: Path) -> Iterator[SavedFile]:
    """Return the server's own files; a database as it is at one moment, while the server may write to it."""
    for name in FOLDER_FILES:
        path = data_dir / name
        if not path.is_file():
            continue
        try:
            yield SavedFile(name, _database_copy(path) if name.endswith(".db") else path.read_bytes())
        except (OSError, sqlite3.Error) as error:
            raise BackupError(f"Cannot save {path}: {error}.") from error


def _database_copy(path: Path) -> bytes:
    with (
        contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)) as source,
        contextlib.closing(sqlite3.connect(":memory:")) as copy,
    ):
        source.backup(copy)
        return copy.serialize()


@contextmanager
def _finished_file(path: Path, *, force: bool) -> Iterator[Path]:
    """Give a name beside the file; what was written there gets the file's name when all went well."""
    if path.is_dir():
        raise BackupError(f"Cannot write {path}: it is a folder. Name a file in it.")
    if path.exists() and not force:
        raise BackupError(f"{path} is there already. Choose another name, or say --force to replace it.")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    disk = LocalDisk()
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # it holds hashes of tokens, and keys
        yield partial
        if path.exists() and not force:
            raise BackupError(f"{path} has appeared meanwhile, and is not replaced. Choose another name.")
        disk.replace(partial, path)
        disk.sync_folder(path.absolute().parent)
    except OSError as error:
        if isinstance(error, BackupError) or error.errno is None:
            raise
        raise BackupError(
            f"Cannot write the backup {path}: {(error.strerror or str(error)).lower()}. Choose another place, or make "
            "room there."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise BackupError(f"Cannot read {path}: {(error.strerror or str(error)).lower()}.") from error
