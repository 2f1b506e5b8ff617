"""What is in a session file, read from one and checked.

Such a file comes from somewhere: nothing in it is taken for a path, and nothing that is larger than it should be is
read.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from blitz.data.backup_format import (
    BackupReader,
    Manifest,
    SavedBlock,
    SavedPart,
    SavedRecord,
    SavedSession,
    SessionDigest,
    digest,
)
from blitz.data.block_sizes import unpacked_bytes
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import BoardDefinition
from blitz.data.records import SessionRecord
from blitz.errors import BackupError, ImportFileError

Progress = Callable[[int, int], None]

_DEFINITIONS: Final = TypeAdapter(dict[int, BoardDefinition])

BLOCK_BYTES: Final = 1 << 26
"""Larger runs of messages are cut when they are written."""
_LARGEST_BYTES: Final = 1 << 28
"""What a block may have, packed or unpacked: four times what is written."""
_LARGEST_WORDS_BYTES: Final = BLOCK_BYTES
"""What any other member may have. It is read as JSON, which takes some times as much memory."""
_BESIDE_RAW: Final = 64
"""More than what a message takes in a block besides its bytes."""


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


class SessionFileReader(BackupReader):
    """Reads session files, which may have been made to do harm.

    :param manifest: what the file says of itself, once that is known.
    """

    kind = "blitz session"
    words = "session file"
    members = frozenset(("header", "record", "block", "manifest"))

    def __init__(self, path: Path, manifest: Manifest | None = None) -> None:
        super().__init__(path)
        self._room_bytes = _LARGEST_BYTES if manifest is None else _unpacked_limit(manifest)
        self._is_limited = manifest is not None

    def largest_bytes(self, name: str) -> int:
        """Return what a member of that name may have."""
        return _LARGEST_BYTES if name.endswith(".arrow") else _LARGEST_WORDS_BYTES

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


class _HeadReader(SessionFileReader):
    """Passes over the blocks."""

    def decoded(self, content: bytes) -> MessageBlock:
        return MessageBlock.from_reads(0, 0, [])


def verified(path: Path, progress: Progress | None = None) -> tuple[SessionFile, Manifest]:
    """Read all of a file and compare it with what it says of itself."""
    total = file_size(path)
    manifest = SessionFileReader(path).manifest()
    reader = SessionFileReader(path, manifest)
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
    expected = (described(saved.record.id, whole, content, saved.record),)
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


def described(session_id: int, whole: SessionDigest, content: bytes, record: SessionRecord) -> SavedSession:
    """Return what a file's manifest says of its session, whose messages were taken in.

    :param content: the record as it stands in the file.
    """
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


def file_size(path: Path) -> int:
    """Return the size of a file.

    :raises ImportFileError: if it cannot be read.
    """
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise ImportFileError(f"Cannot read {path}: {(error.strerror or str(error)).lower()}.") from error
