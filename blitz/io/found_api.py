"""The HTTP calls about new devices: which there are, and whether to listen to them.

Owns how these requests look; errors become problem details in :mod:`blitz.io.api`.
"""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from blitz.data.records import FoundDevice
from blitz.data.source_config import NAME_PATTERN, SourceConfig
from blitz.io.askers import NoteSubject, TokenName
from blitz.io.devices import Devices
from blitz.io.lanes import Lanes
from blitz.io.source_api import Owner


class _Request(BaseModel):
    """A mistyped field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class IgnoreRequest(_Request):
    """Which device nobody wants to be asked about."""

    port: str = Field(min_length=1, max_length=4096)


class ListenRequest(IgnoreRequest):
    """Which device is to be a source from now on."""

    name: str | None = Field(None, pattern=NAME_PATTERN, description="absent: as its port is called")
    baud: int | None = Field(None, ge=50, le=20_000_000, description="absent: 57600")


def found_calls(devices: Devices, lanes: Lanes | None = None) -> APIRouter:
    """Return the calls, ``/found``."""
    lanes = lanes or Lanes()
    calls = APIRouter(tags=["new devices"])

    @calls.get("/found", response_model_exclude_none=True)
    @lanes.memory
    def list_found(ignored: bool = False) -> list[FoundDevice]:
        """Return the USB serial devices that nobody listens to; with `ignored`, those that are ignored, too."""
        return list(devices.found(ignored=ignored))

    @calls.post("/found/listen", status_code=201)
    @lanes.boards
    def listen_to_found(
        request: ListenRequest, owner: Owner, token: TokenName, note_subject: NoteSubject
    ) -> SourceConfig:
        """Make a source of a new device. Its port is opened, which resets most boards."""
        config = devices.listen(request.port, request.name, request.baud, token or owner)
        note_subject(config.name)
        return config

    @calls.post("/found/ignore", status_code=204)
    @lanes.boards
    def ignore_found(request: IgnoreRequest, owner: Owner, token: TokenName, note_subject: NoteSubject) -> None:
        """Ask no more of a device, over restarts of the server, too; it can be listened to all the same."""
        devices.ignore(request.port, token or owner)
        note_subject(request.port)

    return calls
