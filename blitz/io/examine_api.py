"""The HTTP calls that listen to a device before it becomes a source."""

from collections.abc import Callable

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from blitz.data.format_proposal import FormatProposal
from blitz.io.devices import Devices
from blitz.io.examining import Examiner
from blitz.io.lanes import Lanes
from blitz.io.link import check_link
from blitz.io.link_rule import LinkRule


class ExamineRequest(BaseModel):
    """What to listen to, and how."""

    model_config = ConfigDict(extra="forbid")

    link: str = Field(min_length=1, max_length=4096, description="a port, or socket://HOST:PORT")
    baud: int | None = Field(default=None, ge=50, le=20_000_000, description="absent: the likely rates, one by one")
    seconds: float = Field(default=3.0, gt=0, le=10, description="at most, at each rate")
    keep_s: float = Field(default=0.0, ge=0, le=60, description="the port stays open for so long for another request")


class EndRequest(BaseModel):
    """What is not to be listened to any more."""

    model_config = ConfigDict(extra="forbid")

    link: str = Field(min_length=1, max_length=4096)


def examine_calls(
    devices: Devices,
    lanes: Lanes | None = None,
    check: LinkRule = check_link,
    is_ending: Callable[[], bool] = lambda: False,
) -> APIRouter:
    """Return the calls ``/sources/examine``.

    :param is_ending: whether the server ends: nothing is listened to any more.
    """
    lanes = lanes or Lanes()
    calls = APIRouter(tags=["boards"])
    definitions = {known.id: known for known in devices.known_definitions()}
    examiner = Examiner(devices.check_free, definitions, is_ending=is_ending)
    devices.let_go = examiner.end_now

    @calls.post("/sources/examine", response_model_exclude_none=True)
    @lanes.boards
    def examine_device(request: ExamineRequest) -> FormatProposal:
        """Listen to a device that is no source, which may reset it, and propose how its bytes are read."""
        check(request.link)
        return examiner.examine(request.link, request.baud, request.seconds, request.keep_s)

    @calls.post("/sources/examine/end", status_code=204)
    @lanes.boards
    def end_examining(request: EndRequest) -> None:
        """Close a port that was kept open for further requests, or end the request that is under way."""
        examiner.end(request.link)

    return calls
