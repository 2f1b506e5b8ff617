"""Session files: one session of the cache, whole, in one checked file that goes to another machine.

Raw blocks, what is known of the session, and corrected definitions. The form is that of a backup
(:mod:`blitz.data.backup_format`), with the client's record in place of a server's keys. Such a file comes from
somewhere: it is verified wholly before anything of it is used, nothing in it is taken for a path, and nothing that is
larger than it should be is read.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from blitz.data.backup_format import (
    BackupReader,
    BackupWriter,
    Manifest,
    SavedBlock,
    SavedPart,
    SavedRecord,
    SavedSession,
    SessionDigest,
    StoreSnapshot,
    digest,
)
from blitz.data.block_sizes import unpacked_bytes
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_client import DatabaseClient
from blitz.data.export_file import replacing
from blitz.data.records import SessionRecord
from blitz.errors import BackupError, BlitzError, BlockError, DownloadCancelled, ImportFileError

Progress = Callable[[int, int], None]

_DEFINITIONS: Final = TypeAdapter(dict[int, BoardDefinition])

SUFFIX: Final = ".blitz"
_BLOCK_BYTES: Final = 1 << 26
"""Larger runs of messages are cut when they are written."""
_LARGEST_BYTES: Final = 1 << 28
"""What a member may have, packed or unpacked: four times what is written."""
_BESIDE_RAW: Final = 64
"""More than what a message takes in a block besides its bytes."""
_BLOCKS_AT_ONCE: Final = 4


class SavedVersion(BaseModel):
    """Corrected definitions of the session, as :class:`~blitz.data.models.DefinitionVersion` keeps them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int = Field(ge=1, lt=1 << 31)
    created_ms: int = Field(ge=0, lt=250_000_000_000_000)
    who: str = ""
    reason: str = ""
    definitions: str


