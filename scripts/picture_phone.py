"""Pictures of the page for a phone, of every state that an operator may see, to be looked at.

    python scripts/picture_phone.py FOLDER [--all] [--scenes day trouble ...]

Everything in them is real: servers with simulated boards, a device that is unplugged, streams, and Chromium without a
screen. Without `--all` each state is taken once, 390x844 and light; with it also dark, turned on its side (844x390),
and as a desktop's browser shows it (1280x800). Where the page is longer than the screen, all of it is taken, too.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picture_bench import Server, hanging_redis
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QImage

from blitz import Client
from blitz.data.source_config import SourceConfig
from blitz.io.simulated_device import SimulatedDevice

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from browser import Browser, Page, running_browser

SETTLE_S = 0.5
GUIDE_WIDTH = 468
"""Of the pictures without `--all`, in pixels: the guide's is one of them, `alarm`."""
OWNER = "ada@bench-pc"
LONG_SOURCE = "Pyrometer_above_the_third_zone_of_the_annealing_furnace_left"
LONG_SESSION = (
    "Endurance run of the replacement bearing 6204-C3/VL0241 at 1800 rpm, grease renewed on Friday, second attempt "
    "after the coupling was found loose"
)


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description="Make pictures of the page for a phone.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="all sizes, both themes")
    parser.add_argument("--scenes", nargs="*", default=list(SCENES), choices=list(SCENES))
    parser.add_argument("--seconds", type=float, default=65, help="how long the session runs before its picture")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    looks = [Look(*size, is_dark) for size in ((390, 844), (844, 390), (1280, 800)) for is_dark in (False, True)]
    with running_browser() as browser:
        for name in options.scenes:
            # A short name: a socket's path has less than 108 characters.
            with tempfile.TemporaryDirectory(prefix="blitz-") as folder:
                scene = Scene(browser, Path(folder), options.folder, looks if options.all else looks[:1])
                scene.seconds = options.seconds
                SCENES[name](scene)
                browser.close_pages()
    return 0


@dataclass(frozen=True)
class Look:
    """A screen and a theme."""

    width: int
    height: int
    is_dark: bool

    @property
    def words(self) -> str:
        """What stands in a file's name."""
        return f"{self.width}_{'dark' if self.is_dark else 'light'}"


class Scene:
    """A folder for servers, and a page that shows them."""

    seconds = 65.0

    def __init__(self, browser: Browser, folder: Path, pictures: Path, looks: list[Look]) -> None:
        self.folder = folder
        self.page: Page
        self._browser = browser
        self._pictures = pictures
        self._looks = looks

    def open(self, url: str, token: str = "") -> Page:
        """Open the page of a server, with this token or none."""
        self.page = self._browser.open(f"{url}/#{token}" if token else f"{url}/")
        return self.page

    def take(self, name: str, down: int = 0) -> None:
        """Take the pictures of a state.

        :param down: how far to scroll.
        """
        for look in self._looks:
            self.page.dress(look.width, look.height, is_dark=look.is_dark)
            self.page.run(f"scrollTo(0, {down})")
            time.sleep(SETTLE_S)
            base = name if len(self._looks) == 1 else f"{name}_{look.words}"
            self.page.picture(path := self._pictures / f"{base}.png")
            if len(self._looks) == 1:
                QImage(str(path)).scaledToWidth(GUIDE_WIDTH, Qt.SmoothTransformation).save(str(path))
            print(path, flush=True)
            if self.page.run("!document.querySelector('dialog[open]') && document.body.scrollHeight > innerHeight"):
                self.page.picture(self._pictures / f"{base}_whole.png", is_whole=True)
            self._tell_what_is_too_wide(base)
        if len(self._looks) > 1:
            look = self._looks[0]
            self.page.dress(look.width, look.height, is_dark=look.is_dark)

    def _tell_what_is_too_wide(self, name: str) -> None:
        for said in self.page.run(_TOO_WIDE):
            print(f"{name}: {said}", flush=True)


