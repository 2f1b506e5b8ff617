"""Opens definitions to be edited in tabs of their own, and asks the server to use them.

Asks the operator and the feed.
"""

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QMessageBox, QWidget

from blitz.data.access_records import WhoRecord
from blitz.data.blocks import MessageBlock
from blitz.data.board_definition import BoardDefinition
from blitz.data.definition_file import to_toml
from blitz.data.records import BadFrameRecord, BoardRecord, Role, Source, StatusRecord
from blitz.ui.definition_files import DefinitionFiles
from blitz.ui.definition_text import text_of
from blitz.ui.feed import Feed
from blitz.ui.page_tabs import PageTabs
from blitz.ui.pages.definition_page import DefinitionPage
from blitz.ui.raw_tail import RawTail
from blitz.ui.rights import Rights
from blitz.ui.theme import Appearance, Theme


class DefinitionActions(QObject):
    """One page a board at most."""

    def __init__(self, feed: Feed, tabs: PageTabs, appearance: Appearance, window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._tabs = tabs
        self._appearance = appearance
        self._window = window
        self._status: StatusRecord | None = None
        self._rights = Rights()
        self._sources: dict[int, tuple[Source, ...]] = {}
        self._tails: dict[str, RawTail] = {}
        self._left: dict[str, str] = {}
        self._bad: dict[str, int] = {}
        self.pages: dict[str, DefinitionPage] = {}
        feed.status_received.connect(self._take_status)
        feed.sources_received.connect(self._take_sources)
        feed.raw_received.connect(self._take_block)
        feed.bad_frames_received.connect(self._take_bad_frames)
        feed.definition_answered.connect(self._take_answer)
        feed.identity_received.connect(self._take_identity)
        appearance.changed.connect(self._take_theme)
        tabs.page_closed.connect(self._forget)

    def open(self, board: str) -> DefinitionPage:
        """Edit the definition of a board, in the tab that has it already, or a new one."""
        page = self.pages.get(board)
        if page is not None:
            self._tabs.setCurrentWidget(page)
            return page
        record = self._find(board)
        tail = self._tails.setdefault(board, RawTail(board))
        for session_id, sources in self._sources.items():
            tail.learn(session_id, sources)
        definition = record.definition if record else None
        text = text_of(definition, board)
        page = DefinitionPage(board, text, definition, lambda: tail.messages, self._appearance.theme)
        page.save_requested.connect(lambda definition: self._ask_to_save(page, definition))
        DefinitionFiles(page, self._window)
        page.show_refusal(self._rights.refusal(Role.OPERATOR))
        self.pages[board] = page
        self._tabs.open(page, f"Definition of {board}")
        self._feed.ask_bad_frames(board)
        left = self._left.pop(board, None)
        if left is not None and left != text:
            page.show_text(left)
            page.say("As you left it; Revert goes back to what is in use.")
        return page

    def open_with(self, board: str, typed: BoardDefinition | None) -> None:
        """Edit the definition of a board, going on from what was typed elsewhere."""
        page = self.open(board)
        if typed is not None and typed != page.draft.definition:
            page.show_text(to_toml(typed))

    def save(self, page: DefinitionPage, definition: BoardDefinition) -> None:
        """Let the server read messages by a definition."""
        page.show_waiting()
        self._feed.set_definition(page.board, definition)

    def _ask_to_save(self, page: DefinitionPage, definition: BoardDefinition) -> None:
        record = self._find(page.board)
        session = self._status.session if self._status else None
        is_other = record is not None and record.definition not in (page.before, definition)
        if session is None and not is_other:
            self.save(page, definition)
            return
        box = QMessageBox(QMessageBox.Warning, f"Definition of {page.board}", "", parent=self._window)
        if is_other:
            box.setText(f"The definition of {page.board} was changed meanwhile. Put yours in its place?")
            box.setInformativeText("Somebody else has given it names, or another format, since this was opened.")
        else:
            box.setText("A session is being recorded. Change how it is read from now on?")
            box.setInformativeText(
                f"From the next message on {page.board} has a new row in the session's table of sources. "
                "What was recorded before keeps its meaning."
            )
        do = box.addButton("Use it", QMessageBox.AcceptRole)
        cancel = box.addButton(QMessageBox.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)

        def answer() -> None:
            if box.clickedButton() is do and page in self.pages.values():
                self.save(page, definition)
            box.deleteLater()

        box.finished.connect(answer)
        box.open()
        # A default button alone does not have the focus: Enter would press the first one.
        cancel.setFocus()

    def _find(self, board: str) -> BoardRecord | None:
        boards = self._status.boards if self._status else ()
        return next((record for record in boards if record.name == board), None)

    def _take_status(self, status: StatusRecord) -> None:
        self._status = status
        for board, page in self.pages.items():
            record = self._find(board)
            if record is None:
                continue
            page.take_newest(record.definition)
            if record.bad_frames != self._bad.get(board, record.bad_frames):
                self._feed.ask_bad_frames(board)
            self._bad[board] = record.bad_frames

    def _take_sources(self, session_id: int, sources: tuple[Source, ...]) -> None:
        self._sources[session_id] = sources
        for old in [known for known in self._sources if known not in (0, session_id)]:
            del self._sources[old]
        for tail in self._tails.values():
            tail.learn(session_id, sources)

    def _take_block(self, block: MessageBlock) -> None:
        for tail in self._tails.values():
            tail.take(block)

    def _take_bad_frames(self, board: str, frames: tuple[BadFrameRecord, ...] | None) -> None:
        if board in self.pages and frames is not None:
            self.pages[board].preview.show_bad_frames(frames)

    def _take_answer(self, board: str, reason: str) -> None:
        if board in self.pages:
            self.pages[board].take_answer(reason)

    def _take_identity(self, who: WhoRecord) -> None:
        self._rights = Rights.of(who)
        for page in self.pages.values():
            page.show_refusal(self._rights.refusal(Role.OPERATOR))

    def _take_theme(self, theme: Theme) -> None:
        for page in self.pages.values():
            page.set_theme(theme)

    def _forget(self, page: QWidget) -> None:
        for board in [board for board, known in self.pages.items() if known is page]:
            closed = self.pages.pop(board)
            if closed.is_changed:
                self._left[board] = closed.draft.text
            self._tails.pop(board, None)
