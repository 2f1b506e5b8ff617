"""What ``make run`` does: a server with two simulated boards, a running session, and the client connected to it.

The demonstration keeps to itself: its recordings and caches lie in ``.blitz/`` of this checkout, with what its window
remembers, settings of a real installation are not read, and a port that is taken is left alone. The server that was
started here is ended, with the session that it recorded, when the client is closed or Ctrl-C is pressed.
"""

import getpass
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import httpx

HERE = Path(__file__).resolve().parent.parent
FOLDER = HERE / ".blitz"
HOST = "127.0.0.1"
USUAL_PORT = 8999
BOARDS = 2
UP_WITHIN_S = 30.0
DOWN_WITHIN_S = 15.0
KEPT_SETTINGS = ("BLITZ_LOG_LEVEL", "BLITZ_SERIAL", "BLITZ_DURABILITY", "BLITZ_SCAN_USB")


class DemoError(Exception):
    """The demonstration cannot go on; the message says why."""


def main() -> int:
    """Run the demonstration and return the exit status."""
    # SIGINT too: a shell that starts `make run &` has it ignored, and Python would leave it so.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    began = time.monotonic()
    try:
        port = choose_port()
        url = f"http://{HOST}:{port}"
        with running_server(port, demo_environment(os.environ)) as server, httpx.Client(trust_env=False) as http:
            wait_until_up(server, http, url)
            session = start_session(http, url)
            print(
                f"Recording session {session} at {url} ({time.monotonic() - began:.1f} s after the start).", flush=True
            )
            try:
                return show_client(url) if has_screen() else serve_until_ended(server, port)
            finally:
                stop_session(http, url, session)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def has_screen() -> bool:
    """Tell whether a window can be opened here."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def choose_port() -> int:
    """Return the usual port, or a free one, saying so, where the usual one is taken."""
    wanted = int(os.environ.get("BLITZ_PORT") or USUAL_PORT)
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
            free = int(probe.getsockname()[1])
            print(f"Port {wanted} is taken, perhaps by another Blitz server; this one uses port {free}.", flush=True)
            return free
    return wanted


def demo_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of server and client, without the settings of a real installation.

    The user's own settings file is not read, and USB ports are left alone unless BLITZ_SCAN_USB says otherwise.
    """
    kept = {name: text for name, text in environment.items() if not name.startswith("BLITZ_") or name in KEPT_SETTINGS}
    own = {"BLITZ_CONFIG": os.devnull, "BLITZ_CACHE_DIR": str(FOLDER / "caches"), "PYTHONUNBUFFERED": "1"}
    own["BLITZ_DEMONSTRATION"] = str(FOLDER)  # where its window remembers its places; that it ends with the window
    return {"BLITZ_SCAN_USB": "false"} | kept | own


@contextmanager
def running_server(port: int, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the server and, in the end, end it: this one, by its id."""
    command = [sys.executable, str(HERE / "run_server.py"), "--host", HOST, "--port", str(port)]
    command += ["--data-dir", str(FOLDER / "server"), "--simulate", str(BOARDS)]
    # A process group of its own: Ctrl-C reaches this program only, which then ends things in order.
    server = subprocess.Popen(command, env=environment, cwd=HERE, start_new_session=True)
    try:
        yield server
    finally:
        end(server)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and insist after a while."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(DOWN_WITHIN_S)
    except subprocess.TimeoutExpired:
        print(f"Process {process.pid} did not end within {DOWN_WITHIN_S:.0f} s and is killed.", file=sys.stderr)
        process.kill()
        process.wait()


def wait_until_up(server: "subprocess.Popen[bytes]", http: httpx.Client, url: str) -> None:
    """Return when the server answers.

    :raises DemoError: if it ended instead, or did not answer in time.
    """
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise DemoError(f"The server ended at once (exit status {server.returncode}); its own words stand above.")
        try:
            if http.get(f"{url}/api/v1/status", timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise DemoError(f"The server did not answer at {url} within {UP_WITHIN_S:.0f} s.")


def start_session(http: httpx.Client, url: str) -> int:
    """Start a session, or join the one that runs, and return its id."""
    wish = {"name": "Demonstration", "owner": f"{getpass.getuser()}@{socket.gethostname()}", "join": True}
    answer = http.post(f"{url}/api/v1/sessions", json=wish, timeout=10)
    if not answer.is_success:
        raise DemoError(f"The server did not start a session: {answer.text}")
    return int(answer.json()["session"]["id"])


def stop_session(http: httpx.Client, url: str, session: int) -> None:
    """Stop the session, so that the next start does not find it interrupted. The user may have stopped it already."""
    try:
        http.post(f"{url}/api/v1/sessions/{session}/stop", timeout=5)
    except httpx.TransportError as error:
        print(f"The session could not be stopped: {error}.", file=sys.stderr)


def show_client(url: str) -> int:
    """Open the client's window and return its exit status when it is closed."""
    command = [sys.executable, str(HERE / "run_client.py"), "--server", url]
    client = subprocess.Popen(command, env=demo_environment(os.environ), cwd=HERE, start_new_session=True)
    try:
        return client.wait()
    finally:
        end(client)


def serve_until_ended(server: "subprocess.Popen[bytes]", port: int) -> int:
    """Say how to connect a client, and wait for the server's end."""
    print(
        "There is no screen here, so the server runs alone; Ctrl-C ends it. To see it:\n"
        f"    on this machine, in a session with a screen:  .venv/bin/blitz client --server http://{HOST}:{port}\n"
        f"    from another machine:  ssh -N -L {port}:{HOST}:{port} {socket.gethostname()}\n"
        f"                           blitz client --server http://{HOST}:{port}\n"
        f"    without a window:      .venv/bin/blitz status --server http://{HOST}:{port}",
        flush=True,
    )
    return server.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