_TOO_WIDE = """[...document.querySelectorAll('body *')].filter(e => e.getClientRects().length && !e.closest('.plot'))
    .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1
        || (getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1 && e.tagName !== 'INPUT'))
    .map(e => `wider than its place: ${e.outerHTML.slice(0, 120)}`)"""


def first(scene: Scene) -> None:
    """A server that has nothing, its page without a board; what asks for a token, and a token that is wrong."""
    with Server(scene.folder / "data") as server, Client(server.url) as script:
        page = scene.open(server.url)
        page.wait_for("#boards-hint")
        scene.take("empty")
        page.click("#start")
        scene.take("empty_start")
        page.click("#start-dialog .close")
        page = scene.open(server.url, "blz_wrong")
        page.wait_for("#entry-reason", "wrong")
        scene.take("token_wrong")
        page.write("#entry-token", "a" * 64)
        page.click("#entry-form [type=submit]")
        page.wait_for("#entry-reason", "no token")
        scene.take("token_none")
        viewer = server.make_token("viewer")
        page = scene.open(server.url, viewer)
        page.wait_for("#only-looks")
        scene.take("viewer_idle")
        script.start("Pump test", owner=OWNER)
        page.wait_for("#doing", "Recording")
        scene.take("viewer_empty_recording")


def day(scene: Scene) -> None:
    """An ordinary day: idle, a start that is refused, a session, markers, alarms, a viewer, the server is gone."""
    settings = {"BLITZ_REQUIRED_FIELDS": "sample,operator"}
    with Server(scene.folder / "data", "--simulate", "2", settings=settings) as server, Client(server.url) as script:
        fields = {"sample": "brass 4", "operator": "ada"}
        page = scene.open(server.url, server.make_token("operator"))
        page.wait_for("#boards li:nth-child(1)", "ready")
        page.wait_for("#boards li:nth-child(2)", "ready")
        _set_limits(script)
        page.wait_for("#values .is-beyond")
        scene.take("idle")
        page.click("#start")
        page.wait_for("#start-dialog")
        page.write("#start-name", "Pump test")
        page.write("#start-field-0", "brass 4")
        scene.take("start")
        page.write("#start-field-1", "ann")
        running = script.start("Pump test", owner=OWNER, fields=fields)
        page.click("#start-dialog [type=submit]")
        page.wait_for("#start-dialog .refusal")
        scene.take("start_refused")
        page.click("#start-dialog .close")
        page.wait_for("#doing", "Recording")
        time.sleep(scene.seconds)
        scene.take("recording")
        page.click("#mark")
        page.write("#mark-text", "valve opened, pressure falls by two bar within a second")
        scene.take("marker")
        page.click("#mark-dialog [type=submit]")
        page.wait_for("#note-list", "valve opened")
        script.add_marker(running.id, "cooling water on", at=script.session(running.id).started_at)
        page.wait_for("#note-list", "cooling")
        scene.take("marker_set")
        page.click("#stop")
        scene.take("stop")
        page.click("#stop-dialog .close")
        page.click("[data-minutes='15']")
        page.click("#values li:nth-child(4) button")
        time.sleep(2)
        scene.take("recording_15_min")
        page.click("[data-minutes='1']")
        page.click("#values li:nth-child(4) button")
        _alarm(script, "Pressure too high", -1, severity="critical", advice="Open the valve.")
        page.wait_for("#alarms", "Pressure too high")
        scene.take("alarm")
        for number in range(8):
            severity = ("warning", "info")[number % 2]
            _alarm(script, f"Above {number} for the log of the night shift", number, severity=severity)
        page.wait_for("#more-alarms", "Show 5 more")
        scene.take("alarms_many")
        scene.take("alarms_out_of_sight", down=2000)
        page.click("#more-alarms")
        scene.take("alarms_many_shown")
        script.acknowledge_alarms("seen from the window")
        page.wait_for("#alarms", "seen by")
        scene.take("alarms_seen")
        page = scene.open(server.url, server.make_token("viewer"))
        page.wait_for("#only-looks")
        page.wait_for("#plot canvas")
        page.wait_for("#alarms")
        scene.take("viewer")
        server.kill()
        page.wait_for("#gone")
        scene.take("server_gone")


