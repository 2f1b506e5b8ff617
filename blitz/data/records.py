"""What server and client tell each other besides blocks: sessions, sources, boards, events, status.

One set of frozen models serves the HTTP schema, the events of the live connection and the client library, so that
the two sides cannot drift apart. Unknown fields are ignored, so that an older client reads a newer server.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from blitz.data.alarm_records import AlarmChange, AlarmCounts
from blitz.data.board_definition import BoardDefinition
from blitz.data.calibration_due import CalibrationDue
from blitz.data.framing_rule import FramingRule
from blitz.data.record import Record as Record

LONGEST_RUN_S = 366 * 86400.0
SHORTEST_PART_S = 1.0
TIME_OVER = "The planned time was over."
ENOUGH_MESSAGES = "The planned number of messages had come."
FOLLOWED = "The next session of the run followed."


class Source(Record):
    """One row of a session's source table: a device as it was configured when its first message came."""

    index: int = Field(ge=0, lt=1 << 16, description="the number in a block's source column")
    name: str = Field(description="unique on the server, such as ttyUSB0 or sim1")
    link: str = Field(description="port or address that the device was reached at")
    board_id: str | None = Field(None, description="two hex digits; absent where the device has no Blitz id")
    definition: BoardDefinition | None = None
    framing: FramingRule | None = Field(default=None, description="how its bytes were cut; absent: lines")
    is_polled: bool = Field(default=False, description="a board that is asked for its messages")


class Gap(Record):
    """Time in which messages of a source are known to be missing."""

    source: int
    seq: int = Field(description="sequence number of the first message of the session behind the gap's beginning")
    from_ns: int
    to_ns: int
    reason: str
    lost: int | None = Field(default=None, description="how many messages are missing; absent where nobody can tell")
    is_exact: bool = Field(default=False, description="the device numbers its messages: lost is no estimate")
    recovered: int = Field(default=0, description="messages of that time that the board still held and sent later")


class Account(Record):
    """What became of every byte and message of a source, in one session or since its link was made.

    It must balance: ``bytes_read + carried_in = message_bytes + bad_bytes + sum(discarded) + pending_bytes``, and
    ``messages_read = messages_appended + messages_previewed + messages_dropped + messages_waiting``.
    """

    source: int
    name: str = ""
    bytes_read: int = 0
    carried_in: int = Field(default=0, description="bytes of an unfinished frame that were read before")
    message_bytes: int = 0
    bad_bytes: int = Field(default=0, description="bytes of the bad frames")
    discarded: dict[str, int] = Field(default_factory=dict, description="bytes that belong to no message, by reason")
    pending_bytes: int = Field(default=0, description="bytes of a frame that is not finished")
    bad_frames: int = 0
    messages_read: int = 0
    messages_appended: int = Field(default=0, description="acknowledged by the store")
    messages_spooled: int = 0
    messages_previewed: int = Field(default=0, description="shown while nothing was recorded, and not stored")
    messages_served: int = Field(default=0, description="shown to viewers")
    messages_dropped: int = Field(default=0, description="discarded because the store was away for too long")
    messages_waiting: int = Field(default=0, description="read, not yet acknowledged by the store")
    lost: int = Field(default=0, description="messages that never arrived, as numbers, clock or usual rate tell")
    is_lost_exact: bool = Field(default=False, description="the device numbers its messages: lost is no estimate")
    recovered: int = Field(default=0, description="messages of an absence that the board still held and sent later")
    duplicates: int = 0
    gaps: int = 0
    overruns: int | None = Field(default=None, description="bytes that the driver lost; absent where it does not tell")
    restarts: int = Field(default=0, description="how often the device's clock began anew")
    drift_ppm: float | None = Field(default=None, description="how fast the device's clock runs against ours")
    jitter_ms: float | None = Field(default=None, description="usual delay of an arrival behind its message")
    unexamined: int = Field(default=0, description="messages that were not examined for losses")

    @property
    def surplus_bytes(self) -> int:
        """Bytes read that are in no message, no bad frame, and not counted as discarded; 0 if the account balances."""
        resolved = self.message_bytes + self.bad_bytes + sum(self.discarded.values()) + self.pending_bytes
        return self.bytes_read + self.carried_in - resolved

    @property
    def surplus_messages(self) -> int:
        """Messages read that were neither stored nor counted as dropped; 0 if the account balances."""
        settled = self.messages_appended + self.messages_dropped + self.messages_waiting + self.messages_previewed
        return self.messages_read - settled

    @property
    def is_balanced(self) -> bool:
        """Whether nothing is unaccounted for."""
        return self.surplus_bytes == 0 and self.surplus_messages == 0


