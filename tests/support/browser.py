"""A real browser for tests: Debian's Chromium without a screen, driven over its DevTools protocol."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from waiting import wait_until
from websockets.sync.client import ClientConnection, connect

ANSWER_S = 60.0
_PROGRAMS = ("chromium", "google-chrome")
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # without one it does not run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--no-first-run",
    "--disable-background-networking",  # it would look for hosts that no test needs
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--ignore-certificate-errors",
    "--remote-debugging-port=0",
)


class PageError(AssertionError):
    """The page's script raised something."""


class Browser:
    """A browser with one page at a time, 390x844 as a phone's."""

    def __init__(self, folder: Path) -> None:
        self._origin = f"127.0.0.1:{(folder / 'DevToolsActivePort').read_text().splitlines()[0]}"
        self._pages: list[Page] = []

    def open(self, url: str, *, is_dark: bool = False, width: int = 390, height: int = 844) -> "Page":
        """Open a page in place of the one before, with nothing left of that one's storage."""
        self.close_pages()
        page = Page(self._new_target())
        page.dress(width, height, is_dark=is_dark)
        self._pages.append(page)
        page.go(url)
        return page

    def close_pages(self) -> None:
        """Leave no page."""
        while self._pages:
            self._pages.pop().close()

    def _new_target(self) -> str:
        with urlopen(Request(f"http://{self._origin}/json/new", method="PUT"), timeout=ANSWER_S) as answer:
            return str(json.load(answer)["webSocketDebuggerUrl"])


class Page:
    """One page. What goes wrong in it stands in :attr:`complaints`."""

    def __init__(self, address: str) -> None:
        self.complaints: list[str] = []
        """What its console said as warning or error, exceptions, and what its policy kept from running."""
        self._calls = 0
        self._loaded: set[str] = set()
        """The documents that are loaded, or were."""
        self._connected = contextlib.ExitStack()
        connection = connect(address, max_size=None, compression=None, proxy=None)
        self._socket: ClientConnection = self._connected.enter_context(connection)
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def dress(self, width: int, height: int, *, is_dark: bool) -> None:
        """Give it a screen, of a phone where it is that small, and a theme. Pictures have two pixels for one."""
        is_phone = min(width, height) < 600
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=is_phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(Exception):
            self.call("Storage.clearDataForOrigin", origin=self.run("location.origin"), storageTypes="all")
            self.call("Page.close")
        self._connected.close()

    def go(self, url: str) -> None:
        """Go to an address, and wait until it is loaded."""
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, (url, answer["errorText"])
        self._take_until(lambda: answer["loaderId"] in self._loaded)

    def reload(self) -> None:
        """Load it anew."""
        with self.loading_anew():
            self.call("Page.reload")

    @contextlib.contextmanager
    def loading_anew(self) -> Iterator[None]:
        """Do what makes the page load anew, then wait until another document than the present one is loaded."""
        present = self.call("Page.getFrameTree")["frameTree"]["frame"]["loaderId"]
        before = self._loaded | {present}
        yield
        self._take_until(lambda: self._loaded - before)

    def _take_until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self._take(json.loads(self._socket.recv(ANSWER_S)))

    def run(self, script: str) -> Any:
        """Return what an expression is worth, once that is known where it is a promise.

        :raises PageError: if it raises.
        """
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        """Return what is to be read there; empty where nothing is."""
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def is_shown(self, selector: str) -> bool:
        """Whether something takes room on the page."""
        return bool(self.run(f"document.querySelector({json.dumps(selector)})?.getClientRects().length > 0"))

    def wait_for(self, selector: str, words: str = "") -> None:
        """Wait until it is shown, with these words in it."""
        wait_until(lambda: self.is_shown(selector) and words in self.text(selector))

    def click(self, selector: str) -> None:
        """Touch the middle of it, where it can be touched."""
        self.wait_for(selector)
        wanted = json.dumps(selector)
        place = self.run(  # as soon as it rests: what is filled in above it moves it, maybe out of sight
            f"(async () => {{ const n = document.querySelector({wanted}); let r = n.getBoundingClientRect();"
            f"for (let still = 0; still < 5; ) {{ n.scrollIntoView({{block: 'center'}});"
            f"await new Promise(requestAnimationFrame); const now = n.getBoundingClientRect();"
            f"still = now.x === r.x && now.y === r.y ? still + 1 : 0; r = now; }}"
            f"const x = r.x + r.width / 2, y = r.y + r.height / 2, hit = document.elementFromPoint(x, y);"
            f"return n.contains(hit) || hit?.contains(n) ? {{x, y}} : null; }})()"
        )
        assert place is not None, f"{selector} is hidden by something else"
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def write(self, selector: str, text: str) -> None:
        """Write into a field, as if pasted."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def picture(self, path: Path, *, is_whole: bool = False) -> None:
        """Take a picture, of all of the page or of what the screen shows."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=is_whole)
        path.write_bytes(b64decode(taken["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call the DevTools protocol."""
        self._calls += 1
        number = self._calls
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._socket.recv(ANSWER_S))
            if told.get("id") == number:
                assert "error" not in told, (method, told["error"])
                return dict(told["result"])
            self._take(told)

    def _take(self, told: dict[str, Any]) -> None:
        method, said = told.get("method"), told.get("params", {})
        if method == "Page.lifecycleEvent" and said["name"] == "load":
            self._loaded.add(said["loaderId"])
        elif method == "Runtime.exceptionThrown":
            details = said["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("warning", "error", "assert"):
            self.complaints.append(" ".join(str(part.get("value", part)) for part in said["args"]))
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("warning", "error"):
            entry = said["entry"]
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}".strip())


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Start one for some tests; they are skipped where there is none."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("Chromium is not installed (on Debian: apt-get install --no-install-recommends chromium)")
    folder = Path(tempfile.mkdtemp(prefix="blitz-chromium-"))
    port = folder / "DevToolsActivePort"
    command = [program, *_OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    log = folder / "log"
    try:
        with (
            log.open("wb") as out,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ | {"HOME": str(folder)}
            ) as process,
        ):
            try:
                wait_until(lambda: process.poll() is not None or (port.exists() and port.read_text().count("\n")))
                assert process.poll() is None, log.read_text()
                browser = Browser(folder)
                yield browser
                browser.close_pages()
            finally:
                process.terminate()
                process.wait()
    finally:
        wait_until(lambda: _is_removed(folder))  # its other processes end a little later, and write until then


def _is_removed(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
