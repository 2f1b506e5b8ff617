"""What alarms do besides telling: markers, sessions that are started and stopped, commands to boards.

One thread does them, one after the other, since they wait for boards and for the store. Each is done once at most: what
waited when the server ended is not done when it is there again.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from blitz.data.alarm_records import AlarmOccurrence
from blitz.data.alarm_rule import CommandAction, MarkerAction, StartAction, check_commands
from blitz.data.database_server import DatabaseServer
from blitz.data.source_records import CommandRequest
from blitz.errors import BlitzError, NoSession, SessionRunning
from blitz.io.acquisition import Acquisition
from blitz.io.protocol import moves_something

log = logging.getLogger(__name__)

MOST_WAITING = 100
STALE_S = 60.0
"""What was longer ago when the server saw it, as after a long absence, starts, stops and sends nothing any more."""
_STOP_S = 2.0


class AlarmActions:
    """Does what rules say. :meth:`put` never waits and may be called from any thread.

    :param done: takes what came of an action: the occurrence's id, a sentence.
    """

    def __init__(self, acquisition: Acquisition, store: DatabaseServer, done: Callable[[int, str], None]) -> None:
        self._acquisition = acquisition
        self._store = store
        self._done = done
        self._waiting: deque[AlarmOccurrence] = deque()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="alarm actions", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what waits is not done."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def put(self, occurrence: AlarmOccurrence) -> None:
        """Do what the rule of an alarm says that was just raised."""
        if not occurrence.rule.actions:
            return
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                log.warning("Alarm %r: too much is to be done, this is left out", occurrence.rule.name)
                return
            self._waiting.append(occurrence)
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_stopping:
                    self._changed.wait(1.0)
                if self._is_stopping:
                    return
                occurrence = self._waiting.popleft()
            for action in occurrence.rule.actions:
                try:
                    sentence = self._do(action, occurrence)
                except (BlitzError, ValueError) as error:
                    sentence = f"{_words(action)}: {error}"
                    self._acquisition.notice(
                        "warning", f"Alarm {occurrence.rule.name!r}: {sentence}", occurrence.source
                    )
                except Exception as error:
                    log.exception("Alarm %r failed to act", occurrence.rule.name)
                    sentence = f"{_words(action)}: a fault of ours, {error!r}."
                self._done(occurrence.id, sentence)

    def _do(self, action: object, occurrence: AlarmOccurrence) -> str:
        """Do one thing and return what came of it."""
        if isinstance(action, MarkerAction):
            return self._mark(action, occurrence)
        age = datetime.now(UTC) - occurrence.raised_at
        if age > timedelta(seconds=STALE_S):
            return f"{_words(action)}: not done, since it was {age.total_seconds():.0f} s ago when the server saw it."
        if isinstance(action, StartAction):
            return self._start(action, occurrence)
        if isinstance(action, CommandAction):
            return self._send(action, occurrence)
        try:
            reason = f"The alarm {occurrence.rule.name!r} stopped it: {occurrence.words}."
            return f"Session {self._acquisition.stop_session(None, reason).id} was stopped."
        except NoSession:
            return "No session ran: there was nothing to stop."

    def _mark(self, action: MarkerAction, occurrence: AlarmOccurrence) -> str:
        running = self._acquisition.running()
        session_id = running.id if running is not None else None
        if occurrence.session_id is not None:
            session_id = occurrence.session_id
        if session_id is None:
            return "No session ran: there is no marker."
        marker = self._store.notes.add_marker(
            session_id,
            action.text or occurrence.words,
            occurrence.raised_ns,
            None,
            source=occurrence.source,
            who=_who(occurrence),
        )
        self._acquisition.announce_marker(session_id, marker)
        return f"Session {session_id} has a marker."

    def _start(self, action: StartAction, occurrence: AlarmOccurrence) -> str:
        try:
            record = self._acquisition.start_session(
                action.name, occurrence.words, _who(occurrence), before_s=action.before_s
            )
        except SessionRunning as error:
            return str(error)
        return f"Session {record.id} was started."

    def _send(self, action: CommandAction, occurrence: AlarmOccurrence) -> str:
        devices = self._acquisition.devices
        definitions = {board.name: board.definition for board in devices.boards()}
        # The board's definition may be another one than when the rule was made.
        check_commands(occurrence.rule, definitions, moves_something)
        definition = definitions[action.board]
        is_named = definition is not None and definition.command(action.command) is not None
        request = CommandRequest(
            line=None if is_named else action.command,
            command=action.command if is_named else None,
            value=action.value if is_named else None,
        )
        answer = devices.command(action.board, request, _who(occurrence)).answer
        return f"{action.board} was sent {action.command!r}{'' if answer is None else f' and answered {answer!r}'}."


def _who(occurrence: AlarmOccurrence) -> str:
    return f"alarm {occurrence.rule.name}"


def _words(action: object) -> str:
    if isinstance(action, CommandAction):
        return f"{action.command!r} to {action.board}"
    return {"start": "Start", "stop": "Stop", "marker": "Marker"}.get(getattr(action, "kind", ""), "Action")
