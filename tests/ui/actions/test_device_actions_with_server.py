"""Every action that mends a board, and that takes up a new device."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest
from PyQt5.QtWidgets import QLineEdit

from blitz import Client
from blitz.data.calibration_facts import Calibration, CalibrationPoint
from blitz.data.records import LinkState
from blitz.data.source_config import SourceConfig, UsbIdentity
from blitz.io.simulated_device import SimulatedDevice
from blitz.ui import device_desk
from blitz.ui.board_causes import Remedy
from blitz.ui.dialogs.bad_frames import BadFramesDialog
from blitz.ui.dialogs.calibrate import CalibrateDialog
from blitz.ui.dialogs.channels import ChannelsDialog
from blitz.ui.dialogs.new_device import NewDeviceDialog

Stage = Any
Play = Callable[[Stage], Any]


@pytest.fixture(scope="module", autouse=True)
def quick_to_listen() -> Iterator[None]:
    """No device here needs three seconds to boot."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_desk, "FIRST_S", 0.8)
        yield


def known(stage: Stage, name: str) -> Any:
    """A board as the window knows it."""
    return next((board for board in stage.window.boards_page.boards.boards if board.name == name), None)


def cause_of(stage: Stage, name: str) -> Any:
    """The bar that says how a board is doing."""
    page = stage.window.boards_page
    stage.window.tabs.setCurrentWidget(page)
    stage.wait(lambda: known(stage, name) is not None)
    page.select(name)
    assert page.selected_board == name
    return page.cause


@contextmanager
def another(stage: Stage, state: LinkState, link: str, **fields: Any) -> Iterator[str]:
    """One board more, as soon as it is so; at the end it is deleted."""
    name = f"bench {stage.number()}"
    config = SourceConfig(name=name, link=link, protocol="stream", **fields)
    stage.ask_server(lambda client: client.add_source(config, later=state in (LinkState.AWAY, LinkState.AMBIGUOUS)))
    try:
        stage.wait(lambda: getattr(known(stage, name), "state", None) is state)
        yield name
    finally:
        forget(stage, name)


def away(stage: Stage) -> Iterator[str]:
    place = stage.folder / f"bench {stage.number()}"
    with another(stage, LinkState.AWAY, str(place)) as name:
        cause = cause_of(stage, name)
        stage.wait(lambda: stage.names(cause) == {"Retry"})
        yield ""
        stage.press(cause, "Retry")
        yield "Devices were not looked for"
        with SimulatedDevice("csv", rate_hz=20, silence_s=0, link_path=place):
            stage.wait(lambda: known(stage, name).state is LinkState.READY)
            stage.wait(lambda: not stage.names(cause) & {"Retry"})


def lent(stage: Stage) -> Iterator[str]:
    stage.ask_server(lambda client: client.release("sim1"))
    cause = cause_of(stage, "sim1")
    stage.wait(lambda: stage.names(cause) == {"Retake"})
    assert "is lent to other programs" in cause.words.text()
    yield ""
    stage.press(cause, "Retake")
    yield "The port of sim1 was not taken again"
    stage.wait(lambda: stage.names(cause) == set())
    stage.wait(lambda: known(stage, "sim1").state is LinkState.READY)


def silent(stage: Stage) -> Iterator[str]:
    with (
        SimulatedDevice("csv", quiet=True, silence_s=0) as device,
        another(stage, LinkState.SILENT, device.path) as name,
    ):
        cause = cause_of(stage, name)
        stage.wait(lambda: stage.names(cause) == {"Retry", "Release", "Bad frames"})
        stage.press(cause, "Bad frames")
        dialog = stage.dialog(BadFramesDialog)
        stage.wait(lambda: dialog.table._hint.startswith("No bad frame came"))
        stage.cancel(BadFramesDialog)
        yield ""
        stage.press(cause, "Release")
        yield f"The port of {name} was not released"
        stage.wait(lambda: stage.names(cause) == {"Retake"})
        assert known(stage, name).state is LinkState.RELEASED


def type_name(dialog: Any, name: str) -> None:
    """Type the name of the first channel."""
    field = dialog.grid.field(0, "name")
    assert isinstance(field, QLineEdit)
    field.setText(name)
    field.textEdited.emit(name)


