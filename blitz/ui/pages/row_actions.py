"""What can be done with the selected session: actions for the menu of its row, keys and buttons."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QAction, QPushButton, QTableView

from blitz.data.records import Role, SessionRecord
from blitz.ui.comparison import can_compare, is_comparable
from blitz.ui.models.sessions import SessionsModel
from blitz.ui.rights import Rights
from blitz.ui.widgets.permitted import permit


class _Plan(NamedTuple):
    name: str
    label: str
    key: str
    words: str
    has_button: bool = True


_PLAN = (
    _Plan("view", "&View", "Return", "Plot the session; it is downloaded first if need be"),
    _Plan(
        "compare", "Co&mpare", "Ctrl+Shift+M", "Lay these sessions upon each other; a single one, upon that before it"
    ),
    _Plan("play", "Play &back", "", "Show the session on the live pages, as it was", has_button=False),
    _Plan("reference", "Lay &under the live plot…", "", "Where the live values should be", has_button=False),
    _Plan("download", "&Download", "Ctrl+D", "Bring the session to this computer"),
    _Plan("cancel", "&Cancel download", "", "Stop; what has come is kept for going on later"),
    _Plan("keep", "&Keep here", "", "Bring the session now, and later what is new of it", has_button=False),
    _Plan("export", "&Export…", "Ctrl+E", "Write the session to a file"),
    _Plan("report", "Rep&ort…", "Ctrl+P", "Write a page about the session, to be printed and kept", has_button=False),
    _Plan("pack", "&Pack into a file…", "", "All of the session in one file, for another computer", has_button=False),
    _Plan("rename", "&Rename…", "F2", "Change name and notes"),
    _Plan("details", "De&tails…", "Ctrl+I", "What is written of it, and what it was before"),
    _Plan("star", "&Star", "*", "Keep the session, whatever its age"),
    _Plan("delete", "De&lete…", "Del", "Delete the session; asks first"),
)


class RowActions:
    """Greys what cannot be done.

    :param table: has the keys while it has the focus.
    :param ask: is called with the name of what is wanted.
    """

    def __init__(self, table: QTableView, ask: Callable[[str], None]) -> None:
        self.by_name: dict[str, QAction] = {}
        for plan in _PLAN:
            action = QAction(plan.label, table)
            action.setToolTip(f"{plan.words} ({plan.key})" if plan.key else plan.words)
            if plan.key and plan.key != "Return":  # the table's own key, as `activated`
                action.setShortcut(plan.key)
                action.setShortcutContext(Qt.WidgetShortcut)
            action.triggered.connect(lambda _=False, name=plan.name: ask(name))
            table.addAction(action)
            self.by_name[plan.name] = action

    def buttons(self) -> list[QPushButton]:
        """Return buttons for what is often wanted."""
        return [_button(self.by_name[plan.name]) for plan in _PLAN if plan.has_button]

    def visible(self) -> list[QAction]:
        """Return what belongs into the menu at present."""
        return [action for action in self.by_name.values() if action.isVisible()]

    def show_trash(self, has_trash: bool) -> None:
        """Say what deleting means."""
        words = "Move the session to the trash; asks first" if has_trash else "Delete the session; asks first"
        permit(self.by_name["delete"], "")
        self.by_name["delete"].setToolTip(f"{words} (Del)")

    def show(self, records: Sequence[SessionRecord], sessions: SessionsModel, rights: Rights) -> None:
        """Follow what is selected, what of it is here, and what the operator may do."""
        actions = self.by_name
        if len(records) == 1:
            self._show_one(records[0], sessions, rights)
            return
        for action in actions.values():
            action.setEnabled(False)
        is_loading = [sessions.is_downloading(record.id) for record in records]
        actions["download"].setVisible(not any(is_loading))
        actions["cancel"].setVisible(any(is_loading))
        if not records:
            return
        is_done = [not record.is_running for record in records]
        is_there = [not sessions.is_gone(record.id) for record in records]
        is_local = [sessions.is_local(record.id) for record in records]
        refusal = rights.refusal(Role.OPERATOR)
        actions["cancel"].setEnabled(any(is_loading))
        actions["download"].setEnabled(any(done and not here for done, here in zip(is_done, is_local, strict=True)))
        actions["compare"].setEnabled(can_compare(records) and not any(is_loading))
        actions["keep"].setEnabled(all(is_done) and all(is_there))
        actions["keep"].setText("&Keep here" if _some_not(records, sessions.is_chosen) else "No longer &kept here")
        permit(actions["star"], refusal, is_enabled=all(is_there))
        actions["star"].setText("&Star" if any(not record.starred for record in records) else "Un&star")
        permit(actions["delete"], refusal, is_enabled=all(is_done) and not any(is_loading))

    def _show_one(self, record: SessionRecord, sessions: SessionsModel, rights: Rights) -> None:
        actions = self.by_name
        is_loading, is_local = sessions.is_downloading(record.id), sessions.is_local(record.id)
        is_done, is_there = not record.is_running, not sessions.is_gone(record.id)
        actions["view"].setEnabled(is_done and not is_loading)
        actions["compare"].setEnabled(can_compare([record]) and not is_loading)
        actions["reference"].setEnabled(is_comparable(record) and not is_loading)
        actions["play"].setEnabled(is_comparable(record) and not is_loading)
        actions["download"].setEnabled(is_done and not is_local)
        actions["download"].setVisible(not is_loading)
        actions["cancel"].setEnabled(True)
        actions["cancel"].setVisible(is_loading)
        actions["keep"].setText("No longer &kept here" if sessions.is_chosen(record.id) else "&Keep here")
        actions["keep"].setEnabled(is_done and is_there)
        actions["export"].setEnabled(is_done and not is_loading)
        actions["report"].setEnabled(is_done and not is_loading)
        actions["pack"].setEnabled(is_done and not is_loading)
        refusal = rights.refusal(Role.OPERATOR)
        permit(actions["rename"], refusal, is_enabled=is_there)
        actions["details"].setEnabled(True)
        permit(actions["star"], refusal, is_enabled=is_there)
        actions["star"].setText("Un&star" if record.starred else "&Star")
        # The copy here is everybody's own to delete.
        is_mine = is_local and not is_there
        permit(actions["delete"], "" if is_mine else refusal, is_enabled=is_done and not is_loading)


def _some_not(records: Sequence[SessionRecord], is_so: Callable[[int], bool]) -> bool:
    return not all(is_so(record.id) for record in records)


def _button(action: QAction) -> QPushButton:
    button = QPushButton(action.text())
    button.clicked.connect(action.trigger)

    def follow() -> None:
        button.setText(action.text())
        button.setEnabled(action.isEnabled())
        if button.parent() or not action.isVisible():  # without a place it would be a window of its own
            button.setVisible(action.isVisible())
        button.setToolTip(action.toolTip())

    action.changed.connect(follow)
    follow()
    return button
