r"""Recordings: the raw bytes of a link with their times, one JSON object a line.

The first line says what was recorded; it may be absent. Each other line is one read or write: ``t_s``, seconds since
the recording began; ``dir``, ``rx`` from the device and ``tx`` to it; ``hex``, the bytes::

    {"blitz_recording": 1, "link": "/dev/ttyUSB0", "baud": 57600, "started_at": "…", "version": "…"}
    {"t_s": 0.012345, "dir": "rx", "hex": "3531322c3439382c3733300d0a"}

Reading and writing take no more memory for a long recording than for a short one.
"""

import json
import logging
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Self

from blitz.errors import LinkError

log = logging.getLogger(__name__)

Direction = Literal["rx", "tx"]

_FORMAT = 1
_LINE_LIMIT = 1 << 20
_FLUSH_S = 0.25


class Chunk(NamedTuple):
    """What one read or one write saw."""

    t_s: float
    direction: Direction
    content: bytes


class RecordingError(LinkError):
    """A recording cannot be read or written; one sentence that says what to do."""


class RecordingWriter:
    """Write a recording as it comes; what a killed program has written is a recording, too.

    :param header: what is to be remembered of the link.
    :param overwrite: replace a file of that name.
    :raises RecordingError: if the file exists already, or cannot be written.
    """

    def __init__(self, path: Path, header: dict[str, Any], *, overwrite: bool = False) -> None:
        self.path = path
        self.received_bytes = 0
        self.sent_bytes = 0
        self._flushed_s = time.monotonic()
        try:
            self._file: BinaryIO = path.open("wb" if overwrite else "xb")
        except FileExistsError as error:
            raise RecordingError(f"Cannot write {path}: it exists already. Give another name, or --force.") from error
        except OSError as error:
            raise RecordingError(f"Cannot write {path}: {(error.strerror or str(error)).lower()}.") from error
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"blitz_recording": _FORMAT, **header, "started_at": started_at}
        self._write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, t_s: float, direction: Direction, content: bytes) -> None:
        """Write what one read or one write saw.

        :raises RecordingError: if the disk is full.
        """
        self._write(b'{"t_s": %.6f, "dir": "%s", "hex": "%s"}\n' % (t_s, direction.encode(), content.hex().encode()))
        if direction == "rx":
            self.received_bytes += len(content)
        else:
            self.sent_bytes += len(content)
        if time.monotonic() - self._flushed_s > _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Give what is written to the system: nothing of it is lost when this program is killed."""
        self._flushed_s = time.monotonic()
        try:
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """End the recording."""
        try:
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def _write(self, line: bytes) -> None:
        try:
            self._file.write(line)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> RecordingError:
        return RecordingError(
            f"Cannot go on writing {self.path}: {(error.strerror or str(error)).lower()}. What is written can be read."
        )


class RecordingReader:
    """Read a recording from its beginning, chunk by chunk.

    A damaged line is left out with a warning: a program that was killed leaves a cut one at the end.

    :raises RecordingError: if there is no such file, or if it is no recording.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged_lines = 0
        self.header: dict[str, Any] = {}
        """What was remembered of the link; empty if nothing was."""
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            why = (
                "there is no such recording" if isinstance(error, FileNotFoundError) else (error.strerror or "").lower()
            )
            raise RecordingError(f"Cannot open {path}: {why}. Check the name.") from error
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Chunk]:
        while line := self._file.readline(_LINE_LIMIT):
            chunk = _parse(line)
            if chunk is not None:
                yield chunk
            elif line.strip() and not self._is_header(line):
                self._note_damage(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_header(self) -> None:
        try:
            first = self._file.readline(_LINE_LIMIT)
        except OSError as error:
            raise RecordingError(f"Cannot read {self.path}: {(error.strerror or '').lower()}.") from error
        if self._is_header(first):
            self.header = json.loads(first)
            version = self.header["blitz_recording"]
            if not isinstance(version, int) or version > _FORMAT:
                raise RecordingError(f"Cannot read {self.path}: it was written by a newer Blitz. Use that one.")
        elif _parse(first) is None:
            raise RecordingError(
                f"Cannot read {self.path}: it is not a recording. `blitz record PORT FILE` makes one; its lines are "
                'like {"t_s": 0.5, "dir": "rx", "hex": "0d0a"}.'
            )
        else:
            self._file.seek(0)

    @staticmethod
    def _is_header(line: bytes) -> bool:
        try:
            header = json.loads(line)
        except (ValueError, RecursionError):
            return False
        return isinstance(header, dict) and "blitz_recording" in header

    def _note_damage(self, line: bytes) -> None:
        self.damaged_lines += 1
        if self.damaged_lines == 1:
            what = "a damaged line" if line.endswith(b"\n") else "a cut last line"
            log.warning("%s has %s, which is left out: %r", self.path, what, line[:60])


def bytes_received(path: Path) -> Iterator[Chunk]:
    """Yield what a recording's device sent.

    :raises RecordingError: if there is no such file, or if it is no recording.
    """
    with RecordingReader(path) as reader:
        yield from (chunk for chunk in reader if chunk.direction == "rx")


def _parse(line: bytes) -> Chunk | None:
    try:
        row = json.loads(line)
        t_s, direction, content = float(row["t_s"]), row["dir"], bytes.fromhex(row["hex"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return Chunk(t_s, direction, content) if math.isfinite(t_s) and direction in ("rx", "tx") else None
