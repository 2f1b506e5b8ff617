"""How programs start and end sooner: Python looks for garbage while they import, and again when they end.

Hundreds of modules stay to the end; looking through them for what could go takes a fourth of the time of a start.
"""

import atexit
import gc

_WHILE_IMPORTING = 10_000
_AS_PYTHON_DOES = (700, 10, 10)


def start_quickly() -> None:
    """Look for garbage rarely from now on, and not at all at the end of the program: then all goes anyway."""
    gc.set_threshold(_WHILE_IMPORTING, *_AS_PYTHON_DOES[1:])
    atexit.register(gc.freeze)


def is_started() -> None:
    """Look for garbage as often as any Python program does, but never again through what was made until now."""
    gc.freeze()
    gc.set_threshold(*_AS_PYTHON_DOES)
