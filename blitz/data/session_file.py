"""Session files: one session of the cache, whole, in one checked file that goes to another machine.

Raw blocks, what is known of the session, and corrected definitions. The form is that of a backup
(:mod:`blitz.data.backup_format`), with the client's record in place of a server's keys. Such a file comes from
somewhere: it is verified wholly before anything of it is used, nothing in it is taken for a path, and nothing that is
larger than it should be is read.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Final

from blitz.data.backup_format import (
    BackupWriter,
    Manifest,
    SavedBlock,
    SavedRecord,
    SessionDigest,
    StoreSnapshot,
)
from blitz.data.blocks import MessageBlock
from blitz.data.database_client import DatabaseClient
from blitz.data.export_file import replacing
from blitz.data.records import SessionRecord
from blitz.data.session_comparing import first_difference
from blitz.data.session_file_reading import (
    BLOCK_BYTES,
    Progress,
    SavedVersion,
    SessionFile,
    SessionFileReader,
    described,
    file_size,
    verified,
)
from blitz.errors import BackupError, BlitzError, BlockError, DownloadCancelled, ImportFileError

SUFFIX: Final = ".blitz"
_BLOCKS_AT_ONCE: Final = 4


@dataclasses.dataclass(frozen=True)
class Unpacked:
    """What became of a session file.

    :param record: the session in the cache.
    :param was_there: whether the cache had all of it already, and was left as it was.
    """

    record: SessionRecord
    was_there: bool


def pack_session(
    cache: DatabaseClient,
    session_id: int,
    path: Path,
    *,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Write a session of the cache into a file, which replaces one of that name when it is whole and reads back.

    :param progress: called with (messages written, messages in all).
    :raises SessionNotFound: if the cache does not have its messages.
    :raises ExportError: if the file cannot be written.
    :raises BackupError: if it does not read back as it was written.
    :raises DownloadCancelled: if ``is_cancelled`` said so; no file was written.
    """
    path = path.expanduser().absolute()
    blocks = cache.session_blocks(session_id)
    record = cache.session_record(session_id)
    if not cache.is_available(session_id):  # not all that the server had is here: what is here is packed
        count = sum(map(len, cache.session_blocks(session_id)))
        record = record.model_copy(update={"message_count": count})
    saved = SessionFile(
        store_id=cache.store_id or "",
        record=record,
        versions=tuple(SavedVersion(**row) for row in cache.saved_versions(session_id)),
    )
    with replacing(path) as part:
        with part.open("wb") as file:
            manifest = _write(
                BackupWriter(file, installed_version("blitz"), SessionFileReader.kind),
                saved,
                blocks,
                progress,
                is_cancelled,
            )
            file.flush()
        if verified(part)[1] != manifest:
            raise BackupError(f"{path} does not read back as it was written. Check that disk, or name another place.")
    return path


def verify_session_file(path: Path, progress: Progress | None = None) -> SessionFile:
    """Read a whole session file, compare all counts and checksums, and return what it holds.

    :param progress: called with (bytes read, bytes in all).
    :raises ImportFileError: if it is damaged, cut short, no session file, or was made by a newer Blitz.
    """
    with _refusing(path):
        return verified(path, progress)[0]


def unpack_session(
    cache: DatabaseClient, path: Path, *, as_guest: bool = False, progress: Progress | None = None
) -> Unpacked:
    """Bring the session of a file into a cache; the file is verified wholly first.

    A session that no server has, such as an imported one, or of which nobody knows the server, gets an id of its own in
    a cache that belongs to a store. A copy that the cache has is never replaced by one that differs from it.

    :param cache: of the store that recorded the session, or a new one, which then belongs to that store.
    :param as_guest: give a session of another store an id of its own in this cache, instead of refusing it.
    :param progress: called with (bytes read, bytes in all); the file is read twice.
    :raises ImportFileError: if the file is not whole, or the cache has another session with this id, or other messages
        of this one.
    :raises CacheMismatch: if the cache belongs to another store.
    """
    total = 2 * file_size(path)
    with _refusing(path):
        saved, manifest = verified(path, None if progress is None else lambda done, _: progress(done, total))
        record = saved.record
        is_of_another = cache.store_id not in (None, saved.store_id)
        is_guest = record.id < 0 or (is_of_another and (as_guest or not saved.store_id))
        if not is_guest and saved.store_id:
            cache.bind_store(saved.store_id)
        found = _found(cache, record, is_guest, lambda: SessionFileReader(path, manifest).blocks())
        if found is not None:
            return Unpacked(found, was_there=True)
        reader = SessionFileReader(path, manifest)
        blocks = _told(reader, progress, total)
        if is_guest:
            record = _unpack_aside(cache, record, blocks, manifest)
        else:
            cache.begin_download(record)
            _store(cache, record.id, blocks, manifest)
            cache.finish_download(record)
        cache.add_saved_versions(record.id, [saved_version.model_dump() for saved_version in saved.versions])
        return Unpacked(cache.session_record(record.id), was_there=False)


