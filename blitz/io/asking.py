"""Ask the board at a port who it is, and close the port again: where nothing else tells devices apart."""

import time
from collections.abc import Callable

from blitz.data.framing_rule import LINES
from blitz.data.source_config import SerialOptions
from blitz.errors import LinkError
from blitz.io import protocol
from blitz.io.framing import make_framing
from blitz.io.link import open_link

LISTEN_S = 2.0
ASK_S = 1.2
_ROUND_S = 0.25


def ask_board_id(port: str, options: SerialOptions, go_on: Callable[[], bool]) -> str | None:
    """Return the id of the board at a port; None if it prints, or does not say. Takes some seconds.

    :param go_on: called a few times a second; False ends it.
    :raises LinkError: if the port cannot be opened, or the asking was broken off.
    """
    link = open_link(port, options)
    framing = make_framing(LINES)
    heard: list[bytes] = []
    is_asked = False
    try:
        for wait_s in (LISTEN_S, ASK_S, ASK_S):
            deadline_s = time.monotonic() + wait_s
            while (remaining_s := deadline_s - time.monotonic()) > 0:
                if not go_on():
                    raise LinkError(f"{port} was not asked to the end.")
                for line in framing.feed(link.read(min(remaining_s, _ROUND_S))):
                    heard.append(line)
                    found = protocol.recognise(heard, is_asked=is_asked)
                    if found is not None:
                        return found.board_id
            if not heard:  # a port that prints by itself is left to print
                link.write(protocol.identify())
                is_asked = True
        return None
    finally:
        link.close()
