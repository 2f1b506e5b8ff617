"""Commands that save a whole installation in one file, and bring it back. They need no server, and do not stop one."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from blitz.cli.faults import ExitCode
from blitz.cli.options import EPILOG, JsonOption, Panel
from blitz.cli.output import Output, Progress, local_time, plural
from blitz.cli.programs import SERVER_PACKAGES, needing

if TYPE_CHECKING:
    from blitz.config import ServerSettings
    from blitz.data.backup_format import Manifest
    from blitz.data.database_server import DatabaseServer

_T = TypeVar("_T")

_STAGE = "restoring"
_SERVERS_OWN = ("archive", "spool", "server.db", "tls", "redis")
"""What makes a data folder one that is in use; a restore moves them into place in this order."""

_NICENESS = 10

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", show_default=False)]
DataDirOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The server's data folder. [default: as for 'blitz serve']")
]
RedisUrlOption = Annotated[
    str | None, typer.Option(metavar="URL", help="The Redis that the server uses, if not its own.")
]
RedisPrefixOption = Annotated[str | None, typer.Option(metavar="TEXT", help="Put before every key in Redis.")]
ServerConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with a table [server].")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.KEEP)(backup)
    app.command(epilog=EPILOG, rich_help_panel=Panel.KEEP)(restore)


def backup(
    file: FileArgument,
    verify: Annotated[bool, typer.Option("--verify", help="Write nothing: read FILE and check all of it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a FILE that is there.")] = False,
    data_dir: DataDirOption = None,
    redis_url: RedisUrlOption = None,
    redis_prefix: RedisPrefixOption = None,
    config_file: ServerConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Save all sessions and the server's configuration in one file.

    Run it on the server's machine; the server may be running, and recording.
    """
    with needing("server", "A backup", SERVER_PACKAGES):
        from blitz.data.backup import verify_backup, write_backup
    out = Output(as_json)
    if verify:
        with out.progress(f"Reading {file.name}") as progress:
            manifest = _patiently(lambda step: verify_backup(file, step), progress)
        out.line(f"{file} is whole, made on {local_time(manifest.created_at)} by Blitz {manifest.blitz_version}:")
    else:
        settings = _settings(data_dir, redis_url, redis_prefix, config_file)
        with _store_as_it_is(settings) as store, out.progress("Saving") as progress:
            folder = settings.data_dir.expanduser()
            manifest = _patiently(lambda step: write_backup(store, file, folder, force=force, progress=step), progress)
        out.line(f"Saved and verified in {file} ({file.stat().st_size / 1e6:.1f} MB):")
        spooled = _spooled_bytes(folder)
        if spooled:
            out.line(f"Not in it: {spooled} bytes in the server's spool, which are on their way to the store.")
    _show(out, file, manifest)
    if any(not left.is_deleted for left in manifest.left_out):
        raise typer.Exit(ExitCode.ERROR)


