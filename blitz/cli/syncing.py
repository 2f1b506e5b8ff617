"""The command that keeps the local cache up to date."""

import asyncio
import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.caches import CacheOption, meant_cache, usual_cache
from blitz.cli.completing import complete_sessions
from blitz.cli.copying import OTHER_SERVER
from blitz.cli.ending import is_told
from blitz.cli.faults import ExitCode
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption
from blitz.cli.output import Output, Progress, local_time, plural

if TYPE_CHECKING:
    from blitz.config import ClientSettings
    from blitz.data.cache_places import CachePlace
    from blitz.data.database_client import DatabaseClient
    from blitz.data.export_at_stop import Outcome
    from blitz.data.export_rule import ExportRule
    from blitz.data.records import SessionRecord
    from blitz.data.sync_changes import CopyState
    from blitz.io.connection import AsyncClient
    from blitz.io.sync_rounds import SyncMode, SyncRound

log = logging.getLogger(__name__)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.ANALYSE)(sync)


def sync(
    session_ids: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="SESSION…", min=1, help="These sessions.", show_default=False, autocompletion=complete_sessions
        ),
    ] = None,
    all_sessions: Annotated[bool, typer.Option("--all", help="Every session that has ended.")] = False,
    chosen: Annotated[bool, typer.Option("--chosen", help="The sessions that were chosen.")] = False,
    choose: Annotated[
        bool | None, typer.Option("--choose/--unchoose", help="Choose these sessions from now on, or no longer.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Do it again and again, until Ctrl-C.")] = False,
    period: Annotated[
        float | None, typer.Option("--period", min=1, help="With --watch: seconds between. [default: sync_period_s]")
    ] = None,
    cache: CacheOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep the local cache up to date.

    Sessions are brought, and what has changed on the server is noticed.

    Without sessions, --all or --chosen, the setting 'sync' says which. What was interrupted goes on. A copy here is
    never deleted.
    """
    settings = client_settings(server, token, config_file)
    ids = tuple(session_ids or ())
    if all_sessions and chosen:
        raise typer.BadParameter("it includes the chosen ones.", param_hint="--all")
    if choose is not None and not ids:
        raise typer.BadParameter("say which sessions.", param_hint="--choose")
    mode: SyncMode = "all" if all_sessions else "chosen" if chosen else "off" if ids else settings.sync
    if mode == "off" and not ids:
        raise typer.BadParameter("the setting 'sync' is off: say --all, --chosen, or which sessions.")
    from blitz.data.export_rule import rule_of

    place = meant_cache(settings, cache)
    syncing = _Syncing(Output(as_json), mode, ids, choose, settings, place, rule_of(settings))
    if not watch:
        if ask(settings, syncing.once).failed:
            raise typer.Exit(ExitCode.ERROR)
        return
    ask(settings, lambda client: syncing.for_ever(client, period or settings.sync_period_s))


@dataclass(frozen=True)
class CopiesHere:
    """What is in the local cache: false where there is none."""

    states: "Mapping[int, CopyState]" = field(default_factory=dict)
    only_here: "tuple[SessionRecord, ...]" = ()
    """Sessions that the server does not have any more."""

    def __bool__(self) -> bool:
        return bool(self.states)

    def word(self, session_id: int) -> str:
        """Return what a table says of a session."""
        if any(record.id == session_id for record in self.only_here):
            return "only here"
        state = self.states.get(session_id)
        return "" if state is None else _STATE_WORDS[state.value]


async def copies_here(client: "AsyncClient", settings: "ClientSettings", known: "Set[int] | None") -> CopiesHere:
    """Look into the cache of this server, if there is one; its faults are another command's.

    :param known: the server's sessions; None leaves out those that only the cache has.
    """
    from blitz.errors import BlitzError

    try:
        chosen = meant_cache(settings, None)
        if chosen is None and not settings.cache_dir.is_dir():
            return CopiesHere()
        store_id = (await client.status()).store_id
        place = chosen or usual_cache(settings, store_id)
        if not place.exists:
            return CopiesHere()
        with place.open() as cache:
            if cache.store_id not in (None, store_id):  # another server's sessions have ids of their own
                return CopiesHere()
            states = cache.copy_states()
            records = () if known is None else tuple(cache.session_records())
    except BlitzError as error:
        log.info("Cannot look into the cache: %s", error)
        return CopiesHere()
    gone = (record for record in records if known is not None and record.id not in known)
    return CopiesHere(states, tuple(record for record in gone if states.get(record.id) in ("whole", "older")))


class _Syncing:
    """What was asked for.

    :param place: the cache; None: the usual one of the server.
    :param rule: how sessions that have stopped are exported; None: they are not.
    """

    def __init__(
        self,
        out: Output,
        mode: "SyncMode",
        ids: tuple[int, ...],
        choose: bool | None,
        settings: "ClientSettings",
        place: "CachePlace | None",
        rule: "ExportRule | None" = None,
    ) -> None:
        self._out = out
        self._mode = mode
        self._ids = ids
        self._choose = choose
        self._settings = settings
        self._place = place
        self._rule = rule

    async def for_ever(self, client: "AsyncClient", period_s: float) -> None:
        """Do it again and again; a server that is away is asked the next time."""
        from blitz.errors import RequestTimeout, ServerBusy, ServerUnreachable

        while True:
            try:
                await self.once(client)
            except (ServerUnreachable, ServerBusy, RequestTimeout) as error:
                self._out.document(error=str(error))
                self._out.line(str(error))
            await asyncio.sleep(period_s)

    async def once(self, client: "AsyncClient") -> "SyncRound":
        """Do it, and tell what was done."""
        from blitz.data.cache_setup import bind
        from blitz.io.export_at_stop import export_stopped
        from blitz.io.sync_rounds import refresh_list, synchronise

        store_id = (await client.status()).store_id
        place = self._place_for(store_id)
        with place.open() as cache:
            bind(place, cache, store_id, str(client.address), OTHER_SERVER)
            if self._choose is not None:
                await refresh_list(client, cache)
                for session_id in self._ids:
                    cache.choose_session(session_id, self._choose)
                    kept = "chosen: kept up to date here" if self._choose else "no longer chosen; its copy stays"
                    self._out.line(f"Session {session_id} is {kept}.")
            with self._out.progress("Synchronising") as progress:
                bringing = _Bringing(client, cache, progress)
                outcome = await synchronise(client, cache, self._mode, self._ids, bringing.bring)
                exports = []
                if self._rule is not None:
                    exports = await export_stopped(
                        cache, self._rule, outcome.records, bringing.bring, is_cancelled=is_told
                    )
            self._tell(outcome, bringing.counts, cache, place, exports)
        return outcome

    def _place_for(self, store_id: str) -> "CachePlace":
        """Return the cache: of a folder, the server's own file in it."""
        from blitz.data.cache_engine import cache_path
        from blitz.data.cache_places import CachePlace

        if self._place is None:
            return usual_cache(self._settings, store_id)
        file = self._place.file
        if file is not None and not self._place.name and (file.is_dir() or not file.suffix):
            return CachePlace(cache_path(file, store_id))
        return self._place

    def _tell_export(self, outcome: "Outcome") -> None:
        session_id = outcome.export.session_id
        if outcome.path is not None:
            self._out.line(f"Session {session_id}: exported to {outcome.path}")
        elif outcome.error:
            self._out.line(f"Session {session_id} was not exported: {outcome.error}")

    def _tell(
        self,
        outcome: "SyncRound",
        counts: dict[int, int],
        cache: "DatabaseClient",
        place: "CachePlace",
        exports: "list[Outcome]",
    ) -> None:
        from blitz.io.sync_rounds import last_success

        states = cache.copy_states()
        succeeded_at = last_success(cache)
        self._out.document(
            brought=sorted(counts),
            failed={session_id: str(error) for session_id, error in outcome.failed},
            changed={session_id: change.value for session_id, change in outcome.changes.by_id},
            here={session_id: state.value for session_id, state in sorted(states.items())},
            cache=str(place),
            exported={export.export.session_id: str(export.path) for export in exports if export.path is not None},
            not_exported={export.export.session_id: export.error for export in exports if export.path is None},
            synchronised_at=succeeded_at.isoformat() if succeeded_at else None,
        )
        for session_id, change in outcome.changes.by_id:
            self._out.line(f"Session {session_id}: {_CHANGE_WORDS[change.value]}")
        for session_id, count in sorted(counts.items()):
            self._out.line(f"Session {session_id}: {plural(count, 'message')} brought.")
        for session_id, error in outcome.failed:
            self._out.line(f"Session {session_id} was not brought: {error}")
        for export in exports:
            self._tell_export(export)
        whole = sum(state.value == "whole" for state in states.values())
        when = f" Last synchronised {local_time(succeeded_at)}." if succeeded_at else ""
        self._out.line(f"{plural(whole, 'session')} in the cache {place.words}.{when}")


