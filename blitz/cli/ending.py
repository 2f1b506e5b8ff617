"""How a command that is told to end, by Ctrl-C or SIGTERM, ends in order.

An exception out of a signal handler strikes between any two instructions: within a lock, a library, or while a file is
being tidied away. So the first signal is only noted, and the command asks between the parts of its work whether one
has come. A second one strikes where the command stands. Waiting for a person or a device has no parts, and goes by
:func:`at_once`.

Imports next to nothing: signals are noted from the first moment, while the rest of the program is being imported.
"""

import atexit
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Ending:
    """What both signals call: it notes the first, and raises at the next."""

    def __init__(self) -> None:
        self.is_told = False
        self.wake: Callable[[], object] | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.is_told:
            signal.default_int_handler(number, frame)
        self.is_told = True
        if self.wake is not None:
            self.wake()


def note_signals() -> None:
    """Note signals from now on, to the end of the program; those that are ignored, as under ``nohup``, stay so."""
    if _ending() is not None:
        return
    ending = _Ending()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ending)
    atexit.register(_ignore_signals)


def is_told() -> bool:
    """Return whether the command was told to end; may be called from any thread."""
    ending = _ending()
    return ending is not None and ending.is_told


def end_if_told() -> bool:
    """Return False, or end the command if it was told to; for between parts of work, in any thread.

    :raises KeyboardInterrupt: where nobody is woken for it, as by :func:`waking`.
    """
    ending = _ending()
    if ending is not None and ending.is_told and ending.wake is None:
        raise KeyboardInterrupt
    return False


@contextlib.contextmanager
def waking(wake: Callable[[], object]) -> Iterator[None]:
    """Have something called by the first signal, or at once if that has come: it must wake what waits in the block."""
    ending = _ending()
    if ending is None:
        yield
        return
    ending.wake = wake
    try:
        if ending.is_told:
            wake()
        yield
    finally:
        ending.wake = None


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Let a signal strike where the command stands: for waiting, with nothing begun that must be brought to an end.

    :raises KeyboardInterrupt: on entering, if the command was told to end before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        for number, action in before.items():
            if action is not signal.SIG_IGN:
                signal.signal(number, signal.default_int_handler)
        if any(isinstance(action, _Ending) and action.is_told for action in before.values()):
            raise KeyboardInterrupt
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def hand_over() -> None:
    """Let signals do what they do in any Python program: for programs that take them themselves.

    :raises KeyboardInterrupt: if the command was told to end before.
    """
    ending = _ending()
    for number in _SIGNALS:
        if ending is not None and signal.getsignal(number) is ending:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if ending is not None and ending.is_told:
        raise KeyboardInterrupt


def is_interruption(error: BaseException) -> bool:
    """Return whether an error is what an interruption has become on its way.

    >>> try:
    ...     try:
    ...         raise KeyboardInterrupt
    ...     finally:
    ...         raise RuntimeError("release unlocked lock")
    ... except RuntimeError as error:
    ...     is_interruption(error)
    True
    """
    chain: list[BaseException | None] = [error]
    seen: set[int] = set()
    while chain:
        link = chain.pop()
        if link is None or id(link) in seen:
            continue
        if isinstance(link, KeyboardInterrupt):
            return True
        seen.add(id(link))
        chain += link.__cause__, link.__context__
    return False


def _ignore_signals() -> None:
    """The command is over: the interpreter gives signals back while it takes itself apart, and one would kill it."""
    for number in _SIGNALS:
        if isinstance(signal.getsignal(number), _Ending):
            signal.signal(number, signal.SIG_IGN)


def _ending() -> _Ending | None:
    """Return what the program's signals call, if they are noted."""
    return next((action for number in _SIGNALS if isinstance(action := signal.getsignal(number), _Ending)), None)
