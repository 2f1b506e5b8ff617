"""The small file beside an exported file: of what it was made, and by what it is known. Reading it, and checking by it.

``run.csv`` has ``run.csv.json``. What stands in it, and over what each SHA-256 is taken, is described in
``docs/export.md``.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import AwareDatetime, Field, ValidationError

from blitz.data.blocks import MessageBlock
from blitz.data.database_client import DatabaseClient
from blitz.data.export_about import definitions_sha256
from blitz.data.export_file import file_sha256, replacing
from blitz.data.records import Record, SessionRecord
from blitz.errors import BlockError, ExportError, SessionNotFound, VerificationError

_KIND = "blitz export"
_VERSION = 1


class RawBlock(Record):
    """A run of raw messages that went into a file."""

    first: int
    count: int
    sha256: str


class ExportedColumn(Record):
    """One channel of the file."""

    label: str
    unit: str = ""
    source: str = ""
    channel: str
    computed: dict[str, Any] | None = Field(default=None, description="formula and steps; none: sent by a device")


class LocalOffset(Record):
    """By how much local time was ahead of UTC, from a moment on."""

    from_s: int = Field(description="since the Unix epoch")
    ahead_of_utc_s: int


class Sidecar(Record):
    """What a file is."""

    kind: Literal["blitz export"] = "blitz export"
    version: int = _VERSION
    program: str = Field(description="version of Blitz")
    created_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    file: str = Field(description="name of the file, without its folder")
    size: int
    sha256: str
    format: str
    layout: str
    preset: str
    step_s: float | None = None
    start_ns: int | None = None
    stop_ns: int | None = None
    first: int = 0
    count: int | None = None
    local_offsets: tuple[LocalOffset, ...] | None = Field(default=None, description="where times are local")
    is_whole: bool = True
    missing: str | None = Field(default=None, description="in words, where the copy that was exported was not whole")
    rows: int
    columns: tuple[ExportedColumn, ...]
    store_id: str | None = None
    session: SessionRecord
    definition_version: int | None = Field(default=None, description="0: that of the recording")
    definitions_sha256: str
    raw: tuple[RawBlock, ...] = ()
    sidecar_sha256: str | None = Field(default=None, description="of all else here; absent in older ones")


class Verdict(Record):
    """That a file is what its sidecar says."""

    file: str
    session_id: int
    rows: int
    blocks: int = Field(description="runs of raw messages that the file was made of")
    raw_checked: bool = Field(description="whether the cache has the same raw messages; else it does not have them")
    missing: str | None = Field(default=None, description="what the file lacks of its session, in words")
    sidecar_checked: bool = Field(default=True, description="whether the sidecar has a checksum of its own; older: no")


def sidecar_path(path: Path) -> Path:
    """Return where a file's sidecar lies.

    >>> sidecar_path(Path("run.csv")).name
    'run.csv.json'
    """
    return path.with_name(f"{path.name}.json")


def block_sha256(block: MessageBlock) -> str:
    """Return the SHA-256 over a run of messages, as hex digits; it does not depend on how they are stored.

    It is taken over, one after another: ``SESSION:FIRST:COUNT:`` as ASCII digits, and, little-endian, the arrivals
    (int64, nanoseconds), the sources (uint16), the lengths of the messages (int64), and their bytes.
    """
    content, offsets = block.bytes_and_offsets()
    digest = hashlib.sha256(f"{block.session_id}:{block.first_seq}:{len(block)}:".encode())
    digest.update(np.ascontiguousarray(block.arrived_ns, "<i8").data)
    digest.update(np.ascontiguousarray(block.source, "<u2").data)
    digest.update(np.diff(offsets).astype("<i8").data)
    digest.update(np.ascontiguousarray(content).data)
    return digest.hexdigest()


def write_sidecar(path: Path, sidecar: Sidecar) -> Path:
    """Write a file's sidecar, and return where it is.

    :raises ExportError: if it cannot be written.
    """
    place = sidecar_path(path)
    document = sidecar.model_dump(mode="json", exclude_none=True, exclude={"sidecar_sha256"})
    text = json.dumps({**document, "sidecar_sha256": own_sha256(document)}, ensure_ascii=False, indent=1)
    with replacing(place) as part:
        part.write_text(text + "\n", encoding="utf-8")
    return place


def own_sha256(document: dict[str, Any]) -> str:
    """Return the SHA-256 of what stands in a sidecar, as hex digits.

    It is taken over the document without its field ``sidecar_sha256``, as JSON: keys sorted, no spaces, UTF-8.
    """
    rest = {key: value for key, value in document.items() if key != "sidecar_sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def read_sidecar(path: Path) -> Sidecar:
    """Return what stands in a file's sidecar.

    :raises VerificationError: if there is none, or if it is none.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Sidecar, dict[str, Any]]:
    place = sidecar_path(path)
    try:
        document: Any = json.loads(place.read_text(encoding="utf-8"))
        if isinstance(document, dict) and document.get("kind") == _KIND and document.get("version", 0) > _VERSION:
            raise VerificationError(f"{place} was written by a newer Blitz. Install it to verify the file.")
        return Sidecar.model_validate(document), document
    except FileNotFoundError as error:
        if not path.is_file():
            reason = "it is a folder; name the file" if path.is_dir() else "there is no such file"
            raise VerificationError(f"{path} cannot be verified: {reason}.") from error
        raise VerificationError(f"{path} cannot be verified: there is no {place.name} beside it.") from error
    except OSError as error:
        raise VerificationError(f"Cannot read {place}: {(error.strerror or str(error)).lower()}.") from error
    except (ValidationError, ValueError) as error:
        if isinstance(error, VerificationError):
            raise
        raise VerificationError(f"{place} is not the sidecar of an exported file, or is damaged.") from error


