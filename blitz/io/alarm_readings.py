"""Rules about readings: the process that evaluates them, what it is given, and where it stood.

The process (:mod:`blitz.io.alarm_process`) is there only while there are such rules. If it dies it is started again,
and goes on from the last state that it told. For one thread, that of :mod:`blitz.io.alarm_feeder`.
"""

import threading
import time
from collections.abc import Sequence
from typing import Any

from blitz.data.alarm_evaluation import AlarmEvaluation
from blitz.data.alarm_records import AlarmCrossing
from blitz.data.alarm_rule import AlarmRule
from blitz.data.blocks import PREVIEW_ID, MessageBlock
from blitz.errors import SessionNotFound
from blitz.io.acquisition import Acquisition
from blitz.io.alarm_marks import AlarmMarks, Reach
from blitz.io.alarm_pipe import AlarmPipe, AlarmProcessGoneError

BLOCK_MESSAGES = 32_768
NOWHERE = {"evaluation": AlarmEvaluation().state(), "clocks": {}}
STATE_EACH_S = 1.0
"""So much at most is evaluated again when the process was killed."""
AGAIN_S, AGAIN_AT_MOST_S = 1.0, 30.0
"""A process that dies is started again after so long, twice as long each time that it dies before it did anything."""
TRIES = 3
"""So often messages are tried at which it dies; then they are left out."""
_AT_ONCE = ("begin", "end", "marker", "rules", "expect")
"""What is not asked again when the process was killed: where it stands behind that is told at once."""


