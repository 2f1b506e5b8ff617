"""Garbage collection in the thread of the windows."""

import gc
import threading
from collections.abc import Callable, Iterator

import pytest
from pytestqt.qtbot import QtBot

from blitz.ui.garbage import GarbageCollection


class InACycle:
    """Holds itself, and tells the thread that collects it."""

    def __init__(self, told: Callable[[threading.Thread], None]) -> None:
        self._self = self
        self._told = told

    def __del__(self) -> None:
        self._told(threading.current_thread())


@pytest.fixture
def collection(qtbot: QtBot) -> Iterator[GarbageCollection]:
    gc.enable()
    collection = GarbageCollection()
    yield collection
    collection.stop()
    gc.disable()


def test_what_other_threads_leave_is_collected_by_the_thread_of_the_windows(
    qtbot: QtBot, collection: GarbageCollection
) -> None:
    collectors: list[threading.Thread] = []

    def leave_cycles() -> None:
        for _ in range(100_000):
            InACycle(collectors.append)

    thread = threading.Thread(target=leave_cycles)
    thread.start()
    thread.join()
    assert collectors == []
    qtbot.waitUntil(lambda: len(collectors) == 100_000, timeout=20_000)
    assert set(collectors) == {threading.main_thread()}


def test_the_collector_is_left_as_it_was(collection: GarbageCollection) -> None:
    assert not gc.isenabled()
    collection.stop()
    assert gc.isenabled()
