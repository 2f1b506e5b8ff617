"""One device on one link: opened, attended to, lent out, and found again when it was away.

Each link has its own thread, so that a mute board slows no other. What is said on an open link depends on the kind of
device (:mod:`blitz.io.blitz_device`, :mod:`blitz.io.stream_device`, :mod:`blitz.io.netscanner`); everything that is the
same for all of them is here.
"""

import contextlib
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from blitz.data.blocks import PREVIEW_ID
from blitz.data.board_definition import BoardDefinition
from blitz.data.records import BadFrameRecord, BoardRecord, LinkState, Source
from blitz.data.source_config import SerialOptions, SourceConfig
from blitz.errors import BlitzError, BoardTimeout, LinkError
from blitz.io.conversation import Conversation
from blitz.io.delivery import NOT_THERE, Delivery, Severity, Sink
from blitz.io.device import Device, Mode, Placement, WireCommand
from blitz.io.framing import BAD_FRAMES_KEPT, make_framing
from blitz.io.ledger import Ledger, Tally
from blitz.io.lending import WAS_ASKED_FOR, Lending
from blitz.io.link import Link, LinkEnded, is_port, open_link
from blitz.io.link_orders import Changes, CommandQueue
from blitz.io.link_watch import Fault, Nobody
from blitz.io.opening import Opening
from blitz.io.resume import RESTARTED

log = logging.getLogger(__name__)

RETRY_S = (0.1, 0.2, 0.4, 0.8)
"""From one attempt to open a link that was lost to the next; so that it is open again within a second of its return."""
STEADY_S = 1.0
"""A connection that held for so long was a good one: the next is tried at once."""
CHANGE_WAIT_S = 5.0
NOTICE_EVERY_S = 10.0
BEGIN_ROUND_S = 0.25
ABANDON_S = 3.0
"""Whoever takes messages may take so long for it while the store is away."""
REST_ROUND_S = 0.25
DISABLED = "disabled"
"""Why messages are missing from a session in which an operator has disabled a source."""
IS_DISABLED = "Disabled: nobody reads it until it is enabled."
LENT = "Lent to another program; it is opened again by itself."


@dataclass(frozen=True)
class LinkOptions:
    """How a link is run.

    :param is_named: the operator named the port; one found by its USB id is not asked again and again.
    :param open_link: opens its link, if not :func:`~blitz.io.link.open_link` does: a stream is nothing of this machine.
    """

    poll_interval_s: float = 0.1
    preview: bool = True
    is_named: bool = True
    open_link: Callable[[str, SerialOptions | None], Link] | None = None


