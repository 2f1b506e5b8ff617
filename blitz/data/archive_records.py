"""What server and client tell each other about the archive."""

from pydantic import Field

from blitz.data.records import Record


class ArchivedSession(Record):
    """What of a session lies in the archive."""

    session_id: int
    name: str = ""
    message_count: int = Field(description="in all")
    archived_count: int = Field(description="messages before this sequence number lie in the archive")
    files: int = 0
    file_bytes: int = 0


class ArchiveRecord(Record):
    """The archive in one look."""

    is_on: bool = Field(description="whether messages move there when Redis' memory fills")
    folder: str = Field(description="on the server")
    is_moving: bool = Field(default=False, description="messages are moving right now")
    moved_messages: int = Field(default=0, description="since the server was started")
    redis_used_bytes: int = 0
    redis_budget_bytes: int = Field(default=0, description="0: nobody limits it, and nothing moves")
    begin_bytes: int = Field(default=0, description="what Redis uses when messages begin to move")
    trouble: str | None = Field(default=None, description="why messages do not move although they should")
    sessions: tuple[ArchivedSession, ...] = ()


class ArchiveFault(Record):
    """A file of the archive that is missing or damaged, and what is lost with it."""

    session_id: int
    file: str = ""
    text: str


class ArchiveCheck(Record):
    """What a part of a verification found. It is a part, since reading a whole archive may take hours."""

    files: int = Field(default=0, description="files that were read in this part")
    messages: int = 0
    faults: tuple[ArchiveFault, ...] = ()
    next_session: int | None = Field(default=None, description="where the next part begins; absent: this was the last")
    next_first: int = 0


class ArchiveRestored(Record):
    """What a part of bringing a session back into memory did."""

    session_id: int
    restored: int = Field(default=0, description="messages that were put back in this part")
    archived_count: int = Field(default=0, description="messages that are still in the archive; 0: done")