_STATE_WORDS = {"whole": "here", "older": "older", "part": "part"}
_CHANGE_WORDS = {
    "gone": "the server does not have it any more; the copy here stays.",
    "back": "the server has it again.",
    "replaced": "the copy here of a session whose id the server has given to another one.",
    "grown": "it has grown since it was downloaded.",
    "edited": "edited on the server; taken over.",
}


class _Bringing:
    """Downloads with one bar for all; what is whole here already is left alone."""

    def __init__(self, client: "AsyncClient", cache: "DatabaseClient", progress: Progress | None) -> None:
        self._client = client
        self._cache = cache
        self._progress = progress
        self._done: dict[int, tuple[int, int]] = {}
        self.counts: dict[int, int] = {}
        """How many messages each of the sessions that were brought has."""

    async def bring(self, session_id: int) -> None:
        """Download one session."""
        from blitz.data.models import Session

        row = self._cache.get(Session, {"ref_id": session_id})
        if row is not None and row.available and not row.is_gone:
            return
        session = await self._client.download(session_id, self._cache, lambda *done: self._tell(session_id, done))
        self.counts[session_id] = session.message_count

    def _tell(self, session_id: int, done: tuple[int, int]) -> None:
        self._done[session_id] = done
        if self._progress is not None:
            self._progress(sum(done for done, _ in self._done.values()), sum(total for _, total in self._done.values()))