class Role(StrEnum):
    """What the bearer of a token may do; each may do what those before it may."""

    VIEWER = "viewer"
    """Look, download, export."""
    OPERATOR = "operator"
    """Start and stop sessions, send commands, configure sources, move sessions to the trash and back."""
    ADMIN = "admin"
    """Tokens, audit trail, backup, deleting for good, retention."""


class TimelineKind(StrEnum):
    """What stands on a session's time line besides gaps."""

    COMMAND = "command"
    """An operator or a program sent something to a device."""
    CLOCK_STEP = "clock_step"
    """The computer's clock was set; times within the session go on evenly."""
    DEFINITION = "definition"
    """A source's definition was changed."""
    LINK = "link"
    """A port was released or taken again."""
    SERVER = "server"
    """The server was restarted and went on with the session, or the store was away or is back."""


class TimelineEntry(Record):
    """Something that happened during a session."""

    kind: TimelineKind
    time_ns: int
    seq: int = Field(default=0, description="sequence number of the next message of the session then")
    source: str | None = Field(default=None, description="the source's name")
    who: str = ""
    text: str = Field(description="a sentence for people")
    sent: str | None = Field(default=None, description="command: what was sent, as text or as hex digits")
    answer: str | None = Field(default=None, description="command: what came back")
    error: str | None = Field(default=None, description="command: why there is no answer")


class Marker(Record):
    """An operator's note at a time of a session, or over a span of it."""

    id: int = Field(description="unique within the session; never used again")
    version: int = Field(default=1, description="counts its changes; a change must name the one it is based on")
    from_ns: int = Field(description="when what it says was, or began; may lie before it was written")
    to_ns: int | None = Field(default=None, description="the end of a span")
    text: str
    source: str | None = Field(default=None, description="the source that it is about, by name; absent: the session")
    who: str = Field(default="", description="who wrote this version")
    changed_at: AwareDatetime = Field(description="when this version was written")
    is_deleted: bool = False


class SessionChange(Record):
    """Somebody changed a session's name, notes, tags or fields."""

    changed_at: AwareDatetime
    who: str = ""
    name: str = Field(description="which field: name, notes, tags, starred, or one of the session's own fields")
    before: str
    after: str


class BadFrameRecord(Record):
    """A frame that means nothing, kept for the operator to look at."""

    time_ns: int
    reason: str
    raw: str = Field(description="hex digits")

    @property
    def text(self) -> str:
        """The frame as latin-1 text, what cannot be printed being replaced."""
        return "".join(c if c.isprintable() else "·" for c in str(bytes.fromhex(self.raw), "latin-1"))


class RunWishes(Record):
    """When a run is to end by itself, as it is wished at its start; what is absent does not end it."""

    duration_s: float | None = Field(
        default=None, gt=0, le=LONGEST_RUN_S, description="how long it lasts, all of its sessions together"
    )
    message_count: int | None = Field(
        default=None, gt=0, lt=1 << 53, description="it ends when it has so many messages, or a few more"
    )
    repeat_every_s: float | None = Field(
        default=None,
        ge=SHORTEST_PART_S,
        le=LONGEST_RUN_S,
        description="a new session follows each time, without a message lost in between",
    )

    @property
    def is_open(self) -> bool:
        """Whether it goes on, in one session, until somebody stops it."""
        return self.duration_s is None and self.message_count is None and self.repeat_every_s is None


class SessionPlan(Record):
    """What the server will do by itself with a running session; of one that is over, what was planned.

    Times are the server's, as ``StatusRecord.now`` is.
    """

    ends_at: AwareDatetime | None = Field(default=None, description="when it is stopped")
    duration_s: float | None = Field(default=None, description="from the run's start to its end")
    message_count: int | None = Field(default=None, description="it is stopped when this session has so many messages")
    next_at: AwareDatetime | None = Field(default=None, description="when the next session follows")
    repeat_every_s: float | None = None
    name: str = Field(default="", description="as it was given at the run's start; empty: the server's pattern")
    part: int = Field(default=1, description="counts the sessions of the run")


