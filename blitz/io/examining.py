"""Listening to a device that is no source yet, for the format doctor: what an operator is shown before saying yes.

The port is opened once, which may reset the device, and kept open as long as somebody goes on asking, unless it becomes
a source meanwhile; nothing is recorded or configured. A device that says nothing is asked for its id, as boards of the
Blitz protocol understand it; to others that is a line that means nothing, and what a source of the protocol ``auto`` is
sent, too.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blitz.data.board_definition import BoardDefinition
from blitz.data.format_proposal import MOST_LINES, MOST_ROWS, FormatProposal
from blitz.data.source_config import SerialOptions
from blitz.errors import BlitzError, LinkError, ServerBusy
from blitz.io.diagnosis import printable_share
from blitz.io.doctor import diagnose
from blitz.io.doctor_listening import LIKELY_RATES, Heard, listen
from blitz.io.link import Link, open_link
from blitz.io.usb_ports import real_port

MOST_AT_ONCE = 4
_HEX_BYTES = 48
_TAIL_BYTES = 16 << 10
_READ_S = 0.1
_END_S = 2.0
_LOOK_S = 0.5
"""So often it is looked at whether a port that is kept open has become a source."""


class _Ending:
    """A link whose reading ends when nobody waits for what it says.

    :param check: raises then.
    """

    def __init__(self, link: Link, check: Callable[[], None]) -> None:
        self._link = link
        self._check = check

    @property
    def line_errors(self) -> Any:
        """What the driver has counted; None where it counts nothing."""
        return getattr(self._link, "line_errors", None)

    def read(self, timeout_s: float) -> bytes:
        """Return all that is there."""
        self._check()
        return self._link.read(timeout_s)

    def write(self, line: bytes) -> None:
        """Send bytes."""
        self._link.write(line)


@dataclass
class _Kept:
    """A link that stays open after it was listened to, with the end of what it said."""

    link: Link
    baud: int | None
    sample: bytes
    heard_bytes: int
    began_s: float
    closing: threading.Timer | None = field(default=None)


class Examiner:
    """Examines one device at a time and port; a few beside each other. May be called from any thread.

    :param check_free: raises where a port must not be opened, or is a source's.
    :param known: definitions of Blitz boards, by id.
    :param open_link: opens a link; tests give another.
    :param is_ending: whether the server ends: it waits for nobody who listens.
    """

    def __init__(
        self,
        check_free: Callable[[str], None],
        known: Mapping[str, BoardDefinition],
        open_link: Callable[[str, SerialOptions], Link] = open_link,
        is_ending: Callable[[], bool] = lambda: False,
    ) -> None:
        self._check_free = check_free
        self._known = known
        self._open_link = open_link
        self._is_ending = is_ending
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._ended: set[str] = set()
        """Of those that are busy: what nobody waits for any more."""
        self._kept: dict[str, _Kept] = {}

    def examine(self, link: str, baud: int | None = None, seconds: float = 3.0, keep_s: float = 0.0) -> FormatProposal:
        """Listen at the likely rates, or the given one, and propose how the device is to be read.

        A port that was kept open is listened to for so long once more, with what it has said before.

        :param seconds: at most, at each rate; it ends early where the meaning is sure.
        :param keep_s: the port stays open for so long for the next call with the same rate; 0 closes it at once.
        :raises LinkError: if the device cannot be opened, or goes away; or if it is ended meanwhile.
        :raises ServerBusy: if it is examined already, or many others are.
        """
        self._check_free(link)
        place = real_port(link)
        with self._reserved(place):
            kept = self._take(place, baud)
            try:
                heard = self._go_on(kept, seconds, place) if kept is not None else None
                if heard is None or kept is None:
                    kept, heard = self._begin(link, baud, seconds)
            except LinkError as error:  # which nobody opens again here
                if kept is not None:
                    kept.link.close()
                raise LinkError(str(error).partition(" It is opened again")[0]) from error
            self._put_back(place, kept, keep_s)
        return propose(link, heard, baud)

    def end_now(self, link: str) -> None:
        """As :meth:`end`, and wait, at most two seconds, until the port is closed."""
        self.end(link)
        place, deadline_s = real_port(link), time.monotonic() + _END_S
        while place in self._busy and time.monotonic() < deadline_s:
            time.sleep(0.01)

    def end(self, link: str) -> None:
        """Close a port that was kept open, or is being listened to; one that is neither is no fault."""
        place = real_port(link)
        with self._lock:
            self._ended |= self._busy & {place}
            kept = self._kept.pop(place, None)
        if kept is not None:
            _close(kept)

    def _begin(self, link: str, baud: int | None, seconds: float) -> tuple[_Kept, Heard]:
        rates = (baud,) if baud else LIKELY_RATES
        opened = self._open_link(link, SerialOptions(baud=rates[0]))
        change_rate = getattr(opened, "change_rate", None)
        began_s = time.monotonic()
        try:
            ending = _Ending(opened, lambda: self._check_wanted(real_port(link)))
            heard = listen(ending, rates, seconds, self._known, is_asking=True, change_rate=change_rate)
            if change_rate is not None and heard.baud is not None:
                change_rate(heard.baud)  # it may have gone on to others
        except BaseException:
            opened.close()
            raise
        sample = heard.sample[-_TAIL_BYTES:]
        began_s = time.monotonic() - heard.seconds if heard.sample else began_s
        return _Kept(opened, heard.baud or baud, sample, len(heard.sample), began_s), heard

    def _check_wanted(self, place: str) -> None:
        with self._lock:
            is_ended = place in self._ended
        if is_ended or self._is_ending():
            raise LinkError(f"Listening to {place} was ended.")

    def _go_on(self, kept: _Kept, seconds: float, place: str) -> Heard:
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._check_wanted(place)
            chunk = kept.link.read(min(left_s, _READ_S))
            kept.heard_bytes += len(chunk)
            kept.sample = (kept.sample + chunk)[-_TAIL_BYTES:]
        elapsed_s = (time.monotonic() - kept.began_s) * len(kept.sample) / max(kept.heard_bytes, 1)
        return Heard(kept.baud, kept.sample, elapsed_s, diagnose(kept.sample, self._known, elapsed_s or None))

    def _take(self, place: str, baud: int | None) -> _Kept | None:
        """Return the open link, if there is one at this rate; else it is closed, to be opened anew."""
        with self._lock:
            kept = self._kept.pop(place, None)
        if kept is None:
            return None
        if kept.closing is not None:
            kept.closing.cancel()
        if baud is None or kept.baud not in (baud, None):
            kept.link.close()
            return None
        return kept

    def _put_back(self, place: str, kept: _Kept, keep_s: float) -> None:
        with self._lock:
            is_kept = keep_s > 0 and place not in self._ended
            if is_kept:
                self._kept[place] = kept
                self._look_later(place, kept, time.monotonic() + keep_s)
        if not is_kept:
            kept.link.close()

    def _look_later(self, place: str, kept: _Kept, until_s: float) -> None:
        wait_s = max(min(_LOOK_S, until_s - time.monotonic()), 0.0)
        kept.closing = threading.Timer(wait_s, self._look, (place, kept, until_s))
        kept.closing.daemon = True
        kept.closing.start()

    def _look(self, place: str, kept: _Kept, until_s: float) -> None:
        """Close what nobody came back for, and what is a source by now."""
        is_kept = time.monotonic() < until_s
        try:
            self._check_free(place)
        except BlitzError:
            is_kept = False
        with self._lock:
            if self._kept.get(place) is not kept:
                return  # somebody goes on with it, or has ended it
            if is_kept:
                self._look_later(place, kept, until_s)
            else:
                del self._kept[place]
        if not is_kept:
            kept.link.close()

    @contextlib.contextmanager
    def _reserved(self, place: str) -> Iterator[None]:
        with self._lock:
            if place in self._busy or len(self._busy | self._kept.keys() | {place}) > MOST_AT_ONCE:
                raise ServerBusy(f"{place} is being listened to already, or several others are. Try again in a while.")
            self._busy.add(place)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(place)
                self._ended.discard(place)


def propose(link: str, heard: Heard, baud: int | None = None) -> FormatProposal:
    """Put what was heard as an operator is shown it.

    :param baud: the rate that was asked for, where the link has none that can be changed.
    """
    diagnosis = heard.diagnosis
    frames = diagnosis.frames or tuple(heard.sample.splitlines())
    return FormatProposal(
        link=link,
        baud=heard.baud or baud,
        confidence=diagnosis.confidence.value,
        summary=diagnosis.summary,
        reasons=diagnosis.reasons,
        heard_bytes=len(heard.sample),
        seconds=round(heard.seconds, 3),
        board_id=diagnosis.board_id,
        parity=diagnosis.parity,
        framing=diagnosis.framing,
        definition=diagnosis.definition,
        lines=tuple(_shown(frame) for frame in frames[-MOST_LINES:]),
        rows=tuple(tuple(row) for row in diagnosis.rows(MOST_ROWS)),
    )


def _close(kept: _Kept) -> None:
    if kept.closing is not None:
        kept.closing.cancel()
    kept.link.close()


def _shown(frame: bytes) -> str:
    if printable_share(frame) > 0.9:
        return frame.decode("utf-8", "replace").rstrip("\r\n")
    return frame[:_HEX_BYTES].hex(" ") + (" …" if len(frame) > _HEX_BYTES else "")
