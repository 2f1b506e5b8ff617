"""The server program: puts the private Redis, the simulated boards, the acquisition and the HTTP interface together.

Composition only. :func:`run` is what ``blitz serve`` calls.
"""

import asyncio
import contextlib
import errno
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from pydantic import ValidationError

import blitz
from blitz.config import SerialPort, ServerSettings
from blitz.data import store_schema
from blitz.data.alarm_rule_store import AlarmRuleStore
from blitz.data.alarm_store import AlarmStore
from blitz.data.boards import load_definitions
from blitz.data.database_server import DatabaseServer
from blitz.data.hook_config import read_hooks
from blitz.data.hook_store import HookStore
from blitz.data.machine import machine_memory_bytes
from blitz.data.model_faults import ended, first_fault
from blitz.data.plan_store import PlanStore
from blitz.data.program_start import is_started
from blitz.data.room import redis_budget_bytes
from blitz.data.source_config import SourceConfig
from blitz.data.source_store import SourceStore
from blitz.errors import ConfigError
from blitz.io import log_files
from blitz.io.access import Access
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.alarms import Alarms
from blitz.io.api import create_app
from blitz.io.archiver import Archiver, ArchiverOptions
from blitz.io.devices import DeviceOptions
from blitz.io.discovery import Announcement, Announcer
from blitz.io.following import Follower
from blitz.io.guard import Guard
from blitz.io.idle_end import wait_until_idle
from blitz.io.limits import Admission, Limits
from blitz.io.room_options import RoomOptions
from blitz.io.session_keeper import SessionKeeper, folders_of, rule_of
from blitz.io.supervision import Supervision
from blitz.io.supervisor import Notifier

if TYPE_CHECKING:
    from blitz.io.redis_child import RedisChild

log = logging.getLogger("blitz.server")

_SIMULATOR_START_S = 20.0
_HTTP_STOP_S = 2
_STARTED_ROUND_S = 0.05
STORE_TIMEOUT_S = 5.0
"""Less than clients wait for an answer: they are told that the store does not answer."""
ARCHIVE_TIMEOUT_S = 2.0
"""A Redis that hangs must not hold up the server's end."""


def run(settings: ServerSettings) -> int:
    """Run the server until it is told to stop (Ctrl-C, SIGTERM); return the exit code.

    0 is a good end; 1 means that the store was away at the end, so that something could not be stored.

    :raises BlitzError: if it cannot start, as one sentence.
    """
    notifier = Notifier.from_environment()
    _quieten(settings.log_level)
    with log_files.to_stderr(settings):
        try:
            with EarlySignals() as early:
                return _run(settings, notifier, early)
        except _Stopped:
            log.info("Stopped while starting")
            return 0