class DeviceLink:
    """A device on a link, in a thread of its own.

    :param config: what it is and how it is reached; its name is unique on the server.
    :param make_device: gives what knows this kind of device.
    :param sink: where messages, gaps and notices go.
    :param locate: says where the device is now; None takes the configured link.
    :param tell: puts a sentence on the session's time line.
    :param why_missing: why messages are missing from a session that runs already when the link is made.
    :param lending: of the link before this one, whose port may be lent.
    """

    def __init__(
        self,
        config: SourceConfig,
        options: LinkOptions,
        make_device: Callable[["DeviceLink"], Device],
        sink: Sink,
        locate: Callable[[], Placement] | None = None,
        tell: Callable[[str], None] = lambda text: None,
        why_missing: str = NOT_THERE,
        lending: Lending | None = None,
    ) -> None:
        self.config = config
        self.options = options
        self.state = LinkState.AWAY
        self.mode: Mode = "unknown"
        self.board_id: str | None = None
        self.board_name = ""
        self.definition: BoardDefinition | None = config.definition
        self.is_guessed = False
        self.error: str | None = None
        self.rate_hz = 0.0
        self.port = config.link
        """Where it is reached now, or was last."""
        self.candidates: tuple[str, ...] = ()
        self.leaves_logging = False
        """The session goes on without us: when the link is stopped the device is not told to stop."""
        self.framing = make_framing(config.rule)
        self.ledger = Ledger(self.framing)
        self.delivery = Delivery(sink, self.ledger)
        self.stopping = threading.Event()
        self.identified = threading.Event()
        """Set once the device is known, or was asked in vain, or cannot be opened."""
        self.failure: BaseException | None = None
        """What ended the thread, if it was no call of :meth:`stop`."""
        self.beats = 0
        """Rises as long as the thread moves: at least once a second, but while a port is being opened."""
        self.missed: tuple[int, int] | None = None
        """When the thread has failed: the session that it delivered to, and since when messages are missing."""
        self._sink: Sink = sink
        self._locate = locate
        self._tell = tell
        self._why_missing = why_missing
        self._make_device = make_device
        self._device = make_device(self)
        self._link: Link | None = None
        self._commands = CommandQueue()
        self._changes = Changes()
        self.lending = lending or Lending()
        self.opening: Opening | None = None
        """Of a source that is being added: who waits until it is open."""
        self._is_enabled = config.is_enabled
        self._called = threading.Event()
        """Ends a round of rest early."""
        self._is_over = threading.Event()
        self._ask_lock = threading.Lock()
        self._asked_again = threading.Event()
        self._retries = 0
        self._back_s: float | None = None
        """Since when the device is back; None while it is not."""
        self._failed_begins = 0
        self._told: LinkState | None = None
        """What the operator knows of the present absence."""
        self._overruns_before = 0
        self._is_redefined = False
        self._bad_frames: deque[BadFrameRecord] = deque(maxlen=BAD_FRAMES_KEPT)
        self._bad_seen = 0
        self._measured = (0, time.monotonic())
        self._noticed_s: dict[str, float] = {}
        self._talk: Conversation | None = None
        self._delivering = threading.Lock()
        self._begin_s = 0.0
        self._thread = threading.Thread(target=self._run, name=f"link {config.name}", daemon=True)

    @property
    def name(self) -> str:
        """The source's name."""
        return self.config.name

    # ---- from other threads -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: open, identify, deliver to the preview."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port; re-raise what went wrong in it."""
        self.stopping.set()
        if self.opening is not None:
            self.opening.decide()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(10.0)
        if self.failure is not None:
            raise self.failure

    def take_over(self, before: "DeviceLink", fault: Fault, delay_s: float) -> None:
        """Go on for a link whose thread has failed: what is missed meanwhile is a gap. Called before :meth:`start`.

        :param delay_s: when to open the port at the earliest.
        """
        self._why_missing = fault.value
        self.missed = before.missed
        self._begin_s = time.monotonic() + delay_s
        self.error = before.error

    def resume(self, session_id: int, since_ns: int, source: Source) -> None:
        """Go on for an earlier server: what was missed meanwhile is a gap. Called before :meth:`start`."""
        self._why_missing = RESTARTED
        self.missed = (session_id, since_ns)
        if source.is_polled:  # it may still hold what it logged since; START would make it forget
            self.mode, self.board_id = "polled", source.board_id

    def abandon(self) -> bool:
        """Give up a thread that does not move: what it says, should it move again, goes nowhere.

        False if it is held up by whoever takes its messages: a new thread would be, too.
        """
        if not self._delivering.acquire(timeout=ABANDON_S):
            return False
        try:
            delivery, talk = self.delivery, self._talk
            self._sink = Nobody(self._sink.now_ns)
            self.delivery = Delivery(self._sink, self.ledger)
        finally:
            self._delivering.release()
        self.stopping.set()
        delivery.settle(self.ledger.tally(()) if talk is None else talk.tally())
        self._note_missed(delivery)
        delivery.release()
        self._is_over.set()
        self._commands.refuse(LinkError(f"{self.name} hung and is started anew."))
        self.identified.set()
        link, self._link = self._link, None
        if link is not None:  # a driver that hangs in reading may hang in closing, too
            threading.Thread(target=link.close, name=f"closing {self.name}", daemon=True).start()
        return True

    def deliver_to(self, session_id: int) -> None:
        """Deliver to this session (or the preview) from now on; the old one is drained first."""
        self.delivery.wanted = session_id if self.config.is_recorded else PREVIEW_ID
        self._wake()

    def follow_on(self, before_id: int, session_id: int) -> None:
        """Deliver to the session that follows another one without a break: the device goes on as it does."""
        self.delivery.follow_on(before_id, session_id)
        self._wake()

    @property
    def is_stopping(self) -> bool:
        """Whether the thread was told to end."""
        return self.stopping.is_set()

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended: it was stopped, or a recording is at its end."""
        return self._is_over.is_set()

    def send(self, request: WireCommand) -> "Future[str | None]":
        """Send a command when its turn comes; the future gives the device's answer or a typed error.

        Once the thread has ended that is at once a :class:`~blitz.errors.LinkError`.
        """
        answer = self._commands.put(request)
        if self._is_over.is_set():
            self._refuse_commands()
        self._wake()
        return answer

    def release(self, for_s: float) -> None:
        """Close the port for another program, and take it again after that time by itself."""
        self.lending.lend(for_s)
        self._wake()

    def enable(self, is_enabled: bool) -> None:
        """Close the link until it is enabled again, or open it again; what comes meanwhile is missing."""
        self._is_enabled = is_enabled
        self._wake()

    def retake(self) -> bool:
        """Open a port that was lent out again, now; False if it was not lent."""
        return self.lending.retake()

    def identify_again(self) -> None:
        """Ask a silent device once more who it is."""
        with self._ask_lock:
            if self.state is not LinkState.SILENT or self.mode != "unknown":
                return
            self.identified.clear()
            self._asked_again.set()
        self._wake()

    def redefine(self, definition: BoardDefinition, then: Callable[[], None] = lambda: None) -> None:
        """Take another definition for what the device sends from now on; waits until that is so.

        :param then: called behind the last message of the old definition, before the first of the new one.
        """

        def change() -> None:
            self.config = self.config.model_copy(update={"definition": definition})
            self.definition, self.is_guessed = definition, False
            if self.delivery.source is not None and self._link is not None:
                self.make_known(self.board_id, ())
            else:  # at its port there may be another device now
                self._is_redefined = True
            if self.config.is_stream and self.mode == "streaming":
                self._device = self._make_device(self)  # it is not asked any more when it comes back
            then()

        made = self._changes.put(change)
        self._wake()
        if self._is_over.is_set():
            self._changes.make()
        made.wait(CHANGE_WAIT_S)

    def measure_rate(self) -> None:
        """Bring ``rate_hz`` up to date; called about once a second."""
        (before, before_s), now_s = self._measured, time.monotonic()
        self._measured = (self.delivery.tally.messages_read, now_s)
        rate_hz = (self._measured[0] - before) / max(now_s - before_s, 1e-3)
        is_steady = abs(rate_hz - self.rate_hz) < 0.3 * rate_hz
        self.rate_hz = 0.7 * self.rate_hz + 0.3 * rate_hz if is_steady else rate_hz

    def bad_frames(self) -> list[BadFrameRecord]:
        """Return the last frames that mean nothing, oldest first."""
        return list(self._bad_frames)

    def record(self) -> BoardRecord:
        """Return how the device is doing."""
        tally = self.delivery.tally
        return BoardRecord(
            name=self.name,
            link=self.port,
            baud=self.config.serial.baud if is_port(self.port) else 0,
            state=self.state,
            board_id=self.board_id,
            board_name=self.board_name,
            mode=self.mode,
            rate_hz=round(self.rate_hz, 1),
            message_count=tally.messages_read,
            bad_frames=tally.bad_frames,
            dropped=tally.messages_dropped,
            format="" if self.definition is None else self.definition.format.value,
            is_guessed=self.is_guessed,
            definition=self.definition,
            framing=self.config.rule,
            candidates=self.candidates,
            is_recorded=self.config.is_recorded,
            retake_at=self.lending.retake_at if self.state is LinkState.RELEASED else None,
            error=self.error,
        )

    # ---- for the device, in the link's thread -----------------------------------------------------------------

    @property
    def is_wanted_elsewhere(self) -> bool:
        """Whether the thread has something else to do than to listen."""
        is_asked = not self._commands.is_empty or not self._changes.is_empty
        return self.is_leaving or not self.delivery.is_current or is_asked

    @property
    def is_leaving(self) -> bool:
        """Whether the link is about to be closed."""
        self.beats += 1
        return self.stopping.is_set() or self.lending.is_lent or not self._is_enabled

    @property
    def may_start(self) -> bool:
        """Whether a device that has to be told may be told to log."""
        return self.delivery.is_recording or self.options.preview

    def take_question(self) -> bool:
        """Return, once, whether the operator wants the device to be asked again."""
        was_asked = self._asked_again.is_set()
        self._asked_again.clear()
        return was_asked

    def make_known(self, board_id: str | None, heard: Sequence[bytes]) -> None:
        """The device is known: find its row in source tables."""
        known = self._sink.identify(self.name, self.port, board_id, heard)
        self.board_id, self.board_name = board_id, known.kind
        self.definition, self.is_guessed = known.definition, known.is_guessed
        self.delivery.become(known.source)
        self._is_redefined = False
        with self._ask_lock:  # behind the mode: nobody takes it back who saw none
            self.identified.set()

    def be_back(self) -> None:
        """The device is there: what it says from now on is not missing any more."""
        self._back_s = time.monotonic()
        self._failed_begins = 0
        self._told = None
        self._why_missing = NOT_THERE
        if self._is_redefined and self.delivery.source is not None:
            self.make_known(self.board_id, ())
        self.delivery.end_absence()
        if not self.delivery.is_current:
            self.delivery.activate()
        self.set_state(self.working_state)

    def keep_waiting(self) -> None:
        """The device is not known yet: follow what is wanted all the same."""
        self.beats += 1
        self._changes.make()
        if not self.delivery.is_current:
            # What a device says while it is being identified is kept: a session that begins meanwhile misses nothing.
            is_heard = self.state is LinkState.IDENTIFYING and self.delivery.active == PREVIEW_ID
            missed, self.missed = self.missed, None
            since_ns = missed[1] if missed is not None and missed[0] == self.delivery.wanted else None
            self.delivery.activate(is_away=not is_heard, reason=self._why_missing, since_ns=since_ns)

    def stay_unknown(self, sentence: str) -> None:
        """The device does not say what it is.

        :param sentence: why; with the numbers in it that it had when it was said first.
        """
        if self.state is not LinkState.SILENT or _without_numbers(self.error or "") != _without_numbers(sentence):
            self.set_state(LinkState.SILENT, sentence)
        with self._ask_lock:
            if not self._asked_again.is_set():
                self.identified.set()
        self._commands.refuse(BoardTimeout(f"The device on {self.port} does not answer."))

    def run_commands(self, talk: Conversation) -> None:
        """Send the commands that wait, and give the answers."""
        for request, answer in self._commands.take():
            try:
                answer.set_result(self._device.command(talk, request))
            except BlitzError as error:
                answer.set_exception(error)
                if isinstance(error, LinkError):
                    raise
            except Exception as error:
                answer.set_exception(LinkError(f"{self.name} ended by a fault of ours: {error!r}."))
                raise

    @property
    def working_state(self) -> LinkState:
        """The state of a device that is there and known."""
        return LinkState.RECORDING if self.delivery.is_recording else LinkState.READY

    def set_state(self, state: LinkState, error: str | None = None) -> None:
        """Change the state, and tell viewers if it is another."""
        if (state, error) != (self.state, self.error):
            self.state, self.error = state, error
            self._sink.link_changed(self.record())

    def complain(self, sentence: str) -> None:
        """Tell the operator what the device said."""
        self.notice("warning", f"{self.name}: {sentence}")

    def notice(self, severity: Severity, text: str) -> None:
        """Tell the operator, at most once in ten seconds for one text."""
        now_s = time.monotonic()
        if now_s - self._noticed_s.get(text, -NOTICE_EVERY_S) >= NOTICE_EVERY_S:
            self._noticed_s[text] = now_s
            self._sink.notice(severity, text, self.name)

    # ---- the thread: one connection after the other -----------------------------------------------------------

    def _run(self) -> None:
        try:
            self._wait_for_begin()
            while not self.stopping.is_set():
                if not self._is_enabled:
                    self._rest()
                    continue
                if self.lending.is_lent:
                    self._lend()
                    continue
                talk: Conversation | None = None
                try:
                    talk = self._open()
                    if self.opening is not None and self.opening.is_pending:
                        self.opening.succeed()
                    if not self.stopping.is_set():
                        self._attend(talk)
                except LinkError as error:
                    if self.opening is not None and self.opening.is_pending:
                        self.opening.fail(error)
                        break
                    reopens = self._link is None or self._link.reopens
                    self._lose(error, talk)
                    if not reopens:
                        break
                    self._wait_away()
        except Exception as error:
            self.failure = error
            log.exception("The thread of %s ended", self.name)
            if self.opening is not None and self.opening.is_pending:
                self.opening.fail(error)
                return
            with contextlib.suppress(Exception):  # what else is wrong says what has ended it
                self._settle(self.ledger.tally(()) if self._talk is None else self._talk.tally())
            self._note_missed(self.delivery)
            self._sink.notice(
                "error", f"{self.name} ended by a fault of ours: {error!r}. It is started anew.", self.name
            )
            self.set_state(LinkState.AWAY, f"ended by a fault of ours: {error!r}")
        finally:
            self._close()
            self._is_over.set()
            self._changes.make()
            self._refuse_commands()
            self.identified.set()
            self.delivery.release()

    def _wait_for_begin(self) -> None:
        """Follow what is wanted from the first moment where another link has failed, and open when it is time."""
        if self.missed is not None:
            self.keep_waiting()
        while (remaining_s := self._begin_s - time.monotonic()) > 0 and not self.stopping.wait(
            min(remaining_s, BEGIN_ROUND_S)
        ):
            self.keep_waiting()

    def _note_missed(self, delivery: Delivery) -> None:
        """The thread has failed: keep where its account ends."""
        if delivery.active is not None and delivery.is_recording:
            self.missed = (delivery.active, delivery.covered_until_ns)

    def _now_ns(self) -> int:
        self.beats += 1
        return self._sink.now_ns()

    def _open(self) -> Conversation:
        if self._locate is not None:
            place = self._locate()
            self.candidates = place.candidates
            if place.port is None:
                raise LinkError(place.why)
            self.port = place.port
        self._link = (self.options.open_link or open_link)(self.port, self.config.serial)
        self._talk = Conversation(
            self._link,
            self.framing,
            self.ledger,
            self._deliver,
            self._now_ns,
            lambda: self.is_wanted_elsewhere,
            self.stopping,
            self._settle,
            self.complain,
        )
        return self._talk

    def _attend(self, talk: Conversation) -> None:
        if not self._failed_begins:  # else it goes on: it can be opened, but nothing comes of it
            self.set_state(LinkState.IDENTIFYING)
        self._device.begin(talk)
        while not self.is_leaving:
            self._changes.make()
            if self.delivery.is_followed:
                self.delivery.activate()
            if not self.delivery.is_current:
                self._device.settle(talk)
                self.delivery.activate()
                if self.state in (LinkState.READY, LinkState.RECORDING):
                    self.set_state(self.working_state)
                self._device.start(talk)
            self.run_commands(talk)
            self._device.work(talk)
        self._device.settle(talk, goes_on=not self.stopping.is_set() or self.leaves_logging)
        talk.abandon(is_known=self.delivery.source is not None)

    def _settle(self, tally: Tally) -> None:
        if self._link is not None and (overruns := self._link.overruns) is not None:
            self.ledger.overruns = self._overruns_before + overruns
        self.delivery.settle(tally)
        fresh = min(self.framing.bad_count - self._bad_seen, len(self.framing.bad_frames))
        if fresh:
            self._bad_seen = self.framing.bad_count
            now_ns = self._sink.now_ns()
            for frame in list(self.framing.bad_frames)[-fresh:]:
                self._bad_frames.append(BadFrameRecord(time_ns=now_ns, reason=frame.reason, raw=frame.raw.hex()))

    def _deliver(self, messages: Sequence[bytes], arrived_ns: int) -> None:
        with self._delivering:
            is_taken = self.delivery.deliver(messages, arrived_ns)
        if not is_taken:
            self.notice("error", f"The store is away or too slow: messages of {self.name} are being dropped.")

    # ---- commands -----------------------------------------------------------------------------------------------

    def _refuse_commands(self) -> None:
        """Nobody will send them any more."""
        why = "is closed" if self.failure is None else f"ended by a fault of ours: {self.failure!r}"
        self._commands.refuse(LinkError(f"{self.name} {why}."))

    # ---- absence --------------------------------------------------------------------------------------------------

    def _lose(self, error: LinkError, talk: Conversation | None) -> None:
        """The link is gone, or never came."""
        has_ended = isinstance(error, LinkEnded)
        if talk is not None:
            talk.abandon(is_known=self.delivery.source is not None)
            self._failed_begins += self._back_s is None
        if self._back_s is not None and time.monotonic() - self._back_s >= STEADY_S:
            self._retries = 0
        self._back_s = None
        self._leave("" if has_ended else "unplugged")
        self._commands.refuse(error)
        state = LinkState.AMBIGUOUS if self.candidates else LinkState.AWAY
        if self._told is not state:
            self._told = state
            self.notice("info" if has_ended else "warning", str(error))
        self.set_state(state, str(error))
        self.identified.set()

    def _leave(self, reason: str) -> None:
        """Close the port; what comes of an unfinished frame is kept."""
        self.framing.reset()
        self._settle(self.ledger.tally(()))
        if reason:
            self.delivery.begin_absence(reason)
        self._close()
        self._device.lose()

    def _wait_away(self) -> None:
        """Wait for the next attempt; after the first ones it comes as soon as a port may be back."""
        self.stopping.wait(RETRY_S[min(self._retries, len(RETRY_S) - 1)])
        self._retries += 1
        self.keep_waiting()

    def _lend(self) -> None:
        """Leave the port to another program until it is to be taken again."""
        self._why_missing = "released"
        self._leave("released")
        self.identified.set()
        self._wait_lent()  # before it is told, so that what comes in between is refused, too
        self.set_state(LinkState.RELEASED, LENT)
        why = self.lending.wait_for_return(self.port, self.stopping, self._wait_lent)
        self._retries, self._told = 0, None
        if why != WAS_ASKED_FOR and not self.stopping.is_set():
            self._tell(f"{self.name} was taken again by itself: {why}.")

    def _rest(self) -> None:
        """Leave the source alone until it is enabled."""
        is_missed = self.delivery.is_recording and self.delivery.source is not None
        self._leave(DISABLED if is_missed else "")
        self.identified.set()
        while not self._is_enabled and not self.stopping.is_set():
            self._commands.refuse(LinkError(f"{self.name} is disabled. Enable it first."))
            self.beats += 1
            self._changes.make()
            if not self.delivery.is_current:
                self.delivery.activate()  # of a session that begins without it, nothing is missing
            self.set_state(LinkState.DISABLED, IS_DISABLED)
            self._called.wait(REST_ROUND_S)
            self._called.clear()
        self._retries, self._told = 0, None

    def _wait_lent(self) -> None:
        self._commands.refuse(LinkError(f"{self.name} is released: another program has the port. Retake it first."))
        self.keep_waiting()

    def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._overruns_before = self.ledger.overruns or 0
            link.close()

    def _wake(self) -> None:
        self._called.set()
        link = self._link
        if link is not None:
            link.wake()


def _without_numbers(sentence: str) -> str:
    return re.sub(r"\d+", "", sentence)