class PlannedStart(Record):
    """A session that the server will start by itself."""

    id: int
    start_at: AwareDatetime
    name: str = ""
    notes: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    fields: dict[str, str] = Field(default_factory=dict)
    run: RunWishes = RunWishes()
    waits: str = Field(default="", description="why it has not begun although it is time, as a sentence; else empty")

    def brief(self) -> "PlannedStart":
        """Return it without what may be long: what everybody who looks is told again and again."""
        return self.model_copy(update={"notes": "", "fields": {}})


class FoundDevice(Record):
    """A USB serial device that is no source: it is opened when somebody says so, which may reset it."""

    port: str
    maker: str = Field(description="maker and kind of its serial chip, as far as they are known")
    usb_place: str = Field(default="", description="where it is plugged in, such as 1-2")
    product: str = ""
    serial_number: str = ""
    is_known_kind: bool = Field(default=False, description="of a maker whose chips laboratories use")
    is_ignored: bool = Field(default=False, description="the operator does not want to be asked of it")

    @property
    def words(self) -> str:
        """What people read, such as ``QinHeng CH340 on USB 1-2``."""
        return f"{self.maker} on USB {self.usb_place}" if self.usb_place else f"{self.maker} at {self.port}"


class SessionRecord(Record):
    """A session as the server knows it. Lists leave out sources, gaps, accounts, time line, markers, changes."""

    id: int
    name: str = ""
    notes: str = ""
    owner: str = ""
    started_at: AwareDatetime
    stopped_at: AwareDatetime | None = None
    is_running: bool = False
    interrupted: bool = False
    message_count: int = 0
    starred: bool = Field(default=False, description="kept by retention, whatever its age")
    stop_reason: str = Field(default="", description="why the server stopped it by itself, as a sentence; else empty")
    resumed: int = Field(default=0, description="how often a restarted server went on with it")
    archived_count: int = Field(default=0, description="messages before this sequence number lie in the archive")
    trashed_at: AwareDatetime | None = Field(default=None, description="when it was moved to the trash")
    tags: tuple[str, ...] = ()
    fields: dict[str, str] = Field(default_factory=dict, description="the laboratory's own: sample, operator, device")
    markers: tuple[Marker, ...] = Field(default=(), description="by time, without those that were deleted")
    changes: tuple[SessionChange, ...] = Field(default=(), description="what was edited, oldest first")
    revision: int = Field(default=0, description="rises with each change of its words or markers")
    verdict: str = Field(default="", description="one line: gaps, losses, and whether the account balances")
    plan: SessionPlan | None = Field(default=None, description="when the server ends it by itself; absent: never")
    accounts: tuple[Account, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    sources: tuple[Source, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def brief(self) -> "SessionRecord":
        """Return the session as it stands in lists."""
        return self.model_copy(
            update={"sources": (), "gaps": (), "accounts": (), "timeline": (), "markers": (), "changes": ()}
        )

    @property
    def ended_as_planned(self) -> bool:
        """Whether the server stopped it because that was planned: no reason to be told of it as of a fault."""
        return self.stop_reason in (TIME_OVER, ENOUGH_MESSAGES, FOLLOWED)

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
    RELEASED = "released"
    """Lent to another program, such as one that flashes a sketch; taken again by itself."""
    AMBIGUOUS = "ambiguous"
    """Several devices that look alike may be this one: the operator is asked which it is."""
    DISABLED = "disabled"
    """Kept and not opened, as an operator wishes."""


class BoardRecord(Record):
    """One device as the server sees it now."""

    name: str = Field(description="the source's name: how commands address it")
    link: str
    baud: int = Field(description="0 where the link has no rate: a socket, a recording")
    state: LinkState
    board_id: str | None = None
    board_name: str = ""
    mode: Literal["polled", "streaming", "unknown"] = "unknown"
    rate_hz: float = Field(0.0, description="messages in the last few seconds, a second")
    message_count: int = Field(0, description="messages since the server started, preview included")
    bad_frames: int = 0
    dropped: int = Field(0, description="messages read but discarded because the store was away for too long")
    format: str = Field(default="", description="layout of its messages: blitz, columns, pairs, json, struct, plugin")
    is_guessed: bool = Field(default=False, description="the definition was guessed from what the device prints")
    definition: BoardDefinition | None = None
    framing: FramingRule | None = None
    account: Account | None = Field(default=None, description="of the running session; else since the link was made")
    candidates: tuple[str, ...] = Field(default=(), description="ambiguous: ports of devices that may be this one")
    is_recorded: bool = Field(default=True, description="false: a stream that is shown, and goes into no session")
    retake_at: AwareDatetime | None = Field(default=None, description="released: when it is taken again at the latest")
    error: str | None = Field(None, description="what is wrong at present, as a sentence")


class StoreRecord(Record):
    """How the store (Redis) is doing."""

    is_up: bool
    is_private: bool = False
    durability: Literal["always", "everysec", "none", "external"] = "always"
    append_ms: float = Field(0.0, description="how long the last appends took, smoothed, in milliseconds")
    waiting_messages: int = Field(0, description="read from boards, not yet safe in store or spool")
    spooled_messages: int = Field(0, description="safe in the spool on disk, and not in the store yet")
    spooled_bytes: int = Field(0, description="what the spool takes on disk")
    spooling_since: AwareDatetime | None = Field(None, description="since when messages go to the spool")
    error: str | None = None


class RoomRecord(Record):
    """How much room there is for messages, and how long it lasts at the present rate."""

    redis_used_bytes: int = 0
    redis_budget_bytes: int = Field(default=0, description="what Redis may take; 0 where nobody limits it")
    archive_bytes: int = 0
    disk_free_bytes: int = Field(default=0, description="of the fullest of the disks in use, the reserve not counted")
    disk_reserve_bytes: int = 0
    spool_limit_bytes: int = 0
    bytes_per_s: float = Field(default=0.0, description="what messages take on disk at the present rate, a second")
    full_in_s: float | None = Field(default=None, description="seconds until something is full; absent: not in sight")
    limited_by: Literal["redis", "disk", "spool"] | None = Field(default=None, description="what is full first")
    level: Literal["ok", "warning", "critical", "full"] = "ok"
    text: str = Field(default="", description="a sentence for operators; empty while all is well")


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
    room: RoomRecord | None = None
    required_fields: tuple[str, ...] = Field(default=(), description="own fields that every new session must have")
    session_name: str = Field(default="", description="the pattern of the name that a session without one gets")
    planned: tuple[PlannedStart, ...] = Field(
        default=(), description="sessions that will be started, soonest first, briefly"
    )
    found: tuple[FoundDevice, ...] = Field(default=(), description="new devices, which nobody listens to yet")
    acquires: bool = Field(default=True, description="false: another server over this store opens ports and records")
    alarms: AlarmCounts = Field(default=AlarmCounts(), description="how many there are now")
    database: str = Field(default="", description="the prefix of the store's keys, without braces and colon")
    calibrations: tuple[CalibrationDue, ...] = Field(
        default=(), description="those of channels that have expired, will soon, or were changed since"
    )


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
    """Moved to the trash, or deleted for good."""
    SESSION_RESTORED = "session_restored"
    """Taken out of the trash."""
    LINK_CHANGED = "link_changed"
    GAP = "gap"
    """A gap was found, or more is known of one: the same source and from_ns means the same gap."""
    TIMELINE = "timeline"
    MARKER = "marker"
    """A marker was written, changed or deleted: of one id the highest version counts."""
    PLANNED = "planned"
    """The list of planned starts has changed."""
    FOUND = "found"
    """The list of new devices has changed."""
    ALARM = "alarm"
    """An alarm was raised, is over, or was acknowledged; or the rules have changed."""
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
    entry: TimelineEntry | None = None
    marker: Marker | None = None
    notice: Notice | None = None
    status: StatusRecord | None = None
    planned: tuple[PlannedStart, ...] | None = None
    found: tuple[FoundDevice, ...] | None = None
    alarm: AlarmChange | None = None

    def to_json(self) -> str:
        """Return the event as it goes over the wire."""
        return self.model_dump_json(exclude_none=True)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
