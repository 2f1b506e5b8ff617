"""What hooks tell, and how they are doing: what goes out to people, and what a client can ask the server."""

import platform
import uuid
from datetime import UTC, datetime

from pydantic import AwareDatetime, Field

from blitz.data.hook_config import HookEvent
from blitz.data.records import Record


class Telling(Record):
    """One thing that somebody is told."""

    id: str = Field(default_factory=lambda: uuid.uuid4().hex, description="the same when it is sent once more")
    event: HookEvent
    title: str = Field(description="a line")
    text: str = Field(description="one or more sentences")
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    server: str = Field(default_factory=platform.node, description="the machine that it comes from")
    source: str | None = None
    session_id: int | None = None
    subject: str = Field(default="", description="what comes and goes: its troubles and their ends have the same")
    left_out: int = Field(default=0, description="so often it was so besides, and was not told")


class HookRecord(Record):
    """How a hook is doing."""

    name: str
    kind: str
    target: str = Field(description="whom it tells, without secrets")
    on: tuple[HookEvent, ...]
    after_s: float
    at_most_every_s: float = Field(default=0.0, description="of one alarm rule or source not more than one in so long")
    is_added: bool = Field(default=False, description="by a call, and can be removed by one; else the settings have it")
    sent: int = Field(default=0, description="since the server started")
    waiting: int = Field(default=0, description="not sent yet")
    held: int = Field(default=0, description="alarm rules and sources of which more is told later, in one")
    dropped: int = Field(default=0, description="given up, because more came than could be sent")
    last_success: AwareDatetime | None = None
    last_failure: AwareDatetime | None = None
    error: str | None = Field(default=None, description="what went wrong last; absent while all is well")


class HookTest(Record):
    """What came of a test call."""

    is_sent: bool
    took_s: float
    error: str | None = None
