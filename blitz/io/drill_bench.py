"""The bench of a drill: a server of its own with simulated devices, and a client that looks on."""

import contextlib
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock
from blitz.data.records import SessionRecord
from blitz.errors import BlitzError, RequestTimeout, ServerUnreachable, StoreFull, StoreUnavailable
from blitz.io.blocking import Client
from blitz.io.drill_account import Bounds, Tally, tally
from blitz.io.drill_device import BOARD, DEFINITION, PrintingDevice
from blitz.io.drill_server import DrillFailed, DrillServer
from blitz.io.drill_watcher import Watcher
from blitz.io.simulated_board import SimulatedBoard

PATIENCE_S = 90.0
"""What has not recovered by then has not recovered."""
_LINES_PER_DEVICE = 10_000
_BOARD_HZ = 100.0
_BOARD_RING = 12_000
_BOARD_BAUD = 921_600
_LOOK_EACH_S = 0.01
_BLOCK = 1 << 17
_T = TypeVar("_T")


class Bench:
    """Devices, server and client of one fault's rounds. A context manager that makes and removes all of it.

    :param folder: an empty one of its own.
    :param rate_hz: lines a second of all printing devices together.
    :param settings: of the server, besides those that all drills have.
    :param has_own_clock: the server's wall clock can be set, see :meth:`set_clock`.
    """

    def __init__(
        self,
        folder: Path,
        rate_hz: float,
        settings: Mapping[str, Any],
        chance: random.Random,
        *,
        has_own_clock: bool = False,
    ) -> None:
        self.folder = folder
        self.problems: list[str] = []
        """What went otherwise than it should, as sentences."""
        count = max(1, round(rate_hz / _LINES_PER_DEVICE))
        self.devices = [PrintingDevice(n, rate_hz / count, folder / f"printer{n + 1}") for n in range(count)]
        self.board = SimulatedBoard(
            "08",
            rate_hz=_BOARD_HZ,
            ring=_BOARD_RING,
            silence_s=0.1,
            baud=_BOARD_BAUD,
            own_power=True,
            link_path=folder / "board",
            seed=chance.randrange(1 << 30),
        )
        sources: list[dict[str, Any]] = [
            {"name": device.name, "link": str(device.link_path), "protocol": "stream", "definition": DEFINITION}
            for device in self.devices
        ]
        sources.append({"name": "board", "link": str(folder / "board"), "serial": {"baud": _BOARD_BAUD}})
        self._clock_file = folder / "clock" if has_own_clock else None
        self.settings: dict[str, Any] = {"on_stop": "keep", "disk_reserve_mb": 0} | dict(settings)
        self.server = DrillServer(folder, self.settings, sources, self._clock_file)
        self._stack = contextlib.ExitStack()
        self._bounds: dict[int, dict[int, Bounds]] = {}
        """Of each session and device: the numbers of the messages that are known to have been sent in it."""
        self.stored_arrivals: NDArray[np.int64] = np.empty(0, np.int64)
        """Of the last session, when its messages came, once it was compared."""
        self.client: Client
        self.watcher: Watcher

    def __enter__(self) -> Self:
        try:
            for device in self.devices:
                self._stack.enter_context(device)
            self._stack.enter_context(self.board)
            self._stack.callback(self.server.end)
            self.server.start()
            self.client = self._stack.enter_context(Client(self.server.url, timeout=20))
            self.watcher = self._stack.enter_context(Watcher(self.server.url))
            self.wait_for(lambda: all(board.format for board in self.client.status().boards), "the devices are known")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    # ---- waiting --------------------------------------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], _T | None], what: str, timeout_s: float = PATIENCE_S) -> _T:
        """Wait until something holds; a server that is away or busy meanwhile may be.

        :param what: ends the sentence "… was waited for in vain: ".
        :raises DrillFailed: if it does not come about.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(ServerUnreachable, RequestTimeout, StoreUnavailable, StoreFull):
                found = condition()
                if found:
                    return found
            if self.watcher_failure is not None:
                raise DrillFailed(f"The client that looks on was sent away: {self.watcher_failure}")
            if time.monotonic() > deadline_s:
                raise DrillFailed(
                    f"For {timeout_s:g} s was waited in vain until {what}. The server says:\n{self.server.last_words()}"
                )
            time.sleep(_LOOK_EACH_S)

    @property
    def watcher_failure(self) -> BlitzError | None:
        """Why the client that looks on has given up; None while it has not."""
        return self.watcher.failure if hasattr(self, "watcher") else None

    def wait_until_well(self) -> None:
        """Wait until what devices send now is shown, and all that waited in the spool is in Redis."""
        wanted = {device.index: device.made for device in self.devices} | {BOARD: self.board.generated}
        self.wait_for(
            lambda: all(self.watcher.has_reached(device, number) for device, number in wanted.items()),
            "what all devices send is shown again",
        )
        self.wait_until_store_is_well()

    def wait_until_store_is_well(self) -> None:
        """Wait until all that waited in the spool is in Redis."""
        self.wait_for(self._is_store_well, "all that waited in the spool is in Redis")

    def _is_store_well(self) -> bool:
        store = self.client.status().store
        return store.is_up and store.spooling_since is None

    # ---- sessions -------------------------------------------------------------------------------------------------

    def begin(self) -> int:
        """Start a session at a moment at which the devices hold still, so that all they print later belongs to it."""
        self._hold()
        session = self.wait_for(lambda: self.client.start("drill"), "a session can be started")
        self._bounds[session.id] = {device.index: Bounds(first=device.made) for device in self.devices}
        for device in self.devices:
            device.release()
        return session.id

    def note_session(self, session_id: int) -> None:
        """A session was started while the devices were sending."""
        self._bounds.setdefault(session_id, {})

    def finish(self) -> Tally:
        """Let devices say all they have to say, stop the running session, and compare all sessions' messages."""
        self._hold()
        self.board.hold()
        running = self.client.status().session
        if running is not None:
            bounds = self._bounds.setdefault(running.id, {})
            wanted = {BOARD: self.board.generated} | {device.index: device.made for device in self.devices}
            self.wait_for(
                lambda: all(self.watcher.has_reached(device, number - 1) for device, number in wanted.items()),
                "the last message of all devices is shown",
            )
            for device, stop in wanted.items():
                bounds[device] = Bounds(bounds.get(device, Bounds()).first, stop)
            self.client.stop(running.id)
        found = Tally(problems=self.problems)
        for session_id in sorted(self._bounds):
            found.add(self._compare(session_id))
        return found

    def _hold(self) -> None:
        for device in self.devices:
            device.hold()
        self.wait_for(lambda: all(device.is_quiet for device in self.devices), "all that was printed is read")
        shown = {device.index: device.made - 1 for device in self.devices if device.made}
        if self.client.status().session is not None:
            self.wait_for(
                lambda: all(self.watcher.has_reached(device, number) for device, number in shown.items()),
                "all that was printed is shown",
            )
        else:  # what is under way goes to the preview
            self.wait_for(self._is_preview_quiet, "what was printed before the session is read")

    def _is_preview_quiet(self) -> bool:
        wanted = {device.name for device in self.devices}
        before = self._read_counts(wanted)
        time.sleep(0.2)
        return self.client.status().store.waiting_messages == 0 and before == self._read_counts(wanted)

    def _read_counts(self, names: set[str]) -> dict[str, int]:
        return {b.name: b.account.bytes_read for b in self.client.boards() if b.name in names and b.account}

    def _compare(self, session_id: int) -> Tally:
        session = self.wait_for(lambda: self._closed(session_id), f"session {session_id} is closed")
        self.wait_for(
            lambda: self.watcher.shown_count(session_id) >= session.message_count,
            f"all of session {session_id} is shown",
        )
        blocks, first = [], 0
        while first < session.message_count and len(block := self.client.messages(session_id, first, _BLOCK)):
            blocks.append(block)
            first = block.next_seq
        if not blocks:
            return Tally(problems=[f"Session {session_id} is empty."])
        bounds = self._bounds[session_id]
        devices = {d.index: (d.name, bounds.get(d.index, Bounds())) for d in self.devices}
        devices[BOARD] = ("board", bounds.get(BOARD, Bounds()))
        stored = MessageBlock.concatenate(blocks)
        self.stored_arrivals = stored.arrived_ns
        return tally(session, stored, self.watcher.blocks.get(session_id, []), devices)

    def _closed(self, session_id: int) -> SessionRecord | None:
        session = self.client.session(session_id)
        return None if session.is_running or not session.verdict else session

    # ---- what faults do -------------------------------------------------------------------------------------------

    def set_clock(self, ahead_s: float) -> None:
        """Set the server's wall clock."""
        assert self._clock_file is not None
        fresh = self._clock_file.with_suffix(".new")
        fresh.write_text(str(ahead_s))
        fresh.replace(self._clock_file)