def restore(
    file: FileArgument,
    data_dir: DataDirOption = None,
    redis_url: RedisUrlOption = None,
    redis_prefix: RedisPrefixOption = None,
    config_file: ServerConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a backup back into an empty data folder.

    Or into a Redis without sessions. The server must not be running. A session
    that was being recorded comes back closed, marked as interrupted.
    """
    with needing("server", "A restore", SERVER_PACKAGES):
        from blitz.data.machine import machine_memory_bytes
        from blitz.data.restoring import restore_backup
        from blitz.data.room import redis_budget_bytes
    out = Output(as_json)
    settings = _settings(data_dir, redis_url, redis_prefix, config_file)
    with out.progress("Restoring") as progress:

        def bring_back(step: Progress) -> "Manifest":
            with _empty_store(settings) as (store, folder):
                budget = redis_budget_bytes(settings.redis_memory_mb, machine_memory_bytes())
                return restore_backup(file, store, folder, step, memory_bytes=budget if settings.archive else None)

        manifest = _patiently(bring_back, progress)
    where = f"{settings.data_dir}" if settings.redis_url is None else f"the Redis given, and {settings.data_dir}"
    out.line(f"Restored into {where}, counts and checksums compared:")
    _show(out, file, manifest)


def _show(out: Output, file: Path, manifest: "Manifest") -> None:
    out.document(file=str(file), backup=manifest)
    trashed = len(manifest.store.trash)
    in_trash = f", {trashed} of them in the trash" if trashed else ""
    sessions = plural(len(manifest.store.sessions) + trashed, "session")
    streams = f"{plural(len(manifest.store.streams), 'stream')}, " if manifest.store.streams else ""
    out.line(f"{sessions}{in_trash}, {streams}{plural(manifest.message_count, 'message')}.")
    for session in manifest.sessions:
        if session.is_running:
            out.line(
                f"Session {session.id} was being recorded: its first {session.message_count} messages are there. "
                "Restored, it is marked as interrupted."
            )
    for left in manifest.left_out:
        out.line(f"Session {left.id} is not in the backup: {left.reason}.")


def _spooled_bytes(data_dir: Path) -> int:
    size = 0
    for path in (data_dir / "spool").rglob("*.spool"):
        with contextlib.suppress(FileNotFoundError):  # the server has emptied it just now
            size += path.stat().st_size
    return size


def _settings(
    data_dir: Path | None, redis_url: str | None, redis_prefix: str | None, config_file: Path | None
) -> "ServerSettings":
    from blitz import config

    arguments = {"data_dir": data_dir, "redis_url": redis_url, "redis_prefix": redis_prefix}
    return config.load(config.ServerSettings, arguments, config_file)


@contextlib.contextmanager
def _store_as_it_is(settings: "ServerSettings") -> "Iterator[DatabaseServer]":
    """Give the store, of a running server or with a Redis that is started for the time being."""
    from blitz.data.database_server import DatabaseServer
    from blitz.errors import BackupError

    with contextlib.ExitStack() as stack:
        url = settings.redis_url
        if url is None:
            _needs_unix()
            from blitz.io.redis_child import RedisChild, running_redis

            folder = settings.data_dir.expanduser()
            if not (folder / "redis").is_dir():
                raise BackupError(f"There is nothing to save: {folder} is not the data folder of a Blitz server.")
            url = running_redis(folder) or stack.enter_context(RedisChild(folder, settings.durability)).url
        store = DatabaseServer(url, settings.redis_prefix)
        stack.callback(store.close)
        store.ping()
        yield store


@contextlib.contextmanager
def _empty_store(settings: "ServerSettings") -> "Iterator[tuple[DatabaseServer, Path]]":
    """Give an empty store, and the folder for the server's files."""
    from blitz.data.database_server import DatabaseServer

    data_dir = settings.data_dir.expanduser()
    if settings.redis_url is not None:
        archive = (settings.archive_dir or data_dir / "archive").absolute()
        with contextlib.closing(DatabaseServer(settings.redis_url, settings.redis_prefix, archive)) as store:
            store.ping()
            yield store, data_dir
            if archive.exists():
                store.set_archive_folder(archive)
        return
    _needs_unix()
    from blitz.io.redis_child import RedisChild

    with _staged(data_dir) as stage, RedisChild(stage, "none") as child:
        archive = (settings.archive_dir or stage / "archive").absolute()
        with contextlib.closing(DatabaseServer(child.url, settings.redis_prefix, archive)) as store:
            yield store, stage
            if archive.exists():
                store.set_archive_folder(settings.archive_dir or data_dir / "archive")


@contextlib.contextmanager
def _staged(data_dir: Path) -> Iterator[Path]:
    """Give a folder inside an empty data folder; when all went well its content is moved into place."""
    from blitz.data.disk import LocalDisk
    from blitz.errors import BackupError
    from blitz.io.redis_child import RedisChild, locked_folder

    disk = LocalDisk()
    is_new = not data_dir.exists()
    try:
        disk.make_folder(data_dir)
        stage = data_dir / _STAGE
        with locked_folder(data_dir):
            for name in _SERVERS_OWN:
                if _is_in_use(data_dir / name):
                    raise BackupError(
                        f"The data folder {data_dir} is in use: {name} is there. Restore into another one with "
                        "--data-dir, or move that away first."
                    )
            if stage.exists():  # of a restore that was killed, whose Redis may have outlived it
                if (stage / "redis").is_dir():
                    with RedisChild(stage, "none"):
                        pass
                shutil.rmtree(stage)
            try:
                disk.make_folder(stage)
                yield stage
                for name in _SERVERS_OWN:
                    if (stage / name).exists():
                        (stage / name).replace(data_dir / name)
                disk.sync_folder(data_dir)
            finally:
                shutil.rmtree(stage, ignore_errors=True)
    except BaseException as error:
        if is_new:
            for leftover in (data_dir / "lock", data_dir):
                with contextlib.suppress(OSError):
                    leftover.rmdir() if leftover is data_dir else leftover.unlink()
        if isinstance(error, OSError) and error.errno is not None:
            raise BackupError(
                f"Cannot restore into {data_dir}: {(error.strerror or str(error)).lower()}. Make room there, or name "
                "another folder with --data-dir."
            ) from error
        raise


def _is_in_use(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _needs_unix() -> None:
    from blitz.errors import ConfigError

    if sys.platform == "win32":
        raise ConfigError(
            "On Windows the server has no Redis of its own: give the address of the one with --redis-url."
        )


def _patiently(work: Callable[[Progress], _T], progress: Progress) -> _T:
    """Do the work in a thread of low priority, so that a server that records beside it has the processor first."""

    def begin() -> None:
        if sys.platform == "linux":  # where niceness is a thread's own
            os.nice(_NICENESS)

    with ThreadPoolExecutor(1, thread_name_prefix="backup", initializer=begin) as pool:
        return pool.submit(work, progress).result()
