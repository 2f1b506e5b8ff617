"""What operators ask of the archive: verify it, bring a session back into memory. In parts, each of bounded time.

Runs where the archiving runs, between its steps, so that nothing moves under it.
"""

from collections.abc import Callable

from blitz.data.archive import Archive
from blitz.data.archive_files import Segment, missing_ranges
from blitz.data.archive_plan import Pressure
from blitz.data.archive_records import ArchiveCheck, ArchiveFault, ArchiveRestored
from blitz.data.archive_store import ArchiveStore
from blitz.data.archiving import Archiving
from blitz.errors import ArchiveError, SessionNotFound

_REDIS_BYTES_A_MESSAGE = 10
"""What a message takes in Redis besides its own bytes, with its part of the arrivals."""
_MEGABYTE = 1 << 20


def verify_part(
    store: ArchiveStore,
    archive: Archive,
    session_id: int | None,
    first: int,
    only: int | None,
    is_over: Callable[[], bool],
) -> ArchiveCheck:
    """Read archive files and compare their checksums, until the time is over.

    :param session_id: begin with this session, None with the first one.
    :param first: begin with its segment that has this message.
    :param only: verify no other session.
    """
    files, messages = 0, 0
    faults: list[ArchiveFault] = []
    for session in archive.sessions() if only is None else [only]:
        if (session_id is not None and session < session_id) or not store.exists(session):
            continue
        extent = store.extent(session)
        begin = first if session == session_id else 0
        segments = [segment for segment in archive.segments(session) if segment.first < extent.first]
        if begin == 0:
            faults += [_missing(archive, session, *missing) for missing in missing_ranges(segments, extent.first)]
        for segment in segments:
            if segment.first < begin:
                continue
            if files and is_over():
                return ArchiveCheck(
                    files=files,
                    messages=messages,
                    faults=tuple(faults),
                    next_session=session,
                    next_first=segment.first,
                )
            files, messages = files + 1, messages + min(segment.stop, extent.first) - segment.first
            try:
                archive.verify(segment)
            except ArchiveError as error:
                faults.append(_damaged(segment, error))
    return ArchiveCheck(files=files, messages=messages, faults=tuple(faults))


def restore_part(
    store: ArchiveStore,
    archive: Archive,
    archiving: Archiving,
    session_id: int,
    budget_bytes: int,
    is_over: Callable[[], bool],
) -> ArchiveRestored:
    """Put archived messages of a session back into Redis, the newest first, until the time is over.

    :param budget_bytes: of Redis; 0 where nobody limits it.
    :raises SessionNotFound: if there is no such session.
    :raises ArchiveError: if there is no room for it in memory, or a file is missing or damaged.
    """
    if not store.exists(session_id):
        raise SessionNotFound(f"There is no session {session_id}. It may have been deleted.")
    begun = first = store.extent(session_id).first
    if first and budget_bytes:
        _check_room(store, archive, session_id, first, budget_bytes)
    while first:
        before, first = first, archiving.restore_step(session_id, first)
        if is_over() or first == before:
            break
    return ArchiveRestored(session_id=session_id, restored=begun - first, archived_count=first)


def _check_room(store: ArchiveStore, archive: Archive, session_id: int, first: int, budget_bytes: int) -> None:
    segments = [segment for segment in archive.segments(session_id) if segment.first < first]
    needed = sum(map(archive.raw_bytes, segments)) + first * _REDIS_BYTES_A_MESSAGE
    free = int(budget_bytes * Pressure().begin) - store.memory()[0]
    if needed > free:
        raise ArchiveError(
            f"Session {session_id} needs about {needed // _MEGABYTE + 1} MB in Redis' memory, and only "
            f"{max(free, 0) // _MEGABYTE} MB are free for it. It can be read where it is; or raise --redis-memory-mb."
        )


def _missing(archive: Archive, session_id: int, first: int, stop: int) -> ArchiveFault:
    folder = archive.folder / f"session_{session_id}"
    text = f"Messages {first} to {stop - 1} of session {session_id} are in no file of {folder}."
    return ArchiveFault(session_id=session_id, file=str(folder), text=text)


def _damaged(segment: Segment, error: ArchiveError) -> ArchiveFault:
    text = f"{error} With it messages {segment.first} to {segment.stop - 1} of session {segment.session_id} are lost."
    return ArchiveFault(session_id=segment.session_id, file=str(segment.path), text=text)
