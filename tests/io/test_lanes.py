"""Lanes: calls that wait starve none of the others; large answers have a bound together."""

import threading
from typing import Any

import anyio
import pytest
from fastapi import Response

from blitz.errors import ServerBusy
from blitz.io import lanes
from blitz.io.lanes import Answers, Lane

pytestmark = pytest.mark.anyio
DEADLINE_S = 15.0
COUNT = 10_000


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "TURN_S", 0.2)


class Mute:
    """Calls that wait until they are let go."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.at_work = 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.at_work += 1
        assert self.released.wait(DEADLINE_S)

    async def wait_for(self, count: int) -> None:
        with anyio.fail_after(DEADLINE_S):
            while self.at_work < count:
                await anyio.sleep(0.01)


@pytest.fixture
def mute() -> Mute:
    return Mute()


async def test_calls_that_wait_for_one_board_leave_the_other_boards_and_lanes_alone(mute: Mute) -> None:
    boards, memory = Lane("board", 8, of_each=4), Lane("memory", 1)
    async with anyio.create_task_group() as tasks:
        for _ in range(60):
            tasks.start_soon(boards.run, mute, "mute")
        await mute.wait_for(4)
        with anyio.fail_after(DEADLINE_S):
            assert await boards.run(lambda: "answer", "lively") == "answer"
            assert await memory.run(lambda: "status") == "status"
        assert mute.at_work == 4
        mute.released.set()
    assert mute.at_work == 60


@pytest.mark.usefixtures("short_turns")
async def test_a_call_whose_turn_does_not_come_is_told_to_come_again(mute: Mute) -> None:
    lane = Lane("board", 8, of_each=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lane.run, mute, "mute")
        await mute.wait_for(1)
        with pytest.raises(ServerBusy, match="Try again"):
            await lane.run(lambda: None, "mute")
        mute.released.set()
    await lane.run(lambda: None, "mute")


async def test_an_endpoint_in_a_lane_keeps_its_signature_and_its_errors() -> None:
    lane = Lane("board", 1)

    @lane
    def endpoint(name: str) -> str:
        """Say something."""
        if name == "b":
            raise LookupError(name)
        return name

    assert (endpoint.__name__, endpoint.__doc__) == ("endpoint", "Say something.")
    assert await endpoint(name="a") == "a"
    with pytest.raises(LookupError):
        await endpoint(name="b")


class Taker:
    """A client that takes an answer piece by piece, when it is allowed to."""

    def __init__(self) -> None:
        self.may_take = anyio.Event()
        self.body = b""
        self.was_dropped = False

    async def send(self, message: Any) -> None:
        await self.may_take.wait()
        self.body += message.get("body", b"")

    async def receive(self) -> Any:
        return {"type": "http.disconnect"}

    async def take(self, answer: Response) -> None:
        def drop() -> None:
            self.was_dropped = True

        await answer({"type": "http", "state": {lanes.DROP: drop}}, self.receive, self.send)


def make() -> Response:
    return Response(b"x" * COUNT * 100)


@pytest.mark.usefixtures("short_turns")
async def test_answers_that_nobody_takes_stop_neither_other_clients_nor_the_next_ones() -> None:
    answers = Answers(limit_bytes=4 * COUNT * 100)
    slow = [Taker(), Taker()]
    async with anyio.create_task_group() as tasks:
        for taker in slow:
            tasks.start_soon(taker.take, await answers.make(make, COUNT, "hostile"))
        with pytest.raises(ServerBusy, match="slow clients"):
            await answers.make(make, COUNT, "hostile")
        quick = Taker()
        quick.may_take.set()
        await quick.take(await answers.make(make, COUNT, "friendly"))
        assert len(quick.body) == COUNT * 100
        for taker in slow:
            taker.may_take.set()
    assert all(len(taker.body) == COUNT * 100 for taker in slow)
    await answers.make(make, COUNT, "hostile")


async def test_an_answer_that_is_not_taken_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "TURN_S", 0.05)
    monkeypatch.setattr(lanes, "_SLOWEST_BYTES_PER_S", 10 * COUNT * 100)
    answers = Answers(limit_bytes=COUNT * 100)
    taker = Taker()
    await taker.take(await answers.make(make, COUNT, "hostile"))
    assert taker.was_dropped
    await answers.make(make, COUNT, "hostile")


async def test_an_answer_that_cannot_be_made_leaves_its_place() -> None:
    answers = Answers(limit_bytes=COUNT * 100)

    def fail() -> Response:
        raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            await answers.make(fail, COUNT, "client")
    assert (await answers.make(make, COUNT, "client")).status_code == 200


async def test_one_answer_larger_than_all_room_is_made_alone() -> None:
    answers = Answers(limit_bytes=100)
    assert (await answers.make(make, COUNT, "client")).status_code == 200
