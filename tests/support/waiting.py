"""Waiting for what another thread or process does."""

import inspect
import time
from collections.abc import Callable

LOOK_S = 0.005


def wait_until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Look until it holds. A busy machine may take long: the time is what a test waits at most before it fails."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"nothing came of it: {inspect.getsource(condition).strip()}"
        time.sleep(LOOK_S)