def guessed(stage: Stage) -> Iterator[str]:
    live = stage.window.live_page
    with (
        SimulatedDevice("csv", rate_hz=50, silence_s=0) as device,
        another(stage, LinkState.READY, device.path) as name,
    ):
        stage.window.menus["live"].trigger()
        stage.wait(lambda: stage.names(live.offers) == {"Name channels", "Not now"})
        stage.press(live.offers, "Name channels")
        stage.cancel(ChannelsDialog)
        stage.press(live.offers, "Not now")
        assert not live.offers.isVisible()
        cause = cause_of(stage, name)
        stage.wait(lambda: stage.names(cause) == {"Name channels"})
        stage.press(cause, "Name channels")
        dialog = stage.dialog(ChannelsDialog)
        type_name(dialog, "number")
        yield ""
        dialog.accept()
        yield "Not saved. "  # the dialog is back, with what was typed
        stage.wait(lambda: not known(stage, name).is_guessed and stage.names(cause) == set())
        assert known(stage, name).definition.channels[0].name == "number"


def calibrate(stage: Stage) -> None:
    definition = stage.ask_server(lambda client: client.definition("sim2"))
    point = CalibrationPoint(raw=5, reference=5)
    facts = Calibration(at=datetime(2026, 1, 1, tzinfo=UTC), who="ada", expires=date(2026, 1, 31), points=(point,))
    channels = (definition.channels[0].model_copy(update={"calibration": facts}), *definition.channels[1:])
    stage.ask_server(lambda client: client.set_definition("sim2", definition.model_copy(update={"channels": channels})))
    cause = cause_of(stage, "sim2")
    stage.wait(lambda: stage.names(cause) == {"Calibrate"})
    stage.press(cause, "Calibrate")
    assert stage.dialog(CalibrateDialog).head.channel.currentText() == definition.channels[0].display_name
    stage.cancel(CalibrateDialog)
    stage.ask_server(lambda client: client.set_definition("sim2", definition))
    stage.wait(lambda: stage.names(cause) == set())


@contextmanager
def plugged(stage: Stage, count: int) -> Iterator[list[str]]:
    """Devices in USB sockets, which have no serial number; at the end the sockets are empty, and nothing is offered.

    The server looks once a second: what it knows of a socket or a port must not be taken for what is there next.
    """
    with ExitStack() as running:
        ports = []
        for number in [stage.number() for _ in range(count)]:
            place = stage.folder / f"ttyUSB{number}"
            device = running.enter_context(SimulatedDevice("csv", rate_hz=50, silence_s=0, link_path=place))
            ports.append(device.path)
            stage.sockets.plug(device.path, f"1-{number}")
        try:
            yield ports
        finally:
            stage.sockets.pull_all()
            stage.wait(lambda: not stage.ask_server(Client.found))
            stage.wait(lambda: not stage.window.new_devices.offers.isVisible())


def which_one(choose: Callable[[Stage, str, str], None]) -> Play:
    def play(stage: Stage) -> Iterator[str]:
        page, live = stage.window.boards_page, stage.window.live_page
        clone = UsbIdentity(vendor_id=0x1A86, product_id=0x7523, usb_path=f"2-{stage.number()}")
        with (
            another(stage, LinkState.AWAY, "/dev/ttyUSB9", identity=clone) as name,
            plugged(stage, 2) as ports,
        ):
            stage.wait(lambda: known(stage, name).state is LinkState.AMBIGUOUS)
            stage.window.menus["live"].trigger()
            stage.press(live.offers, "Say which one")
            assert stage.window.tabs.currentWidget() is page
            stage.wait(lambda: stage.names(page.offers) == set(ports))
            cause = cause_of(stage, name)
            stage.wait(lambda: stage.names(cause) == {"Which one"})
            yield ""
            choose(stage, name, ports[0])
            yield f"{name} was not attached to {ports[0]}"
            stage.wait(lambda: known(stage, name).state is LinkState.READY)
            assert known(stage, name).link == ports[0]
            assert not page.offers.isVisible()

    return play


def by_the_offer(stage: Stage, name: str, port: str) -> None:
    stage.press(stage.window.boards_page.offers, port)


def by_the_menu(stage: Stage, name: str, port: str) -> None:
    menu = stage.button(stage.window.boards_page.cause, "Which one").menu()
    next(action for action in menu.actions() if action.text() == port).trigger()


def offers_of(stage: Stage) -> Any:
    offers = stage.window.new_devices.offers
    stage.wait(lambda: stage.names(offers) == {"Listen", "Not this one", "Not now"})
    return offers


def not_now(stage: Stage) -> None:
    with plugged(stage, 2):
        offers = offers_of(stage)
        first = offers.offer.board
        stage.press(offers, "Not now")
        assert not offers.isVisible()
        stage.wait(lambda: offers.isVisible())  # with the next status, the other one
        assert offers.offer.board != first
        stage.press(offers, "Not now")


