"""A server on this computer for a client that wants one: found where it runs, else started as a process of its own.

The process is in a session of its own, so that it outlives the client and its terminal, and ends by itself when nobody
needs it (`exit_when_idle_s`). The lock on the data folder decides between two clients that start one at the same time:
the second finds the first one's server.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from blitz.config import DEFAULT_HOST, ServerSettings
from blitz.data.served_address import ServedAddress
from blitz.errors import AuthenticationError, BlitzError, ConfigError, Forbidden, ServerUnreachable
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient

IDLE_S = 20.0
"""After so long without anybody who looks, and without a session, a server ends that was started for a client."""
UP_WITHIN_S = 90.0
PROBE_S = 3.0
_LOOK_S = 0.05
_LOG_LINES = 6
_LOG_BYTES = 8192
_DEMO_BOARDS = 2


@dataclass(frozen=True)
class ServerPlan:
    """What is started, where."""

    data_dir: Path
    port: int
    """The one that is tried first."""
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    has_redis: bool = False
    """Whether a Redis that runs elsewhere is configured, without which there is no server on Windows."""
    idle_s: float = IDLE_S

    @property
    def log_path(self) -> Path:
        """Where the process's own words go, from its first moment."""
        return self.data_dir / "start.log"


def usual_plan(settings: ServerSettings, config_file: Path | None = None) -> ServerPlan:
    """Return the plan of this computer's own server, as its settings say, reached from this computer alone."""
    options = ("--config", str(config_file)) if config_file is not None else ()
    return ServerPlan(
        data_dir=settings.data_dir.expanduser().absolute(),
        port=settings.port,
        options=options,
        environment=dict(os.environ),
        has_redis=settings.redis_url is not None,
    )


def demo_plan(data_dir: Path | None = None, port: int = 0) -> ServerPlan:
    """Return the plan of a server with simulated boards, whose recordings are apart from all others.

    A real installation's settings are not read, and ports are left alone.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith("BLITZ_")}
    own = {"BLITZ_CONFIG": os.devnull, "BLITZ_SCAN_USB": "false", "BLITZ_DURABILITY": "everysec"}
    folder = data_dir or Path(platformdirs.user_data_path("blitz-demo", appauthor=False))
    return ServerPlan(folder, port, ("--simulate", str(_DEMO_BOARDS)), kept | own)


@dataclass(frozen=True)
class OwnServer:
    """A server that answers on this computer."""

    address: ServerAddress
    process: "subprocess.Popen[bytes] | None" = field(default=None, compare=False)
    """The one that was started; None where a server was found."""


def bring_up(
    plan: ServerPlan,
    is_cancelled: Callable[[], bool] = lambda: False,
    started: Callable[[], object] = lambda: None,
) -> OwnServer | None:
    """Return the server of this computer, started if none runs; None if it was cancelled. Blocks.

    :param started: called when a process was started, whose readiness is then waited for.
    :raises BlitzError: if there is none, with the last lines that it said.
    """
    found = find_running(plan)
    if found is not None:
        return OwnServer(found)
    if sys.platform == "win32" and not plan.has_redis:
        raise ConfigError(
            "On Windows a server needs a Redis that runs elsewhere. Put its address as redis_url under [server] into "
            "blitz.toml, or connect to a server on another computer."
        )
    before = _stamp(plan.data_dir)
    process = _start(plan)
    started()
    running = None
    try:
        running = _wait(plan, process, before, is_cancelled)
    finally:
        if running is None or running.process is None:
            _end(process)
    return running


def find_running(plan: ServerPlan) -> ServerAddress | None:
    """Return the address of the server of this data folder, or at its usual port; None if nobody answers."""
    served = ServedAddress.read(plan.data_dir)
    places = [] if served is None else [_address(served)]
    if plan.port:
        places.append(ServerAddress(DEFAULT_HOST, plan.port))
    return next((place for place in dict.fromkeys(places) if answers(place)), None)


def answers(server: ServerAddress, timeout_s: float = PROBE_S) -> bool:
    """Tell whether a Blitz server is there; one that wants a token is. Blocks."""

    async def ask() -> bool:
        client = AsyncClient(server, timeout=timeout_s)
        try:
            await client.connect()
        except (AuthenticationError, Forbidden):
            return True
        except BlitzError:
            return False
        finally:
            await client.close()
        return True

    return asyncio.run(ask())


def _start(plan: ServerPlan) -> "subprocess.Popen[bytes]":
    port = plan.port if plan.port and _is_free(plan.port) else 0
    command = [sys.executable, "-m", "blitz", "serve", "--host", DEFAULT_HOST, "--port", str(port)]
    command += ["--data-dir", str(plan.data_dir), "--exit-when-idle", f"{plan.idle_s:g}", *plan.options]
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        plan.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with plan.log_path.open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(plan.environment) or None,
                start_new_session=True,
                creationflags=flags,
            )
    except OSError as error:
        raise ConfigError(
            f"Cannot start a server in {plan.data_dir}: {(error.strerror or str(error)).lower()}. "
            "Make room there, or name another folder as data_dir under [server] in blitz.toml."
        ) from error


def _wait(
    plan: ServerPlan, process: "subprocess.Popen[bytes]", before: object, is_cancelled: Callable[[], bool]
) -> OwnServer | None:
    """Wait until the server has said where it is, or has ended."""
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        if is_cancelled():
            return None
        if process.poll() is not None:
            other = find_running(plan)  # another client was faster, and holds the folder
            if other is not None:
                return OwnServer(other)
            raise ServerUnreachable(f"The server on this computer ended at once. {_last_words(plan)}")
        if _stamp(plan.data_dir) not in (before, None):
            served = ServedAddress.read(plan.data_dir)
            if served is not None:
                return OwnServer(_address(served), process)
        time.sleep(_LOOK_S)
    raise ServerUnreachable(
        f"The server on this computer did not start within {UP_WITHIN_S:.0f} s. {_last_words(plan)}"
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_words(plan: ServerPlan) -> str:
    """Return what the process said last, and where all of it stands."""
    try:
        tail = plan.log_path.read_bytes()[-_LOG_BYTES:].decode("utf-8", "replace")
    except OSError:
        return "It left no word."
    lines = [line for line in tail.splitlines() if line.strip()][-_LOG_LINES:]
    said = "It said nothing." if not lines else "It said:\n" + "\n".join(lines)
    return f"{said}\nAll of it stands in {plan.log_path}."


def _stamp(data_dir: Path) -> object:
    """Return what changes whenever a server says where it is."""
    served = ServedAddress.read(data_dir)
    try:
        state = (data_dir / "served.json").stat()
    except OSError:
        return None
    return served and (state.st_ino, state.st_mtime_ns)


def _address(served: ServedAddress) -> ServerAddress:
    host = DEFAULT_HOST if served.host in ("0.0.0.0", "::", "") else served.host
    return ServerAddress(host, served.port, bool(served.fingerprint), fingerprint=served.fingerprint)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((DEFAULT_HOST, port))
        except OSError:
            return False
    return True