def _run(settings: ServerSettings, notifier: Notifier, early: "EarlySignals") -> int:
    _check_following(settings)
    definitions = load_definitions(settings.definitions_dir)
    hooks = read_hooks(settings.hooks)
    limits = Limits.from_settings(settings)
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(settings))
        stack.enter_context(log_files.to_file(settings))
        holding = _locked_folder(settings) if settings.redis_url else _private_redis(settings, early)
        private = stack.enter_context(holding)
        archive = ArchiverOptions.from_settings(settings)
        url = private.url if private else settings.redis_url
        folder = archive.folder if settings.acquisition else None  # else where the store itself says
        store = DatabaseServer(url, settings.redis_prefix, folder, timeout_s=STORE_TIMEOUT_S)
        stack.callback(store.close)
        store.ping()
        if settings.acquisition:
            store_schema.migrate(store)
        else:
            store_schema.check_current(store)
        access = stack.enter_context(Access(settings))
        early.end_if_told()
        names = stack.enter_context(_simulated_boards(settings.simulate, settings.data_dir))
        early.end_if_told()
        devices = DeviceOptions(
            serial=(*settings.serial, *map(SerialPort, names)),
            sources=_configured_sources(settings),
            names=names,
            scan_usb=settings.scan_usb if settings.acquisition else "off",
            never_touch=settings.never_touch,
            poll_interval_s=settings.poll_interval_s,
            preview=settings.preview,
        )
        options = AcquisitionOptions(
            devices=devices,
            durability=settings.durability,
            is_private_store=private is not None,
            revive_store=private.revive if private else None,
            spool_dir=settings.data_dir / "spool" if settings.acquisition else None,
            spool_limit_bytes=settings.spool_limit_mb << 20,
            after_crash=settings.after_crash,
            on_stop=settings.on_stop,
            room=RoomOptions.from_settings(settings) if settings.acquisition else None,
            session_name=settings.session_name,
            required_fields=settings.required_fields,
            calibration_warn_days=settings.calibration_warn_days,
        )
        kept = stack.enter_context(SourceStore(settings.data_dir / "server.db"))
        plans = stack.enter_context(PlanStore(settings.data_dir / "server.db"))
        kind = Acquisition if settings.acquisition else Follower
        acquisition = kind(store, definitions, options, kept, plans)
        if private is not None:
            private.tell_repairs(lambda text: acquisition.notice("warning", text, None))
        archiver = Archiver(
            store.with_timeout(ARCHIVE_TIMEOUT_S), archive, acquisition.notice, acquisition.archive_reach
        )
        stack.callback(archiver.stop)
        post, tell = acquisition.hub.post, acquisition.notice
        keeper = SessionKeeper(store, rule_of(settings), folders_of(settings), post, tell)
        stack.callback(keeper.stop)
        if settings.acquisition:
            acquisition.housekeeping.add(keeper.look)
        acquisition.is_archiving_possible = lambda: archiver.is_possible
        if acquisition.room is not None:
            acquisition.room.archived = archiver.totals
        kept_hooks = stack.enter_context(HookStore(settings.data_dir / "server.db"))
        supervision = Supervision(
            acquisition, settings.data_dir, hooks, notifier, lambda: limits.refused.total(), kept_hooks
        )
        alarms = _alarms(settings, acquisition, store, supervision, stack) if settings.acquisition else None
        hosts = (settings.host, socket.gethostname(), *settings.allowed_hosts)
        shown_archiver = archiver if settings.acquisition else None
        app_ = create_app(acquisition, store, keeper, access, shown_archiver, supervision, alarms)
        limited = Admission(app_, limits)
        app = access.guard(limited, hosts)
        try:
            acquisition.start()
            if settings.acquisition:
                archiver.start()
            supervision.start()
            if alarms is not None:
                alarms.start()
            announcer = _announcer(settings, listener, access, store)
            asyncio.run(
                _serve(
                    *(app, acquisition, listener, settings, store, access, supervision, limits, archiver),
                    announcer,
                    alarms,
                    early,
                )
            )
        finally:
            # We are ending already; cut short, this would leave Redis behind.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            acquisition.stop()
            if alarms is not None:
                alarms.stop()
            supervision.stop()
        return int(acquisition.ended_incomplete)


def _alarms(
    settings: ServerSettings,
    acquisition: Acquisition,
    store: DatabaseServer,
    supervision: Supervision,
    stack: ExitStack,
) -> Alarms:
    """Return the alarms, which tell through hooks, and whose number is part of the status."""
    path = settings.data_dir / "server.db"
    rules, kept = stack.enter_context(AlarmRuleStore(path)), stack.enter_context(AlarmStore(path))
    hooks = supervision.hooks
    alarms = Alarms(acquisition, store, rules, kept, hooks.tell_all, hooks.names)
    acquisition.alarm_counts = alarms.counts_now
    return alarms


def _check_following(settings: ServerSettings) -> None:
    """:raises ConfigError: if a server is to open no port, and is told of ports all the same, or of no Redis."""
    if settings.acquisition:
        return
    if not settings.redis_url:
        raise ConfigError(
            "A server that does not acquire (--no-acquisition) serves what another one records: give the Redis of both "
            "with --redis-url, and the same --redis-prefix."
        )
    if settings.serial or settings.sources or settings.simulate:
        raise ConfigError(
            "A server that does not acquire (--no-acquisition) opens no port: give --serial, --simulate and sources to "
            "the server that records."
        )


def _configured_sources(settings: ServerSettings) -> list[SourceConfig]:
    """Return the sources of the settings file."""
    sources = []
    for number, table in enumerate(settings.sources, 1):
        try:
            sources.append(SourceConfig.model_validate(table))
        except ValidationError as error:
            raise ConfigError(ended(f"The settings' source {number} is wrong: {first_fault(error, table)}")) from error
    return sources