class SessionFile(BaseModel):
    """What is in a session file, besides its messages.

    :param store_id: of the store that recorded the session; empty where that is not known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    store_id: str = ""
    record: SessionRecord
    versions: tuple[SavedVersion, ...] = ()


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
                BackupWriter(file, installed_version("blitz"), _Reader.kind), saved, blocks, progress, is_cancelled
            )
            file.flush()
        if _verified(part)[1] != manifest:
            raise BackupError(f"{path} does not read back as it was written. Check that disk, or name another place.")
    return path


def verify_session_file(path: Path, progress: Progress | None = None) -> SessionFile:
    """Read a whole session file, compare all counts and checksums, and return what it holds.

    :param progress: called with (bytes read, bytes in all).
    :raises ImportFileError: if it is damaged, cut short, no session file, or was made by a newer Blitz.
    """
    with _refusing(path):
        return _verified(path, progress)[0]


def unpack_session(
    cache: DatabaseClient, path: Path, *, as_guest: bool = False, progress: Progress | None = None
) -> Unpacked:
    """Bring the session of a file into a cache; the file is verified wholly first.

    A session that no server has, such as an imported one, gets an id of its own in this cache.

    :param cache: of the store that recorded the session, or a new one, which then belongs to that store.
    :param as_guest: give a session of another store an id of its own in this cache, instead of refusing it.
    :param progress: called with (bytes read, bytes in all); the file is read twice.
    :raises ImportFileError: if the file is not whole, or the cache has another session with this id.
    :raises CacheMismatch: if the cache belongs to another store.
    """
    total = 2 * _size(path)
    with _refusing(path):
        saved, manifest = _verified(path, None if progress is None else lambda done, _: progress(done, total))
        record = saved.record
        is_guest = record.id < 0 or (as_guest and cache.store_id not in (None, saved.store_id))
        if not is_guest and saved.store_id:
            cache.bind_store(saved.store_id)
        found = _found(cache, record, is_guest)
        if found is not None:
            return Unpacked(found, was_there=True)
        reader = _Reader(path, manifest)
        blocks = _told(reader, progress, total)
        if is_guest:
            record = _unpack_aside(cache, record, blocks, manifest)
        else:
            cache.begin_download(record)
            _store(cache, record.id, blocks, manifest)
            cache.finish_download(record)
        cache.add_saved_versions(record.id, [saved_version.model_dump() for saved_version in saved.versions])
        return Unpacked(cache.session_record(record.id), was_there=False)


class _Reader(BackupReader):
    """Reads session files, which may have been made to do harm.

    :param manifest: what the file says of itself, once that is known.
    """

    kind = "blitz session"
    words = "session file"
    members = frozenset(("header", "record", "block", "manifest"))
    largest_bytes = _LARGEST_BYTES

    def __init__(self, path: Path, manifest: Manifest | None = None) -> None:
        super().__init__(path)
        self._room_bytes = _LARGEST_BYTES if manifest is None else _unpacked_limit(manifest)
        self._is_limited = manifest is not None

    def session_parts(self) -> Iterator[SavedPart | SavedRecord]:
        """Return what is in the file, each part checked by itself; the last one is the manifest."""
        return self._parts()

    def blocks(self) -> Iterator[MessageBlock]:
        """Return the messages."""
        return (part.block for part in self._parts() if isinstance(part, SavedBlock))

    def decoded(self, content: bytes) -> MessageBlock:
        """Read a block, unless it would take more memory than the file says."""
        size = unpacked_bytes(content)
        if size > _LARGEST_BYTES or (self._is_limited and size > self._room_bytes):
            raise self._damaged("it holds more than it says")
        self._room_bytes -= size
        return super().decoded(content)

    def manifest(self) -> Manifest:
        """Return what stands at the end of the file, without looking at what stands before."""
        for part in _HeadReader(self.path).session_parts():
            if isinstance(part, Manifest):
                return part
        raise AssertionError("the last part is the manifest")


class _HeadReader(_Reader):
    """Passes over the blocks."""

    def decoded(self, content: bytes) -> MessageBlock:
        return MessageBlock.from_reads(0, 0, [])


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
        sessions=(_saved(session_id, whole, content, saved.record),),
    )
    writer.finish(manifest)
    return manifest


def _cut(block: MessageBlock) -> Iterator[MessageBlock]:
    """Cut a block into such as are not too large."""
    if len(block) > 1 and int(block.bytes_and_offsets()[1][-1]) > _BLOCK_BYTES:
        middle = block.first_seq + len(block) // 2
        yield from _cut(block.between(block.first_seq, middle))
        yield from _cut(block.between(middle, block.next_seq))
    else:
        yield block


def _verified(path: Path, progress: Progress | None = None) -> tuple[SessionFile, Manifest]:
    """Read all of a file and compare it with what it says of itself."""
    total = _size(path)
    manifest = _Reader(path).manifest()
    reader = _Reader(path, manifest)
    content = b""
    session_id: int | None = None
    whole = SessionDigest()
    for part in reader.session_parts():
        if isinstance(part, SavedRecord):
            if session_id is not None:
                raise BackupError(f"The session file {path} is damaged: it holds several sessions. Use another one.")
            session_id, content = part.session_id, part.content
        elif isinstance(part, SavedBlock):
            if part.block.session_id != session_id or len(part.block) > GRID_MESSAGES:
                raise BackupError(
                    f"The session file {path} is damaged: it holds messages of none of its sessions. Use another one."
                )
            whole.take(part.block)
        if progress is not None:
            progress(reader.done_bytes, total)
    try:
        saved = SessionFile.model_validate_json(content)
        _check_words(saved)
    except (ValueError, RecursionError) as error:
        raise BackupError(
            f"The session file {path} is damaged: its session cannot be read. Use another one."
        ) from error
    expected = (_saved(saved.record.id, whole, content, saved.record),)
    if (
        manifest.sessions != expected
        or whole.message_count != saved.record.message_count
        or session_id != saved.record.id
    ):
        raise BackupError(
            f"The session file {path} is damaged: session {saved.record.id} is not whole. Use another one."
        )
    return saved, manifest


def _check_words(saved: SessionFile) -> None:
    """See that what is known of the session can be kept and used: one bad number would spoil queries of all sessions.

    :raises ValueError: if not.
    """
    numbers = [version.number for version in saved.versions]
    if len(set(numbers)) != len(numbers):
        raise ValueError("two versions of the definitions have one number")
    for version in saved.versions:
        _DEFINITIONS.validate_json(version.definitions)
    waiting: list[Any] = [saved.record.model_dump(mode="json")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise ValueError("a number has no room")


def _saved(session_id: int, whole: SessionDigest, content: bytes, record: SessionRecord) -> SavedSession:
    return SavedSession(
        id=session_id,
        message_count=whole.message_count,
        byte_count=whole.byte_count,
        is_running=record.is_running,
        checksum=whole.checksum,
        keys_checksum=digest(content),
    )


def _unpacked_limit(manifest: Manifest) -> int:
    return sum(session.byte_count + _BESIDE_RAW * session.message_count + 4096 for session in manifest.sessions)


def _found(cache: DatabaseClient, record: SessionRecord, is_guest: bool) -> SessionRecord | None:
    """Return the session if the cache has all of it already.

    :param is_guest: it has an id of this cache's own there.

    :raises ImportFileError: if the cache has another one with its id.
    """
    for known in cache.session_records():
        is_same = known.started_at == record.started_at and (
            known.id < 0 and known.name == record.name if is_guest else known.id == record.id
        )
        if is_same and known.message_count >= record.message_count and cache.is_available(known.id):
            return known
        if not is_guest and known.id == record.id and known.started_ms != record.started_ms:
            here, there = (f"{one.started_at:%Y-%m-%d %H:%M}" for one in (known, record))
            raise ImportFileError(
                f"The cache {cache.path} has another session {record.id}, which began at {here}, not at {there}. Name "
                "another cache file with --cache."
            )
    return None


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


def _told(reader: _Reader, progress: Progress | None, total: int) -> Iterator[MessageBlock]:
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


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise ImportFileError(f"Cannot read {path}: {(error.strerror or str(error)).lower()}.") from error
