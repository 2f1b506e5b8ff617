"""`blitz tail`: what is recorded now, as a live table in the terminal, or line by line into a pipe."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.completing import complete_sessions, complete_sources
from blitz.cli.moments import parse_duration
from blitz.cli.options import EPILOG, ConfigOption, Panel, ServerOption, TokenOption
from blitz.cli.output import terminal_console

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import RenderableType

    from blitz.cli.tail_state import Choice, TailState
    from blitz.data.records import Event
    from blitz.io.connection import AsyncClient
    from blitz.io.live_stream import LiveStream

_PREVIEW_ID = 0
"""As in :mod:`blitz.data.blocks`, which takes its time to import."""
_REDRAW_S = 0.2
_WAITING_ENTRIES = 4
_ENDLESS = 1 << 30
"""Lines of what is left behind: a terminal that rolls has room for all."""
_LAST_MESSAGES = 10
"""Of a session that is over, so many are shown where nobody says from where on."""

NdjsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON document a line; errors as JSON, too, on the standard error.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.WATCH)(tail)


def tail(
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="NAME",
            help="Only this source, or those that match, as sim*. Repeatable.",
            autocompletion=complete_sources,
        ),
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", metavar="NAME", help="Only this channel, likewise.")
    ] = None,
    session: Annotated[
        int | None,
        typer.Option(
            "--session",
            metavar="ID",
            min=1,
            help="Show this session. [default: whatever is recorded]",
            autocompletion=complete_sessions,
        ),
    ] = None,
    first: Annotated[
        int | None,
        typer.Option("--from", metavar="SEQ", help="First message of it; below 0: so many before its end."),
    ] = None,
    messages: Annotated[bool, typer.Option("--messages", help="The messages as they came, a line each.")] = False,
    streams: Annotated[bool, typer.Option("--streams", help="What scripts put into streams.")] = False,
    count: Annotated[
        int | None, typer.Option("--count", "-n", metavar="N", min=1, help="End after so many messages or points.")
    ] = None,
    seconds: Annotated[str | None, typer.Option("--for", metavar="TIME", help="End after a time: 90, 10m, 4h.")] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: NdjsonOption = False,
) -> None:
    """Show what boards send, as it comes: a live table, until Ctrl-C.

    Into a pipe or a file, with --json, and with --messages a line is written for each message instead, and none is left
    out. What is not recorded is shown, too, and said to be so. A server that goes away is waited for.
    """
    from blitz.cli.tail_state import Choice

    if first is not None and session is None:
        raise typer.BadParameter("say of which session, by --session.", param_hint="--from")
    if streams and (messages or session is not None or channel):
        raise typer.BadParameter("streams have no sessions, messages and channels: choose by --source.")
    if messages and channel:
        raise typer.BadParameter("messages are shown whole: choose by --source.", param_hint="--channel")
    for_s = None if seconds is None else parse_duration(seconds, "--for")
    choice = Choice(tuple(source or ()), tuple(channel or ()))
    is_table = not as_json and not messages and sys.stdout is not None and sys.stdout.isatty()

    async def work(client: "AsyncClient") -> None:
        if streams:
            from blitz.cli.tail_streams import follow_streams

            await follow_streams(client, choice, count, as_json=as_json, is_table=is_table)
        elif messages:
            await _write_messages(client, choice, session, first, count, as_json=as_json)
        elif is_table:
            await _draw(client, choice, session, first, count)
        else:
            await _write_readings(client, choice, session, first, count, as_json=as_json)

    ask(client_settings(server, token, config_file), limited(work, for_s))


def limited(
    work: "Callable[[AsyncClient], Awaitable[None]]", for_s: float | None
) -> "Callable[[AsyncClient], Awaitable[None]]":
    """Return work that ends by itself after a time; it begins at once: a silent server must not hold it up."""

    async def run(client: "AsyncClient") -> None:
        try:
            async with asyncio.timeout(for_s) as limit:
                await work(client)
        except TimeoutError:
            if not limit.expired():
                raise

    return run


async def _write_readings(
    client: "AsyncClient",
    choice: "Choice",
    session: int | None,
    first: int | None,
    count: int | None,
    *,
    as_json: bool,
) -> None:
    from blitz.cli.tail_lines import ReadingLines, write_lines
    from blitz.cli.tail_state import TailState
    from blitz.data.blocks import MessageBlock
    from blitz.io.live_stream import Decoding

    state, form = TailState(choice, is_followed=session is None), ReadingLines(choice, as_json=as_json)
    meaning: dict[bool, Decoding] = {True: Decoding(), False: Decoding()}  # of the preview, of sessions
    async with _entries(client, session, first) as entries:
        async for entry in entries:
            if isinstance(entry, MessageBlock):
                decoded = meaning[entry.session_id == _PREVIEW_ID].translate(entry)
                lines = form.lines(readings for readings in decoded if state.add(readings))[:count]
                write_lines(lines)
                count = None if count is None else count - len(lines)
                if count == 0:
                    return
            else:
                _learn(state, entry)
                meaning[(entry.session_id or _PREVIEW_ID) == _PREVIEW_ID].learn(entry)


async def _write_messages(
    client: "AsyncClient",
    choice: "Choice",
    session: int | None,
    first: int | None,
    count: int | None,
    *,
    as_json: bool,
) -> None:
    from blitz.cli.tail_lines import MessageLines, write_lines
    from blitz.cli.tail_state import TailState
    from blitz.data.blocks import MessageBlock
    from blitz.data.records import EventKind

    state, form = TailState(choice, is_followed=session is None), MessageLines(choice, as_json=as_json)
    async with _entries(client, session, first) as entries:
        async for entry in entries:
            if isinstance(entry, MessageBlock):
                names = {form.name(entry.session_id, index) for index in set(entry.source.tolist())}
                wanted = [name for name in names if state.is_shown(entry.session_id, name)]
                lines = list(form.lines(entry, wanted))[:count]
                write_lines(lines)
                count = None if count is None else count - len(lines)
                if count == 0:
                    return
                continue
            _learn(state, entry)
            if entry.event is EventKind.SOURCES and entry.sources is not None:
                form.learn(entry.session_id or _PREVIEW_ID, entry.sources)


async def _draw(
    client: "AsyncClient", choice: "Choice", session: int | None, first: int | None, count: int | None
) -> None:
    from blitz.cli.tail_picture import picture
    from blitz.cli.tail_state import TailState
    from blitz.data.boards import Readings

    state, address = TailState(choice, is_followed=session is None), str(client.address)
    if session is not None:
        state.session = await client.session(session)

    def draw(width: int, height: int, *, plain: bool) -> "RenderableType":
        return picture(state, address, time.time(), width, height, plain=plain)

    async with _entries(client, session, first, raw=False) as entries:
        with screen(draw) as redraw:
            drawing = asyncio.create_task(_keep_drawing(redraw), name="blitz tail picture")
            try:
                async for entry in entries:
                    if not isinstance(entry, Readings):
                        _learn(state, entry)
                    elif state.add(entry) and count is not None and state.message_count >= count:
                        return
                    if drawing.done():
                        drawing.result()
            finally:
                drawing.cancel()


@contextmanager
def screen(draw: "Callable[..., RenderableType]") -> "Iterator[Callable[[], None]]":
    """Take the whole terminal for a picture, and leave the last one behind when done.

    :param draw: called with width, height and ``plain``, whether there are only signs of the first alphabets.
    """
    from rich.live import Live

    console = terminal_console(is_whole=True)
    plain = not console.encoding.lower().startswith("utf")

    def now(height: int) -> "RenderableType":
        return draw(console.width, height, plain=plain)

    try:
        # Messages of the log would be in the way for a fifth of a second; to redirect them costs the terminal's state.
        live = Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        with live:
            yield lambda: live.update(now(console.height), refresh=True)
    finally:
        console.print(now(_ENDLESS))


async def _keep_drawing(redraw: "Callable[[], None]") -> None:
    while True:
        redraw()
        await asyncio.sleep(_REDRAW_S)


def _learn(state: "TailState", event: "Event") -> None:
    state.learn(event, time.time())


@asynccontextmanager
async def _entries(
    client: "AsyncClient", session: int | None, first: int | None, *, raw: bool = True
) -> "AsyncIterator[AsyncIterator[Any]]":
    """Follow one session; or what is recorded, and what comes while nothing is."""
    async with AsyncExitStack() as stack:
        if session is None:
            wanted: list[Any] = [None, "preview"]
        else:
            wanted = [session]
            if first is None and not (await client.session(session)).is_running:
                first = -_LAST_MESSAGES
        views: list[LiveStream[Any]] = []
        for each in wanted:
            view: LiveStream[Any] = client.live(each, first, raw=True) if raw else client.live(each, first)
            views.append(await stack.enter_async_context(view))
        merged = _merge(views)
        stack.push_async_callback(merged.aclose)
        yield merged


async def _merge(views: "list[LiveStream[Any]]") -> "AsyncGenerator[Any]":
    """Return the entries of live views as they come; ends with the first view that ends.

    A few wait at most: who takes them slowly holds the views back.
    """
    waiting: asyncio.Queue[Any] = asyncio.Queue(_WAITING_ENTRIES)

    async def take(view: "LiveStream[Any]") -> None:
        try:
            async for entry in view:
                await waiting.put(entry)
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            await waiting.put(error)
        else:
            await waiting.put(None)

    tasks = [asyncio.create_task(take(view), name="blitz tail view") for view in views]
    try:
        while (entry := await waiting.get()) is not None:
            if isinstance(entry, Exception):
                raise entry
            yield entry
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
