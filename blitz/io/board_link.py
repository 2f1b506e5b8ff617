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
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from blitz.data.records import BoardRecord, LinkState
from blitz.errors import BlitzError, BoardTimeout, LinkError
from blitz.io import protocol
from blitz.io.conversation import ANSWER_S, Answer, Conversation
from blitz.io.delivery import Delivery, Severity, Sink
from blitz.io.framing import LineFraming
from blitz.io.link import SerialLink

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
        self.delivery = Delivery(sink)
        self.identified = threading.Event()
        """Set once the device is known, or was asked in vain, or cannot be opened."""
        self.failure: BaseException | None = None
        """What ended the thread, if it was no call of :meth:`stop`."""
        self._sink = sink
        self._framing = LineFraming()
        self._link: SerialLink | None = None
        self._is_logging = False
        self._commands: queue.SimpleQueue[tuple[str, Future[str]]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._is_over = threading.Event()
        self._asked_again = threading.Event()
        self._ask_lock = threading.Lock()
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
        self.delivery.wanted = session_id
        self._wake()

    def send(self, line: str) -> "Future[str]":
        """Send a command between two polls; the future gives the board's answer or a typed error.

        Once the thread has ended that is at once a :class:`~blitz.errors.LinkError`.
        """
        answer: Future[str] = Future()
        self._commands.put((line, answer))
        if self._is_over.is_set():
            self._refuse_commands()
        self._wake()
        return answer

    def identify_again(self) -> None:
        """Ask a silent device once more who it is."""
        with self._ask_lock:
            if self.state is not LinkState.SILENT or self.mode != "unknown":
                return
            self.identified.clear()
            self._asked_again.set()
        self._wake()

    def measure_rate(self) -> None:
        """Bring ``rate_hz`` up to date; called about once a second."""
        (before, before_s), now_s = self._measured, time.monotonic()
        self._measured = (self.delivery.message_count, now_s)
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
            message_count=self.delivery.message_count,
            bad_frames=self._framing.bad_count,
            dropped=self.delivery.dropped,
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
            sentence = f"{self.name} ended by a fault of ours: {error!r}. The log has the details."
            self._notice("error", sentence)
            self._set_state(LinkState.AWAY, sentence)
        finally:
            self._close()
            self._is_over.set()
            self._refuse_commands()
            self.identified.set()
            self.delivery.release()

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
        if not (self.mode == "polled" and self._take_up_again(talk)):
            self._identify(talk)
        while not self._stop.is_set():
            if not self.delivery.is_current:
                self._switch(talk)
            self._run_commands(talk)
            if not self._is_logging:
                talk.listen(IDLE_S)
                continue
            next_s = time.monotonic() + self.options.poll_interval_s
            if self._poll(talk).message_count <= MANY_MESSAGES:
                talk.listen(next_s - time.monotonic())  # a long answer takes most of the interval by itself
        self._settle(talk)

    def _is_wanted_elsewhere(self) -> bool:
        return self._stop.is_set() or not self.delivery.is_current or not self._commands.empty()

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
            if not self.delivery.is_current:
                self.delivery.activate(is_away=True)
            heard_before = len(heard)
            for line in talk.lines(waits_s.pop(0) if waits_s else IDLE_S):
                heard.append(line)
                found = protocol.recognise(heard, is_asked=is_asked)
                if found is not None:
                    self._become(talk, found, heard)
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

    def _stay_unknown(self) -> None:
        if self.state is not LinkState.SILENT:
            self._set_state(
                LinkState.SILENT,
                f"{self.port} is open, but the device neither says anything nor answers at {self.options.baud} baud. "
                "Check the rate, the sketch and the cable.",
            )
        with self._ask_lock:
            if not self._asked_again.is_set():
                self.identified.set()
        self._fail_commands(BoardTimeout(f"The device on {self.port} does not answer."))

    def _become(self, talk: Conversation, found: protocol.Recognition, heard: list[bytes]) -> None:
        """Remember what the device is; what it said meanwhile are messages already."""
        self.mode, self.board_id = "polled" if found.is_polled else "streaming", found.board_id
        self.delivery.source, self.board_name = self._sink.identify(self.name, self.port, found.board_id)
        self._be_back()
        with self._ask_lock:  # behind the mode: nobody takes it back who saw none
            self.identified.set()
        talk.takes_every_line = found.board_id is None
        talk.take(heard)
        if found.is_polled and self._may_start():
            self._take_over(talk)

    def _take_over(self, talk: Conversation) -> None:
        """Begin with what the board holds: one with its own power may log since before we came, and START forgets."""
        if talk.transmit(str(self.board_id)).code == protocol.NOT_LOGGING:
            self._begin_logging(talk)
        self._is_logging = True

    def _be_back(self) -> None:
        """The device is there: what it says from now on is not missing any more."""
        self.delivery.end_absence()
        if not self.delivery.is_current:
            self.delivery.activate()
        self._set_state(self._working_state())

    def _may_start(self) -> bool:
        return self.delivery.is_recording or self.options.preview

    def _take_up_again(self, talk: Conversation) -> bool:
        """After an absence: ask for what a board with its own power still holds, before any START."""
        deadline_s = time.monotonic() + LISTEN_S + 2 * ASK_S
        while time.monotonic() < deadline_s and not self._stop.is_set():
            if not self.delivery.is_current:
                self.delivery.activate(is_away=True)
            talk.send(protocol.transmit(str(self.board_id)))
            for line in talk.lines(ANSWER_S):
                parsed = protocol.classify(line)
                if parsed.board_id is None:
                    continue
                if parsed.board_id != self.board_id:
                    return False  # another board has taken its place
                self._be_back()
                if parsed.code != protocol.NOT_LOGGING:
                    self._is_logging = True
                    if talk.take([line], is_transmitting=True) is None:
                        talk.finish_answer()
                elif self._may_start():
                    self._begin_logging(talk)
                return True
        return False

    # ---- sessions -----------------------------------------------------------------------------------------------

    def _switch(self, talk: Conversation) -> None:
        """Drain what belongs to the old session, then begin the wanted one."""
        self._settle(talk)
        self.delivery.activate()
        if self.state in (LinkState.READY, LinkState.RECORDING):
            self._set_state(self._working_state())
        if self.mode == "polled" and self._may_start():
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
        self.delivery.release()

    def _begin_logging(self, talk: Conversation) -> None:
        """START. The board forgets what it has not sent."""
        talk.request(protocol.start(str(self.board_id)))
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
        if self.delivery.is_recording:
            self.delivery.report_reset()
            self._notice("warning", f"{self.name} was reset in mid-session and has been started again.")
        else:
            self._notice("warning", f"{self.name} was reset and has been started again.")

    def _working_state(self) -> LinkState:
        return LinkState.RECORDING if self.delivery.is_recording else LinkState.READY

    def _deliver(self, messages: Sequence[bytes], arrived_ns: int) -> None:
        if not self.delivery.deliver(messages, arrived_ns):
            self._notice("error", f"The store is away or too slow: messages of {self.name} are being dropped.")

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
            except Exception as error:
                answer.set_exception(LinkError(f"{self.name} ended by a fault of ours: {error!r}."))
                raise

    def _fail_commands(self, error: BlitzError) -> None:
        with suppress(queue.Empty):  # the thread's end and whoever sends may both be at it
            while True:
                _, answer = self._commands.get_nowait()
                if answer.set_running_or_notify_cancel():
                    answer.set_exception(error)

    def _refuse_commands(self) -> None:
        """Nobody will send them any more."""
        why = "is closed" if self.failure is None else f"ended by a fault of ours: {self.failure!r}"
        self._fail_commands(LinkError(f"{self.name} {why}."))

    # ---- absence and state ----------------------------------------------------------------------------------------

    def _lose(self, error: LinkError) -> None:
        """The port is gone, or never came."""
        self.delivery.begin_absence()
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
        if not self.delivery.is_current:
            self.delivery.activate(is_away=True)

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
            self._sink.link_changed(self.record())

    def _complain(self, sentence: str) -> None:
        self._notice("warning", f"{self.name}: {sentence}")

    def _notice(self, severity: Severity, text: str) -> None:
        """Tell the operator, at most once in ten seconds for one text."""
        now_s = time.monotonic()
        if now_s - self._noticed_s.get(text, -NOTICE_EVERY_S) >= NOTICE_EVERY_S:
            self._noticed_s[text] = now_s
            self._sink.notice(severity, text, self.name)