def _write(
    writer: BackupWriter,
    saved: SessionFile,
    blocks: Iterator[MessageBlock],
    progress: Progress | None,
    is_cancelled: Callable[[], bool] | None,
) -> Manifest:
    session_id, total = saved.record.id, saved.record.message_count
    content = saved.model_dump_json().encode()
    writer.add_record(SavedRecord(session_id, content))
    whole = SessionDigest()
    for block in blocks:
        # One that was set aside has the id in its blocks that it had on the server.
        for part in _cut(dataclasses.replace(block, session_id=session_id)):
            if is_cancelled is not None and is_cancelled():
                raise DownloadCancelled(f"Session {session_id} was not packed: it was cancelled; no file was written.")
            whole.take(part)
            writer.add_block(SavedBlock(part, None))
        if progress is not None:
            progress(whole.message_count, max(total, whole.message_count))
    manifest = Manifest(
        blitz_version=installed_version("blitz"),
        created_at=datetime.now(UTC),
        store=StoreSnapshot(store_id=saved.store_id, schema_version=0, session_last=0, sessions=(session_id,)),
        sessions=(described(session_id, whole, content, saved.record),),
    )
    writer.finish(manifest)
    return manifest


def _cut(block: MessageBlock) -> Iterator[MessageBlock]:
    """Cut a block into such as are not too large."""
    if len(block) > 1 and int(block.bytes_and_offsets()[1][-1]) > BLOCK_BYTES:
        middle = block.first_seq + len(block) // 2
        yield from _cut(block.between(block.first_seq, middle))
        yield from _cut(block.between(middle, block.next_seq))
    else:
        yield block


def _found(
    cache: DatabaseClient, record: SessionRecord, is_guest: bool, blocks: Callable[[], Iterator[MessageBlock]]
) -> SessionRecord | None:
    """Return the session if the cache has all of it already.

    :param is_guest: it has an id of this cache's own there.
    :param blocks: begins to read the file's messages.

    :raises ImportFileError: if the cache has another one with its id, or other messages of it.
    """
    if not is_guest:
        _check_same(cache, record, blocks)
    for known in cache.session_records():
        is_same = known.started_at == record.started_at and (
            known.id < 0 and known.name == record.name if is_guest else known.id == record.id
        )
        is_here = is_same and known.message_count >= record.message_count and cache.is_available(known.id)
        if is_here and (not is_guest or first_difference(cache.session_blocks(known.id), blocks()) is None):
            return known
        if not is_guest and known.id == record.id and known.started_ms != record.started_ms:
            here, there = (f"{one.started_at:%Y-%m-%d %H:%M}" for one in (known, record))
            raise ImportFileError(
                f"The cache {cache.path} has another session {record.id}, which began at {here}, not at {there}. Name "
                "another cache file with --cache."
            )
    return None


def _check_same(cache: DatabaseClient, record: SessionRecord, blocks: Callable[[], Iterator[MessageBlock]]) -> None:
    """See that what is here of a session, also of a download that was interrupted, is what the file has of it."""
    for kept in cache.kept_messages(record.id, record.started_ms):
        seq = first_difference(kept, blocks())
        if seq is not None:
            raise ImportFileError(
                f"The session {record.id} in the file is not the one in the cache {cache.path}: they differ from "
                f"message {seq} on. The one that is there was left as it is. Name another cache file with --cache."
            )


def _unpack_aside(
    cache: DatabaseClient, record: SessionRecord, blocks: Iterator[MessageBlock], manifest: Manifest
) -> SessionRecord:
    session_id = cache.begin_import(record.started_ms)
    try:
        _store(cache, session_id, blocks, manifest)
        return cache.finish_import(record.model_copy(update={"id": session_id}))
    except BaseException:
        with contextlib.suppress(BlitzError):
            cache.abandon_import(session_id)
        raise


def _store(cache: DatabaseClient, session_id: int, blocks: Iterator[MessageBlock], manifest: Manifest) -> None:
    """Put messages into the cache, a few blocks at once; the file must still be what it was."""
    whole = SessionDigest()
    store_id = cache.store_id or ""
    waiting: list[MessageBlock] = []
    for block in blocks:
        whole.take(block)
        waiting.append(dataclasses.replace(block, session_id=session_id, store_id=store_id))
        if len(waiting) == _BLOCKS_AT_ONCE:
            cache.store_blocks(session_id, waiting)
            waiting = []
    if waiting:
        cache.store_blocks(session_id, waiting)
    if [session.checksum for session in manifest.sessions] != [whole.checksum]:
        raise ImportFileError("The session file was changed while it was read. Try again.")


def _told(reader: SessionFileReader, progress: Progress | None, total: int) -> Iterator[MessageBlock]:
    for block in reader.blocks():
        if progress is not None:
            progress(total // 2 + reader.done_bytes, total)
        yield block


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except BackupError as error:
        raise ImportFileError(str(error)) from error
    except BlockError as error:
        raise ImportFileError(f"The session file {path} is damaged: {error}") from error
