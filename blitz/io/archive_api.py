"""The HTTP calls about the archive: what lies there, verifying it, bringing sessions back into memory.

Owns how these requests look. Verifying and restoring answer after a few seconds with what is done so far; the client
asks again for the next part. Errors become problem details in :mod:`blitz.io.api`.
"""

import logging

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from blitz.data.archive_records import ArchiveCheck, ArchiveRecord, ArchiveRestored
from blitz.errors import ArchiveError
from blitz.io.archiver import Archiver
from blitz.io.source_api import Owner

log = logging.getLogger(__name__)

_LARGEST = 2**53


class VerifyRequest(BaseModel):
    """Where to begin, as the part before said, or which session alone to verify."""

    model_config = ConfigDict(extra="forbid")

    session: int | None = Field(None, ge=0, le=_LARGEST, description="begin with this session; absent: with the first")
    first: int = Field(0, ge=0, le=_LARGEST, description="and in it with the file that has this message")
    only: int | None = Field(None, ge=0, le=_LARGEST, description="verify this session and no other")


def archive_calls(archiver: Archiver | None) -> APIRouter:
    """Return the calls, ``/archive``.

    :param archiver: without one, every call is refused.
    """
    calls = APIRouter(tags=["store"])

    def present() -> Archiver:
        if archiver is None:
            raise ArchiveError("This server has no archive.")
        return archiver

    @calls.get("/archive", response_model_exclude_none=True)
    def read_archive() -> ArchiveRecord:
        """Return what lies in the archive, and when messages move there."""
        return present().status()

    @calls.post("/archive/verify", response_model_exclude_none=True)
    def verify_archive(request: VerifyRequest | None = None) -> ArchiveCheck:
        """Read a part of the archive's files and compare their checksums; `next_session` says where to go on."""
        request = request or VerifyRequest.model_validate({})
        return present().verify(request.session, request.first, request.only)

    @calls.post("/archive/{session_id}/restore", response_model_exclude_none=True)
    def restore_session(session_id: int, owner: Owner) -> ArchiveRestored:
        """Put a part of a session's archived messages back into memory; ask again until `archived_count` is 0."""
        restored = present().restore(session_id)
        log.info("%d messages of session %d came back from the archive, by %s", restored.restored, session_id, owner)
        return restored

    return calls