class _Stopped(BaseException):
    """The server was told to stop before there was a loop to take it."""


class EarlySignals:
    """Notes the signals that come before the loop takes them, on which the server ends as soon as it is safe.

    An exception out of a signal handler would strike between any two instructions: within a lock, or where nobody
    hears of it, as in what Python calls when an object goes.
    """

    def __init__(self) -> None:
        self.is_told = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, action in self._before.items():
            signal.signal(number, action)

    def end_if_told(self) -> None:
        """Stop the start here, if a signal has come.

        :raises _Stopped: then.
        """
        if self.is_told:
            raise _Stopped

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.is_told and number == signal.SIGINT:
            raise KeyboardInterrupt  # who presses Ctrl-C twice wants it at once
        self.is_told = True


def _quieten(level: str) -> None:
    """Let libraries say only what is worth saying."""
    for noisy in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING if level != "debug" else logging.DEBUG)
    logging.getLogger("uvicorn.error").addFilter(_is_worth_saying)
    logging.getLogger("uvicorn.error").addFilter(log_files.OnceInAWhile())


def _is_worth_saying(record: logging.LogRecord) -> bool:
    """uvicorn 0.54 takes each live connection that was refused with a problem document for a fault of ours."""
    return "without completing handshake" not in record.getMessage()


@contextmanager
def _listen(settings: ServerSettings) -> Iterator[socket.socket]:
    """Take the port first: a second server by mistake is told before it touches anything."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sends small pieces at once only where it is told that this is TCP; else an answer waits 40 ms for the
    # client's acknowledgement of its head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with contextlib.closing(listener):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(128)
        except OSError as error:
            remedy = "Name an address of this machine with --host."
            if error.errno == errno.EADDRINUSE:
                remedy = "Another server may run there: stop it, or choose another --port."
            elif error.errno == errno.EACCES:
                remedy = "Choose a --port above 1023."
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(f"Cannot listen on {settings.host} port {settings.port}: {reason}. {remedy}") from error
        yield listener


@contextmanager
def _locked_folder(settings: ServerSettings) -> Iterator[None]:
    """Keep other servers away from the data folder, where spool and tables lie, although Redis is elsewhere."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    from blitz.io.redis_child import locked_folder

    with locked_folder(settings.data_dir):
        yield


@contextmanager
def _private_redis(settings: ServerSettings, early: EarlySignals) -> Iterator["RedisChild"]:
    if sys.platform == "win32":
        raise ConfigError("On Windows the server needs a Redis that runs elsewhere: give its address with --redis-url.")
    from blitz.io.redis_child import RedisChild

    budget_bytes = redis_budget_bytes(settings.redis_memory_mb, machine_memory_bytes())
    with RedisChild(settings.data_dir, settings.durability, budget_bytes, early.end_if_told) as child:
        log.info("%s Redis on %s", "Adopted the running" if child.was_adopted else "Started", child.data_dir)
        yield child


