"""Every action on streams: shown beside the boards, recorded on request, hidden again."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from blitz import Client
from blitz.data.records import LinkState
from blitz.ui.dialogs.streams import StreamsDialog
from blitz.ui.models.streams import SHOWN

Stage = Any
Play = Callable[[Stage], Any]


def insert(stage: Stage, name: str, *values: Any) -> None:
    def put(client: Client) -> None:
        for value in values:
            client[name].insert(value)

    stage.ask_server(put)


def board(stage: Stage, name: str) -> Any:
    """The source that a stream is, as the window knows it."""
    boards = stage.window.boards_page.boards.boards
    return next((known for known in boards if known.link == f"stream:{name}"), None)


@contextmanager
def chosen(stage: Stage, **words: Any) -> Iterator[tuple[Any, str]]:
    """The dialog with a stream that is selected; at the end there is neither."""
    name = f"stream {stage.number()}"
    stage.ask_server(lambda client: client[name].create(**words))
    insert(stage, name, 1.5)
    stage.window.tabs.setCurrentWidget(stage.window.boards_page)
    stage.press(stage.window.boards_page, "Streams")
    dialog = stage.dialog(StreamsDialog)
    choose(stage, dialog, name)
    yield dialog, name
    stage.cancel(StreamsDialog)
    if board(stage, name) is not None:
        source = board(stage, name).name
        stage.ask_server(lambda client: client.delete_source(source))
        stage.wait(lambda: board(stage, name) is None)
    stage.ask_server(lambda client: client[name].delete())


def choose(stage: Stage, dialog: Any, name: str) -> None:
    stage.wait(lambda: dialog.streams.row_of(name) is not None)
    dialog.table.selectRow(dialog.streams.row_of(name))
    assert dialog.selected.name == name


def cell(dialog: Any, name: str, column: int) -> str:
    return str(dialog.streams.index(dialog.streams.row_of(name), column).data())


def shown(stage: Stage, name: str) -> list[float]:
    """The values of a stream that the plot has."""
    window = stage.window
    index = next((channel.source.index for channel in window.store.channels if channel.label == name), None)
    values = None if index is None else window.store.last(index, 100).values
    return [] if values is None or not values.size else values[:, 0].tolist()


def open_them(stage: Stage) -> None:
    stage.window.tabs.setCurrentWidget(stage.window.boards_page)
    for _ in range(2):  # a second time the one that is there comes to the front
        stage.press(stage.window.boards_page, "Streams")
    assert len(stage.dialogs()) == 1
    stage.cancel(StreamsDialog)


def show_and_record(stage: Stage) -> Iterator[str]:
    with chosen(stage, unit="V") as (dialog, name):
        assert cell(dialog, name, 1) == "1.5 V"
        stage.wait(lambda: dialog.record.isEnabled())
        yield ""
        stage.press(dialog, "Show and record")
        yield " was not added: "
        stage.wait(lambda: cell(dialog, name, SHOWN).startswith("shown and recorded"))
        stage.wait(lambda: board(stage, name).state is LinkState.READY)
        session = stage.start()
        insert(stage, name, 2.5, 3.5)
        stage.wait(lambda: shown(stage, name) == [2.5, 3.5])
        stage.stop()
        assert stage.listed(session.id).verdict == "no gaps, nothing lost, account balances"
        assert name in stage.ask_server(lambda client: list(client.readings(session.id)))
        assert board(stage, name).is_recorded


def show_only(stage: Stage) -> Iterator[str]:
    with chosen(stage) as (dialog, name):
        yield ""
        stage.press(dialog, "Show only")
        yield " was not added: "
        stage.wait(lambda: cell(dialog, name, SHOWN).startswith("shown only"))
        session = stage.start()
        stage.wait(lambda: not board(stage, name).is_recorded)
        insert(stage, name, 4.5, 5.5)
        stage.wait(lambda: shown(stage, name) == [4.5, 5.5])
        stage.stop()
        assert name not in stage.ask_server(lambda client: list(client.readings(session.id)))


def record(stage: Stage) -> Iterator[str]:
    with chosen(stage) as (dialog, name):
        stage.press(dialog, "Show only")
        stage.wait(lambda: board(stage, name) is not None and board(stage, name).state is LinkState.READY)
        session = stage.start()
        yield ""
        stage.press(dialog, "Record")
        yield f"{board(stage, name).name} is not recorded"
        stage.wait(lambda: board(stage, name).state is LinkState.RECORDING)
        insert(stage, name, 6.5)
        stage.wait(lambda: shown(stage, name) == [6.5])
        stage.stop()
        assert stage.ask_server(lambda client: client.readings(session.id)[name].values.tolist()) == [6.5]


def hide(stage: Stage) -> Iterator[str]:
    with chosen(stage) as (dialog, name):
        stage.press(dialog, "Show and record")
        stage.wait(lambda: board(stage, name) is not None and board(stage, name).state is LinkState.READY)
        source = board(stage, name).name
        yield ""
        stage.press(dialog, "Hide")
        yield f"{source} was not deleted"
        stage.wait(lambda: cell(dialog, name, SHOWN) == "not shown")
        assert stage.ask_server(lambda client: client[name].exists())


def send(stage: Stage) -> Iterator[str]:
    told: list[Any] = []

    def serve(path: str, points: list[Any]) -> bool:
        told.append(points[0]["d"])
        return True

    with chosen(stage, downlink=True) as (dialog, name), closing(Client(stage.server.url)) as listener:
        listener[name].subscribe(serve, downlink=True)
        dialog.value.setText("21.5")
        yield ""
        stage.press(dialog, "Send")
        yield "not sent: "
        stage.wait(lambda: dialog.outcome.text() == "21.5 acknowledged")
        stage.wait(lambda: cell(dialog, name, 1) == "21.5")  # it is a point of the stream now
        assert told == [21.5]


ACTIONS: dict[str, Play] = {
    "Streams": open_them,
    "Show and record": show_and_record,
    "Show only": show_only,
    "Record": record,
    "Hide": hide,
    "Send": send,
}


@pytest.mark.parametrize("key", ACTIONS)
def test_an_action_does_what_it_says(stage: Stage, key: str) -> None:
    stage.carry_out(ACTIONS[key])


def test_a_server_that_is_killed_in_the_middle_is_told_and_comes_back(stage: Stage, seed: int) -> None:
    stage.kill_in_each(ACTIONS, seed)
