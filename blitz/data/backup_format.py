"""What a backup file is: a tar whose members are named here, and what is read back from one, checked.

Owns the members' names and the manifest. The first member says what the file is, then come the files of the data
folder and, a session at a time, its keys and its messages as compressed blocks; the manifest with all counts and
checksums is the last, so that a file that was cut short is known by its absence. Nothing is ever unpacked by the name
that stands in the file. A session file (:mod:`blitz.data.session_file`) is built in the same way, with the client's
record in place of keys. Knows no Redis.
"""

import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, ClassVar, Final, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from blitz.data.blocks import MessageBlock
from blitz.errors import BackupError, BlockError

FORMAT_VERSION: Final = 1
FOLDER_FILES: Final = ("server.db", "tls/certificate.pem", "tls/key.pem")
"""What is saved of the data folder, besides Redis and the archive: with its certificate a server is known again."""

_HEADER: Final = "blitz-backup.json"
_MANIFEST: Final = "manifest.json"
_STORE: Final = "store.json"
_MEMBER = re.compile(
    r"(?P<header>blitz-backup\.json)|(?P<manifest>manifest\.json)|(?P<store>store\.json)|folder/(?P<file>[a-z./]+)"
    r"|session_(?P<keys>\d+)/keys\.json|session_(?P<reads>\d+)/\d+\.reads|session_(?P<block>-?\d+)/\d+\.arrow"
    r"|session_(?P<record>-?\d+)/record\.json"
)