def check_sidecar_place(path: Path) -> None:
    """See that the sidecar of a file that is going to be written replaces nothing else.

    :raises ExportError: if something else has its name.
    """
    place = sidecar_path(path)
    try:
        with place.open("rb") as file:
            begin = file.read(4096)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ExportError(f"Cannot write {place}: {(error.strerror or str(error)).lower()}.") from error
    if begin and _KIND.encode() not in begin:
        raise ExportError(
            f"{place} is there, and is no sidecar of an exported file. Choose another name, or export without one."
        )


def drop_sidecar(path: Path) -> None:
    """Delete the sidecar of a file that is replaced by one without; what is no sidecar stays."""
    try:
        read_sidecar(path)
        sidecar_path(path).unlink(missing_ok=True)
    except (VerificationError, OSError):
        return


def verify_file(
    path: Path,
    cache: DatabaseClient | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Check a file against its sidecar, and where the cache has its session, that the raw messages are the same.

    :param progress: called with (raw blocks checked, in all).
    :raises VerificationError: saying what differs.
    """
    path = path.expanduser().absolute()
    sidecar, document = _read(path)
    if sidecar.sidecar_sha256 is not None and sidecar.sidecar_sha256 != own_sha256(document):
        raise VerificationError(
            f"{sidecar_path(path)} was changed since it was written: nothing that it says of {path.name} is certain."
        )
    try:
        size = path.stat().st_size
        sha256 = file_sha256(path) if size == sidecar.size else ""
    except OSError as error:
        raise VerificationError(f"Cannot read {path}: {(error.strerror or str(error)).lower()}.") from error
    if size != sidecar.size:
        raise VerificationError(
            f"{path} was changed: it has {size} bytes, and had {sidecar.size} when it was exported."
        )
    if sha256 != sidecar.sha256:
        raise VerificationError(
            f"{path} was changed since it was exported: its SHA-256 is {sha256[:12]}… and was "
            f"{sidecar.sha256[:12]}…, at the same size."
        )
    if definitions_sha256(sidecar.session.sources) != sidecar.definitions_sha256:
        raise VerificationError(f"The sidecar of {path} was changed: its definitions have another SHA-256.")
    is_there = cache is not None and _has_session(cache, sidecar)
    if cache is not None and is_there:
        _check_raw(path, cache, sidecar, progress)
    return Verdict(
        file=str(path),
        session_id=sidecar.session.id,
        rows=sidecar.rows,
        blocks=len(sidecar.raw),
        raw_checked=is_there and bool(sidecar.raw),
        missing=sidecar.missing,
        sidecar_checked=sidecar.sidecar_sha256 is not None,
    )


def _has_session(cache: DatabaseClient, sidecar: Sidecar) -> bool:
    if sidecar.store_id and cache.store_id and sidecar.store_id != cache.store_id:
        return False
    try:
        cache.session_blocks(sidecar.session.id, 0, 0)
        return cache.session_record(sidecar.session.id).started_ms == sidecar.session.started_ms
    except SessionNotFound:
        return False


def _check_raw(
    path: Path, cache: DatabaseClient, sidecar: Sidecar, progress: Callable[[int, int], None] | None
) -> None:
    session_id = sidecar.session.id
    for number, told in enumerate(sidecar.raw, 1):
        try:
            blocks = list(cache.session_blocks(session_id, told.first, told.first + told.count))
            found = block_sha256(MessageBlock.concatenate(blocks)) if blocks else ""
        except BlockError as error:
            raise VerificationError(f"{path} cannot be compared with its raw messages. {error}") from error
        if found != told.sha256:
            raise VerificationError(
                f"{path} is as it was exported, but the raw messages {told.first} to {told.first + told.count - 1} of "
                f"session {session_id} in the cache are not those that it was made of."
            )
        if progress is not None:
            progress(number, len(sidecar.raw))