class AlarmReadings:
    """Gives the process blocks of messages, and takes what was crossed."""

    def __init__(self, acquisition: Acquisition) -> None:
        self._acquisition = acquisition
        self._marks = AlarmMarks()
        self._stopping = threading.Event()
        self._rules: dict[str, AlarmRule] = {}
        """Those in force."""
        self._expected: dict[str, bool] = {}
        """By source: whether it is to deliver now."""
        self._readings: dict[str, Any] | None = None
        """Where the process stood at `_kept_cursors`; None: nowhere yet."""
        self._cursors: dict[int, int] = {}
        self._kept_cursors: dict[int, int] = {}
        self._session: tuple[int, int] | None = None
        """The running session, and when it started, as far as marks were looked at."""
        self._sent: dict[int, tuple[int, ...]] = {}
        """By session: which sources the process knows."""
        self._pipe: AlarmPipe | None = None
        self._not_before_s = self._state_s = 0.0
        self._again_s = AGAIN_S
        self._under_way: tuple[Reach, int] | None = None
        """Which block it was given, and how often."""

    @property
    def process_id(self) -> int | None:
        """Of the process; None while there is none."""
        pipe = self._pipe
        return None if pipe is None else pipe.process_id

    def _pending_rules(self) -> list[str]:
        """Return the rules whose on delay ran when the process told last where it stood, at most a second ago."""
        if self._pipe is None or self._readings is None:
            return []
        rules: dict[str, Any] = self._readings["evaluation"]["rules"]
        return [key for key, each in rules.items() if each["holds"] and not each["is_raised"]]

    def _commit(self, crossings: Sequence[AlarmCrossing]) -> None:
        """Write down what was crossed."""
        raise NotImplementedError

    @property
    def _wants_process(self) -> bool:
        return any(rule.condition.kind != "no_data" for rule in self._rules.values())

    def _reading_rules(self) -> dict[str, Any]:
        return {
            key: rule.model_dump(mode="json") for key, rule in self._rules.items() if rule.condition.kind != "no_data"
        }

    def _feed(self, session_id: int, stop: int) -> None:
        """Have messages evaluated, up to one."""
        cursor = self._cursors.get(session_id, 0)
        if cursor > stop:  # the store has lost what came last
            self._cursors[session_id] = stop
        pipe = self._present_pipe()
        if pipe is None:
            if not self._wants_process:
                self._cursors[session_id] = stop
            elif cursor < stop:
                raise AlarmProcessGoneError("it is not there yet")
            return
        while self._cursors.get(session_id, 0) < stop and not self._stopping.is_set():
            first = self._cursors.get(session_id, 0)
            try:
                block = self._read(session_id, first, min(stop, first + BLOCK_MESSAGES))
            except SessionNotFound:
                self._cursors[session_id] = stop
                return
            if not len(block):
                self._cursors[session_id] = stop
                return
            self._tell_sources(session_id)
            reach, before = Reach(session_id, block.next_seq), self._under_way
            is_again = before is not None and before[0].session_id == session_id
            self._under_way = reach, before[1] + 1 if before is not None and is_again else 1
            self._ask(block.encode(), reach, do="block")
            self._under_way, self._again_s = None, AGAIN_S

    def _read(self, session_id: int, first: int, stop: int) -> MessageBlock:
        hub = self._acquisition.hub
        if session_id == PREVIEW_ID:
            return hub.preview_block(first, stop - first)
        recent = hub.recent_block(session_id, first, stop)
        return recent if recent is not None else self._acquisition.messages(session_id, first, stop - first)

    def _tell_sources(self, session_id: int) -> None:
        sources = self._acquisition.hub.sources(session_id)
        if not sources and session_id not in self._sent and session_id != PREVIEW_ID:
            sources = self._acquisition.session_record(session_id).sources
        known = tuple(map(id, sources))
        if sources and self._sent.get(session_id) != known:
            self._sent[session_id] = known
            rows = [source.model_dump(mode="json", exclude_none=True) for source in sources]
            self._ask(do="sources", session_id=session_id, sources=rows)

    def _ask(self, payload: bytes = b"", looked_at: Reach | None = None, **request: Any) -> None:
        """Ask the process; write down what was crossed, and how far was looked at by that."""
        assert self._pipe is not None
        now_s = time.monotonic()
        wants_state = request["do"] in _AT_ONCE or now_s >= self._state_s + STATE_EACH_S
        answer = self._pipe.ask(request | {"wants_state": wants_state}, payload)
        if looked_at is not None:
            self._cursors[looked_at.session_id] = looked_at.next_seq
        if "state" in answer:
            self._state_s = now_s
            self._readings, self._kept_cursors = answer["state"], dict(self._cursors)
        self._commit([AlarmCrossing(*crossing) for crossing in answer["crossings"]])

    def _present_pipe(self) -> AlarmPipe | None:
        """Return the process, started if there is something to evaluate; it goes on where the one before stood."""
        if self._pipe is not None or not self._wants_process or time.monotonic() < self._not_before_s:
            return self._pipe
        self._pipe = AlarmPipe()
        self._sent = {}
        self._marks.wakes = True
        now_ns = self._acquisition.now_ns()
        if self._readings is not None:
            self._cursors |= self._kept_cursors
            self._ask(do="restore", state=self._readings)
        self._ask(do="rules", rules=self._reading_rules(), now_ns=now_ns)
        if self._session is not None:
            self._ask(do="begin", session_id=self._session[0], now_ns=self._session[1])
        for name, is_expected in self._expected.items():
            self._ask(do="expect", source=name, is_expected=is_expected, now_ns=now_ns)
        for session_id in (PREVIEW_ID, *([] if self._session is None else [self._session[0]])):
            self._marks.publish(session_id, self._acquisition.hub.next_seq(session_id) or 0)
        return self._pipe

    def _lose_process(self, why: str) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is None:
            return
        pipe.kill()
        pipe.end()
        if self._again_s == AGAIN_S and not self._stopping.is_set():
            self._acquisition.notice("warning", why, None)
        self._not_before_s = time.monotonic() + self._again_s
        self._again_s = min(2 * self._again_s, AGAIN_AT_MOST_S)
        if self._under_way is not None and self._under_way[1] >= TRIES:
            (session_id, next_seq), self._under_way = self._under_way[0], None
            text = f"Messages of session {session_id} up to {next_seq} are not evaluated for alarms: that fails."
            self._acquisition.notice("error", text, None)
            self._cursors[session_id] = self._kept_cursors[session_id] = next_seq
        self._marks.woken.set()
