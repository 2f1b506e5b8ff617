"""Changes of single channels from tables and menus: they go to the server as definitions, and can be undone."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from PyQt5.QtCore import QObject, pyqtSignal

from blitz.data.access_records import WhoRecord
from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.model_faults import ended, first_fault
from blitz.data.records import Role, StatusRecord
from blitz.ui.channel_state import limit_words
from blitz.ui.definition_draft import DraftError
from blitz.ui.feed import Connection, ConnectionState, Feed
from blitz.ui.live_store import LiveChannel
from blitz.ui.rights import Rights
from blitz.ui.source_rows import COMPUTED
from blitz.ui.widgets.notices import NoticeAction, NoticesArea

UNDO_MS = 30_000
"""How long a change can be undone by its notice."""
_PATIENCE = 3
"""After so many status records behind the answer, what the server says of a board counts again."""
_CHANGED = "the channels were changed meanwhile."


class ChannelEdits(QObject):
    """Changes go from the newest definition that is known, that of a change under way included."""

    refusal_changed = pyqtSignal(str)
    """Why nothing can be changed now; empty where it can."""

    def __init__(self, feed: Feed, notices: NoticesArea, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._feed = feed
        self._notices = notices
        self._rights = Rights()
        self._held = ""
        self._known: dict[str, BoardDefinition | None] = {}
        self._sent: dict[str, _Sent] = {}
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        feed.status_received.connect(self._take_status)
        feed.definition_answered.connect(self._take_answer)
        feed.connection_changed.connect(self._take_connection)
        feed.identity_received.connect(self._take_identity)

    @property
    def refusal(self) -> str:
        """Why nothing can be changed now; empty where it can."""
        if self._held:
            return self._held
        if not self._known:
            return "Not connected to the server: it keeps the names of channels."
        return self._rights.refusal(Role.OPERATOR)

    def hold(self, refusal: str) -> None:
        """Change nothing, as what is shown is not what the server has; an empty text: as before."""
        self._held = refusal
        self.refusal_changed.emit(self.refusal)

    def change(self, channel: LiveChannel, fields: Mapping[str, Any]) -> None:
        """Change fields of a channel on the server; why not, where that is impossible, becomes a notice."""
        board, name = channel.source.name, channel.channel.name
        if channel.source.link == COMPUTED:
            self._notices.tell("warning", f"{name} is computed here: Plot, Computed channels… changes it.")
            return
        if self._must_wait(board, lambda: self.change(channel, fields)):
            return
        before = self._definition(board)
        if before is None and board in self._known:  # the status is a moment behind
            before = channel.source.definition
        is_own = board in self._sent  # then the table may show the names of a moment ago
        reason = self.refusal or _gone_words(board, before, channel.column, "" if is_own else name)
        self._change(board, before, channel.column, name, fields, reason, can_undo=True)

    def _undo(self, board: str, sent: "_Sent") -> None:
        if self._must_wait(board, lambda: self._undo(board, sent)):
            return
        now, then = self._definition(board), sent.definition
        is_other = now is not None and (now.id, len(now.channels)) != (then.id, len(then.channels))
        reason = self.refusal or (_CHANGED if is_other else _gone_words(board, now, sent.column))
        name = then.channels[sent.column].name
        self._change(board, now, sent.column, name, sent.back, reason, can_undo=False)

    def _change(
        self,
        board: str,
        before: BoardDefinition | None,
        column: int,
        name: str,
        fields: Mapping[str, Any],
        reason: str,
        *,
        can_undo: bool,
    ) -> None:
        """Ask the server for the change, unless there is a reason not to."""
        after = before
        try:
            if not reason and before is not None:
                after = changed(before, column, fields)
        except DraftError as error:
            reason = str(error)
        if reason:
            self._notices.tell("warning", f"{name} of {board} is as before: {reason}")
        if reason or before is None or after is None or after == before:
            return
        back = {field: getattr(before.channels[column], field) for field in _differing(before, after, column)}
        words = change_words(board, before.channels[column], after.channels[column])
        self._sent[board] = _Sent(after, column, back, words if can_undo else "")
        self._feed.set_definition(board, after)

    def _must_wait(self, board: str, act: Callable[[], None]) -> bool:
        """Keep a change for later while another one of the board is under way: the server must not mix them up."""
        is_under_way = self._is_under_way(board)
        if is_under_way:
            self._waiting.setdefault(board, []).append(act)
        return is_under_way

    def _is_under_way(self, board: str) -> bool:
        return board in self._sent and not self._sent[board].is_answered

    def _definition(self, board: str) -> BoardDefinition | None:
        return self._sent[board].definition if board in self._sent else self._known.get(board)

    def _take_identity(self, who: WhoRecord) -> None:
        self._rights = Rights.of(who)
        self.refusal_changed.emit(self.refusal)

    def _take_status(self, status: StatusRecord) -> None:
        was_refused, self._known = self.refusal, {board.name: board.definition for board in status.boards}
        if was_refused != self.refusal:
            self.refusal_changed.emit(self.refusal)
        for board, sent in list(self._sent.items()):
            if sent.is_answered:
                sent.patience -= 1
                if self._known.get(board) == sent.definition or not sent.patience:
                    del self._sent[board]

    def _take_answer(self, board: str, reason: str) -> None:
        if not self._is_under_way(board):
            return
        if reason:  # the window tells it
            del self._sent[board]
        else:
            self._confirm(board, self._sent[board])
        waiting = self._waiting.get(board, [])
        while waiting and not self._is_under_way(board):
            waiting.pop(0)()

    def _confirm(self, board: str, sent: "_Sent") -> None:
        sent.is_answered = True
        if sent.words:
            undo = NoticeAction("Undo", lambda: self._undo(board, sent), is_final=True)
            self._notices.tell("info", sent.words, undo, for_ms=UNDO_MS)

    def _take_connection(self, state: ConnectionState) -> None:
        if state.connection is not Connection.ONLINE:
            self._known.clear()
            self._sent.clear()
            self._waiting.clear()
        self.refusal_changed.emit(self.refusal)


class _Sent:
    """A change that was asked for, and what takes it back."""

    def __init__(self, definition: BoardDefinition, column: int, back: dict[str, Any], words: str) -> None:
        self.definition = definition
        self.column = column
        self.back = back
        self.words = words
        self.is_answered = False
        self.patience = _PATIENCE


def changed(definition: BoardDefinition, column: int, fields: Mapping[str, Any]) -> BoardDefinition:
    """Return a definition with fields of one channel changed; every other number stays exactly as it is.

    :param fields: names of the channel's fields; ``display_name`` is its label where it has one, else its name.
    :raises DraftError: with a sentence that says what is wrong.
    """
    before = definition.channels[column]
    wanted = {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}
    if "display_name" in wanted:
        name = wanted.pop("display_name")
        wanted["label" if before.label else "name"] = name
    if wanted.get("name") == "":
        raise DraftError("a channel needs a name.", column)
    if wanted.get("name", before.name) in [other.name for other in definition.channels if other is not before]:
        raise DraftError(f"another channel is called {wanted['name']}.", column)
    try:
        after = Channel.model_validate({**before.model_dump(), **wanted})
    except ValidationError as error:
        raise DraftError(ended(first_fault(error)), column) from error
    channels = (*definition.channels[:column], after, *definition.channels[column + 1 :])
    return definition.model_copy(update={"channels": channels})


def change_words(board: str, before: Channel, after: Channel) -> str:
    """Say what was changed.

    >>> change_words("scale", Channel(name="a", unit="g"), Channel(name="a", unit="kg", decimals=2))
    'a of scale has the unit kg now, 2 decimals.'
    """
    words = []
    if after.display_name != before.display_name:
        words.append(f"is called {after.display_name}")
    if after.unit != before.unit:
        words.append(f"has the unit {after.unit}" if after.unit else "has no unit")
    if after.color != before.color:
        words.append("has another colour" if after.color else "has a colour of the theme")
    if after.decimals != before.decimals:
        words.append("fitting decimals" if after.decimals is None else f"{after.decimals} decimals")
    if (after.limit_low, after.limit_high) != (before.limit_low, before.limit_high):
        words.append(f"limits {limit_words(after)}" if limit_words(after) != "no limits" else "no limits")
    first, *others = words or ["is changed"]
    verb = "" if first.startswith(("is ", "has ")) else "has "
    return f"{before.display_name} of {board} {verb}{first} now{''.join(f', {word}' for word in others)}."


def _differing(before: BoardDefinition, after: BoardDefinition, column: int) -> list[str]:
    old, new = before.channels[column], after.channels[column]
    return [name for name in Channel.model_fields if getattr(old, name) != getattr(new, name)]


def _gone_words(board: str, definition: BoardDefinition | None, column: int, name: str = "") -> str:
    if definition is None:
        return f"the server does not know {board}, or not what its channels are."
    if column >= len(definition.channels) or name not in ("", definition.channels[column].name):
        return _CHANGED
    return ""
