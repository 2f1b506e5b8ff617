"""Decoding sessions on the server, from any message on, as if from their start.

What a message's time is, only the messages before it tell: the clocks of devices are followed. So that a late range
does not cost a whole session each time, decoders are kept at places on the way, the sessions used last before others.
Knows nothing of HTTP; may be used from several threads.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator
from typing import NamedTuple

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.boards import Readings, SessionDecoder
from blitz.data.records import SessionRecord

_KEPT_EVERY = 16 * GRID_MESSAGES
_KEPT_SESSIONS = 8
_KEPT_PLACES = 512


class _Place(NamedTuple):
    """A decoder that stands before a message, and when the message before that one arrived."""

    seq: int
    arrived_ns: int
    decoder: SessionDecoder


class SessionDecoding:
    """Decodes a store's sessions.

    :param messages: returns the messages of a session from a sequence number on, as many as asked for, or fewer.
    """

    def __init__(self, messages: Callable[[int, int, int], MessageBlock]) -> None:
        self._messages = messages
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], dict[int, _Place]] = OrderedDict()

    def decoded(
        self, session: SessionRecord, first: int = 0, start_ns: int | None = None
    ) -> Generator[tuple[MessageBlock, list[Readings]], None, None]:
        """Iterate over blocks of a session and what they mean; those before what is wanted only follow the clocks.

        An iteration that is given up leaves its place behind: the next one goes on there.

        :param session: with its sources.
        :param first: the first message that is wanted.
        :param start_ns: readings before this time are not wanted either.
        :raises StoreError: if messages cannot be read.
        """
        place = self._nearest(session, first, start_ns) or _Place(0, 0, SessionDecoder())
        while place.seq < session.message_count:
            wanted = min(GRID_MESSAGES - place.seq % GRID_MESSAGES, session.message_count - place.seq)
            block = self._messages(session.id, place.seq, wanted)
            if not len(block):
                return
            before, decoder = place, place.decoder.fork()
            decoder.update(session.sources)
            decoded = decoder.decode(block)
            place = _Place(block.next_seq, int(block.arrived_ns[-1]), decoder)
            is_given_up = True
            try:
                yield block, decoded
                is_given_up = False
            finally:
                if is_given_up:  # the block may not have been used whole
                    self._keep(session, before, place)
                elif place.seq % _KEPT_EVERY == 0:
                    self._keep(session, place)

    def _nearest(self, session: SessionRecord, first: int, start_ns: int | None) -> _Place | None:
        with self._lock:
            places = self._kept.get(_key(session), {})
            if places:
                self._kept.move_to_end(_key(session))
            # No reading is later than its message arrived: what came before the start is before it.
            fitting = [
                place
                for place in places.values()
                if place.seq <= first or (start_ns is not None and place.arrived_ns < start_ns)
            ]
        return max(fitting, key=lambda place: place.seq, default=None)

    def _keep(self, session: SessionRecord, *kept: _Place) -> None:
        with self._lock:
            places = self._kept.setdefault(_key(session), {})
            self._kept.move_to_end(_key(session))
            for place in kept:
                # A block that has not come whole is decoded anew: who goes on behind it has cut it elsewhere.
                if place.seq and place.seq % GRID_MESSAGES == 0:
                    places[place.seq] = place
            if len(places) > _KEPT_PLACES:  # every second one of a very long session
                self._kept[_key(session)] = dict(sorted(places.items())[1::2])
            while len(self._kept) > _KEPT_SESSIONS:
                self._kept.popitem(last=False)


def _key(session: SessionRecord) -> tuple[int, int]:
    return session.id, session.started_ms
