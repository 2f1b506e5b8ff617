"""The HTTP and WebSocket interface: thin calls on the acquisition and the store.

Plain functions run in worker threads, so that a call which waits for Redis or a board holds up nobody. Errors become
RFC 9457 problem details with a stable ``code``.
"""

import csv
import io
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

import blitz
from blitz.data.blocks import GRID_MESSAGES, PREVIEW_ID, MessageBlock
from blitz.data.database_server import DatabaseServer
from blitz.data.model_faults import describe_fault, ended
from blitz.data.packed_blocks import PACKED_TYPE, pack_blocks
from blitz.data.records import Notice, SessionRecord, StatusRecord
from blitz.data.retention import RetentionRule
from blitz.errors import (
    AlarmNotFound,
    AlarmRuleExists,
    AlarmRuleNotFound,
    ArchiveError,
    AuthenticationError,
    BlitzError,
    BoardTimeout,
    CommandOver,
    CommandRefused,
    ConfigError,
    EditConflict,
    FieldsMissing,
    Forbidden,
    LinkError,
    MarkerNotFound,
    NoAcquisition,
    NoSession,
    PackageMissing,
    PlanNotFound,
    PointsRefused,
    QueryError,
    QueryTimeout,
    SeriesError,
    ServerBusy,
    SessionNotFound,
    SessionRunning,
    SourceExists,
    SourceUnavailable,
    StoreChanged,
    StoreFull,
    StoreInUse,
    StoreUnavailable,
    StreamExists,
    StreamNotFound,
    TablesError,
    UnknownBoard,
    UnknownSource,
    UnknownToken,
)
from blitz.io.access import Access
from blitz.io.acquisition import Acquisition
from blitz.io.alarm_api import alarm_calls
from blitz.io.alarms import Alarms
from blitz.io.archive_api import archive_calls
from blitz.io.archiver import Archiver
from blitz.io.askers import NoteSubject, TokenName
from blitz.io.examine_api import examine_calls
from blitz.io.found_api import found_calls
from blitz.io.guard import problem
from blitz.io.lanes import RETRY_AFTER_S, Answers, Lanes
from blitz.io.latest_api import latest_calls
from blitz.io.link import check_link
from blitz.io.live import as_json_lines
from blitz.io.notes_api import Search, find_sessions, notes_calls
from blitz.io.page_calls import page_calls
from blitz.io.plan_api import SessionWishes, plan_calls
from blitz.io.query_api import query_calls
from blitz.io.readings_api import readings_calls
from blitz.io.session_keeper import SessionKeeper
from blitz.io.source_api import Owner, device_calls, source_calls
from blitz.io.store_api import store_calls
from blitz.io.stream_api import stream_calls
from blitz.io.supervision import Supervision
from blitz.io.token_api import token_calls

log = logging.getLogger(__name__)

ARROW_TYPE = "application/vnd.apache.arrow.stream"
COUNT_LIMIT = 65_536
_STATUS: dict[type[BlitzError], int] = {
    ConfigError: 422,
    UnknownSource: 404,
    UnknownToken: 404,
    AuthenticationError: 401,
    Forbidden: 403,
    SourceExists: 409,
    SourceUnavailable: 409,
    TablesError: 503,
    SessionRunning: 409,
    NoSession: 409,
    NoAcquisition: 409,
    SessionNotFound: 404,
    UnknownBoard: 404,
    CommandRefused: 422,
    BoardTimeout: 504,
    LinkError: 503,
    ServerBusy: 503,
    StoreUnavailable: 503,
    StoreChanged: 503,
    ArchiveError: 503,
    AlarmNotFound: 404,
    AlarmRuleNotFound: 404,
    AlarmRuleExists: 409,
    StoreInUse: 409,
    StoreFull: 507,
    FieldsMissing: 422,
    MarkerNotFound: 404,
    PlanNotFound: 404,
    EditConflict: 409,
    SeriesError: 422,
    QueryTimeout: 504,
    QueryError: 422,
    PackageMissing: 501,
    StreamNotFound: 404,
    StreamExists: 409,
    PointsRefused: 422,
    CommandOver: 409,
}


class StartRequest(SessionWishes):
    """What a new session is called, by whom it is started, and when the server ends it by itself."""

    join: bool = Field(False, description="a session that runs already is no error but the answer")


