"""One device on one link: found out, started, polled, listened to, spoken to, and found again when it was away.

Each link has its own thread, so that a mute board slows no other. Which session a message belongs to is decided here:
a session begins with a board's answer to START and ends with a last drain. The order of questions follows the traps
that real boards set (docs/architecture.md names them).
"""

import logging
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, Protocol

from blitz.data.blocks import PREVIEW_ID
from blitz.data.records import BoardRecord, LinkState
from blitz.errors import BlitzError, BoardTimeout, LinkError
from blitz.io import protocol
from blitz.io.conversation import ANSWER_S, Answer, Conversation
from blitz.io.framing import LineFraming
from blitz.io.link import SerialLink
from blitz.io.protocol import LineKind

log = logging.getLogger(__name__)

LISTEN_S = 2.0
ASK_S = 1.2
REASK_S = 10.0
REOPEN_S = 0.5
IDLE_S = 0.5
RESTART_WAIT_S = 0.2
NOTICE_EVERY_S = 10.0
DRAIN_S = 1.0
QUIET_S = 0.2
MANY_MESSAGES = 16
"""An answer with more messages than this is followed by the next poll at once: the board's ring may be short."""

Mode = Literal["polled", "streaming", "unknown"]
Severity = Literal["info", "warning", "error"]