def trouble(scene: Scene) -> None:
    """A device is unplugged before and in a session, then the store hangs."""
    device = SimulatedDevice("csv-header", rate_hz=20, silence_s=0, link_path=scene.folder / "pump")
    arguments = ("--simulate", "1", "--serial", str(scene.folder / "pump"))
    with device, Server(scene.folder / "data", *arguments) as server, Client(server.url) as script:
        page = scene.open(server.url)
        page.wait_for("#boards li:nth-child(2)", "ready")
        page.wait_for("#boards li:nth-child(1)", "ready")
        page.wait_for("#plot canvas")
        device.unplug()
        page.wait_for("#boards", "away")
        time.sleep(6)
        scene.take("board_away")
        page.click("#start")
        scene.take("start_not_ready")
        page.click("#start-dialog .close")
        device.replug()
        page.wait_for("#boards li:nth-child(1)", "ready")
        page.wait_for("#boards li:nth-child(2)", "ready")
        script.start("Leak test", owner=OWNER)
        page.wait_for("#doing", "Recording")
        time.sleep(10)
        device.unplug()
        page.wait_for("#boards", "away")
        time.sleep(6)
        scene.take("board_away_recording")
        device.replug()
        page.wait_for("#boards", "recording")
        with hanging_redis(scene.folder / "data"):
            page.wait_for("#doing", "to disk")
            time.sleep(2)
            scene.take("store_away")
            page.click("#mark")
            page.write("#mark-text", "valve opened")
            page.click("#mark-dialog [type=submit]")
            page.wait_for("#mark-dialog .refusal")
            scene.take("marker_refused")


def many(scene: Scene) -> None:
    """Thirty channels, a source and a session with names as long as they may be."""
    with Server(scene.folder / "data", "--simulate", "1") as server, Client(server.url) as script:
        stream = script["furnace"]
        stream.create({"type": "object"})
        stream.insert(_furnace(0))
        script.add_source(SourceConfig(name=LONG_SOURCE, link="stream:furnace"))
        script.start(LONG_SESSION, owner="administrator.of.the.laboratory@measuring-computer-3.basement.example.org")
        page = scene.open(server.url)
        page.wait_for("#doing", "Recording")
        for number in range(100):
            stream.insert(_furnace(number))
            time.sleep(0.1)
        page.wait_for("#values", "thermocouple_01")
        _alarm(script, "Third zone of the annealing furnace hotter than the recipe allows", -1)
        page.wait_for("#alarms", "Third zone")
        scene.take("long_names")
        page.click("#values li:last-child button")
        if page.is_shown("#more"):
            page.click("#more")
        scene.take("thirty_channels")
        page.click("#stop")
        scene.take("long_names_stop")


def _furnace(number: int) -> dict[str, float]:
    zones = {
        f"thermocouple_{zone:02}": round(640 + 12 * zone + 4 * math.sin(number / 9 + zone), 2) for zone in range(1, 28)
    }
    return zones | {"pressure_in_the_retort_behind_the_second_gate": 1.2e-7, "gas_flow": 12345678.9, "door": number % 2}


def _set_limits(script: Client) -> None:
    definition = script.definition("sim1")
    first, second, *others = definition.channels
    first = first.model_copy(update={"limit_low": 0.0, "limit_high": 100.0})
    second = second.model_copy(update={"limit_high": 4000.0})
    script.set_definition("sim1", definition.model_copy(update={"channels": (first, second, *others)}))


def _alarm(script: Client, name: str, above: float, **about: Any) -> None:
    condition = {"kind": "level", "above": above}
    rule = {"name": name, "source": "sim1", "channel": "adc_channel_one", "condition": condition}
    script.add_alarm_rule(rule | about)


SCENES: dict[str, Callable[[Scene], None]] = {"first": first, "day": day, "trouble": trouble, "many": many}


if __name__ == "__main__":
    sys.exit(main())
