"""The HTTP calls about devices, sources and definitions: thin calls on the acquisition.

Owns how these requests look. Plain functions run in worker threads, so that a call which waits for a board holds up
nobody; errors become problem details in :mod:`blitz.io.api`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol
from urllib.parse import unquote

from fastapi import APIRouter, Body, Depends, Header, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from blitz.data.board_definition import BoardDefinition
from blitz.data.records import BadFrameRecord, BoardRecord
from blitz.data.source_changes import check_fields
from blitz.data.source_config import SerialOptions, SourceConfig, UsbIdentity
from blitz.data.source_kinds import list_kinds
from blitz.data.source_records import (
    OWNER_HEADER,
    CommandAnswer,
    CommandRequest,
    DefinitionVersion,
    SourceChange,
    SourceKindRecord,
)
from blitz.io.askers import NoteSubject, TokenName
from blitz.io.lanes import Lanes
from blitz.io.link import check_link
from blitz.io.link_rule import LinkRule

_OWNER_LENGTH = 200


class Devices(Protocol):
    """What these calls need of the acquisition. ``who`` is for the time line and the history of sources."""

    def boards(self) -> list[BoardRecord]:
        """Return how all boards are doing."""

    def scan(self) -> list[BoardRecord]:
        """Look for new boards, for at most five seconds."""

    def command(self, name: str, request: CommandRequest, who: str) -> CommandAnswer:
        """Send something to a board; wait for its answer if it gives one."""

    def release(self, name: str, for_s: float, who: str) -> BoardRecord:
        """Close a board's port, and take it again after that time at the latest."""

    def retake(self, name: str, who: str) -> BoardRecord:
        """Open a released port again."""

    def attach(self, name: str, port: str, who: str) -> BoardRecord:
        """Decide which of several devices that look alike is this one."""

    def bad_frames(self, name: str) -> list[BadFrameRecord]:
        """Return the last frames that meant nothing, oldest first."""

    def sources(self) -> list[SourceConfig]:
        """Return the configured sources."""

    def add_source(self, config: SourceConfig, who: str, *, later: bool = False) -> SourceConfig:
        """Configure a source and open it, or whether it can be opened now or not."""

    def update_source(self, name: str, changes: Mapping[str, Any], who: str) -> SourceConfig:
        """Change some fields of a source."""

    def delete_source(self, name: str, who: str) -> None:
        """Close a source and forget it."""

    def source_history(self, name: str) -> list[SourceChange]:
        """Return each change to the sources that had a name, oldest first."""

    def known_definitions(self) -> Sequence[BoardDefinition]:
        """Return all kinds of boards."""

    def definition(self, source: str) -> BoardDefinition:
        """Return the definition in force for a source."""

    def set_definition(self, source: str, definition: BoardDefinition, who: str) -> BoardDefinition:
        """Put a definition in force, at once."""

    def definition_versions(self, source: str) -> Sequence[DefinitionVersion]:
        """Return all definitions that a source had, oldest first."""


class _Request(BaseModel):
    """A mistyped field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class ReleaseRequest(_Request):
    """For how long a port is lent, and to whom."""

    for_s: float = Field(default=300.0, gt=0, le=86400, description="seconds, after which it is taken again")
    who: str = Field(default="", max_length=_OWNER_LENGTH)


class NewSource(SourceConfig):
    """A source that is to be added: a mistyped field is an error, as it is in changes."""

    @model_validator(mode="before")
    @classmethod
    def _check_fields(cls, fields: Any) -> Any:
        if isinstance(fields, Mapping):
            check_fields(fields, SourceConfig.model_fields)
            for name, part in (("serial", SerialOptions), ("identity", UsbIdentity)):
                if isinstance(fields.get(name), Mapping):
                    check_fields(fields[name], part.model_fields, f"{name}.")
        return fields


class AttachRequest(_Request):
    """Which of the candidates it is."""

    port: str = Field(min_length=1, max_length=4096)


async def _read_owner(
    x_blitz_owner: Annotated[
        str, Header(alias=OWNER_HEADER, description="who asks, as user@machine, in percent-encoded UTF-8")
    ] = "",
) -> str:
    return unquote(x_blitz_owner)[:_OWNER_LENGTH]


Later = Annotated[bool, Query(description="add it whether it can be opened now or not")]
Owner = Annotated[str, Depends(_read_owner)]


def device_calls(devices: Devices, lanes: Lanes | None = None) -> APIRouter:
    """Return the calls about devices as they are at present, ``/boards``."""
    lanes = lanes or Lanes()
    calls = APIRouter(tags=["boards"])

    @calls.get("/boards", response_model_exclude_none=True)
    @lanes.memory
    def list_boards() -> list[BoardRecord]:
        """Return all boards, how they are doing, and what is wrong with those that are not."""
        return devices.boards()

    @calls.post("/boards/scan", response_model_exclude_none=True)
    @lanes.boards
    def scan_boards() -> list[BoardRecord]:
        """Look for new boards, for at most five seconds."""
        return devices.scan()

    @calls.post("/boards/{name}/commands")
    @lanes.boards
    def send_command(name: str, command: CommandRequest, owner: Owner, token: TokenName) -> CommandAnswer:
        """Send a line, or a command of the definition, and return the answer where one is waited for.

        A board's error is 422, silence 504.
        """
        return devices.command(name, command, token or command.who or owner)

    @calls.post("/boards/{name}/release", response_model_exclude_none=True)
    @lanes.boards
    def release_board(name: str, owner: Owner, token: TokenName, request: ReleaseRequest | None = None) -> BoardRecord:
        """Lend a board's port to another program; it is taken again by itself."""
        request = request or ReleaseRequest()
        return devices.release(name, request.for_s, token or request.who or owner)

    @calls.post("/boards/{name}/retake", response_model_exclude_none=True)
    @lanes.boards
    def retake_board(name: str, owner: Owner) -> BoardRecord:
        """Take a lent port again."""
        return devices.retake(name, owner)

    @calls.post("/boards/{name}/attach", response_model_exclude_none=True)
    @lanes.boards
    def attach_board(name: str, request: AttachRequest, owner: Owner) -> BoardRecord:
        """Say which of several devices that look alike is this source's."""
        return devices.attach(name, request.port, owner)

    @calls.get("/boards/{name}/bad-frames")
    @lanes.memory
    def list_bad_frames(name: str) -> list[BadFrameRecord]:
        """Return the last frames of a board that meant nothing, oldest first."""
        return devices.bad_frames(name)

    return calls


