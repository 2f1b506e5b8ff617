"""All that watches over a server, put together: hooks, health, metrics, logs, links, and the service manager.

Has a thread of its own, which looks once a second: it goes on where the housekeeping waits for the store.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fastapi import APIRouter

from blitz.data.hook_store import HookStore
from blitz.io.acquisition import Acquisition
from blitz.io.health import Health, examine
from blitz.io.hooks import Hook, Hooks
from blitz.io.hooks_api import hook_calls
from blitz.io.lanes import Lanes
from blitz.io.log_files import bound_redis_log
from blitz.io.metrics import Metrics, MetricSources
from blitz.io.run_mark import RunMark
from blitz.io.supervision_api import supervision_calls
from blitz.io.supervisor import Notifier, Supervisor, describe_status

log = logging.getLogger(__name__)

LOOK_S = 1.0
LOG_LOOK_S = 60.0
REDIS_LOADS_S = 900.0
"""So long the housekeeping may wait for a Redis that was started again and reads its files; messages are spooled."""


class Supervision:
    """What watches over one server.

    :param data_dir: held by this server alone; without one it is not known how the server before ended.
    :param refused: tells how many connections were refused since the server started.
    :param kept_hooks: those that were added by calls; without it, none can be.
    """

    def __init__(
        self,
        acquisition: Acquisition,
        data_dir: Path | None = None,
        hooks: Sequence[Hook] = (),
        notifier: Notifier | None = None,
        refused: Callable[[], int] = lambda: 0,
        kept_hooks: HookStore | None = None,
    ) -> None:
        self._acquisition = acquisition
        self._redis_log = None if data_dir is None else data_dir / "redis.log"
        self._mark = None if data_dir is None else RunMark(data_dir)
        self.hooks = Hooks(hooks, lambda severity, text: acquisition.notice(severity, text, None), kept=kept_hooks)
        self.supervisor = Supervisor(notifier or Notifier(), lambda: describe_status(acquisition.status()))
        self._beat_s = time.monotonic()
        sources = MetricSources(
            status=acquisition.status,
            viewers=lambda: acquisition.hub.viewer_count,
            refused=refused,
            lateness=lambda: acquisition.appender.lateness,
            hooks=self.hooks.records,
            troubles=self.supervisor.troubles,
        )
        self._metrics = Metrics(sources)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervision", daemon=True)

    def calls(self, lanes: Lanes) -> list[APIRouter]:
        """Return the HTTP calls."""
        return [supervision_calls(self.health, self._metrics, lanes), hook_calls(self.hooks, lanes)]

    def health(self) -> Health:
        """Return how the server is doing."""
        dead = [link.name for link in self._acquisition.devices.links() if link.failure is not None and link.is_over]
        return examine(self._acquisition.status(), self.supervisor.troubles(), dead)

    def start(self) -> None:
        """Begin; the acquisition was started."""
        acquisition = self._acquisition
        self.hooks.start()
        acquisition.hub.listeners.append(self.hooks.tell)
        crash = None if self._mark is None else self._mark.set()
        if crash is not None:
            log.warning("%s", crash)
            session = acquisition.status().session
            going_on = "Nothing is recorded now." if session is None else f"Session {session.id} goes on."
            self.hooks.started_after_crash(f"{crash} It was started again. {going_on}")
        self._beat_s = time.monotonic()
        if acquisition.acquires:
            self.supervisor.watch("appender", lambda: acquisition.appender.beat_s)
        self.supervisor.watch("housekeeping", lambda: acquisition.housekeeping.beat_s, REDIS_LOADS_S)
        self.supervisor.watch("supervision", lambda: self._beat_s)
        self._thread.start()

    def stop(self) -> None:
        """End, in good order; the acquisition has ended."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5.0)
        self.hooks.stop()
        if self._mark is not None:
            self._mark.clear()

    def _run(self) -> None:
        next_log_s = 0.0
        while not self._stopping.wait(LOOK_S):
            self._beat_s = time.monotonic()
            try:
                self._acquisition.devices.revive_dead()
                if not self.hooks.are_none:
                    self.hooks.look(self._acquisition.status())
                if self._redis_log is not None and self._beat_s >= next_log_s:
                    next_log_s = self._beat_s + LOG_LOOK_S
                    bound_redis_log(self._redis_log)
            except Exception:
                log.exception("Supervision failed once")
