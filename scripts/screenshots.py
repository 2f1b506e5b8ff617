"""Pictures of the client for the README and the docs: a live session, a device that prints being named, the boards
with an account, the sessions during a download, a historic session with markers, a gap and corrected definitions, a
live session while Redis is away.

    python scripts/screenshots.py [--out docs/images] [--size 1280x800] [--theme light] [--seconds 32]

Everything in them is real: a server with two simulated boards and a printing device, a store filled with sessions
beforehand, and the client's window. Without a screen, run it under Xvfb, with the usual 96 dots an inch:
``xvfb-run -s "-screen 0 1920x1080x24 -dpi 96"``; Qt's offscreen platform works, with other fonts.
"""

import argparse
import asyncio
import math
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import redis
from PyQt5.QtCore import QSettings
from PyQt5.QtWidgets import QApplication, QWidget

from blitz import Client
from blitz.client import make_application
from blitz.config import DEFAULT_HOST, DEFAULT_PORT
from blitz.data.blocks import MessageBlock, Read
from blitz.data.boards import load_definitions
from blitz.data.database_client import DatabaseClient
from blitz.data.database_server import DatabaseServer
from blitz.data.records import Account, Gap, Source
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient
from blitz.io.protocol import set_point
from blitz.io.redis_child import RedisChild, running_redis
from blitz.io.simulated_device import SimulatedDevice
from blitz.ui.dialogs.channels import ChannelsDialog
from blitz.ui.dialogs.marker import MarkerWords
from blitz.ui.feed import BoardCommand
from blitz.ui.main_window import MainWindow
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.preferences import Preferences
from blitz.ui.server_link import ServerLink
from blitz.ui.theme import Appearance, ThemeChoice

RATE_HZ = 50
AWAY = (0.62, 0.66)
"""Where in a long session the board was away, as shares of its length."""
OWNER = "ada@bench"
MOTOR = "sim2"
PRINTER = "ttyUSB0"
KEPT = 4
"""Of this session the last copy is the client's."""
RECORDED = (
    ("Blower, first try", 4),
    ("Pump, cold start", 12),
    ("Leak test, valve closed", 6),
    ("Leak test, valve open", 6),
    ("Pump, warm-up at 40 %", 45),
)
"""Names and minutes of the sessions that the store is filled with."""


