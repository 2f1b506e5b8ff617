"""From a command's options to a client of a server, for as long as the command takes; questions to the operator."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from blitz.cli.ending import at_once, is_told, waking
from blitz.cli.faults import ExitCode

if TYPE_CHECKING:
    from blitz.config import ClientSettings
    from blitz.io.connection import AsyncClient

_T = TypeVar("_T")


def client_settings(server: str | None, token: str | None, config_file: Path | None) -> "ClientSettings":
    """Gather the settings of the client's side, a profile among them."""
    from blitz import config
    from blitz.data.profiles import with_profile

    return with_profile(config.load(config.ClientSettings, {"server": server, "token": token}, config_file))


def ask(settings: "ClientSettings", question: "Callable[[AsyncClient], Awaitable[_T]]") -> _T:
    """Put a question to the server; Ctrl-C and SIGTERM cancel it."""

    async def run() -> _T:
        from blitz.io.connection import AsyncClient

        client = AsyncClient(settings.server, token=settings.token, fingerprint=settings.fingerprint)
        try:
            answer = await question(client)
            await client.compare_versions()
            return answer
        finally:
            await client.close()

    from blitz.errors import ServerUnreachable

    try:
        return run_until_told(run)
    except ServerUnreachable as error:
        from blitz.data.profiles import other_names

        names = other_names(settings.server)
        if not names:
            raise
        raise type(error)(f"{error} No profile has that name, either; there are: {', '.join(names)}.") from error


def run_until_told(work: "Callable[[], Awaitable[_T]]") -> _T:
    """Run asynchronous work to its end; Ctrl-C and SIGTERM cancel it."""

    async def run() -> _T:
        loop, cancel = asyncio.get_running_loop(), _running_task().cancel
        with waking(lambda: loop.call_soon_threadsafe(cancel)):
            return await work()

    coroutine: Any = run()
    try:
        return asyncio.run(coroutine)  # type: ignore[no-any-return]
    except asyncio.CancelledError:
        if is_told():
            raise KeyboardInterrupt from None
        raise


def _running_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task


def confirm(question: str, *, yes: bool) -> None:
    """Ask the operator, unless the answer was given already; end the command where it is no.

    :raises typer.BadParameter: if nobody can be asked.
    """
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here: say --yes if it is meant.")
    try:
        with at_once():
            agreed = typer.confirm(question, err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None
    if not agreed:
        raise typer.Exit(ExitCode.ERROR)
