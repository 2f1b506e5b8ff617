"""Frames: made once for all, within a bound, and never kept when they may not be true any more."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from blitz.data.blocks import MessageBlock, Read
from blitz.data.records import Event, EventKind, StatusRecord, StoreRecord
from blitz.io import live_frames
from blitz.io.live import LiveHub
from blitz.io.live_frames import FRAME_BYTES, Frame, Frames, Place

pytestmark = pytest.mark.anyio
PLACE = (1, 0, 10, False)


def counting(makes: list[Place], release: asyncio.Event) -> Callable[[Place], Awaitable[Frame]]:
    async def make(place: Place) -> Frame:
        makes.append(place)
        await release.wait()
        return b"x" * 10, place[2]

    return make


async def test_who_asks_for_a_frame_that_is_being_made_waits_for_that_one() -> None:
    makes: list[Place] = []
    release = asyncio.Event()
    frames = Frames(counting(makes, release))
    asking = [asyncio.ensure_future(frames.get(PLACE)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()  # the viewer that asked first has left
    release.set()
    assert [await each for each in asking[1:]] == [(b"x" * 10, 10)] * 19
    assert await frames.get(PLACE) == (b"x" * 10, 10)
    assert makes == [PLACE]


async def test_a_frame_that_cannot_be_made_is_tried_again() -> None:
    makes: list[Place] = []

    async def make(place: Place) -> Frame:
        makes.append(place)
        if len(makes) == 1:
            raise LookupError
        return b"", 10

    frames = Frames(make)
    with pytest.raises(LookupError):
        await frames.get(PLACE)
    assert await frames.get(PLACE) == (b"", 10)


async def test_frames_are_kept_up_to_a_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_frames, "_CACHED_BYTES", 25)
    makes: list[Place] = []
    release = asyncio.Event()
    release.set()
    frames = Frames(counting(makes, release))
    places = [(1, 0, stop, False) for stop in (10, 20, 30)]
    for place in places:
        await frames.get(place)
    await frames.get(places[2])
    await frames.get(places[0])
    assert makes == [*places, places[0]]


async def test_what_was_made_before_the_store_lost_its_end_is_forgotten() -> None:
    makes: list[Place] = []
    release = asyncio.Event()
    frames = Frames(counting(makes, release))
    before = asyncio.ensure_future(frames.get(PLACE))
    await asyncio.sleep(0)
    frames.clear()
    release.set()
    await before
    await frames.get(PLACE)
    assert makes == [PLACE, PLACE]


async def test_long_messages_go_to_a_viewer_in_several_frames() -> None:
    def no_store(*_: int) -> MessageBlock:
        raise AssertionError("it is all in memory")

    status = {"version": "0", "store_id": "s", "now": "2026-01-01T00:00:00Z", "store": StoreRecord(is_up=True)}
    hub = LiveHub("store", no_store, lambda _: pytest.fail("not asked"), lambda: StatusRecord.model_validate(status))
    hub.attach(asyncio.get_running_loop())
    hub.open_session(1, ())
    hub.post(Event(event=EventKind.SESSION_STARTED, session_id=1))
    hub.publish(1, 0, [Read(n, 0, [b"y" * 10_000]) for n in range(500)], 500)
    seen = 0
    async for frame in hub.frames(1, 0):
        if isinstance(frame, bytes):
            block = MessageBlock.decode(frame)
            assert block.first_seq == seen
            assert len(frame) < FRAME_BYTES + 10_000
            seen = block.next_seq
            if seen == 500:
                break
    assert seen == 500
