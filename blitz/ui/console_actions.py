"""The console's side of the feed: raw messages into the ring, lines to the boards, what is shown into files."""

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QByteArray, QObject
from PyQt5.QtWidgets import QApplication, QFileDialog, QWidget

from blitz.data.access_records import WhoRecord
from blitz.data.blocks import MessageBlock
from blitz.data.records import Source, TimelineEntry, TimelineKind
from blitz.errors import DownloadCancelled
from blitz.ui.feed import BoardCommand, Feed
from blitz.ui.jobs import Jobs
from blitz.ui.models.console_lines import LineWriter
from blitz.ui.pages.console_page import ConsolePage
from blitz.ui.preferences import Preferences
from blitz.ui.raw_messages import Kind, RawRing
from blitz.ui.rights import Rights
from blitz.ui.theme import Appearance
from blitz.ui.widgets.notices import NoticesArea
from blitz.ui.widgets.send_line import LineHistory

_KINDS = "Text with tabs (*.txt);;All files (*)"
_MOST_SESSIONS = 4
_MOST_COPIED = 20_000


class ConsoleActions(QObject):
    """Owns the ring and the page."""

    def __init__(
        self,
        feed: Feed,
        jobs: Jobs,
        notices: NoticesArea,
        preferences: Preferences,
        appearance: Appearance,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._jobs = jobs
        self._notices = notices
        self._preferences = preferences
        self._window = window
        self._sources: dict[int, tuple[Source, ...]] = {}
        self.ring = RawRing()
        self._live_ring = self.ring
        """Where what arrives goes: another one during a playback."""
        self.history = LineHistory(_read_lines(preferences))
        self.page = page = ConsolePage(self.ring, self.history)
        feed.sources_received.connect(self._take_sources)
        feed.raw_received.connect(self._take_messages)
        feed.timeline_received.connect(self._take_entry)
        feed.command_answered.connect(page.show_answer)
        feed.connection_changed.connect(page.show_connection)
        feed.status_received.connect(page.show_status)
        feed.identity_received.connect(self._take_identity)
        appearance.changed.connect(page.set_theme)
        page.set_theme(appearance.theme)
        page.command_requested.connect(self._send)
        page.copy_requested.connect(self.copy)
        page.save_requested.connect(self.ask_for_file)

    def begin_playback(self) -> None:
        """Put the lines aside; what arrives from now on goes to them."""
        self._live_ring = RawRing()
        self._live_ring.take_over(self.ring)
        self.ring.forget()

    def begin_anew(self) -> None:
        """Forget the lines of the playback."""
        self.ring.forget()

    def play(self, block: MessageBlock, sources: tuple[Source, ...]) -> None:
        """Show messages of the playback."""
        self.ring.add(block, sources)

    def end_playback(self) -> None:
        """Show the lines again that were put aside, and what has arrived since."""
        if self._live_ring is not self.ring:
            self.ring.take_over(self._live_ring)
            self._live_ring = self.ring

    def copy(self, writer: LineWriter, columns: tuple[int, ...]) -> None:
        """Put lines on the clipboard."""
        if len(writer) > _MOST_COPIED:
            self._notices.tell("info", f"More than {_MOST_COPIED} lines do not go well by the clipboard: save them.")
            return
        QApplication.clipboard().setText("\n".join(writer.lines(columns)) + "\n")

    def ask_for_file(self, writer: LineWriter, columns: tuple[int, ...]) -> None:
        """Let the operator say where to write lines."""
        dialog = QFileDialog(self._window, "Save what is shown", self._preferences.export_folder, _KINDS)
        dialog.setAcceptMode(QFileDialog.AcceptSave)
        dialog.setDefaultSuffix("txt")
        dialog.selectFile("console.txt")
        dialog.fileSelected.connect(lambda name: self.save(writer, columns, Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def save(self, writer: LineWriter, columns: tuple[int, ...], path: Path) -> None:
        """Write lines into a file, in a thread; what comes meanwhile is not among them."""
        self._preferences.export_folder = str(path.parent)

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> int:
            with path.open("w", encoding="utf-8") as file:
                for count, line in enumerate(writer.lines(columns)):
                    if count % 1000 == 0:
                        if is_cancelled():
                            raise DownloadCancelled(f"{path.name} is not whole: it was cancelled.")
                        progress(count, len(writer))
                    file.write(f"{line}\n")
            return len(writer)

        job = self._jobs.run(f"Saving {path.name}", work)
        job.succeeded.connect(lambda count: self._notices.tell("info", f"Saved {count} lines to {path}"))
        job.failed.connect(lambda error: self._notices.tell("error", f"{path} was not written: {error}"))

    def _send(self, board: str, command: BoardCommand) -> None:
        self._preferences.remember_place("sent_lines", QByteArray("\n".join(self.history.lines).encode()))
        self._feed.send_command(board, command)

    def _take_sources(self, session_id: int, sources: tuple[Source, ...]) -> None:
        self._sources.pop(session_id, None)
        self._sources[session_id] = sources
        for old in list(self._sources)[:-_MOST_SESSIONS]:
            del self._sources[old]

    def _take_messages(self, block: MessageBlock) -> None:
        self._live_ring.add(block, self._sources.get(block.session_id, ()))

    def _take_entry(self, _: int, entry: TimelineEntry) -> None:
        """What anybody sent to a board, and its answer."""
        if entry.kind is not TimelineKind.COMMAND or entry.source is None:
            return
        self._live_ring.add_line(Kind.SENT, entry.source, (entry.sent or "").encode(), entry.time_ns)
        answer = entry.answer if entry.answer is not None else entry.error
        if answer:
            self._live_ring.add_line(Kind.ANSWER, entry.source, answer.encode(), entry.time_ns)

    def _take_identity(self, who: WhoRecord) -> None:
        self.page.show_rights(Rights.of(who))


def _read_lines(preferences: Preferences) -> list[str]:
    kept = preferences.place("sent_lines")
    return bytes(kept.data()).decode("utf-8", "replace").split("\n") if kept is not None else []
