"""Ending commands to streams whose time is over, when it is: in a thread that sleeps until the next one's is.

Each server of a store does so, for all streams: one that was killed leaves its commands to the others, or to the next.
"""

import logging
import threading

from blitz.data.stream_commands import StreamCommands
from blitz.errors import BlitzError

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often it is looked what other servers have sent."""


class CommandTiming:
    """Calls :meth:`StreamCommands.expire` in time. Nothing happens before :meth:`start`."""

    def __init__(self, commands: StreamCommands) -> None:
        self._commands = commands
        self._wakeup = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        commands.listeners.append(self._wakeup.set)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        """End; what is under way is waited for that long. A second time does nothing."""
        self._is_stopping = True
        self._wakeup.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        is_recovered = False
        while not self._is_stopping:
            next_s: float | None = None
            try:
                if not is_recovered:
                    self._commands.recover()
                    is_recovered = True
                next_s = self._commands.expire()
            except BlitzError as error:
                log.debug("Commands that are over cannot be looked for: %s", error)
            except Exception:
                log.exception("Commands that are over could not be looked for")
            self._wakeup.wait(LOOK_S if next_s is None else min(next_s, LOOK_S))
            self._wakeup.clear()