def source_calls(devices: Devices, lanes: Lanes | None = None, check: LinkRule = check_link) -> APIRouter:
    """Return the calls about what is configured, ``/sources`` and ``/definitions``.

    Fields without a value are part of these answers: in a definition they can mean something.

    :param check: which links may be named.
    """
    lanes = lanes or Lanes()
    calls = APIRouter(tags=["sources"])

    @calls.get("/sources")
    @lanes.memory
    def list_sources() -> list[SourceConfig]:
        """Return the configured sources, in the order in which they were added."""
        return devices.sources()

    @calls.post("/sources", status_code=201)
    @lanes.boards
    def add_source(config: NewSource, owner: Owner, note_subject: NoteSubject, later: Later = False) -> SourceConfig:
        """Configure a source, open it, and keep it over restarts.

        409 `source_exists` if there is one of that name or at that place; 409 `source_unavailable` if it cannot be
        opened now: then nothing of it is kept, unless `later` is true.
        """
        note_subject(config.name)
        check(config.link, config.options)
        return devices.add_source(SourceConfig(**dict(config)), owner, later=later)

    @calls.patch("/sources/{name}")
    @lanes.boards
    def change_source(
        name: str,
        changes: Annotated[dict[str, Any], Body(description="fields of a source, those of `serial` one by one")],
        owner: Owner,
    ) -> SourceConfig:
        """Change some fields of a source; what is absent stays."""
        if isinstance(changes.get("link"), str) or "options" in changes:
            before = next((source for source in devices.sources() if source.name == name), None)
            link = changes.get("link", "" if before is None else before.link)
            options = changes.get("options", {} if before is None else before.options)
            if isinstance(link, str) and link:
                check(link, options if isinstance(options, dict) else {})
        return devices.update_source(name, changes, owner)

    @calls.delete("/sources/{name}", status_code=204)
    @lanes.boards
    def remove_source(name: str, owner: Owner) -> None:
        """Forget a source; what was recorded of it stays."""
        devices.delete_source(name, owner)

    @calls.get("/sources/{name}/history")
    @lanes.memory
    def read_source_history(name: str) -> list[SourceChange]:
        """Return each change to the sources that had this name, deleted ones included, oldest first."""
        return devices.source_history(name)

    @calls.get("/source-kinds")
    @lanes.boards
    def list_source_kinds() -> list[SourceKindRecord]:
        """Return the kinds of sources that plug-ins on the server bring, and what is wrong with them."""
        return [SourceKindRecord(**vars(kind)) for kind in list_kinds()]

    @calls.get("/definitions")
    @lanes.memory
    def list_definitions() -> list[BoardDefinition]:
        """Return all kinds of boards that this server knows."""
        return list(devices.known_definitions())

    @calls.get("/definitions/{source}")
    @lanes.memory
    def read_definition(source: str) -> BoardDefinition:
        """Return the definition in force for a source."""
        return devices.definition(source)

    @calls.put("/definitions/{source}")
    @lanes.boards
    def replace_definition(source: str, definition: BoardDefinition, owner: Owner) -> BoardDefinition:
        """Put a definition in force for a source, at once, in mid-session, too; earlier ones are kept."""
        return devices.set_definition(source, definition, owner)

    @calls.get("/definitions/{source}/versions")
    @lanes.memory
    def list_definition_versions(source: str) -> list[DefinitionVersion]:
        """Return all definitions that a source had, oldest first."""
        return list(devices.definition_versions(source))

    return calls
