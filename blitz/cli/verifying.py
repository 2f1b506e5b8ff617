"""The command that checks exported files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli.asking import client_settings
from blitz.cli.caches import CacheOption, existing_cache, usual_cache
from blitz.cli.options import ConfigOption, JsonOption, Panel
from blitz.cli.output import Output, plural

if TYPE_CHECKING:
    from blitz.config import ClientSettings
    from blitz.data.cache_places import CachePlace
    from blitz.data.sidecar import Verdict

_EPILOG = """\b
Exit codes: 0 all files are as they were exported; 1 one of them is not, or
cannot be checked; 2 wrong usage or setting; 130 ended with Ctrl-C."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EPILOG, rich_help_panel=Panel.KEEP)(verify)


def verify(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Exported files, with their sidecars.", show_default=False)
    ],
    cache: CacheOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that exported files are as they were written.

    Where a cache has the session, its raw messages are compared, too. No server is asked.
    """
    from blitz.errors import VerificationError

    out = Output(as_json)
    settings = client_settings(None, None, config_file)
    place = existing_cache(settings, cache)
    told: list[dict[str, Any]] = []
    for file in files:
        try:
            with out.progress(file.name) as progress:
                verdict = _verify(file, place, settings, progress, is_named=cache is not None)
            told.append({"is_verified": True, **verdict.model_dump()})
            out.line(f"{file}: {_words(verdict)}")
            if not verdict.sidecar_checked:
                out.line("Its sidecar is of an older Blitz: whether that was changed cannot be told.")
            if verdict.missing:
                out.line(f"When it was exported: {verdict.missing}")
        except VerificationError as error:
            told.append({"is_verified": False, "file": str(file.absolute()), "error": str(error)})
            out.line(str(error))
    out.document(files=told)
    if not all(each["is_verified"] for each in told):
        raise typer.Exit(1)


def _verify(
    file: Path, place: "CachePlace | None", settings: "ClientSettings", progress: Any, *, is_named: bool
) -> "Verdict":
    from blitz.data.sidecar import read_sidecar, verify_file

    store_id = read_sidecar(file).store_id
    if place is None or not (is_named or _belongs_to(place, store_id)):
        place = usual_cache(settings, store_id) if store_id else None
    if place is None or not place.exists:
        return verify_file(file)
    with place.open() as database:
        return verify_file(file, database, progress=progress)


def _belongs_to(place: "CachePlace", store_id: str | None) -> bool:
    with place.open() as database:
        return database.store_id == store_id


def _words(verdict: "Verdict") -> str:
    rows = plural(verdict.rows, "row")
    if verdict.raw_checked:
        return (
            f"as it was exported, {rows}; the raw messages of session {verdict.session_id} in the cache are the same."
        )
    return f"as it was exported, {rows}; session {verdict.session_id} is in no cache here to compare with."
