"""What server and client tell each other of streams: data that scripts send, outside recordings."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field

from blitz.data.records import Record

NAME_LENGTH: Final = 200
NICKNAME_LENGTH: Final = 200
DESCRIPTION_LENGTH: Final = 10_000
UNIT_LENGTH: Final = 60
SCHEMA_BYTES: Final = 64 << 10
POINTS_AT_ONCE: Final = 65_536
LARGEST_BATCH: Final = 2**53 - 1


def check_stream_name(name: str) -> str:
    r"""Return a name that a stream may have.

    :raises ValueError: if it has another length than 1 to 200, has signs that cannot be printed, ``/`` or ``\\``, or is
        ``.`` or ``..``: it stands in addresses.

    >>> check_stream_name("bench 1: set point")
    'bench 1: set point'
    """
    if not 1 <= len(name) <= NAME_LENGTH:
        raise ValueError(f"A stream's name has 1 to {NAME_LENGTH} characters, and this has {len(name)}.")
    if not name.isprintable() or "/" in name or "\\" in name or name in (".", ".."):
        raise ValueError(f"A stream cannot be called {name!r}: its name has no / or \\, and only printable characters.")
    return name


StreamName = Annotated[str, AfterValidator(check_stream_name)]


class StreamRecord(Record):
    """A stream: points that scripts put in, in the order of their time."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    id: int = Field(description="of the session that holds its points as messages; it is in no list of sessions")
    name: str
    schema_: dict[str, Any] = Field(
        default_factory=dict, alias="schema", description="JSON schema of each value; empty: anything"
    )
    nickname: str = ""
    description: str = ""
    unit: str = ""
    downlink: bool = Field(default=False, description="whether it takes commands")
    downlink_id: int = Field(default=0, description="of the session that holds its commands as messages")
    created_at: datetime
    point_count: int = 0
    newest_t: float | None = Field(default=None, description="time of the newest point; absent where there is none")


class RefusedPoint(Record):
    """A point that was not stored."""

    index: int = Field(description="its place in the call, from 0")
    t: float | None = Field(default=None, description="its time, where it has one")
    reason: str


class InsertResult(Record):
    """What became of points that were to be stored."""

    first: int = Field(description="index in the stream of the first that was stored")
    count: int = Field(description="how many were stored, one behind the other")
    repeated: bool = Field(default=False, description="that batch of that writer was stored before: nothing was now")
    refused: tuple[RefusedPoint, ...] = ()
    restamped: int = Field(default=0, description="how many got the newest time of the stream instead of their own")


class PointRange(Record):
    """Which points lie between two places or times of a stream."""

    id: int = Field(description="of the session whose messages they are")
    first: int
    stop: int = Field(description="behind the last")


class CommandState(StrEnum):
    """How far a command to a stream's downlink has come."""

    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class StreamCommand(Record):
    """A command for whoever serves a stream's downlink: a set point, a switch."""

    id: int
    stream: str
    t: float = Field(description="when it was sent, in Unix seconds by the server's clock")
    d: Any = Field(default=None, description="what is wanted")
    by: str = Field(default="", description="who has sent it")
    state: CommandState = CommandState.SENT
    timeout_s: float = Field(default=10.0, description="how long it waits for an answer")
    reason: str = Field(default="", description="why it failed")
    answered_by: str = ""
    answered_at: float | None = Field(default=None, description="when it was over, in Unix seconds")