class StartAnswer(BaseModel):
    """The session that runs now, and whether this call started it."""

    session: SessionRecord
    created: bool


def create_app(
    acquisition: Acquisition,
    store: DatabaseServer,
    keeper: SessionKeeper | None = None,
    access: Access | None = None,
    archiver: Archiver | None = None,
    supervision: Supervision | None = None,
    alarms: Alarms | None = None,
) -> FastAPI:
    """Return the application; its documentation page, at ``/docs``, needs no other server.

    :param keeper: of trash and retention; without one, nothing goes by rule.
    :param access: tokens and audit trail; without it, there are none.
    :param archiver: of older messages; without one, none move.
    :param supervision: of the whole; without one, only its calls are there.
    :param alarms: rules and what they raise; without them, there are none.
    """
    keeper = keeper or SessionKeeper(store, RetentionRule(), (), acquisition.hub.post, acquisition.notice)
    supervision = supervision or Supervision(acquisition)
    lanes = Lanes()
    if acquisition.hub.streams is not None:
        store.streams.listeners.append(acquisition.hub.streams.advance)
    app = FastAPIOffline(
        title="Blitz",
        version=blitz.__version__,
        description="Serial data acquisition: boards, sessions, live messages. The live connection is a WebSocket at "
        "`/api/v1/live?session=&first=&format=arrow|ndjson`: blocks of messages from a cursor on, and events as JSON.",
    )
    app.include_router(_system_calls(acquisition, lanes), prefix="/api/v1")
    of_acquirer: dict[str, Any] = {"prefix": "/api/v1", "dependencies": [Depends(acquisition_check(acquisition))]}
    app.include_router(device_calls(acquisition.devices, lanes), **of_acquirer)
    app.include_router(found_calls(acquisition.devices, lanes), **of_acquirer)
    check = access.check_link if access else check_link
    app.include_router(source_calls(acquisition.devices, lanes, check), **of_acquirer)
    examining = examine_calls(acquisition.devices, lanes, check, lambda: acquisition.housekeeping.is_stopping)
    app.include_router(examining, **of_acquirer)
    app.include_router(_session_calls(acquisition, store, keeper, lanes), prefix="/api/v1")
    app.include_router(notes_calls(acquisition, store), prefix="/api/v1")
    app.include_router(query_calls(store), prefix="/api/v1")
    app.include_router(stream_calls(store, lanes, acquisition.check_room), prefix="/api/v1")
    app.include_router(plan_calls(acquisition.planner), **of_acquirer)
    app.include_router(alarm_calls(alarms), **of_acquirer)
    app.include_router(store_calls(keeper), prefix="/api/v1")
    app.include_router(archive_calls(archiver), prefix="/api/v1")
    app.include_router(_message_calls(acquisition, store, lanes.answers), prefix="/api/v1")
    app.include_router(readings_calls(acquisition.session_record, acquisition.messages, lanes), prefix="/api/v1")
    app.include_router(latest_calls(acquisition), prefix="/api/v1")
    app.include_router(token_calls(access), prefix="/api/v1")
    app.include_router(page_calls())
    for calls in supervision.calls(lanes):
        app.include_router(calls, prefix="/api/v1")
    _handle_errors(app)
    return app


def acquisition_check(acquisition: Acquisition) -> Callable[[], Awaitable[None]]:
    """Return what refuses a call that only a server can answer which acquires."""

    async def check() -> None:  # in no worker thread, which every call about devices would wait for
        if not acquisition.acquires:
            raise NoAcquisition(
                "This server does not acquire (--no-acquisition): devices, sources and planned starts are matters of "
                "the server that records into its store. Ask that one."
            )

    return check


def _system_calls(acquisition: Acquisition, lanes: Lanes) -> APIRouter:
    calls = APIRouter(tags=["system"])

    @calls.get("/status", response_model_exclude_none=True)
    @lanes.memory
    def read_status() -> StatusRecord:
        """Return version, store, running session, boards and rates in one look."""
        return acquisition.status()

    @calls.get("/events", response_model_exclude_none=True)
    @lanes.memory
    def read_notices() -> list[Notice]:
        """Return the last notices, oldest first."""
        return acquisition.notices

    return calls


