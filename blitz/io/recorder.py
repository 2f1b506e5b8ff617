"""Recording a link: what comes is written with its time, and nothing is sent but what the caller wants sent."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from blitz.errors import LinkError
from blitz.io.link import Link
from blitz.io.recording import RecordingWriter

_WAIT_S = 0.2


class Progress(NamedTuple):
    """How far a recording is."""

    elapsed_s: float
    received_bytes: int


def record_link(
    link: Link,
    writer: RecordingWriter,
    *,
    sends: Sequence[bytes] = (),
    seconds: float | None = None,
    is_over: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], object] = lambda _progress: None,
) -> Progress:
    """Record until the time is over, ``is_over`` says so, or the device is gone; the file is whole in each case.

    :param sends: what is sent first.
    :param seconds: how long; None: until it is over otherwise.
    :param progress: told about five times a second, and with each read.
    :raises LinkError: if the device goes away; what came before is in the file.
    """
    began_s = time.monotonic()
    for content in sends:
        link.write(content)
        writer.add(time.monotonic() - began_s, "tx", content)
    while not is_over():
        elapsed_s = time.monotonic() - began_s
        progress(Progress(elapsed_s, writer.received_bytes))
        wait_s = _WAIT_S if seconds is None else min(_WAIT_S, seconds - elapsed_s)
        if wait_s <= 0:
            break
        try:
            chunk = link.read(wait_s)
        except LinkError as error:
            writer.flush()
            lost = str(error).partition(" It is opened again")[0]
            raise LinkError(f"{lost} {writer.path} holds {writer.received_bytes} bytes.") from error
        if chunk:
            writer.add(time.monotonic() - began_s, "rx", chunk)
        else:
            writer.flush()
    writer.flush()
    return Progress(time.monotonic() - began_s, writer.received_bytes)