@contextmanager
def _simulated_boards(count: int, data_dir: Path) -> Iterator[dict[str, str]]:
    """Run a simulator beside us, in a process of its own like real boards; give source names by path.

    :param data_dir: its server's boards keep their ports over a restart, and so the names that they were given.
    """
    if not count:
        yield {}
        return
    if sys.platform == "win32":
        raise ConfigError("Boards are not simulated on Windows.")
    from blitz.io.redis_child import runtime_folder

    folder = runtime_folder(data_dir.expanduser().absolute())
    boards = ",".join(("08", "09")[n % 2] for n in range(count))
    command = [sys.executable, "-m", "blitz", "simulate", "--boards", boards, "--link-dir", str(folder)]
    process = subprocess.Popen(
        [*command, "--exit-with-parent", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the server, which drains the boards before they go
    )
    try:
        watchdog = threading.Timer(_SIMULATOR_START_S, process.kill)
        watchdog.daemon = True  # Ctrl-C may come before there is anybody to cancel it
        watchdog.start()
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
        finally:
            watchdog.cancel()  # Ctrl-C may come here, and would otherwise wait for it
        if not ready:
            raise ConfigError("The simulated boards did not start; what they said stands above.")
        paths = [board["path"] for board in json.loads(ready)["boards"]]
        yield {path: Path(path).name for path in paths}
    finally:
        process.terminate()
        with process:
            pass
        with contextlib.suppress(OSError):
            folder.rmdir()  # else the Redis that is ours has it, too


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which would end the program before the boards are drained."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(
    app: Guard,
    acquisition: Acquisition,
    listener: socket.socket,
    settings: ServerSettings,
    store: DatabaseServer,
    access: Access,
    supervision: Supervision,
    limits: Limits,
    archiver: Archiver,
    announcer: Announcer | None,
    alarms: Alarms | None,
    early: EarlySignals,
) -> None:
    loop = asyncio.get_running_loop()
    acquisition.hub.attach(loop)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        **limits.uvicorn_options(),
        timeout_graceful_shutdown=_HTTP_STOP_S,
        ssl_certfile=access.certificate.certificate if access.certificate else None,
        ssl_keyfile=access.certificate.key if access.certificate else None,
    )
    server = _Server(config)
    stopping: list[asyncio.Task[None]] = []

    async def stop() -> None:
        log.info("Stopping: draining the boards" if acquisition.acquires else "Stopping")
        supervision.supervisor.stopping()
        try:
            # Each may wait for a Redis that hangs, and all of it must be over in five seconds.
            ends = [acquisition.stop, archiver.stop]
            ends += [each.stop for each in (announcer, alarms) if each is not None]
            await asyncio.gather(*map(asyncio.to_thread, ends))
        finally:
            server.should_exit = True

    def on_signal() -> None:
        if stopping:
            server.should_exit = server.force_exit = True
        else:
            stopping.append(loop.create_task(stop()))

    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))
        else:
            loop.add_signal_handler(number, on_signal)
    if early.is_told:
        on_signal()
    host, port = listener.getsockname()[:2]
    access.announce(port)
    scheme = "https" if access.certificate else "http"
    shown_host = f"[{host}]" if ":" in host else host
    where = f"a private Redis in {settings.data_dir} (durability {settings.durability})"
    if settings.redis_url:  # may carry a password
        where = f"the Redis at {store.address} (durability as it is configured there)"
    does = "storing in" if settings.acquisition else "following"
    is_started()
    log.info("Blitz serves %s://%s:%s, %s %s", scheme, shown_host, port, does, where)
    watching = [loop.create_task(supervision.supervisor.run())]
    if announcer is not None:
        watching.append(loop.create_task(_announce(server, announcer)))
    if settings.exit_when_idle_s is not None:
        watching.append(loop.create_task(_end_when_idle(server, acquisition, settings.exit_when_idle_s, on_signal)))
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in watching:
            task.cancel()


def _announcer(
    settings: ServerSettings, listener: socket.socket, access: Access, store: DatabaseServer
) -> Announcer | None:
    """Return what announces the server on the network; None for one that is of this machine alone."""
    host, port = listener.getsockname()[:2]
    if not settings.announce or (ip_address(host).is_loopback and not settings.announce_on):
        return None
    announcement = Announcement(
        settings.announce_name or socket.gethostname(),
        host,
        port,
        uses_tls=access.certificate is not None,
        needs_fingerprint=access.certificate is not None and settings.tls_certificate is None,
        version=blitz.__version__,
        store_id=store.store_id,
    )
    return Announcer(announcement, settings.announce_on or None)


async def _announce(server: _Server, announcer: Announcer) -> None:
    while not server.started:
        await asyncio.sleep(_STARTED_ROUND_S)
    announcer.start()


async def _end_when_idle(server: _Server, acquisition: Acquisition, idle_s: float, end: Callable[[], None]) -> None:
    answered = 0

    def is_needed() -> bool:
        nonlocal answered
        before, answered = answered, server.server_state.total_requests
        is_asked = answered != before or bool(server.server_state.tasks)  # viewers are among them
        status = acquisition.status()
        is_busy = status.session is not None or bool(status.planned) or acquisition.intake.is_spooling
        return is_asked or is_busy

    await wait_until_idle(is_needed, idle_s)
    end()