def _session_calls(acquisition: Acquisition, store: DatabaseServer, keeper: SessionKeeper, lanes: Lanes) -> APIRouter:
    calls = APIRouter(tags=["sessions"])

    @calls.get("/sessions", response_model_exclude_none=True)
    def list_sessions(search: Search = "") -> list[SessionRecord]:
        """Return all sessions, or those that `search` finds, newest first, without sources and gaps."""
        return find_sessions(acquisition, store, search)

    @calls.post("/sessions", status_code=201, response_model_exclude_none=True)
    @lanes.sessions
    def start_session(request: StartRequest, response: Response, token: TokenName, note_subject: NoteSubject) -> Any:
        """Start recording; 409 with the running session if one runs already, or 200 with it if `join` is set."""
        try:
            record = acquisition.start_session(
                request.name,
                request.notes,
                token or request.owner,
                tags=request.tags,
                fields=request.fields,
                run=request.run,
            )
            note_subject(record.id)
            return StartAnswer(session=record, created=True)
        except SessionRunning as error:
            acquisition.follow_store()  # another program may have started it just now
            running = acquisition.status().session
            if running is None:
                raise
            if not request.join:
                by = running.owner or "an unnamed client"
                detail = f"Session {running.id} is being recorded already, by {by}. Stop it first."
                details = problem(409, error.code, detail, session=running.model_dump(mode="json", exclude_none=True))
                return JSONResponse(details, 409, media_type="application/problem+json")
            response.status_code = 200
            return StartAnswer(session=running, created=False)

    @calls.post("/sessions/{session_id}/stop", response_model_exclude_none=True)
    @lanes.sessions
    def stop_session(session_id: int, owner: Owner) -> SessionRecord:
        """Stop recording: the boards are drained first; 409 if that session does not run."""
        record = acquisition.stop_session(session_id)
        if owner and record.owner and owner != record.owner:
            acquisition.notice("info", f"Session {record.id} of {record.owner} was stopped by {owner}.", None)
        return record

    @calls.get("/sessions/{session_id}", response_model_exclude_none=True)
    def read_session(session_id: int) -> SessionRecord:
        """Return one session with its sources, their definitions, and the gaps."""
        return acquisition.session_record(session_id)

    @calls.delete("/sessions/{session_id}", status_code=204)
    def delete_session(session_id: int, owner: Owner) -> None:
        """Move a session to the trash, from which it can be restored for some days; 409 while it is recorded."""
        keeper.trash(session_id, owner)

    return calls


SessionKey = Annotated[str, Path(pattern="^([0-9]{1,18}|preview)$", description="an id, or `preview`")]


