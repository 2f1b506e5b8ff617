"""Why a device stays unknown, in a sentence. Pure."""

from blitz.io.diagnosis import count_of
from blitz.io.ledger import Tally
from blitz.io.link import is_port


def unknown_device(name: str, link: str, baud: int, begun: Tally, now: Tally) -> str:
    """Say what is true of a device that does not say what it is, and what to do.

    :param begun: how the ledger stood when the link was opened.

    >>> unknown_device("bench", "socket://pump:4000", 57600, Tally(), Tally())
    'socket://pump:4000 is open, but the device neither says anything nor answers. Check the device and the address.'
    """
    if now.bytes_read == begun.bytes_read:
        rate, what = (f" at {baud} baud", "the rate, the sketch and the cable") if is_port(link) else ("", _ELSEWHERE)
        return f"{link} is open, but the device neither says anything nor answers{rate}. Check {what}."
    came = f"{now.bytes_read - begun.bytes_read} bytes, {count_of(now.bad_frames - begun.bad_frames, 'bad frame')}"
    rate, what = (f" at {baud} baud", "rate and framing") if is_port(link) else ("", "its framing")
    return (
        f"{link} sends bytes{rate}, but nothing that is a line of text (when this was seen: {came}). Check {what}. "
        f"The format doctor may find out: blitz release {name} -- blitz doctor {{port}}"
    )


_ELSEWHERE = "the device and the address"