class SlowClient(AsyncClient):
    """Downloads slowly enough to be pictured."""

    pause_s = 0.0
    _turn = asyncio.Lock()

    async def start(
        self, name: str = "", notes: str = "", owner: str | None = None, join: bool = False, **words: Any
    ) -> Any:
        """Start a session as someone else."""
        return await super().start(name, notes, OWNER, join, **words)

    async def grid_blocks(self, session_id: int, first: int, count: int) -> Sequence[MessageBlock]:
        """Wait, then fetch."""
        async with SlowClient._turn:
            await asyncio.sleep(SlowClient.pause_s)
        return await super().grid_blocks(session_id, first, count)


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description="Make the README's pictures.")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "docs" / "images")
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--theme", choices=[choice.name.lower() for choice in ThemeChoice], default="light")
    parser.add_argument("--seconds", type=float, default=32, help="how long the live session runs before its picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    # A short name: a socket's path has less than 108 characters.
    with tempfile.TemporaryDirectory(prefix="blitz-shots-") as folder:
        fill_store(Path(folder) / "data")
        place = Path(folder) / PRINTER
        with SimulatedDevice("plain", silence_s=0, link_path=place), running_server(Path(folder), place) as url:
            picture(url, Path(folder), options)
    return 0


def picture(url: str, folder: Path, options: argparse.Namespace) -> None:
    """Open the window, do what an operator does, and save what it shows."""
    application = make_application()
    settings = QSettings(str(folder / "client.ini"), QSettings.IniFormat)
    feed = ServerLink(folder / "caches", SlowClient)
    window = MainWindow(feed, Preferences(settings), Appearance(application))
    window.choose_theme(ThemeChoice[options.theme.upper()])
    width, _, height = options.size.partition("x")
    window.resize(int(width), int(height))
    window.show()

    def save(name: str, widget: QWidget = window) -> None:
        run_for(application, 0.5)
        widget.grab().save(str(options.out / f"{name}.png"))
        print(options.out / f"{name}.png")

    write_notes(url)
    window.connect_to(ServerAddress.parse(url))
    wait(application, window.header.start.isEnabled)
    name_channels(window, application, save)
    window.recording_actions.start("Pump, endurance run")
    wait(application, lambda: window.header.is_recording)
    for angle, share in ((38, 0.3), (12, 0.35), (25, 0.35)):
        if window.store.session_id and angle != 38:  # that one would leave the picture just then
            feed.add_marker(window.store.session_id, MarkerWords(f"set point {angle}°", time.time_ns()))
        feed.send_command(MOTOR, BoardCommand(set_point("09", angle).decode().strip()))
        run_for(application, options.seconds * share)
    save("live")
    window.menus["boards"].trigger()
    window.boards_page.table.selectRow(0)
    save("boards")

    window.menus["sessions"].trigger()
    page = window.sessions_page
    keep_last_copy(url, KEPT, window, application)
    SlowClient.pause_s = 2.0
    page.select(len(RECORDED))
    page.actions_by_name["download"].trigger()
    wait(application, lambda: progress(window) > 0.5)
    save("sessions")
    SlowClient.pause_s = 0.0
    wait(application, lambda: page.sessions.is_local(len(RECORDED)))

    assert feed.cache_path is not None
    correct_definition(feed.cache_path, len(RECORDED))
    page.actions_by_name["view"].trigger()
    wait(application, lambda: isinstance(window.tabs.currentWidget(), HistoryPage))
    window.histories.pages[0].versions.compare.click()
    run_for(application, 1)
    save("history")
    window.menus["live"].trigger()
    with hanging_redis(folder / "data"):
        wait(application, lambda: "safe on disk" in window.status_line.store.text())
        run_for(application, 8)
        save("spooling")
    wait(application, lambda: "is up" in window.status_line.store.text())
    window.header.stop.click()
    wait(application, lambda: not window.header.is_recording)
    window.close()


def write_notes(url: str) -> None:
    """Write of the recorded sessions what operators write."""
    with Client(url) as client:
        longest = client.update_session(
            len(RECORDED), tags=["rig 2", "warm-up"], fields={"sample": "brass 4"}, notes="new seal", starred=True
        )
        client.update_session(3, tags=["leak"])
        began = longest.started_at
        for minute, text in ((8, "valve opened"), (38, "cooling")):
            client.add_marker(longest.id, text, at=began + timedelta(minutes=minute))
        noise = (began + timedelta(minutes=15), began + timedelta(minutes=22))
        client.add_marker(longest.id, "noise from the bearing", at=noise[0], until=noise[1])


def keep_last_copy(url: str, session_id: int, window: MainWindow, application: QApplication) -> None:
    """Download a session, then delete it on the server."""
    page = window.sessions_page
    page.select(session_id)
    page.actions_by_name["download"].trigger()
    wait(application, lambda: page.sessions.is_local(session_id))
    with Client(url) as client:
        client.delete(session_id)
        client.delete_for_good(session_id)
    wait(application, lambda: page.sessions.is_last(session_id))


def correct_definition(cache_path: Path, session_id: int) -> None:
    """Give a session a version of its definitions in which one channel has another zero."""
    with DatabaseClient(path=str(cache_path)) as cache:
        (source,) = cache.session_sources(session_id)
        assert source.definition is not None
        first, *others = source.definition.channels
        channels = (first.model_copy(update={"zero": 400.0}), *others)
        corrected = source.definition.model_copy(update={"channels": channels})
        cache.add_definition_version(session_id, {source.name: corrected}, reason="reference 400 too high", who="ada")


def name_channels(window: MainWindow, application: QApplication, save: Callable[[str, QWidget], None]) -> None:
    """Name what the printing device prints."""
    wait(application, window.live_page.offers.isVisible)
    window.live_page.offers.buttons[0].click()
    dialog = next(iter(window.findChildren(ChannelsDialog)))
    for row, (name, unit) in enumerate((("intake", "hPa"), ("outlet", "hPa"), ("cycles", ""))):
        for field, text in (("name", name), ("unit", unit)):
            entry = dialog.grid.field(row, field)
            assert entry is not None
            entry.selectAll()
            entry.insert(text)
            entry.textEdited.emit(text)
    save("channels", dialog)
    dialog.accept()
    wait(application, lambda: "cycles" in window.live_page.variables.labels)
    # The picture is of the boards; their channels would hide each other.
    window.live_page.variables.show_only(
        {channel.label for channel in window.store.channels if channel.channel.shown and channel.source.name != PRINTER}
    )


def progress(window: MainWindow) -> float:
    """Return how much of the running download is done."""
    sessions = window.sessions_page.sessions
    return max((download.share for download in sessions._downloads.values()), default=0.0)


def fill_store(data_dir: Path) -> None:
    """Record sessions into the store that the server will adopt, as if a board had sent them these last days."""
    source = Source(index=0, name="ttyUSB0", link="/dev/ttyUSB0", board_id="08", definition=load_definitions()["08"])
    with RedisChild(data_dir, "none") as child:
        store = DatabaseServer(child.url)
        raw_redis = redis.Redis.from_url(child.url)
        began = datetime.now().astimezone().replace(hour=9, minute=2) - timedelta(days=2)
        for name, minutes in RECORDED:
            session_id = store.start_session(name, owner=OWNER, sources=[source])
            start_ns = round(began.timestamp() * 1e9)
            writer = store.writer(session_id)
            for reads in recorded(start_ns, minutes):
                writer.append(reads)
            writer.close()
            if minutes > 10:
                store.add_gap(session_id, gap := away(start_ns, minutes))
                account = Account(source=0, name=source.name, lost=gap.lost or 0, gaps=1)
                verdict = f"1 gap, about {gap.lost} lost, account balances"
            else:
                account, verdict = Account(source=0, name=source.name), "no gaps, nothing lost, account balances"
            store.set_fields(session_id, {"account:0": account.model_dump_json(exclude_none=True), "verdict": verdict})
            raw_redis.set(store.keys.start(session_id), start_ns // 1_000_000)
            store.close_session(session_id, start_ns // 1_000_000 + minutes * 60_000)
            began += timedelta(hours=7, minutes=13)
        raw_redis.close()
        store.close()


def away(start_ns: int, minutes: int) -> Gap:
    """Return the gap of a long session: the board was unplugged for a while."""
    length_ns = minutes * 60e9
    return Gap(
        source=0,
        seq=round(minutes * 60 * RATE_HZ * AWAY[0]),
        from_ns=start_ns + round(length_ns * AWAY[0]),
        to_ns=start_ns + round(length_ns * AWAY[1]),
        reason="unplugged",
        lost=round(minutes * 60 * RATE_HZ * (AWAY[1] - AWAY[0])),
    )


def recorded(start_ns: int, minutes: int) -> Iterator[list[Read]]:
    """Yield what a board sent: a warm-up, a pump's pulses, noise; it was away for a while in a long session."""
    chance = random.Random(minutes)
    total = minutes * 60 * RATE_HZ
    reads: list[Read] = []
    for number in range(total):
        at_s = number / RATE_HZ
        share = number / total
        if minutes > 10 and AWAY[0] < share < AWAY[1]:
            continue
        warm = 600 + 2400 * (1 - math.exp(-4 * share))
        values = (
            warm + 8 * chance.gauss(0, 1),
            0.55 * warm + 500 + 40 * math.sin(at_s / 21) + 10 * chance.gauss(0, 1),
            900 + 380 * math.sin(at_s / 37) * math.exp(-2 * share) + 12 * chance.gauss(0, 1),
            3300 - 700 * share + 90 * math.sin(at_s / 90) + 6 * chance.gauss(0, 1),
            150 + 60 * (int(at_s / 97) % 3),
        )
        digits = "".join(f"{min(max(int(value), 0), 4095):03x}" for value in values)
        line = f"08a0{round(at_s * 1000):08x}{digits}0".encode()
        reads.append(Read(start_ns + round(at_s * 1e9), 0, [line]))
        if len(reads) == 5000:
            yield reads
            reads = []
    yield reads


@contextmanager
def hanging_redis(data_dir: Path) -> Iterator[None]:
    """Let the Redis of a data folder answer nobody."""
    url = running_redis(data_dir)
    assert url is not None
    with redis.Redis.from_url(url) as client:
        process_id = client.info("server")["process_id"]
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


@contextmanager
def running_server(folder: Path, port_path: Path) -> Iterator[str]:
    """Run a server with two simulated boards and a device on the filled store; yields its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BLITZ_")}
    command = [sys.executable, "-m", "blitz", "serve", "--port", str(port()), "--data-dir", str(folder / "data")]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--simulate", "2", "--no-scan-usb", "--serial", str(port_path)],
            stdout=log,
            stderr=log,
            env=environment,
        )
    try:
        deadline_s = time.monotonic() + 30
        while (found := re.search(r"serves (http://\S+),", (folder / "server.log").read_text())) is None:
            if server.poll() is not None or time.monotonic() > deadline_s:
                raise SystemExit((folder / "server.log").read_text())
            time.sleep(0.1)
        yield found[1]
    finally:
        server.terminate()
        server.wait(20)


def port() -> int:
    """Return the usual port where it is free, else 0, for any other."""
    with socket.socket() as probe:
        try:
            probe.bind((DEFAULT_HOST, DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT


def run_for(application: QApplication, seconds: float) -> None:
    """Let the window live."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        application.processEvents()
        time.sleep(0.005)


def wait(application: QApplication, is_so: Callable[[], Any], seconds: float = 30) -> None:
    """Let the window live until something is so."""
    end_s = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end_s:
            raise SystemExit("The window did not come to where its picture was to be taken.")
        run_for(application, 0.02)


if __name__ == "__main__":
    sys.exit(main())