def _message_calls(acquisition: Acquisition, store: DatabaseServer, answers: Answers) -> APIRouter:
    calls = APIRouter(tags=["messages"])
    hub = acquisition.hub

    @calls.get(
        "/sessions/{session_key}/messages",
        response_class=Response,
        responses={200: {"content": {ARROW_TYPE: {}, PACKED_TYPE: {}, "application/x-ndjson": {}, "text/csv": {}}}},
    )
    async def read_messages(
        request: Request,
        session_key: SessionKey,
        first: Annotated[int, Query(ge=0, description="sequence number of the first message")] = 0,
        count: Annotated[int, Query(ge=0, description=f"at most {COUNT_LIMIT} are returned")] = GRID_MESSAGES,
        accept: Annotated[str, Header()] = ARROW_TYPE,
    ) -> Response:
        """Return one block of messages, in the form that `Accept` asks for; past the end it is empty.

        `application/vnd.blitz.blocks` is what downloads take: Arrow streams, cut at multiples of 16384 messages and
        compressed with zstd, each behind its size in bytes (32 bits, little-endian).
        """
        count = min(count, COUNT_LIMIT)

        def make() -> Response:
            if session_key == "preview":
                block = hub.preview_block(first, count)
            else:
                block = acquisition.messages(int(session_key), first, count)
            if "application/x-ndjson" in accept:
                return Response(as_json_lines(block), media_type="application/x-ndjson")
            if "text/csv" in accept:
                return Response(_as_csv(block), media_type="text/csv; charset=utf-8")
            if PACKED_TYPE in accept:
                return Response(pack_blocks(block), media_type=PACKED_TYPE)
            return Response(block.encode(), media_type=ARROW_TYPE)

        return await answers.make(make, count, request.client.host if request.client else "")

    @calls.websocket("/live")
    async def live(
        websocket: WebSocket,
        session: Annotated[str, Query(pattern="^([0-9]{1,18}|preview|)$")] = "",
        first: Annotated[int | None, Query()] = None,
        format: Annotated[Literal["arrow", "ndjson"], Query()] = "arrow",
    ) -> None:
        session_id = None if not session else PREVIEW_ID if session == "preview" else int(session)
        if session_id and session_id != hub.running:
            try:
                await anyio.to_thread.run_sync(acquisition.session_record, session_id)
            except BlitzError as error:
                await websocket.send_denial_response(_problem_response(error))
                return
        await websocket.accept()
        async with anyio.create_task_group() as tasks:

            async def send_frames() -> None:
                try:
                    async for frame in hub.frames(session_id, first, as_ndjson=format == "ndjson"):
                        await (websocket.send_bytes(frame) if isinstance(frame, bytes) else websocket.send_text(frame))
                    await websocket.close()
                except WebSocketDisconnect:
                    pass
                except BlitzError as error:
                    log.warning("A live connection ended: %s", error)
                    await websocket.close(1011, error.code)
                except RuntimeError as error:  # uvicorn has closed it, for a client that broke the protocol
                    if "after sending 'websocket.close'" not in str(error):
                        raise
                tasks.cancel_scope.cancel()

            tasks.start_soon(send_frames)
            # Nothing is expected from a viewer, but that it leaves.
            while (await websocket.receive())["type"] != "websocket.disconnect":
                pass
            tasks.cancel_scope.cancel()

    return calls


def _as_csv(block: MessageBlock) -> str:
    text = io.StringIO()
    writer = csv.writer(text)  # lines end as in RFC 4180: only so are both of these characters quoted in a message
    writer.writerow(["seq", "arrived_ns", "source", "raw"])
    for seq, (arrived_ns, source, raw) in enumerate(
        zip(block.arrived_ns.tolist(), block.source.tolist(), block.messages(), strict=True), block.first_seq
    ):
        writer.writerow([seq, arrived_ns, source, str(raw, "latin-1")])
    return text.getvalue()


def _problem_response(error: BlitzError) -> JSONResponse:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, ServerBusy) else None
    details = problem(status, error.code, str(error))
    return JSONResponse(details, status, headers, media_type="application/problem+json")


def _http_words(request: Request, error: HTTPException) -> str:
    """Return what a call's own words are, or what it means that there is no such call."""
    if error.detail != HTTPStatus(error.status_code).phrase:
        return f"{error.detail[:1].upper()}{error.detail[1:]}."
    asked = f"{request.method} {request.url.path}"
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"This server has no {asked}: it is older than the client, or the address has a path too many."
    return f"{asked}: {error.detail}."


def _invalid_response(error: ValidationException) -> JSONResponse:
    sentences = [describe_fault(fault | {"loc": fault["loc"][1:]}) for fault in error.errors()]  # without "body"
    details = problem(422, "invalid", ended("; ".join(sentences)))
    return JSONResponse(details, 422, media_type="application/problem+json")


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(BlitzError)
    async def on_blitz_error(_: Request, error: BlitzError) -> Response:
        return _problem_response(error)

    @app.exception_handler(ValueError)
    async def on_value_error(_: Request, error: ValueError) -> Response:
        return JSONResponse(problem(422, "invalid", str(error)), 422, media_type="application/problem+json")

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(_: Request, error: RequestValidationError) -> Response:
        return _invalid_response(error)

    @app.exception_handler(WebSocketRequestValidationError)
    async def on_invalid_live(websocket: WebSocket, error: WebSocketRequestValidationError) -> None:
        await websocket.send_denial_response(_invalid_response(error))

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http")
        details = problem(error.status_code, code, _http_words(request, error))
        return JSONResponse(
            details, error.status_code, headers=dict(error.headers or {}), media_type="application/problem+json"
        )

    @app.exception_handler(Exception)
    async def on_fault(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        details = problem(500, "fault", "The server has a fault of its own here; its log has the details.")
        return JSONResponse(details, 500, media_type="application/problem+json")
