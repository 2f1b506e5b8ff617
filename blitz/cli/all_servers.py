"""What `blitz status` and `blitz sessions` say with --all: of the servers of all profiles, also of one that is away."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from blitz.cli.asking import run_until_told
from blitz.cli.faults import ExitCode
from blitz.cli.output import Output, duration, local_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from blitz.data.records import SessionRecord, StatusRecord
    from blitz.errors import BlitzError
    from blitz.io.servers import Servers

_T = TypeVar("_T")

_TIMEOUT_S = 5.0

AllOption = Annotated[
    bool, typer.Option("--all", help="Of the servers of all profiles; ends with 3 if one does not answer.")
]


def check_alone(server: str | None, token: str | None) -> None:
    """Refuse a server beside --all.

    :raises typer.BadParameter: if there is one.
    """
    if server is not None or token is not None:
        raise typer.BadParameter("it asks the servers of all profiles: give no other.", param_hint="--all")


def show_all_statuses(*, as_json: bool) -> None:
    """Say how all servers are.

    :raises typer.Exit: with 3, if one does not answer.
    """
    answers = _ask_all(lambda servers: servers.each(lambda client: client.status()))
    out = Output(as_json)
    out.document(servers={name: _told(answer) for name, answer in answers.items()})
    headers = ["Server", "State", "Session", "For", "Messages", "Rate", "Lost", "Boards"]
    out.table(headers, [_status_row(name, answer) for name, answer in answers.items()])
    _end(out, answers)


def show_all_sessions(search: str, *, as_json: bool) -> None:
    """List the sessions of all servers, what began last first.

    :raises typer.Exit: with 3, if a server does not answer.
    """
    from blitz.errors import BlitzError

    answers = _ask_all(lambda servers: servers.sessions(search))
    out = Output(as_json)
    out.document(servers={name: _told(answer) for name, answer in answers.items()})
    found = [(name, one) for name, answer in answers.items() if not isinstance(answer, BlitzError) for one in answer]
    found.sort(key=lambda pair: pair[1].started_at, reverse=True)
    rows = [_session_row(name, record) for name, record in found]
    if rows:
        out.table(["Server", "ID", "Name", "Started", "Took", "Messages", "State", "Owner"], rows)
    else:
        out.line("No session is like that." if search.strip() else "No sessions yet.")
    _end(out, answers)


def _ask_all(question: "Callable[[Servers], Awaitable[_T]]") -> _T:
    async def run() -> _T:
        from blitz.io.servers import Servers

        servers = Servers.from_profiles(timeout=_TIMEOUT_S)
        try:
            return await question(servers)
        finally:
            await servers.close()

    return run_until_told(run)


def _told(answer: Any) -> Any:
    from blitz.errors import BlitzError

    return {"error": {"code": answer.code, "message": str(answer)}} if isinstance(answer, BlitzError) else answer


def _end(out: Output, answers: "Mapping[str, object | BlitzError]") -> None:
    from blitz.errors import BlitzError

    faults = {name: answer for name, answer in answers.items() if isinstance(answer, BlitzError)}
    for name, fault in faults.items():
        out.line(f"{name}: {fault}")
    if faults:
        raise typer.Exit(ExitCode.UNREACHABLE)


def _status_row(name: str, answer: "StatusRecord | BlitzError") -> list[str]:
    from blitz.errors import AuthenticationError, BlitzError, Forbidden
    from blitz.ui.formats import loss_words

    if isinstance(answer, BlitzError):
        return [name, "refused" if isinstance(answer, AuthenticationError | Forbidden) else "away", *[""] * 6]
    session = answer.session
    state = "store away" if not answer.store.is_up else "recording" if session is not None else "not recording"
    accounts = [board.account for board in answer.boards if board.account is not None]
    return [
        *(name, state),
        (session.name or str(session.id)) if session is not None else "",
        duration(answer.now - session.started_at) if session is not None else "",
        str(session.message_count) if session is not None else "",
        f"{answer.rate_hz:.1f}/s",
        loss_words(accounts).replace("\u202f", " ") if session is not None and accounts else "",
        str(len(answer.boards)) if answer.acquires else "serves only",
    ]


def _session_row(name: str, record: "SessionRecord") -> list[str]:
    took = record.stopped_at - record.started_at if record.stopped_at is not None else None
    state = "recording" if record.is_running else record.verdict or "complete"
    return [
        *(name, str(record.id), record.name, local_time(record.started_at)),
        duration(took) if isinstance(took, timedelta) else "",
        *(str(record.message_count), state, record.owner),
    ]
