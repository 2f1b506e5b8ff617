"""What can be done with caches: choose one, make one, look at all, forget a name, delete data. Asks the operator."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QAction, QActionGroup, QMenu, QMessageBox, QWidget

from blitz.data.cache_listing import ListedCache, list_caches
from blitz.data.cache_places import CachePlace
from blitz.data.cache_setup import delete_data, register
from blitz.data.named_caches import NamedCache, NamedCaches
from blitz.errors import BlitzError
from blitz.ui.dialogs.caches import CachesDialog
from blitz.ui.dialogs.new_cache import CacheWish, NewCacheDialog
from blitz.ui.feed import Feed
from blitz.ui.jobs import Jobs, while_there
from blitz.ui.theme import number_font
from blitz.ui.widgets.notices import NoticesArea

if TYPE_CHECKING:
    from blitz.ui.models.sessions import SessionsModel
    from blitz.ui.widgets.status_line import StatusLine

_TOLD_MS = 8_000


class CacheActions(QObject):
    """Knows which cache is in use, and fills the menu that chooses one."""

    def __init__(
        self, feed: Feed, sessions: "SessionsModel", notices: NoticesArea, line: "StatusLine", window: QWidget
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._sessions = sessions
        self._notices = notices
        self._line = line
        self._window = window
        self._jobs = Jobs(self)  # its own: a far database must not hold up exports
        self._menu: QMenu | None = None
        self._group = QActionGroup(self)
        self._named: list[QAction] = []
        self._used: CachePlace | None = None
        self._refusal = ""
        feed.cache_told.connect(self._take_used)
        feed.cache_chosen.connect(self._keep_choice)

    def serve(self, menu: QMenu) -> dict[str, QAction]:
        """Fill a menu; return its lasting actions by name."""
        self._menu = menu
        menu.setToolTipsVisible(True)
        self.usual = self._choice("&Usual, one a server", "Each server's sessions in a file of its own", None)
        menu.addAction(self.usual)
        self._below = menu.addSeparator()
        new, manage = QAction("&New…", menu), QAction("&Manage…", menu)
        new.triggered.connect(lambda: self.ask_for_new())
        manage.triggered.connect(lambda: self.manage())
        menu.addActions([new, manage])
        menu.aboutToShow.connect(self.list_names)
        self.list_names()
        return {"cache_usual": self.usual, "cache_new": new, "cache_manage": manage}

    def refuse(self, reason: str) -> None:
        """Let nobody choose another cache here, for a reason; empty: it can be chosen."""
        self._refusal = reason
        self._show_choice()

    def close(self) -> None:
        """Wait for what is being looked at."""
        self._jobs.close()

    def listed(self) -> tuple[QAction, ...]:
        """Return the menu's choices, the usual one first; each has the cache's name as its data."""
        self.list_names()
        return (self.usual, *self._named)

    def list_names(self) -> None:
        """Bring the menu up to date: other programs name caches, too."""
        assert self._menu is not None
        for action in self._named:
            self._menu.removeAction(action)
            self._group.removeAction(action)
            action.deleteLater()
        self._named = [self._choice(named.name.replace("&", "&&"), named.description, named) for named in self._known()]
        self._menu.insertActions(self._below, self._named)
        self._show_choice()

    def use(self, place: CachePlace | None) -> None:
        """Work with another cache, or with the usual ones; downloads under way are asked about."""
        downloading = sum(self._sessions.is_downloading(record.id) for record in self._sessions.records)
        if not downloading:
            self._feed.use_cache(place)
            self._show_choice()  # what is in force, until the other one is
            return
        what = "A session is" if downloading == 1 else f"{downloading} sessions are"
        here = f"the cache “{self._used.name}”" if self._used is not None and self._used.name else "this cache"
        self._ask(
            "Change the cache",
            f"{what} being downloaded into {here}. Change it all the same?",
            "The download stops, and goes on where it was when it is asked for in this cache again.",
            "Change the cache",
            lambda: self._feed.use_cache(place),
        )
        self._show_choice()

    def ask_for_new(self) -> None:
        """Ask for a name and a place, then make a cache."""
        if self._folder is None:
            return
        dialog = NewCacheDialog(self._window)
        dialog.use_it.setEnabled(not self._refusal)
        dialog.use_it.setToolTip(self._refusal)
        if self._refusal:
            dialog.use_it.setChecked(False)
        dialog.wanted.connect(lambda wish: self._make(wish, dialog))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def manage(self) -> None:
        """Show all caches; a second time, bring the list to the front."""
        for known in self._window.findChildren(CachesDialog):
            if known.isVisible():
                known.raise_()
                self._look(known)
                return
        dialog = CachesDialog(number_font(self._window.font()), self._refusal, self._window)
        dialog.new_requested.connect(self.ask_for_new)
        dialog.use_requested.connect(lambda listed: self.use(listed.place if listed.place.name else None))
        dialog.forget_requested.connect(self._ask_to_forget)
        dialog.delete_requested.connect(self._ask_to_delete)
        dialog.finished.connect(dialog.deleteLater)
        dialog.show()
        self._look(dialog)

    @property
    def _folder(self) -> Path | None:
        return self._feed.cache_folder

    def _known(self) -> list[NamedCache]:
        if self._folder is None:
            return []
        try:
            return NamedCaches(self._folder).all()
        except BlitzError as error:
            self._notices.tell("warning", str(error))
            return []

    def _choice(self, words: str, about: str, named: NamedCache | None) -> QAction:
        action = QAction(words, self._menu)
        action.setCheckable(True)
        action.setToolTip(about or words)
        action.setData(named.name if named is not None else "")
        place = None if named is None else CachePlace.of(named)
        action.triggered.connect(lambda: self.use(place))
        self._group.addAction(action)
        return action

    def _show_choice(self) -> None:
        name = self._used.name if self._used is not None else ""
        for action in (self.usual, *self._named):
            action.setChecked(action.data() == name)
            action.setEnabled(not self._refusal)
            if self._refusal:
                action.setToolTip(self._refusal)

    def _take_used(self, place: CachePlace) -> None:
        self._used = place
        self._line.show_cache(place)
        if self._menu is not None:
            self._show_choice()
        self._look_again()

    def _keep_choice(self, place: CachePlace | None) -> None:
        if self._folder is None:
            return
        try:
            NamedCaches(self._folder).use(None if place is None else place.name)
        except BlitzError as error:
            self._notices.tell("error", f"The choice is not kept for the next start: {error}")
        words = "in the usual cache of each server" if place is None else f"in the cache “{place.name}”"
        self._notices.tell("info", f"Sessions are kept {words} from now on.", for_ms=_TOLD_MS)
        self._show_choice()

    def _make(self, wish: CacheWish, dialog: NewCacheDialog) -> None:
        folder = self._folder
        assert folder is not None
        job = self._jobs.run(
            "Making a cache", lambda _, __: register(folder, wish.name, wish.address, wish.description)
        )

        answer = while_there(dialog, dialog.take_answer)

        def take(named: NamedCache) -> None:
            answer("")
            self._look_again()
            if wish.is_used:
                self.use(CachePlace.of(named))
            else:
                self._notices.tell("info", f"The cache “{named.name}” is there.", for_ms=_TOLD_MS)

        job.succeeded.connect(take)
        job.failed.connect(lambda error: answer(str(error)))

    def _look(self, dialog: CachesDialog) -> None:
        folder = self._folder
        if folder is None:
            return
        job = self._jobs.run("Looking at caches", lambda _, __: tuple(list_caches(folder)))
        used = str(self._used.address) if self._used else ""
        job.succeeded.connect(while_there(dialog, lambda caches: dialog.show_caches(caches, used)))
        job.failed.connect(lambda error: self._notices.tell("error", str(error)))

    def _look_again(self) -> None:
        if self._menu is not None:
            self.list_names()
        for dialog in self._window.findChildren(CachesDialog):
            if dialog.isVisible():
                self._look(dialog)

    def _ask_to_forget(self, listed: ListedCache) -> None:
        is_used = self._used is not None and self._used.name == listed.place.name
        back = " The window goes back to the usual cache." if is_used else ""
        self._ask(
            "Forget a cache",
            f"Forget the name “{listed.place.name}”?",
            f"Its data stay in {listed.place}, and can be given a name again.{back}",
            "Forget the name",
            lambda: self._forget(listed, is_used=is_used),
        )

    def _forget(self, listed: ListedCache, *, is_used: bool) -> None:
        assert self._folder is not None
        try:
            NamedCaches(self._folder).forget(listed.place.name)
        except BlitzError as error:
            self._notices.tell("error", str(error))
        if is_used:
            self._feed.use_cache(None)
        self._look_again()

    def _ask_to_delete(self, listed: ListedCache) -> None:
        facts = listed.facts
        sessions = "1 session" if facts.sessions == 1 else f"{facts.sessions} sessions"
        only = f"{facts.only_here} of them no server has: nobody can bring them back." if facts.only_here else ""
        name = f"the cache “{listed.place.name}”" if listed.place.name else f"the usual cache of {listed.server_words}"
        self._ask(
            "Delete a cache",
            f"Delete {name} with {sessions}?",
            facts.problem or only or "The server still has them.",
            "Delete",
            lambda: self._delete(listed),
        )

    def _delete(self, listed: ListedCache) -> None:
        folder, place = self._folder, listed.place
        assert folder is not None

        def work(_: object, __: object) -> None:
            delete_data(place)
            if place.name:
                NamedCaches(folder).forget(place.name)

        job = self._jobs.run("Deleting a cache", work)
        job.succeeded.connect(lambda _: self._notices.tell("info", f"{place.words} is deleted.", for_ms=_TOLD_MS))
        job.failed.connect(lambda error: self._notices.tell("error", f"The cache was not deleted: {error}"))
        job.ended.connect(self._look_again)

    def _ask(self, title: str, question: str, about: str, words: str, act: Callable[[], None]) -> None:
        """Ask, with Cancel as what Enter does."""
        box = QMessageBox(QMessageBox.Warning, title, question, parent=self._window)
        box.setInformativeText(about)
        do = box.addButton(words, QMessageBox.DestructiveRole)
        cancel = box.addButton(QMessageBox.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)

        def answer() -> None:
            if box.clickedButton() is do:
                act()
            box.deleteLater()

        box.finished.connect(answer)
        box.open()
        # A default button alone does not have the focus: Enter would press the first one.
        cancel.setFocus()