class Sink(Protocol):
    """Where a board link delivers, from its own thread: the acquisition."""

    def identify(self, name: str, link: str, board_id: str | None) -> tuple[int, str]:
        """Return the source row for a device and the name of its kind."""

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        """Take messages; False if they had to be dropped."""

    def report_gap(self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str) -> None:
        """Record that messages are missing."""

    def notice(self, severity: Severity, text: str, source: str) -> None:
        """Tell the operator."""

    def link_changed(self, board: "BoardLink") -> None:
        """Tell viewers how the board is doing now."""

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds from a clock that never goes back."""


@dataclass(frozen=True)
class LinkOptions:
    """How a link is run.

    :param is_named: the operator named the port; one found by its USB id is not asked again and again.
    """

    baud: int
    poll_interval_s: float = 0.1
    preview: bool = True
    is_named: bool = True


class BoardLink:
    """A device on a port, in a thread of its own.

    :param name: the source's name, unique on the server.
    :param sink: where messages, gaps and notices go.
    """

    def __init__(self, name: str, port: str, options: LinkOptions, sink: Sink) -> None:
        self.name = name
        self.port = port
        self.options = options
        self.state = LinkState.AWAY
        self.mode: Mode = "unknown"
        self.board_id: str | None = None
        self.board_name = ""
        self.error: str | None = None
        self.rate_hz = 0.0
        self.message_count = 0
        self.dropped = 0
        self.identified = threading.Event()
        """Set once the device is known, or was asked in vain, or cannot be opened."""
        self.failure: BaseException | None = None
        """What ended the thread, if it was no call of :meth:`stop`."""
        self._sink = sink
        self._framing = LineFraming()
        self._link: SerialLink | None = None
        self.source: int | None = None
        """The device's row in source tables; none before it is known."""
        self._wanted = PREVIEW_ID
        self._active: int | None = None
        self._active_since_ns = 0
        self._last_arrival_ns = 0
        self._lost_ns: int | None = None
        self._is_logging = False
        self._commands: queue.SimpleQueue[tuple[str, Future[str]]] = queue.SimpleQueue()
        self._released = threading.Condition()
        self._stop = threading.Event()
        self._asked_again = threading.Event()
        self._measured = (0, time.monotonic())
        self._noticed_s: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name=f"link {name}", daemon=True)

    # ---- from other threads -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: open, identify, deliver to the preview."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port; re-raise what went wrong in it."""
        self._stop.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(10.0)
        if self.failure is not None:
            raise self.failure

    def deliver_to(self, session_id: int) -> None:
        """Deliver to this session (or the preview) from now on; the old one is drained first."""
        self._wanted = session_id
        self._wake()

    def wait_until_released(self, session_id: int, deadline_s: float) -> bool:
        """Wait until nothing more goes to the session; False if the (monotonic) deadline came first."""
        with self._released:
            while self._active == session_id and self._thread.is_alive():
                remaining_s = deadline_s - time.monotonic()
                if remaining_s <= 0:
                    return False
                self._released.wait(min(remaining_s, 1.0))
        return True

    def send(self, line: str) -> "Future[str]":
        """Send a command between two polls; the future gives the board's answer or a typed error."""
        answer: Future[str] = Future()
        self._commands.put((line, answer))
        self._wake()
        return answer

    def identify_again(self) -> None:
        """Ask a silent device once more who it is."""
        if self.state is LinkState.SILENT and self.mode == "unknown":
            self.identified.clear()
            self._asked_again.set()
            self._wake()

    def measure_rate(self) -> None:
        """Bring ``rate_hz`` up to date; called about once a second."""
        (before, before_s), now_s = self._measured, time.monotonic()
        self._measured = (self.message_count, now_s)
        rate_hz = (self._measured[0] - before) / max(now_s - before_s, 1e-3)
        is_steady = abs(rate_hz - self.rate_hz) < 0.3 * rate_hz
        self.rate_hz = 0.7 * self.rate_hz + 0.3 * rate_hz if is_steady else rate_hz

    def record(self) -> BoardRecord:
        """Return how the board is doing."""
        return BoardRecord(
            name=self.name,
            link=self.port,
            baud=self.options.baud,
            state=self.state,
            board_id=self.board_id,
            board_name=self.board_name,
            mode=self.mode,
            rate_hz=round(self.rate_hz, 1),
            message_count=self.message_count,
            bad_frames=self._framing.bad_count,
            dropped=self.dropped,
            error=self.error,
        )

    # ---- the thread: one connection after the other -----------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._serve_one_connection()
                except LinkError as error:
                    self._lose(error)
                    self._wait_away()
        except Exception as error:
            self.failure = error
            log.exception("The thread of %s ended", self.name)
            self._set_state(
                LinkState.AWAY, f"{self.name} ended by a fault of ours: {error!r}. The log has the details."
            )
        finally:
            self._close()
            self._fail_commands(LinkError(f"{self.name} is closed."))
            self._release()

    def _serve_one_connection(self) -> None:
        self._link = SerialLink(self.port, self.options.baud)
        talk = Conversation(
            self._link,
            self._framing,
            self._deliver,
            self._complain,
            self._sink.now_ns,
            self._is_wanted_elsewhere,
            self._stop,
        )
        self._set_state(LinkState.IDENTIFYING)
        if not (self.mode == "polled" and self._active is not None and self._take_up_again(talk)):
            self._identify(talk)
        while not self._stop.is_set():
            if self._wanted != self._active:
                self._switch(talk, self._wanted)
            self._run_commands(talk)
            if not self._is_logging:
                talk.listen(IDLE_S)
            elif self._poll(talk).message_count <= MANY_MESSAGES:
                talk.listen(self.options.poll_interval_s)
        self._settle(talk)

    def _is_wanted_elsewhere(self) -> bool:
        return self._stop.is_set() or self._wanted != self._active or not self._commands.empty()

    # ---- who is there? ----------------------------------------------------------------------------------------

    def _identify(self, talk: Conversation) -> None:
        """Listen, ask, ask again. A port that prints by itself is left to print.

        A board may say a word when it starts; one that the operator named is asked all the same once it is quiet.
        """
        heard: list[bytes] = []
        is_asked = False
        asked_s = time.monotonic()
        waits_s = [LISTEN_S, ASK_S, ASK_S]
        while not self._stop.is_set():
            if self._wanted != self._active:
                self._activate(self._wanted)
            heard_before = len(heard)
            for line in talk.lines(waits_s.pop(0) if waits_s else IDLE_S):
                heard.append(line)
                if self._recognise(talk, heard, is_asked=is_asked):
                    return
            if self._asked_again.is_set():
                self._asked_again.clear()
                waits_s = [ASK_S]
            elif not waits_s:
                self._stay_unknown()
            is_quiet = len(heard) == heard_before if self.options.is_named else not heard
            may_ask = bool(waits_s) or (self.options.is_named and time.monotonic() - asked_s > REASK_S)
            if is_quiet and may_ask:
                talk.send(protocol.identify())
                is_asked, asked_s = True, time.monotonic()

    def _recognise(self, talk: Conversation, heard: list[bytes], *, is_asked: bool) -> bool:
        """Tell from what was heard so far what the device is. The very first line may have lost its beginning."""
        parsed = protocol.classify(heard[-1])
        if parsed.kind is LineKind.DATA:
            is_sure = len(heard) > 1 or len(heard[0]) == protocol.DATA_DIGITS
            if is_sure:
                self._become(talk, "streaming", parsed.board_id, heard)
            return is_sure
        if is_asked and parsed.board_id is not None:
            self._become(talk, "polled", parsed.board_id, heard[:-1])
            return True
        if len(heard) > 1:
            self._become(talk, "streaming", None, heard)
            return True
        return False

    def _stay_unknown(self) -> None:
        if self.state is not LinkState.SILENT:
            self._set_state(
                LinkState.SILENT,
                f"{self.port} is open, but the device neither says anything nor answers at {self.options.baud} baud. "
                "Check the rate, the sketch and the cable.",
            )
        self.identified.set()
        self._fail_commands(BoardTimeout(f"The device on {self.port} does not answer."))

    def _become(self, talk: Conversation, mode: Mode, board_id: str | None, heard: list[bytes]) -> None:
        """Remember what the device is; what it said meanwhile are messages already."""
        self.mode, self.board_id = mode, board_id
        self.source, self.board_name = self._sink.identify(self.name, self.port, board_id)
        self._report_absence()
        if self._wanted != self._active:
            self._activate(self._wanted)
        self._set_state(self._working_state())
        self.identified.set()
        talk.takes_every_line = board_id is None
        talk.take(heard)
        if mode == "polled" and (self._active != PREVIEW_ID or self.options.preview):
            self._begin_logging(talk)

    def _take_up_again(self, talk: Conversation) -> bool:
        """After an absence: ask for what a board with its own power still holds, before any START."""
        deadline_s = time.monotonic() + LISTEN_S + 2 * ASK_S
        while time.monotonic() < deadline_s and not self._stop.is_set():
            if self._wanted != self._active:
                self._activate(self._wanted)
            talk.send(protocol.transmit(str(self.board_id)))
            for line in talk.lines(ANSWER_S):
                parsed = protocol.classify(line)
                if parsed.board_id is None:
                    continue
                if parsed.board_id != self.board_id:
                    return False  # another board has taken its place
                self._report_absence()
                self._set_state(self._working_state())
                if parsed.code == protocol.NOT_LOGGING:
                    self._begin_logging(talk)
                else:
                    self._is_logging = True
                    talk.take([line])
                return True
        return False

    # ---- sessions -----------------------------------------------------------------------------------------------

    def _switch(self, talk: Conversation, session_id: int) -> None:
        """Drain what belongs to the old session, then begin the new one."""
        self._settle(talk)
        self._activate(session_id)
        if self.mode == "polled" and (session_id != PREVIEW_ID or self.options.preview):
            self._begin_logging(talk)

    def _settle(self, talk: Conversation) -> None:
        """Fetch what the board still holds for the present session, stop it, and let the session go."""
        if not self._is_logging:
            talk.take_rest()
        elif self.state is LinkState.SILENT:
            talk.send(protocol.stop(str(self.board_id)))
        else:
            deadline_s = time.monotonic() + DRAIN_S
            while (answer := self._poll(talk)).message_count > MANY_MESSAGES and time.monotonic() < deadline_s:
                pass
            if answer.code is not None:
                talk.request(protocol.stop(str(self.board_id)))
            else:  # it does not come to an end by itself
                talk.send(protocol.stop(str(self.board_id)))
                talk.take_rest(QUIET_S, ANSWER_S)
        self._is_logging = False
        self._release()

    def _activate(self, session_id: int) -> None:
        self._release()
        with self._released:
            self._active = session_id
        self._active_since_ns = self._sink.now_ns()
        if self.state in (LinkState.READY, LinkState.RECORDING):
            self._set_state(self._working_state())

    def _release(self) -> None:
        self._report_absence()
        with self._released:
            self._active = None
            self._released.notify_all()

    def _begin_logging(self, talk: Conversation) -> None:
        """START. The board forgets what it has not sent."""
        code = talk.request(protocol.start(str(self.board_id)))
        if code is not None and code != protocol.ACK:
            self._complain(protocol.describe_error(code))
        self._is_logging = True  # if it did not hear, the next poll's answer, 66, starts it again

    def _poll(self, talk: Conversation) -> Answer:
        """Fetch what was logged."""
        answer = talk.transmit(str(self.board_id))
        if answer.code is None:
            if not answer.message_count and not self._stop.is_set():
                self._set_state(LinkState.SILENT, f"{self.name} does not answer. Is it powered and connected?")
                self._stop.wait(RESTART_WAIT_S)
            return answer
        if self.state is LinkState.SILENT:
            self._set_state(self._working_state())
        if answer.code == protocol.NOT_LOGGING:
            self._restart_after_reset(talk)
        return answer

    def _restart_after_reset(self, talk: Conversation) -> None:
        """The board does not log although we started it: it was reset with the cable in."""
        self._begin_logging(talk)
        if self._is_recording():
            from_ns = max(self._last_arrival_ns, self._active_since_ns)
            self._sink.report_gap(
                int(self._active or 0), int(self.source or 0), from_ns, self._sink.now_ns(), "board was reset"
            )
            self._notice("warning", f"{self.name} was reset in mid-session and has been started again.")

    def _is_recording(self) -> bool:
        return self._active is not None and self._active != PREVIEW_ID

    def _working_state(self) -> LinkState:
        return LinkState.RECORDING if self._is_recording() else LinkState.READY

    def _deliver(self, messages: Sequence[bytes], arrived_ns: int) -> None:
        self._last_arrival_ns = arrived_ns
        self.message_count += len(messages)
        if self._active is not None and not self._sink.deliver(
            self._active, int(self.source or 0), arrived_ns, messages
        ):
            self.dropped += len(messages)
            self._notice("error", f"The store is away for too long: messages of {self.name} are being dropped.")

    # ---- commands -----------------------------------------------------------------------------------------------

    def _run_commands(self, talk: Conversation) -> None:
        while not self._commands.empty():
            line, answer = self._commands.get()
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(talk.command(line, is_polled=self.mode == "polled"))
            except BlitzError as error:
                answer.set_exception(error)
                if isinstance(error, LinkError):
                    raise

    def _fail_commands(self, error: BlitzError) -> None:
        while not self._commands.empty():
            _, answer = self._commands.get()
            if answer.set_running_or_notify_cancel():
                answer.set_exception(error)

    # ---- absence and state ----------------------------------------------------------------------------------------

    def _lose(self, error: LinkError) -> None:
        """The port is gone, or never came."""
        if self._lost_ns is None and self._is_recording():
            self._lost_ns = max(self._last_arrival_ns, self._active_since_ns)
        self._close()
        self._framing.reset()
        self._is_logging = False
        self._fail_commands(error)
        if str(error) != self.error and (self.state is not LinkState.AWAY or self.error is None):
            self._notice("warning", str(error))
        self._set_state(LinkState.AWAY, str(error))
        self.identified.set()

    def _wait_away(self) -> None:
        self._stop.wait(REOPEN_S)
        if self._wanted != self._active:
            self._activate(self._wanted)
            if self._is_recording():
                self._lost_ns = self._active_since_ns

    def _report_absence(self) -> None:
        lost_ns, self._lost_ns = self._lost_ns, None
        if lost_ns is not None and self._is_recording():
            self._sink.report_gap(
                int(self._active or 0), int(self.source or 0), lost_ns, self._sink.now_ns(), "unplugged"
            )

    def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _wake(self) -> None:
        link = self._link
        if link is not None:
            link.wake()

    def _set_state(self, state: LinkState, error: str | None = None) -> None:
        if (state, error) != (self.state, self.error):
            self.state, self.error = state, error
            self._sink.link_changed(self)

    def _complain(self, sentence: str) -> None:
        self._notice("warning", f"{self.name}: {sentence}")

    def _notice(self, severity: Severity, text: str) -> None:
        """Tell the operator, at most once in ten seconds for one text."""
        now_s = time.monotonic()
        if now_s - self._noticed_s.get(text, -NOTICE_EVERY_S) >= NOTICE_EVERY_S:
            self._noticed_s[text] = now_s
            self._sink.notice(severity, text, self.name)
