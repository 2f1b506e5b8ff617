"""What a file lacks that is made of a copy that is not whole, in a sentence for people."""

from blitz.data.database_client import DatabaseClient
from blitz.data.models import Session
from blitz.data.records import SessionRecord
from blitz.data.series_request import Range


def missing_sentence(cache: DatabaseClient, record: SessionRecord, wanted: Range) -> str:
    """Return what a range of a downloaded session lacks, and how to get it; empty where all of it is here.

    A session that runs, or ran when its list was brought here last, is never whole: nobody knows how it goes on.

    :raises SessionNotFound: if the session is not downloaded.
    """
    held = cache.open_session(record.id).key.message_count
    if (not record.is_running and held >= record.message_count) or _ends_before(cache, record.id, held, wanted):
        return ""
    if record.is_running:
        lack = f"it was still running when this computer last asked, and its first {held} messages are here"
    else:
        lack = f"{held} of its {record.message_count} messages are here"
    return f"Session {record.id} is not whole in this file: {lack}. {_remedy(cache, record)}"


def _ends_before(cache: DatabaseClient, session_id: int, held: int, wanted: Range) -> bool:
    """Whether a range ends before the last message that is here."""
    if wanted.stop is not None and wanted.stop <= held:
        return True
    if not held or wanted.stop_ns == Range().stop_ns:
        return False
    last = next(cache.session_blocks(session_id, held - 1, held))
    return wanted.stop_ns <= int(last.arrived_ns[-1])


def _remedy(cache: DatabaseClient, record: SessionRecord) -> str:
    row = cache.get(Session, {"ref_id": record.id})
    if record.id < 0 or (row is not None and row.is_gone):
        return "No server has the rest any more."
    when = "When it has stopped, download" if record.is_running else "Download"
    return f"{when} it again ('blitz download {record.id}'), and export it once more."