_FAULTS = (
    *(tarfile.TarError, EOFError, zlib.error, BlockError, ValueError, KeyError, TypeError),
    # A file made to do harm: sizes that nothing has, and JSON in JSON in JSON.
    *(OverflowError, MemoryError, RecursionError),
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoreSnapshot(_Part):
    """The keys of the store that belong to no session. Bytes are written a character each (latin-1)."""

    store_id: str
    schema_version: int
    session_last: int
    sessions: tuple[int, ...] = Field(description="newest first")
    trash: dict[int, float] = Field(default={}, description="id -> ms since the Unix epoch")
    streams: dict[str, int] = Field(default={}, description="name -> id; they are in neither of the lists")

    def with_only(self, kept: Collection[int]) -> "StoreSnapshot":
        """Return it without the sessions that are not in the backup."""
        return self.model_copy(
            update={
                "sessions": tuple(number for number in self.sessions if number in kept),
                "trash": {number: since for number, since in self.trash.items() if number in kept},
                "streams": {name: number for name, number in self.streams.items() if number in kept},
            }
        )


class SessionSnapshot(_Part):
    """One session's keys at one moment, without its messages. Bytes are written a character each (latin-1)."""

    id: int
    message_count: int
    is_running: bool = False
    start: str
    end: str | None = None
    meta: dict[str, str] = {}
    markers: tuple[str, ...] = ()

    @property
    def checksum(self) -> str:
        """BLAKE2b over the content, whatever order a hash came in."""
        return digest(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode())


class SavedSession(_Part):
    """What the manifest says of a session."""

    id: int
    message_count: int
    byte_count: int = Field(description="of the raw messages")
    is_running: bool
    checksum: str = Field(description="over all its blocks; see SessionDigest")
    keys_checksum: str


class LeftOut(_Part):
    """A session that is not in the backup."""

    id: int
    reason: str
    is_deleted: bool


class Manifest(_Part):
    """What is in a backup."""

    blitz_version: str
    created_at: AwareDatetime
    store: StoreSnapshot
    sessions: tuple[SavedSession, ...]
    left_out: tuple[LeftOut, ...] = ()
    files: dict[str, str] = Field(default={}, description="files of the data folder: name -> BLAKE2b")

    @property
    def message_count(self) -> int:
        """Messages of all sessions."""
        return sum(session.message_count for session in self.sessions)


class SavedBlock(NamedTuple):
    """A block of a session, and its reads where the block alone does not tell them: packed arrivals entries."""

    block: MessageBlock
    reads: bytes | None


class SavedRecord(NamedTuple):
    """What a client knows of a session, in a session file: JSON."""

    session_id: int
    content: bytes


class SavedFile(NamedTuple):
    """A file of the data folder."""

    name: str
    content: bytes


class SessionDigest:
    """The checksum of a whole session, from its blocks in order."""

    def __init__(self) -> None:
        self.message_count = 0
        self.byte_count = 0
        self._digest = hashlib.blake2b(digest_size=16)

    def take(self, block: MessageBlock) -> None:
        """Take in the next block.

        :raises BackupError: if it does not follow the one before.
        """
        if block.first_seq != self.message_count or not len(block):
            raise BackupError(
                f"Messages of session {block.session_id} are missing: after {self.message_count} of them the next is "
                f"number {block.first_seq}."
            )
        self._digest.update(f"{block.first_seq}:{block.checksum}\n".encode())
        self.message_count = block.next_seq
        self.byte_count += int(block.bytes_and_offsets()[1][-1])

    @property
    def checksum(self) -> str:
        """Over all blocks so far."""
        return self._digest.hexdigest()

    def saved(self, keys: SessionSnapshot) -> SavedSession:
        """Return what the manifest says of the session."""
        return SavedSession(
            id=keys.id,
            message_count=self.message_count,
            byte_count=self.byte_count,
            is_running=keys.is_running,
            checksum=self.checksum,
            keys_checksum=keys.checksum,
        )


def digest(content: bytes) -> str:
    """Return the BLAKE2b checksum, 16 bytes as hex digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


class BackupWriter:
    """Puts members into a new backup, one after the other.

    :param file: opened for writing; it is not closed.
    :param kind: of file.
    """

    def __init__(self, file: IO[bytes], blitz_version: str, kind: str = "blitz backup") -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - close() does it
        header = {"format": kind, "version": FORMAT_VERSION, "blitz_version": blitz_version}
        self._add(_HEADER, json.dumps(header).encode())

    def add_store(self, store: StoreSnapshot) -> None:
        """Add the keys that belong to no session."""
        self._add(_STORE, store.model_dump_json().encode())

    def add_file(self, name: str, content: bytes) -> None:
        """Add a file of the data folder."""
        self._add(f"folder/{name}", content)

    def add_session(self, keys: SessionSnapshot) -> None:
        """Begin a session."""
        self._add(f"session_{keys.id}/keys.json", keys.model_dump_json().encode())

    def add_record(self, record: SavedRecord) -> None:
        """Begin the session of a session file."""
        self._add(f"session_{record.session_id}/record.json", record.content)

    def add_block(self, saved: SavedBlock) -> None:
        """Add the next messages of the session begun last."""
        place = f"session_{saved.block.session_id}/{saved.block.first_seq:016}"
        if saved.reads is not None:
            self._add(f"{place}.reads", zlib.compress(saved.reads, 1))
        self._add(f"{place}.arrow", saved.block.encode(compressed=True))

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest and end the file."""
        content = manifest.model_dump_json().encode()
        self._add(_MANIFEST, json.dumps({"checksum": digest(content), "content": content.decode()}).encode())
        self._tar.close()

    def _add(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o600
        self._tar.addfile(member, io.BytesIO(content))
        _forget_members(self._tar)


SavedPart = StoreSnapshot | SessionSnapshot | SavedBlock | SavedFile | Manifest
"""What a backup consists of, in this order; sessions one after the other, each with its keys first."""


class BackupReader:
    """Reads a backup from its beginning to its end.

    :param path: the file.
    """

    kind: ClassVar[str] = "blitz backup"
    words: ClassVar[str] = "backup"
    """What people call such a file."""
    members: ClassVar[frozenset[str]] = frozenset(("header", "manifest", "store", "file", "keys", "reads", "block"))

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done_bytes = 0
        """How far it has been read."""

    def largest_bytes(self, name: str) -> int | None:
        """Return what a member of that name may have; None: as much as the file has."""
        return None

    def parts(self) -> Iterator[SavedPart]:
        """Return what is in the file, each part checked by itself; the last one is the manifest.

        :raises BackupError: if the file is no backup, is damaged or cut short, or is from a newer Blitz.
        """
        for part in self._parts():
            assert not isinstance(part, SavedRecord)  # it is none of the members of a backup
            yield part

    def _parts(self) -> Iterator[SavedPart | SavedRecord]:
        part: SavedPart | SavedRecord | None = None
        reads: bytes | None = None
        expected = [_HEADER]
        try:
            for name, content in self._members():
                if expected and name != expected.pop():
                    raise self._is_none()
                match = _MEMBER.fullmatch(name)
                if match is None or match.lastgroup not in self.members or isinstance(part, Manifest):
                    raise self._damaged(f"it holds {name!r}, which does not belong there")
                kind = match.lastgroup
                if kind == "header":
                    self._check_header(content)
                elif kind == "reads":
                    reads = zlib.decompress(content)
                else:
                    part = self._part(str(kind), match, content, reads)
                    reads = None
                    yield part
        except _FAULTS as error:
            if expected:
                raise self._is_none() from error
            raise self._damaged(str(error).partition("\n")[0].rstrip(".")) from error
        except OSError as error:
            if isinstance(error, BackupError):
                raise
            raise BackupError(f"Cannot read {self.path}: {(error.strerror or str(error)).lower()}.") from error
        if expected:
            raise self._is_none()
        if not isinstance(part, Manifest):
            raise self._damaged("its end is missing: it was cut short, or a part of it was overwritten")

    def _members(self) -> Iterator[tuple[str, bytes]]:
        with self.path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            end = 0
            while (member := tar.next()) is not None:
                # A sparse file counts as regular, and may be larger than what is there; sizes below 0 go in circles.
                is_file = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
                if not is_file or member.size < 0 or member.offset < end:
                    raise self._damaged(f"{member.name!r} in it is not a file")
                largest = self.largest_bytes(member.name)
                if largest is not None and member.size > largest:
                    raise self._damaged(f"{member.name!r} in it is too large")
                end = member.offset_data + member.size
                content = tar.extractfile(member)
                assert content is not None
                whole = content.read()
                if len(whole) != member.size:
                    raise self._damaged("it was cut short")
                self.done_bytes = file.tell()
                yield member.name, whole
                _forget_members(tar)

    def _part(self, kind: str, match: re.Match[str], content: bytes, reads: bytes | None) -> SavedPart | SavedRecord:
        if kind == "store":
            return StoreSnapshot.model_validate_json(content)
        if kind == "file":
            if match["file"] not in FOLDER_FILES:
                raise self._damaged(f"it holds the file {match['file']!r}, which does not belong there")
            return SavedFile(match["file"], content)
        if kind == "keys":
            return SessionSnapshot.model_validate_json(content)
        if kind == "record":
            return SavedRecord(int(match["record"]), content)
        if kind == "block":
            return SavedBlock(self.decoded(content), reads)
        document = json.loads(content)
        text = str(document["content"]).encode()
        if digest(text) != document["checksum"]:
            raise self._damaged("the checksum of its list of contents differs")
        return Manifest.model_validate_json(text)

    def decoded(self, content: bytes) -> MessageBlock:
        """Read a block."""
        return MessageBlock.decode(content)

    def _check_header(self, content: bytes) -> None:
        header = json.loads(content)
        if header["format"] != self.kind:
            raise self._is_none()
        if header["version"] > FORMAT_VERSION:
            raise BackupError(
                f"{self.path} was made by a newer Blitz ({header['blitz_version']}; its format is version "
                f"{header['version']}, this one knows {FORMAT_VERSION}). Install that Blitz to read it."
            )

    def _is_none(self) -> BackupError:
        return BackupError(f"{self.path} is not a {self.words} made by Blitz.")

    def _damaged(self, reason: str) -> BackupError:
        return BackupError(f"The {self.words} {self.path} is damaged: {reason}. Use another one.")


def _forget_members(tar: tarfile.TarFile) -> None:
    """Empty the list that tarfile keeps of all members: it would grow with the file. Nobody asks it for them."""
    vars(tar)["members"].clear()