def not_this_one(stage: Stage) -> Iterator[str]:
    with plugged(stage, 1) as ports:
        offers = offers_of(stage)
        yield ""
        stage.press(offers, "Not this one")
        yield f"The device at {ports[0]} is asked about as before"
        stage.wait(lambda: not offers.isVisible())
        (found,) = stage.ask_server(lambda client: client.found(ignored=True))
        assert (found.port, found.is_ignored) == (ports[0], True)


def listen(stage: Stage) -> Iterator[str]:
    with plugged(stage, 1):
        offers = offers_of(stage)
        yield ""
        stage.press(offers, "Listen")
        dialog = stage.dialog(NewDeviceDialog)
        yield " broke during "  # says the dialog
        stage.wait(lambda: dialog.accept_button.isEnabled())
        stage.press(dialog, "Listen again")
        stage.wait(lambda: not dialog.accept_button.isEnabled())
        stage.wait(lambda: dialog.accept_button.isEnabled())
        stage.press(dialog, "Later")
        stage.wait(lambda: not stage.dialogs())
        assert stage.names(offers) == {"Listen", "Not this one", "Not now"}


@contextmanager
def proposed(stage: Stage) -> Iterator[tuple[Any, str]]:
    """The dialog of a device that was heard, with a name for it and for its first channel."""
    with plugged(stage, 1):
        stage.press(offers_of(stage), "Listen")
        dialog = stage.dialog(NewDeviceDialog)
        stage.wait(lambda: dialog.accept_button.isEnabled())
        assert stage.names(dialog) == set(DIALOG)
        name = f"bench {stage.number()}"
        dialog.name.setText(name)
        type_name(dialog, "number")
        yield dialog, name


def forget(stage: Stage, name: str) -> None:
    stage.ask_server(lambda client: client.delete_source(name))
    stage.wait(lambda: stage.window.boards_page.boards.rowCount() == 2)


def accept(stage: Stage) -> Iterator[str]:
    with proposed(stage) as (dialog, name):
        link = dialog.link
        yield ""
        stage.press(dialog, "Accept")
        yield "Not added. "  # the dialog is back, with what was typed
        stage.wait(lambda: getattr(known(stage, name), "state", None) is LinkState.READY)
        assert known(stage, name).link == link
        assert known(stage, name).definition.channels[0].name == "number"
        forget(stage, name)


def not_right(stage: Stage) -> Iterator[str]:
    pages = stage.window.definition_actions.pages
    with proposed(stage) as (dialog, name):
        yield ""
        stage.press(dialog, "Not right")
        yield "Not added. "
        stage.wait(lambda: name in pages and stage.window.tabs.currentWidget() is pages[name])
        stage.wait(lambda: "number" in pages[name].text.toPlainText())
        stage.press(stage.window.tabs.tabBar(), "Close")
        forget(stage, name)


by_menu, by_offer = which_one(by_the_menu), which_one(by_the_offer)
REMEDIES: dict[str, Play] = {
    "Retry": away,
    "Retake": lent,
    "Release": silent,
    "Bad frames…": silent,
    "Which one…": by_menu,
    "Name channels…": guessed,
    "Calibrate…": calibrate,
}
OFFERS: dict[str, Play] = {
    "Name channels": guessed,
    "Not now": guessed,
    "Say which one": by_offer,
    "a port": by_offer,
}
NEW: dict[str, Play] = {"Listen": listen, "Not this one": not_this_one, "Not now": not_now}
DIALOG: dict[str, Play] = {"Listen again": listen, "Accept": accept, "Not right": not_right, "Later": listen}
ALL = {f"cause: {key}": play for key, play in REMEDIES.items()}
ALL |= {f"offers: {key}": play for key, play in OFFERS.items()}
ALL |= {f"new: {key}": play for key, play in (NEW | DIALOG).items()}


@pytest.mark.parametrize("key", {play: key for key, play in ALL.items()}.values())  # each play once
def test_an_action_does_what_it_says(stage: Stage, key: str) -> None:
    stage.carry_out(ALL[key])


def test_each_remedy_is_tried() -> None:
    assert {remedy.value for remedy in Remedy} == set(REMEDIES)


def test_a_server_that_is_killed_in_the_middle_is_told_and_comes_back(stage: Stage, seed: int) -> None:
    stage.kill_in_each(ALL, seed)
