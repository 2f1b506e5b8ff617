"""A device that may be a Blitz board: found out by listening and asking, then started, polled, or listened to.

The order of questions follows the traps that real boards set (docs/architecture.md names them). A device that only
prints is left to print; what its lines mean is guessed by the link's owner.
"""

import time
from typing import TYPE_CHECKING

from blitz.data.records import LinkState
from blitz.errors import BoardTimeout
from blitz.io import protocol
from blitz.io.conversation import ANSWER_S, Answer, Conversation
from blitz.io.device import WireCommand
from blitz.io.silence import unknown_device
from blitz.io.stream_device import GUESS_LINES, GUESS_S, send_on_connecting, send_to_stream

if TYPE_CHECKING:
    from blitz.io.device_link import DeviceLink

LISTEN_S = 2.0
LISTEN_KNOWN_S = 0.25
"""To a port at which a Blitz board is expected: one that streams says so by itself within that, or answers."""
ASK_S = 1.2
REASK_S = 10.0
IDLE_S = 0.5
RESTART_WAIT_S = 0.2
DRAIN_S = 1.0
QUIET_S = 0.2
MANY_MESSAGES = 16
"""An answer with more messages than this is followed by the next poll at once: the board's ring may be short."""


class BlitzDevice:
    """A Blitz board, or a device of which nothing is known yet. See :class:`~blitz.io.device.Device`."""

    def __init__(self, owner: "DeviceLink") -> None:
        self._owner = owner
        self._is_logging = False
        self._is_switched_on = False
        """Whether what is to be sent on connecting was sent before the device was known."""

    # ---- who is there? ----------------------------------------------------------------------------------------

    def begin(self, talk: Conversation) -> None:
        """Take up a board again that was polled before the link was lost; else find out what is there."""
        talk.takes_every_line = False
        self._is_switched_on = False
        if not (self._owner.mode == "polled" and self._take_up_again(talk)):
            self._identify(talk)

    def _identify(self, talk: Conversation) -> None:
        """Listen, ask, ask again. A port that prints by itself is left to print.

        A board may say a word when it starts; one that the operator named is asked all the same once it is quiet.
        """
        owner = self._owner
        is_asked = bool(talk.heard)  # another board has answered what was asked of the one before
        if is_asked and (found := protocol.recognise(talk.heard, is_asked=True)) is not None:
            self._become(talk, found)
            return
        asked_s = time.monotonic()
        listen_s = LISTEN_S if owner.config.board_id is None and owner.board_id is None else LISTEN_KNOWN_S
        waits_s = [listen_s, ASK_S, ASK_S]
        begun = talk.tally()
        while not owner.is_leaving:
            talk.settle()
            owner.keep_waiting()
            heard_before = len(talk.heard)
            for line in talk.lines(waits_s.pop(0) if waits_s else IDLE_S):
                talk.hear([line])
                found = protocol.recognise(talk.heard, is_asked=is_asked)
                if found is not None:
                    self._become(talk, found)
                    return
            if owner.take_question():
                waits_s = [ASK_S]
            elif not waits_s and self._switch_on(talk):
                waits_s = [ASK_S]
                continue
            elif not waits_s:
                owner.run_commands(talk)
                baud = owner.config.serial.baud
                owner.stay_unknown(unknown_device(owner.name, owner.port, baud, begun, talk.tally()))
            is_named = owner.options.is_named
            is_quiet = len(talk.heard) == heard_before if is_named else not talk.heard
            may_ask = bool(waits_s) or (is_named and time.monotonic() - asked_s > REASK_S)
            if is_quiet and may_ask:
                talk.send(protocol.identify())
                is_asked, asked_s = True, time.monotonic()

    def _switch_on(self, talk: Conversation) -> bool:
        """A device that says nothing may have to be told to: once a connection; False if there is nothing to tell."""
        if self._is_switched_on or not self._owner.config.on_connect:
            return False
        send_on_connecting(self._owner, talk)
        self._is_switched_on = True
        return True

    def _become(self, talk: Conversation, found: protocol.Recognition) -> None:
        """Remember what the device is; what it said meanwhile are messages already."""
        owner = self._owner
        if not found.is_polled and found.board_id is None:
            self._hear_more(talk)
        owner.mode = "polled" if found.is_polled else "streaming"
        owner.make_known(found.board_id, talk.heard)
        owner.be_back()
        if found.board_id is None and owner.definition is None:
            owner.notice(
                "warning",
                f"Nobody knows what {owner.name} sends: it is recorded as it comes, no channels. The format doctor "
                f"may find out: blitz release {owner.name} -- blitz doctor {{port}} --save {owner.name}",
            )
        talk.takes_every_line = found.board_id is None
        talk.take_heard()
        talk.settle()
        if not self._is_switched_on:
            send_on_connecting(owner, talk)
        if found.is_polled and owner.may_start:
            self._take_over(talk)

    def _hear_more(self, talk: Conversation) -> None:
        deadline_s = time.monotonic() + GUESS_S
        while len(talk.heard) < GUESS_LINES and time.monotonic() < deadline_s and not self._owner.is_leaving:
            talk.hear(talk.receive(deadline_s - time.monotonic()))

    def _take_over(self, talk: Conversation) -> None:
        """Begin with what the board holds: one with its own power may log since before we came, and START forgets."""
        if talk.transmit(str(self._owner.board_id)).code == protocol.NOT_LOGGING:
            self._begin_logging(talk)
        self._is_logging = True

    def _take_up_again(self, talk: Conversation) -> bool:
        """After an absence: ask for what a board with its own power still holds, before any START."""
        owner = self._owner
        deadline_s = time.monotonic() + LISTEN_S + 2 * ASK_S
        while time.monotonic() < deadline_s and not owner.is_leaving:
            owner.keep_waiting()
            talk.send(protocol.transmit(str(owner.board_id)))
            for line in talk.lines(ANSWER_S):
                parsed = protocol.classify(line)
                if parsed.board_id is None:
                    talk.take([line])
                    continue
                if parsed.board_id != owner.board_id:
                    talk.hear([line])
                    return False  # another board has taken its place
                owner.make_known(owner.board_id, ())  # perhaps at another port
                owner.be_back()
                if parsed.code != protocol.NOT_LOGGING:
                    self._is_logging = True
                    with owner.delivery.recovering():
                        if talk.take([line], is_transmitting=True) is None:
                            talk.finish_answer()
                    talk.settle()
                else:
                    talk.discard_answer(line)
                    if owner.may_start:
                        self._begin_logging(talk)
                send_on_connecting(owner, talk)
                return True
        return False

    # ---- sessions -----------------------------------------------------------------------------------------------

    def start(self, talk: Conversation) -> None:
        """START a board that is polled."""
        if self._owner.mode == "polled" and self._owner.may_start:
            self._begin_logging(talk)

    def work(self, talk: Conversation) -> None:
        """Poll, or listen."""
        owner = self._owner
        if not self._is_logging:
            talk.listen(IDLE_S)
            return
        interval_s = owner.config.poll_interval_s or owner.options.poll_interval_s
        next_s = time.monotonic() + interval_s
        if self._poll(talk).message_count <= MANY_MESSAGES:
            talk.listen(next_s - time.monotonic())  # a long answer takes most of the interval by itself

    def settle(self, talk: Conversation, *, goes_on: bool = False) -> None:
        """Fetch what the board still holds for the present session, and stop it."""
        owner = self._owner
        if not self._is_logging:
            talk.take_rest()
        elif owner.state is LinkState.SILENT:
            if not goes_on:
                talk.send(protocol.stop(str(owner.board_id)))
        else:
            deadline_s = time.monotonic() + DRAIN_S
            while (answer := self._poll(talk)).message_count > MANY_MESSAGES and time.monotonic() < deadline_s:
                pass
            if goes_on:
                return
            if answer.code is not None:
                talk.request(protocol.stop(str(owner.board_id)))
            else:  # it does not come to an end by itself
                talk.send(protocol.stop(str(owner.board_id)))
                talk.take_rest(QUIET_S, ANSWER_S)
        self._is_logging = False

    def lose(self) -> None:
        """The link is gone."""
        self._is_logging = False

    def _begin_logging(self, talk: Conversation) -> None:
        """START. The board forgets what it has not sent."""
        talk.request(protocol.start(str(self._owner.board_id)))
        self._is_logging = True  # if it did not hear, the next poll's answer, 66, starts it again

    def _poll(self, talk: Conversation) -> Answer:
        """Fetch what was logged."""
        owner = self._owner
        answer = talk.transmit(str(owner.board_id))
        if answer.code is None:
            if not answer.message_count and not owner.is_leaving:
                owner.set_state(LinkState.SILENT, f"{owner.name} does not answer. Is it powered and connected?")
                owner.stopping.wait(RESTART_WAIT_S)
            return answer
        if owner.state is LinkState.SILENT:
            owner.set_state(owner.working_state)
        if answer.code == protocol.NOT_LOGGING:
            self._restart_after_reset(talk)
        return answer

    def _restart_after_reset(self, talk: Conversation) -> None:
        """The board does not log although we started it: it was reset with the cable in."""
        owner = self._owner
        self._begin_logging(talk)
        if owner.delivery.is_recording:
            owner.delivery.report_reset()
            owner.notice("warning", f"{owner.name} was reset in mid-session and has been started again.")
        else:
            owner.notice("warning", f"{owner.name} was reset and has been started again.")

    # ---- commands -----------------------------------------------------------------------------------------------

    def command(self, talk: Conversation, request: WireCommand) -> str | None:
        """Send a line of the protocol and return the board's answer; a device that prints is no board."""
        if self._owner.mode == "unknown":
            return _send_to_unknown(talk, request)
        if self._owner.board_id is None or request.answer is not None:
            return send_to_stream(talk, request)
        return talk.command(request.payload, is_polled=self._owner.mode == "polled")


def _send_to_unknown(talk: Conversation, request: WireCommand) -> str | None:
    """Send something to a device that says nothing; what it says now may tell what it is.

    :raises BoardTimeout: if it says nothing again, or not what was waited for.
    """
    talk.send(request.payload)
    for line in talk.lines(request.timeout_s):
        talk.hear([line])
        if request.answer is None:
            return None
        if request.answer.fits(text := str(line, "latin-1")):
            return text
    raise BoardTimeout(f"The device does not answer within {request.timeout_s:g} seconds.")
