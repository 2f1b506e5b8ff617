"""One more viewer, in the server: has what becomes durable, and the preview, evaluated for alarms.

A thread of its own, which may lag and never holds acquisition: it then sends larger blocks. Rules about readings are
evaluated in a subprocess (:mod:`blitz.io.alarm_readings`); whether a source says anything at all is told by arrivals
alone, here. What is told is written down together with how far was looked (:meth:`Book.commit`): whoever is killed,
server or process, goes on from there.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from blitz.data.alarm_evaluation import AlarmEvaluation
from blitz.data.alarm_records import AlarmCrossing, AlarmState
from blitz.data.alarm_rule import AlarmRule
from blitz.data.alarm_store import AlarmStore
from blitz.data.blocks import PREVIEW_ID
from blitz.data.records import Event, EventKind, LinkState, Source
from blitz.errors import BlitzError, TablesError
from blitz.io.acquisition import Acquisition
from blitz.io.alarm_marks import Known, Mark, Reach
from blitz.io.alarm_pipe import AlarmProcessGoneError
from blitz.io.alarm_readings import NOWHERE, AlarmReadings

log = logging.getLogger(__name__)

TICK_S = 0.25
HEED_S = 5.0
"""So long those who change rules wait for them to be in force; they are a moment later otherwise."""
PLACE_EACH_S = 5.0
"""So much at most is evaluated again when the server was killed; each time costs a write to the disk."""
FIRST_S = 30.0
"""So long devices may take to be there after a start."""
_STOP_S = 1.0
_UNWANTED = (LinkState.RELEASED, LinkState.DISABLED)


class Book(Protocol):
    """Who knows the rules and takes what was crossed; called from the feeder's thread."""

    def in_force(self, *, is_beginning: bool = False) -> dict[str, AlarmRule]:
        """Return the rules that are evaluated now, by id.

        :param is_beginning: not all devices may be there yet.
        """

    def commit(
        self, crossings: Sequence[AlarmCrossing], rules: Mapping[str, AlarmRule], place: Mapping[str, Any] | None
    ) -> None:
        """Write down what was crossed and up to where was looked, then tell everybody."""

    def clear_others(self, rules: Mapping[str, AlarmRule]) -> None:
        """What rules had raised that are evaluated no more is over."""


