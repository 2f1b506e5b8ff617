"""What can be done with streams: shown, recorded, commanded."""

from PyQt5.QtCore import QObject
from PyQt5.QtGui import QFont
from PyQt5.QtWidgets import QWidget

from blitz.data.access_records import WhoRecord
from blitz.data.records import StatusRecord
from blitz.data.source_config import SourceConfig
from blitz.io.source_naming import free_name
from blitz.ui.dialogs.streams import StreamsDialog
from blitz.ui.feed import Feed
from blitz.ui.models.streams import StreamView
from blitz.ui.pages.boards_page import BoardsPage
from blitz.ui.rights import Rights


class StreamActions(QObject):
    """Wires the dialog of streams to the feed."""

    def __init__(self, feed: Feed, page: BoardsPage, font: QFont, window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._font = font
        self._window = window
        self._rights = Rights()
        self._status: StatusRecord | None = None
        page.streams_requested.connect(self.ask)
        page.streams.show()
        feed.status_received.connect(self._take_status)
        feed.identity_received.connect(self._take_identity)

    def ask(self) -> None:
        """Open the list of streams; a second time, bring it to the front."""
        for known in self._window.findChildren(StreamsDialog):
            if known.isVisible():
                known.raise_()
                return
        dialog = StreamsDialog(self._font, self._window)
        dialog.show_rights(self._rights)
        dialog.refresh_requested.connect(self._feed.list_streams)
        dialog.shown_requested.connect(self._show)
        dialog.record_requested.connect(self._feed.record_stream)
        dialog.hide_requested.connect(self._feed.delete_source)
        dialog.command_requested.connect(self._feed.send_stream_command)
        self._feed.streams_listed.connect(dialog.show_streams)
        self._feed.stream_command_told.connect(dialog.take_command)
        self._feed.status_received.connect(dialog.show_status)
        dialog.finished.connect(dialog.deleteLater)
        if self._status is not None:
            dialog.show_status(self._status)
        dialog.show()
        self._feed.list_streams()

    def _show(self, stream: StreamView, is_recorded: bool) -> None:
        names = {board.name for board in self._status.boards} if self._status else ()
        self._feed.add_source(
            SourceConfig(name=free_name(stream.link, names), link=stream.link, is_recorded=is_recorded)
        )

    def _take_status(self, status: StatusRecord) -> None:
        self._status = status

    def _take_identity(self, who: WhoRecord) -> None:
        self._rights = Rights.of(who)
        for dialog in self._window.findChildren(StreamsDialog):
            dialog.show_rights(self._rights)
