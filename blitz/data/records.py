"""What server and client tell each other besides blocks: sessions, sources, boards, events, status.

One set of frozen models serves the HTTP schema, the events of the live connection and the client library, so that
the two sides cannot drift apart. Unknown fields are ignored, so that an older client reads a newer server.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from blitz.data.boards import BoardDefinition


class Record(BaseModel):
    """Base of all records: immutable, forgiving towards newer versions."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Source(Record):
    """One row of a session's source table: a device as it was configured when its first message came."""

    index: int = Field(ge=0, lt=1 << 16, description="the number in a block's source column")
    name: str = Field(description="unique on the server, such as ttyUSB0 or sim1")
    link: str = Field(description="port or address that the device was reached at")
    board_id: str | None = Field(None, description="two hex digits; absent where the device has no Blitz id")
    definition: BoardDefinition | None = None


class Gap(Record):
    """Time in which messages of a source are known to be missing."""

    source: int
    seq: int = Field(description="sequence number of the first message of the session behind the gap's beginning")
    from_ns: int
    to_ns: int
    reason: str


class SessionRecord(Record):
    """A session as the server knows it. ``sources`` and ``gaps`` are left out of lists of sessions."""

    id: int
    name: str = ""
    notes: str = ""
    owner: str = ""
    started_at: AwareDatetime
    stopped_at: AwareDatetime | None = None
    is_running: bool = False
    interrupted: bool = False
    message_count: int = 0
    sources: tuple[Source, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def started_ms(self) -> int:
        """Start, in milliseconds since the Unix epoch: what tells apart two sessions with one id."""
        return _milliseconds(self.started_at)

    @property
    def stopped_ms(self) -> int | None:
        """Stop, in milliseconds since the Unix epoch."""
        return None if self.stopped_at is None else _milliseconds(self.stopped_at)


class LinkState(StrEnum):
    """How a source is doing."""

    AWAY = "away"
    """The port does not exist, cannot be opened or was lost; it is tried again."""
    IDENTIFYING = "identifying"
    """Open; listening and asking what it is."""
    READY = "ready"
    """Known; idle, or delivering to the preview."""
    RECORDING = "recording"
    """Delivering to the running session."""
    SILENT = "silent"
    """Open, but the device does not answer or deliver; it is asked again."""


class BoardRecord(Record):
    """One device as the server sees it now."""

    name: str = Field(description="the source's name: how commands address it")
    link: str
    baud: int
    state: LinkState
    board_id: str | None = None
    board_name: str = ""
    mode: Literal["polled", "streaming", "unknown"] = "unknown"
    rate_hz: float = Field(0.0, description="messages in the last few seconds, a second")
    message_count: int = Field(0, description="messages since the server started, preview included")
    bad_frames: int = 0
    dropped: int = Field(0, description="messages read but discarded because the store was away for too long")
    error: str | None = Field(None, description="what is wrong at present, as a sentence")


class StoreRecord(Record):
    """How the store (Redis) is doing."""

    is_up: bool
    is_private: bool = False
    durability: Literal["always", "everysec", "none", "external"] = "always"
    append_ms: float = Field(0.0, description="how long the last appends took, smoothed, in milliseconds")
    waiting_messages: int = Field(0, description="read from boards, not yet acknowledged by the store")
    error: str | None = None


class StatusRecord(Record):
    """The server in one look."""

    version: str
    store_id: str
    now: AwareDatetime
    session: SessionRecord | None = None
    store: StoreRecord
    boards: tuple[BoardRecord, ...] = ()
    rate_hz: float = 0.0
    preview: bool = True


class Notice(Record):
    """Something that an operator should read."""

    severity: Literal["info", "warning", "error"]
    text: str
    time: AwareDatetime
    source: str | None = None


class EventKind(StrEnum):
    """What an event of the live connection tells."""

    STATUS = "status"
    SOURCES = "sources"
    """The source table of a session (or the preview): sent before the first block, and before any that needs more."""
    SESSION_STARTED = "session_started"
    SESSION_STOPPED = "session_stopped"
    SESSION_CHANGED = "session_changed"
    SESSION_DELETED = "session_deleted"
    LINK_CHANGED = "link_changed"
    GAP = "gap"
    NOTICE = "notice"
    RECONNECTED = "reconnected"
    """Made by the client library, not sent: the connection was lost and is back; the cursor went on."""
    DISCONNECTED = "disconnected"
    """Made by the client library, not sent: the connection was lost; `notice` says why."""


class Event(Record):
    """What happens between blocks. Only the fields that belong to ``event`` are present."""

    event: EventKind
    session_id: int | None = None
    session: SessionRecord | None = None
    sources: tuple[Source, ...] | None = None
    board: BoardRecord | None = None
    gap: Gap | None = None
    notice: Notice | None = None
    status: StatusRecord | None = None

    def to_json(self) -> str:
        """Return the event as it goes over the wire."""
        return self.model_dump_json(exclude_none=True)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