class AlarmFeeder(AlarmReadings):
    """The thread.

    :param kept: has the place where an earlier server stood.
    """

    def __init__(self, acquisition: Acquisition, kept: AlarmStore, book: Book) -> None:
        super().__init__(acquisition)
        self._kept = kept
        self._book = book
        self.pending_rules: tuple[str, ...] = ()
        """Rules whose on delay runs, as of the last tick or so."""
        self._has_new_rules = True
        self._asked = self._answered = 0
        """How often others have asked for the rules anew, and how many of these were heeded."""
        self._heeded = threading.Condition()
        self._silence = AlarmEvaluation()
        self._place_s = self._tick_s = 0.0
        self._began_s = time.monotonic()
        self._is_begun = False
        self._pending: list[AlarmCrossing] = []
        """What could not be written down yet."""
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)

    def start(self) -> None:
        """Begin; the acquisition was started."""
        hub = self._acquisition.hub
        self._restore()
        hub.publishing.append(self._marks.publish)
        hub.adopting.append(self._marks.adopt)
        hub.listeners.append(self._marks.tell)
        running = self._acquisition.running()
        if running is not None:
            self._catch_up(running.id)
            event = Event(event=EventKind.SESSION_STARTED, session_id=running.id, session=running)
            self._marks.tell(event)
            self._marks.publish(running.id, hub.next_seq(running.id) or 0)
        else:
            self._catch_up(None)
        self._thread.start()

    def stop(self) -> None:
        """End; what was not looked at yet is, by the next server."""
        self._stopping.set()
        self._marks.woken.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)
            if self._thread.is_alive() and self._pipe is not None:
                self._pipe.kill()
                self._thread.join(_STOP_S)

    def rules_changed(self) -> None:
        """Take the rules anew, and return when what comes from now on is evaluated by them."""
        with self._heeded:
            self._asked += 1
            asked, self._has_new_rules = self._asked, True
            self._marks.woken.set()
            if self._thread.is_alive():
                self._heeded.wait_for(lambda: self._answered >= asked or self._stopping.is_set(), HEED_S)

    # ---- where an earlier server stood --------------------------------------------------------------------------

    def _restore(self) -> None:
        try:
            place = self._kept.place()
            if place is not None:
                self._read_place(place)
                return
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("Where alarms stood cannot be read, and they begin anew: %r", error)
        self._silence, self._readings, self._cursors = AlarmEvaluation(), None, {}
        self._book.clear_others({})

    def _read_place(self, place: Mapping[str, Any]) -> None:
        rules = self._book.in_force(is_beginning=True)
        for state in (place["silence"], place["readings"]):
            if state is not None:  # of another version it may say other things of rules: try it
                AlarmEvaluation(state.get("evaluation", state)).set_rules(rules, 0)
        self._silence = AlarmEvaluation(place["silence"])
        self._readings = place["readings"]
        self._cursors = {int(session_id): seq for session_id, seq in place["cursors"].items()}
        self._kept_cursors = dict(self._cursors)

    def _catch_up(self, running: int | None) -> None:
        """Look at what an earlier server recorded behind its last look."""
        if self._readings is None:
            if running is not None:  # nobody has ever looked at it: begin now
                self._cursors = {running: self._acquisition.hub.next_seq(running) or 0}
            return
        for session_id in sorted(self._cursors):
            if session_id == running:
                continue
            try:
                record = self._acquisition.session_record(session_id)
            except BlitzError as error:
                log.debug("Alarms leave out the rest of session %s: %s", session_id, error)
                continue
            self._marks.publish(session_id, record.message_count)
            self._marks.tell(Event(event=EventKind.SESSION_STOPPED, session_id=session_id))

    # ---- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._marks.woken.wait(TICK_S)
            self._marks.woken.clear()
            try:
                self._turn()
            except AlarmProcessGoneError as error:
                self._lose_process(f"The process that evaluates alarms is started again: {error}.")
            except BlitzError as error:
                log.debug("Alarms wait: %s", error)
                self._stopping.wait(TICK_S)
            except Exception:
                log.exception("Evaluating alarms failed once")
                self._lose_process("Evaluating alarms failed by a fault of ours; it begins anew.")
        self._save(is_due=True)
        if self._pipe is not None:
            self._pipe.end()
            self._pipe = None

    def _turn(self) -> None:
        now_s = time.monotonic()
        is_tick = now_s >= self._tick_s + TICK_S
        if is_tick:
            self._tick_s = now_s
            self._look_at_boards()
            self._listen()
        if not self._is_begun and now_s >= self._began_s + FIRST_S:
            self._is_begun = self._has_new_rules = True
        if self._has_new_rules and not self._acquisition.housekeeping.is_stopping:
            self._has_new_rules = False
            try:
                self._take_rules()
            except BaseException:
                self._has_new_rules = True
                raise
        marks = self._marks.take()
        while marks and not self._stopping.is_set():
            try:
                self._pass(marks[0])
            except (BlitzError, AlarmProcessGoneError):
                self._marks.put_back(marks)
                raise
            except Exception:
                self._marks.put_back(marks[1:])
                raise
            del marks[0]
        if is_tick and self._pipe is not None:
            self._ask(do="advance", now_ns=self._acquisition.now_ns())
        if is_tick:
            silent = [key for key, each in self._silence.states().items() if each is AlarmState.PENDING]
            self.pending_rules = (*self._pending_rules(), *silent)
            self._save()

    def _take_rules(self) -> None:
        asked = self._asked
        rules = self._book.in_force(is_beginning=not self._is_begun)
        now_ns = self._acquisition.now_ns()
        silent = {key: rule for key, rule in rules.items() if rule.condition.kind == "no_data"}
        self._rules = rules
        self._commit(self._silence.set_rules(silent, now_ns))
        if self._pipe is not None:
            self._ask(do="rules", rules=self._reading_rules(), now_ns=now_ns)
        if not self._wants_process and self._readings is not None:
            if self._pipe is not None:
                self._pipe.end()
                self._pipe = None
            self._marks.wakes = False
            gone, self._readings, self._kept_cursors = self._readings, None, {}
            self._commit(AlarmEvaluation(gone["evaluation"]).set_rules({}, now_ns))
        elif self._wants_process and self._readings is None:
            self._readings, self._kept_cursors = dict(NOWHERE), dict(self._cursors)
            self._save(is_due=True)
        self._book.clear_others(rules)
        with self._heeded:
            self._answered = asked
            self._heeded.notify_all()
        self._present_pipe()

    # ---- silence ------------------------------------------------------------------------------------------------

    def _look_at_boards(self) -> None:
        """Know which sources are to deliver; one that is new has a rule of its own from now on."""
        acquisition = self._acquisition
        if acquisition.housekeeping.is_stopping:
            return  # devices go one by one, and nothing is to be told of that
        is_polling = acquisition.previews or acquisition.running() is not None
        now_ns = acquisition.now_ns()
        links = acquisition.devices.links()
        for link in links:
            is_expected = link.state not in _UNWANTED and (is_polling or link.mode != "polled")
            if self._expected.get(link.name) == is_expected:
                continue
            if link.name not in self._expected:
                self._has_new_rules = True
                self._marks.woken.set()
            self._expected[link.name] = is_expected
            self._commit(self._silence.expect(link.name, is_expected, now_ns))
            if self._pipe is not None:
                self._ask(do="expect", source=link.name, is_expected=is_expected, now_ns=now_ns)
        for name in set(self._expected) - {link.name for link in links}:
            del self._expected[name]
            self._has_new_rules = True
            self._marks.woken.set()

    def _listen(self) -> None:
        crossings: list[AlarmCrossing] = []
        for (session_id, row), arrivals in self._marks.take_arrivals().items():
            source = self._find_source(session_id, row)
            if source is None:
                continue
            times, seqs = zip(*arrivals, strict=True)
            time_ns = np.maximum.accumulate(np.array(times, np.int64))
            nothing = np.zeros((len(times), 1))
            crossings += self._silence.take(source.name, ("",), session_id, np.array(seqs, np.int64), time_ns, nothing)
        crossings += self._silence.advance(self._acquisition.now_ns())
        self._commit(crossings)

    def _find_source(self, session_id: int, row: int) -> Source | None:
        sources = self._acquisition.hub.sources(session_id)
        return next((source for source in sources if source.index == row), None)

    # ---- readings -----------------------------------------------------------------------------------------------

    def _pass(self, mark: Mark) -> None:
        """Look at what is behind a mark."""
        if isinstance(mark, Reach):
            self._feed(mark.session_id, mark.next_seq)
        elif isinstance(mark, Known):
            self._cursors[mark.session_id] = self._cursors.get(mark.session_id, 0) + mark.messages
        elif mark.marker is not None:
            is_present = self._session is not None and mark.session_id == self._session[0]
            if is_present and self._present_pipe() is not None:
                self._ask(do="marker", text=mark.marker.text, time_ns=mark.marker.from_ns)
        elif mark.session_id is not None:
            now_ns = self._acquisition.now_ns()
            if mark.event is EventKind.SESSION_STARTED:
                started_ns = now_ns if mark.session is None else round(mark.session.started_at.timestamp() * 1e9)
                self._session = mark.session_id, started_ns
                self._cursors.setdefault(mark.session_id, 0)
                if self._silence.session_id != mark.session_id:
                    self._commit(self._silence.begin_session(mark.session_id, started_ns))
                if self._present_pipe() is not None:
                    self._ask(do="begin", session_id=mark.session_id, now_ns=started_ns)
            else:
                if self._session is not None and self._session[0] == mark.session_id:
                    self._session = None
                if self._silence.session_id == mark.session_id:
                    self._commit(self._silence.end_session(now_ns))
                if self._present_pipe() is not None:
                    self._ask(do="end", session_id=mark.session_id, now_ns=now_ns)
                self._cursors.pop(mark.session_id, None)
                self._kept_cursors.pop(mark.session_id, None)
                self._sent.pop(mark.session_id, None)
            self._save(is_due=True)

    # ---- what is written down -----------------------------------------------------------------------------------

    def _commit(self, crossings: Sequence[AlarmCrossing]) -> None:
        """Write down what was crossed; what cannot be written now is tried again, and nobody is told before."""
        self._pending += crossings
        if self._pending:
            self._write()

    def _save(self, *, is_due: bool = False) -> None:
        """Write down how far was looked, now and then."""
        is_running = self._pipe is not None and self._session is not None
        if (
            self._pending
            or (is_due and self._wants_process)
            or (is_running and time.monotonic() >= self._place_s + PLACE_EACH_S)
        ):
            self._write()

    def _write(self) -> None:
        self._place_s = time.monotonic()
        sessions = {key: seq for key, seq in self._kept_cursors.items() if key != PREVIEW_ID}
        place = {"silence": self._silence.state(), "readings": self._readings, "cursors": sessions}
        try:
            self._book.commit(self._pending, self._rules, place)
        except TablesError as error:
            if not self._is_failing:
                self._acquisition.notice("error", f"Alarms cannot be written down, and nobody is told: {error}", None)
            self._is_failing = True
        else:
            self._pending, self._is_failing = [], False
