"""Reading old sessions by a calibration that was made later: which can be, and doing it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blitz.data.board_definition import BoardDefinition
from blitz.data.calibration_applying import calibrated_rows, find_channel
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord
from blitz.errors import BlitzError, DownloadCancelled

Progress = Callable[[int, int], None]
IsCancelled = Callable[[], bool]


@dataclass(frozen=True)
class ChannelCalibration:
    """A channel of a source as it was calibrated."""

    source: str
    definition: BoardDefinition
    column: int

    @property
    def words(self) -> str:
        """What people read."""
        return f"{self.definition.channels[self.column].display_name} of {self.source}"


@dataclass(frozen=True)
class OldSession:
    """A session with the calibrated channel; it may be read by that calibration already."""

    record: SessionRecord
    is_calibrated: bool


@dataclass(frozen=True)
class Applied:
    """Sessions that were given a version of their definitions, and what went wrong with others."""

    done: tuple[int, ...]
    faults: tuple[str, ...]


def find_old_sessions(
    path: Path | str,
    records: Sequence[SessionRecord],
    calibration: ChannelCalibration,
    progress: Progress,
    is_cancelled: IsCancelled,
) -> list[OldSession]:
    """Return those of the cached sessions in which the channel is, in the order given.

    :raises DownloadCancelled: if it was cancelled.
    """
    found = []
    with DatabaseClient(path=str(path)) as cache:
        for done, record in enumerate(records):
            _check(is_cancelled)
            progress(done, len(records))
            try:
                sources = cache.session_sources(record.id)
            except BlitzError:
                continue  # gone meanwhile, or damaged: it cannot be read at all
            definition, column = calibration.definition, calibration.column
            rows = [source for source in sources if source.name == calibration.source]
            if any(find_channel(source.definition, definition, column) is not None for source in rows):
                todo = calibrated_rows(sources, calibration.source, definition, column)
                found.append(OldSession(record, is_calibrated=not todo))
    return found


def apply_calibration(
    path: Path | str,
    session_ids: Sequence[int],
    calibration: ChannelCalibration,
    reason: str,
    who: str,
    progress: Progress,
    is_cancelled: IsCancelled,
) -> Applied:
    """Give sessions a version of their definitions in which the channel is calibrated; the others of it stay.

    :raises DownloadCancelled: if it was cancelled; those that were done stay done.
    """
    did, faults = [], []
    with DatabaseClient(path=str(path)) as cache:
        for done, session_id in enumerate(session_ids):
            _check(is_cancelled)
            progress(done, len(session_ids))
            try:
                sources = cache.session_sources(session_id)
                rows = calibrated_rows(sources, calibration.source, calibration.definition, calibration.column)
                if rows:
                    cache.add_definition_version(session_id, rows, reason, who)
                    did.append(session_id)
            except BlitzError as error:
                faults.append(f"Session {session_id}: {error}")
    return Applied(tuple(did), tuple(faults))


def _check(is_cancelled: IsCancelled) -> None:
    if is_cancelled():
        raise DownloadCancelled("Reading old sessions anew was cancelled; those that were done stay so.")
