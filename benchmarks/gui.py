"""Frames a second of the window's plots, the event loop's delays, and memory, beside bare pyqtgraph.

Frames: the window, 1920x1080, with 8 channels of a million readings each, of which 1 000 more come a second; the same
with 32 channels; and a cached session of 100 million readings that is moved along. Floor: a plain pyqtgraph plot of the
same size, which is given the same points that ours draws, thinned out beforehand. Each frame is painted before the
next one begins.
Event loop: for a minute the window follows a server that records 1 000 messages a second of 8 channels; server and
device have a lower priority. A timer of 5 ms tells how late it comes. Beside it a plain plot, without any server.
Memory: an hour of those messages, as fast as the window takes them.
Without a screen Qt's offscreen platform is used; ``--xvfb`` measures on a virtual screen, too. Prints one line of JSON
last: ``{name, unit, better, ours, floor, ratio, cases}``, the top level being the worst ratio of frames.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rig.processes import resident_bytes
from rig.server import Port, running_server
from rig.streams import Format
from rig.writers import in_a_process, send_paced

_SIZE = (1920, 1080)
_RATE_HZ = 1000
_CHANNELS = 8
_MANY = 32
_FRAME_S = 1 / 60
_ROUNDS = 3
_LATE_MS = 50.0
_WANTED = {"8 channels live": 50.0, "32 channels live": 30.0, "moving along a long session": 30.0}
_DEVICE = """
id = "bench_eight"
name = "Eight columns"
format = "columns"
channels = [{channels}]
"""


def waves(rng: np.random.Generator, seq: np.ndarray[Any, Any], channels: int) -> np.ndarray[Any, Any]:
    """Return readings of shape (n, channels): each channel a noisy wave in a band of its own."""
    sines = np.sin(seq[:, np.newaxis] * (2e-4 * np.arange(1, channels + 1)))
    values: np.ndarray[Any, Any] = 100.0 * np.arange(channels) + 40 * sines + rng.normal(0, 3, (len(seq), channels))
    return values


def eight_columns() -> Format:
    """Return a device that prints eight numbers a line: what the plain plot shows, too."""

    def messages(first: int, stop: int) -> list[bytes]:
        readings = waves(np.random.default_rng(first), np.arange(first, stop), _CHANNELS)
        return [b",".join(b"%.2f" % value for value in reading) for reading in readings.tolist()]

    channels = ", ".join(f'{{ name = "c{column}", column = {column} }}' for column in range(_CHANNELS))
    definition = _DEVICE.replace("{channels}", channels)
    return Format("eight", "eight columns", "bench_eight", definition, messages, _as_lines, lambda chunk: ([], chunk))


def _as_lines(messages: list[bytes]) -> bytes:
    return b"\n".join(messages) + b"\n"


class Stage:
    """The window without a server: what comes is made here."""

    def __init__(self, channels: int) -> None:
        from PyQt5.QtCore import QSettings
        from PyQt5.QtWidgets import QApplication

        from blitz.data.board_definition import BoardDefinition
        from blitz.data.records import Source
        from blitz.ui.feed import Connection, ConnectionState, Feed
        from blitz.ui.main_window import MainWindow
        from blitz.ui.preferences import Preferences
        from blitz.ui.theme import Appearance

        self.application = QApplication(sys.argv[:1])
        self.feed = Feed()
        self._folder = tempfile.TemporaryDirectory()
        settings = QSettings(str(Path(self._folder.name) / "client.ini"), QSettings.IniFormat)
        self.window = MainWindow(self.feed, Preferences(settings), Appearance(self.application))
        self.window.resize(*_SIZE)
        self.window.show()
        columns = [{"name": f"c{column}", "column": column} for column in range(channels)]
        definition = BoardDefinition.model_validate(
            {"id": "bench", "name": "Bench", "format": "columns", "channels": columns}
        )
        self.source = Source(index=0, name="bench", link="pty", board_id="bench", definition=definition)
        self.feed.connection_changed.emit(ConnectionState(Connection.ONLINE, "http://127.0.0.1:1"))
        self.feed.sources_received.emit(0, (self.source,))
        self._rng = np.random.default_rng(8)
        self._count = 0
        self._channels = channels
        self._began_ns = time.time_ns() - 3600 * 10**9

    def send(self, count: int) -> None:
        """Let so many readings arrive."""
        from blitz.data.boards import Readings

        seq = np.arange(self._count, self._count + count)
        values = waves(self._rng, seq, self._channels)
        time_ns = self._began_ns + seq * (10**9 // _RATE_HZ)
        self._count += count
        self.feed.readings_received.emit(Readings(0, self.source, seq, time_ns, values, np.zeros(count, np.int64)))

    def fill(self, count: int) -> None:
        """Let many arrive, as when the window connects, and wait until the window shows them."""
        for _ in range(count // 10_000):
            self.send(10_000)
        until_s = time.monotonic() + 1
        while time.monotonic() < until_s:
            self.application.processEvents()


def live_frames(channels: int, frames: int) -> dict[str, Any]:
    """Draw frames while readings arrive, ours and bare in turn."""
    from blitz.ui.windows import PlotWindow

    stage = Stage(channels)
    stage.fill(1_000_000)
    page = stage.window.live_page
    page.variables.show_only(set(page.variables.labels))
    due = round(_RATE_HZ * _FRAME_S)

    def ours() -> None:
        stage.send(due)
        page.plot.redraw()
        page.plot.draw()

    found = {}
    for window in (PlotWindow.SECONDS_30, PlotWindow.ALL):
        page.plot.show_window(window)
        pictures = []
        for _ in range(min(frames, 60)):
            stage.send(due)
            pictures.append(drawn_points(page.plot))
        found[window.label] = in_turn(stage.application, ours, page.plot, bare(page.plot, pictures), frames)
    return min(found.values(), key=lambda case: case["ratio"]) | {"windows": found}


def drawn_points(plot: Any) -> list[tuple[Any, Any]]:
    """Draw the live plot; return the points that it has drawn."""
    plot.redraw()
    plot.draw()
    return [(stroke.times.copy(), stroke.values.copy()) for stroke in plot.plot.strokes.values()]


def bare(like: Any, pictures: list[list[tuple[Any, Any]]]) -> "Bare":
    """Return a plain plot of the same size that shows these."""
    return Bare(like.width(), like.height(), pictures)


class Bare:
    """pyqtgraph as its manual shows it: a plot, a curve each, ``setData``."""

    def __init__(self, width: int, height: int, pictures: list[list[tuple[Any, Any]]]) -> None:
        import pyqtgraph as pg

        self._pictures = pictures
        self._shown = 0
        self.widget = pg.PlotWidget()
        self.widget.setWindowTitle("Bare")
        self.widget.resize(width, height)
        self.widget.showGrid(x=True, y=True, alpha=0.14)
        known = [values[np.isfinite(values)] for _, values in pictures[0]]
        low, high = min(v.min() for v in known), max(v.max() for v in known)
        self.widget.setYRange(low, high)
        self._curves = [
            self.widget.plot(pen=pg.mkPen(pg.intColor(number, len(pictures[0])), width=1))
            for number in range(len(pictures[0]))
        ]
        self.widget.show()

    def draw(self) -> None:
        """Show the next picture."""
        points = self._pictures[self._shown % len(self._pictures)]
        self._shown += 1
        for curve, (times, values) in zip(self._curves, points, strict=True):
            curve.setData(times, values, connect="finite" if np.isnan(values).any() else "auto")
        self.widget.setXRange(min(times[0] for times, _ in points), max(times[-1] for times, _ in points), padding=0)


def in_turn(application: Any, draw: Callable[[], None], widget: Any, floor: Bare, frames: int) -> dict[str, Any]:
    """Measure both in turn; returns frames a second, medians of the rounds."""
    painted = PaintCount(application)
    rates: dict[str, list[float]] = {"ours": [], "floor": []}
    for _ in range(_ROUNDS):
        for name, step, target in (("ours", draw, widget), ("floor", floor.draw, floor.widget)):
            painted.watch(target)
            began_s = time.perf_counter()
            for _ in range(frames):
                before = painted.count
                step()
                application.processEvents()
                while painted.count == before:
                    application.processEvents()
            rates[name].append(frames / (time.perf_counter() - began_s))
    painted.stop()
    floor.widget.close()
    ours, bare_rate = (float(np.median(rates[name])) for name in ("ours", "floor"))
    return {"ours": round(ours, 1), "floor": round(bare_rate, 1), "ratio": round(ours / bare_rate, 3)}


def PaintCount(application: Any) -> Any:  # noqa: N802 - a class, whose base is only there when Qt is loaded
    """Return a count of how often a widget, or something in it, was painted."""
    from PyQt5.QtCore import QEvent, QObject
    from PyQt5.QtWidgets import QWidget

    class Count(QObject):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0
            self._widget: QWidget | None = None
            application.installEventFilter(self)

        def watch(self, widget: QWidget) -> None:
            self._widget = widget

        def stop(self) -> None:
            application.removeEventFilter(self)

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            if event.type() == QEvent.Paint and self._widget is not None and isinstance(watched, QWidget):
                self.count += watched is self._widget or self._widget.isAncestorOf(watched)
            return False

    return Count()


def moving_frames(path: Path, frames: int) -> dict[str, Any]:
    """Move along a long session, a hundredth of what is shown a frame; each frame shows what is in view then."""
    from blitz.ui.history import load_history
    from blitz.ui.pages.history_page import HistoryPage
    from blitz.ui.plots.history_plot import view_curves

    stage = Stage(1)
    history = load_history(path, 1, lambda _done, _total: None, lambda: False)
    page = HistoryPage(history, stage.window.appearance)
    stage.window.tabs.open(page, "Long")
    stage.application.processEvents()
    plot: Any = page.plot
    begin, end = history.time_limits or (0.0, 1.0)
    length = (end - begin) / 20
    place = 0
    drawn = 0
    draw = plot.draw

    def count_drawn(*arguments: Any) -> Any:
        nonlocal drawn
        drawn += 1
        return draw(*arguments)

    plot.draw = count_drawn

    def edges(number: int) -> tuple[float, float]:
        low = begin + (number * 0.01 * length) % (end - begin - length)
        return low, low + length

    def ours() -> None:
        nonlocal place
        place += 1
        before = drawn
        plot.show_times(*edges(place))
        plot.draw_now()
        while drawn == before:
            stage.application.processEvents()

    pictures = []
    for number in range(min(frames, 60)):
        curves = view_curves(history, None, page.channels.shown, *edges(number), plot.columns)
        pictures.append([(curve.times, curve.values) for curve in curves])
    return in_turn(stage.application, ours, plot, bare(plot, pictures), frames)


def loop_delays(url: str | None, seconds: float) -> dict[str, Any]:
    """Tell how late a timer of 5 ms comes while the window follows a server; without one, while a plain plot draws."""
    from PyQt5.QtCore import Qt, QTimer

    stage = Stage(_CHANNELS)
    if url is None:
        stage.fill(100_000)
        page = stage.window.live_page
        page.variables.show_only(set(page.variables.labels))
        floor = bare(page.plot, [drawn_points(page.plot)])
        stage.window.hide()
        drawing = QTimer()
        drawing.timeout.connect(floor.draw)
        drawing.start(40)
    else:
        follow_server(stage, url)
    moments: list[float] = []
    ticks = QTimer()
    ticks.setTimerType(Qt.PreciseTimer)
    ticks.timeout.connect(lambda: moments.append(time.perf_counter()))
    QTimer.singleShot(3000, lambda: ticks.start(5))
    QTimer.singleShot(round(1000 * (seconds + 3)), stage.application.quit)
    stage.application.exec_()
    late_ms = np.diff(moments) * 1000
    return {
        "timely": round(float((late_ms < _LATE_MS).mean()), 5),
        "longest_ms": round(float(late_ms.max()), 1),
        "ticks": len(late_ms),
    }


def follow_server(stage: Stage, url: str) -> None:
    """Put the real window in the place of the one without a server."""
    from PyQt5.QtCore import QSettings

    from blitz.io.address import ServerAddress
    from blitz.ui.garbage import GarbageCollection
    from blitz.ui.main_window import MainWindow
    from blitz.ui.preferences import Preferences
    from blitz.ui.server_link import ServerLink

    stage.window.close()
    folder = Path(tempfile.mkdtemp())
    settings = QSettings(str(folder / "client.ini"), QSettings.IniFormat)
    stage.collection = GarbageCollection()  # type: ignore[attr-defined]
    stage.window = MainWindow(ServerLink(folder), Preferences(settings), stage.window.appearance)
    stage.window.resize(*_SIZE)
    stage.window.show()
    stage.window.connect_to(ServerAddress.parse(url))


def memory(seconds: int) -> dict[str, Any]:
    """Let an hour's readings arrive as fast as they are drawn; tell the memory after a half and at the end, in MiB."""
    stage = Stage(_CHANNELS)
    half = 0
    for second in range(seconds):
        for _ in range(10):
            stage.send(_RATE_HZ // 10)
        stage.application.processEvents()
        if second == seconds // 2:
            half = resident_bytes(os.getpid())
    return {"half_mib": half >> 20, "end_mib": resident_bytes(os.getpid()) >> 20}


@contextmanager
def screen(is_virtual: bool) -> Iterator[dict[str, str]]:
    """Yield the environment of a program with a screen."""
    if not is_virtual:
        yield {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
        return
    reading, writing = os.pipe()
    size = f"{_SIZE[0]}x{_SIZE[1]}x24"
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    try:
        yield {**os.environ, "QT_QPA_PLATFORM": "xcb", "DISPLAY": f":{os.read(reading, 16).decode().strip()}"}
    finally:
        server.terminate()
        server.wait()


def in_process(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    """Run a part of this program by itself, and return what it measured."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, env=environment)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def delays_with_server(environment: dict[str, str], seconds: float) -> dict[str, Any]:
    """Measure the event loop while a server records what a device prints."""
    device = eight_columns()
    with Port() as port, running_server(None, [(port, device)], wrapper=("nice", "-n", "10")) as server:
        server.api.start("benchmark")
        wire = device.on_wire(device.messages(0, round(_RATE_HZ * (seconds + 8))))
        bytes_per_s = len(wire) / (seconds + 8)

        def send() -> None:
            os.nice(10)
            send_paced(port.master, wire, bytes_per_s, 0.005)

        writer = in_a_process(send)
        try:
            return in_process(environment, "--part", "loop", "--server", server.url, "--seconds", str(seconds))
        finally:
            os.kill(writer, 15)
            os.waitpid(writer, 0)


def run_part(options: argparse.Namespace) -> dict[str, Any]:
    """Run what is a process of its own."""
    if options.part == "live":
        return live_frames(options.channels, options.frames)
    if options.part == "moving":
        return moving_frames(options.cache, options.frames)
    if options.part == "loop":
        return loop_delays(options.server, options.seconds)
    return memory(round(options.seconds))


def measure(options: argparse.Namespace, folder: Path, is_virtual: bool) -> dict[str, Any]:
    """Return what was measured on one kind of screen."""
    frames = ("--frames", str(options.frames))
    with screen(is_virtual) as environment:
        cases = {
            f"{count} channels live": in_process(environment, "--part", "live", "--channels", str(count), *frames)
            for count in (_CHANNELS, _MANY)
        }
        path = folder / "cache.db"
        cases["moving along a long session"] = in_process(
            environment, "--part", "moving", "--cache", str(path), *frames
        )
        seconds = str(options.seconds)
        loop = {
            "window": delays_with_server(environment, options.seconds),
            "bare": in_process(environment, "--part", "loop", "--seconds", seconds),
        }
        hour = in_process(environment, "--part", "memory", "--seconds", str(options.memory_seconds))
    named = [{"name": name, "unit": "frames/s", **case} for name, case in cases.items()]
    return {"screen": "Xvfb" if is_virtual else "offscreen", "cases": named, "event loop": loop, "memory": hour}


def main() -> None:
    """Run the benchmark, or one part of it in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--readings", type=int, default=100_000_000, help="of the long session")
    parser.add_argument("--frames", type=int, default=150, help="a round")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the event loop")
    parser.add_argument("--memory-seconds", type=int, default=3600, help="of messages")
    parser.add_argument("--xvfb", action="store_true", help="measure on a virtual screen, too")
    parser.add_argument("--folder", type=Path, help="for the long session; absent: a temporary one")
    parser.add_argument("--part", choices=("live", "moving", "loop", "memory"), help=argparse.SUPPRESS)
    parser.add_argument("--channels", type=int, default=_CHANNELS, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--server", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(run_part(options)), flush=True)
        os._exit(0)  # nothing is left to be kept
    from open_session import fill

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        fill(Path(folder) / "cache.db", options.readings // 5)
        screens = [measure(options, Path(folder), is_virtual) for is_virtual in (False, True)[: 1 + options.xvfb]]
    for found in () if options.json else screens:
        print(f"{found['screen']}:")
        for case in found["cases"]:
            print(
                f"  {case['name']:30} {case['ours']:7.1f} frames/s, bare {case['floor']:7.1f}, ratio {case['ratio']}"
                f" (wanted {_WANTED[case['name']]:g} where bare has 60)"
            )
        print(f"  event loop: {found['event loop']}\n  memory over an hour: {found['memory']}")
    worst = min((case for found in screens for case in found["cases"]), key=lambda case: case["ratio"])
    print(json.dumps({"better": "higher", **worst, "name": "gui", "cases": screens}))


if __name__ == "__main__":
    main()
