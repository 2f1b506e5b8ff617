"""Comparing sessions: brings them here, reads them, aligns them, computes how they differ; each in the pool."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QAction, QMenu, QWidget

from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord
from blitz.data.session_moments import Moment
from blitz.errors import DownloadCancelled
from blitz.ui.comparison import Comparison, align, is_comparable, load_comparison
from blitz.ui.comparison_differences import Difference, find_difference
from blitz.ui.computed_channels import ComputedChannels
from blitz.ui.feed import Feed, RequestFailure
from blitz.ui.formats import format_start
from blitz.ui.jobs import Job, Jobs, while_there
from blitz.ui.models.sessions import SessionsModel, session_title
from blitz.ui.page_tabs import PageTabs
from blitz.ui.pages.comparison_page import ComparisonPage
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.pages.sessions_page import SessionsPage
from blitz.ui.session_actions import SessionActions
from blitz.ui.theme import Appearance
from blitz.ui.widgets.notices import NoticesArea

_MOST_OFFERED = 8
_DAY_S = 86_400.0


class ComparisonActions(QObject):
    """Knows the pages of comparisons among the window's tabs."""

    def __init__(
        self,
        feed: Feed,
        tabs: PageTabs,
        appearance: Appearance,
        sessions: SessionActions,
        page: SessionsPage,
        jobs: Jobs,
        notices: NoticesArea,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._tabs = tabs
        self._appearance = appearance
        self._sessions = sessions
        self._known: SessionsModel = page.sessions
        self._jobs = jobs
        self._notices = notices
        self.computed: ComputedChannels | None = None
        """What is computed of each session, too."""
        self._running: dict[ComparisonPage, Job] = {}
        page.compare_requested.connect(self.compare)
        feed.cache_opened.connect(self._close_others)
        tabs.page_closed.connect(self._forget)

    @property
    def pages(self) -> list[ComparisonPage]:
        """Those that are open."""
        return [page for page in self._tabs.pages() if isinstance(page, ComparisonPage)]

    def serve(self, page: HistoryPage) -> None:
        """Fill the menu of a session's page when it is opened."""
        menu = QMenu(page.compare)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(lambda: self._fill(menu, page.session_id))
        page.compare.setMenu(menu)

    def compare(self, session_ids: Sequence[int]) -> None:
        """Lay sessions upon each other, as soon as all of them are here; a single one, upon the one before it."""
        wanted = list(dict.fromkeys(session_ids))
        if len(wanted) == 1:
            before = self.previous(wanted[0])
            if before is None:
                self._notices.tell("info", "There is no session before this one to compare it with.")
                return
            wanted.append(before.id)
        self._bring(wanted, 0)

    def previous(self, session_id: int) -> SessionRecord | None:
        """Return the session before another one."""
        return next(iter(self._earlier(session_id)), None)

    def _earlier(self, session_id: int) -> list[SessionRecord]:
        record = self._known.find(session_id)
        if record is None:
            return []
        earlier = [r for r in self._known.records if is_comparable(r) and r.started_at < record.started_at]
        return sorted(earlier, key=lambda r: r.started_at, reverse=True)

    def _fill(self, menu: QMenu, session_id: int) -> None:
        """Offer the session before, the one of the same time a day earlier, and other recent ones."""
        menu.clear()
        record = self._known.find(session_id)
        earlier = self._earlier(session_id)
        others = [r for r in self._known.records if is_comparable(r) and r.id != session_id and r not in earlier]
        if record is None or not (earlier or others):
            action = menu.addAction("There is no other session to compare with")
            action.setEnabled(False)
            return
        offered: list[tuple[str, SessionRecord]] = []
        if earlier:
            offered.append(("&Previous session", earlier[0]))
        day_before = [r for r in earlier if (record.started_at.astimezone().date() - _day(r)).days == 1]
        if day_before:
            wanted_s = record.started_at.timestamp() - _DAY_S
            offered.append(("&Yesterday's", min(day_before, key=lambda r: abs(r.started_at.timestamp() - wanted_s))))
        for label, other in offered:
            self._add(menu, f"{label}: {plain(session_words(other))}", session_id, other)
        if offered:
            menu.addSeparator()
        for other in [*earlier[1:], *others][:_MOST_OFFERED]:
            self._add(menu, plain(session_words(other)), session_id, other)

    def _add(self, menu: QMenu, label: str, session_id: int, other: SessionRecord) -> None:
        action = QAction(label, menu)
        action.triggered.connect(lambda _=False: self.compare([session_id, other.id]))
        menu.addAction(action)

    def _bring(self, session_ids: Sequence[int], place: int) -> None:
        """Fetch one after the other, then open them together."""
        if place < len(session_ids):
            self._sessions.when_here(session_ids[place], lambda _: self._bring(session_ids, place + 1))
        else:
            self._open(session_ids)

    def _open(self, session_ids: Sequence[int]) -> None:
        path = self._feed.cache_path
        assert path is not None
        computed = () if self.computed is None else self.computed.channels
        job = self._jobs.run(
            f"Opening {len(session_ids)} sessions",
            lambda progress, is_cancelled: load_comparison(path, session_ids, progress, is_cancelled, computed),
        )
        job.succeeded.connect(self.show)
        job.failed.connect(lambda error: self._tell_failure("The sessions were not compared", error))

    def show(self, comparison: Comparison) -> None:
        """Open a tab with a comparison; the oldest session is the reference."""
        if self._is_of_other_cache(comparison):
            comparison.close()
            return
        page = ComparisonPage(comparison, self._appearance, comparison.members[0].session_id)
        page.align_requested.connect(partial(self._align, page))
        page.differences_wanted.connect(partial(self._compute, page))
        self._tabs.open(page, page.title)
        if comparison.remarks:
            page.strip.tell(" ".join(comparison.remarks))
        page.plot.setFocus()
        self._compute(page)

    def _align(self, page: ComparisonPage, moment: Moment) -> None:
        comparison = page.view.comparison
        self._cancel(page)
        job = self._jobs.run("Aligning sessions", lambda _, is_cancelled: align(comparison, moment, is_cancelled))
        self._running[page] = job

        def refuse(error: Exception) -> None:
            if not isinstance(error, DownloadCancelled):
                page.refuse_alignment(str(error))

        def take(aligned: Comparison) -> None:
            if self._running.get(page) is job:  # else something else was asked for since
                self._end(page, job)
                page.take_alignment(aligned)

        job.succeeded.connect(while_there(page, take))
        job.failed.connect(while_there(page, refuse))
        job.ended.connect(while_there(page, lambda: self._end(page, job)))

    def _compute(self, page: ComparisonPage) -> None:
        """Compute what the page shows and has not got, one difference after the other."""
        running, missing = self._running.get(page), page.missing
        if running is not None or not missing:
            return
        view, (other_id, reference_id, label) = page.view, missing[0]
        members = {member.session_id: member for member in view.comparison.members}

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> Difference:
            with DatabaseClient(path=view.comparison.place) as cache:
                return find_difference(
                    cache, members[other_id], members[reference_id], label, view.tolerance, progress, is_cancelled
                )

        job = self._jobs.run(f"Comparing {label}", work)
        self._running[page] = job

        def take(difference: Difference) -> None:
            self._end(page, job)
            # It may have been aligned or tolerated otherwise meanwhile.
            if page.view.comparison is view.comparison and page.view.tolerance == view.tolerance:
                page.take_difference(difference)
            self._compute(page)

        def fail(error: Exception) -> None:
            self._end(page, job)
            if not isinstance(error, DownloadCancelled):
                page.strip.tell(str(error))

        job.succeeded.connect(while_there(page, take))
        job.failed.connect(while_there(page, fail))

    def _cancel(self, page: ComparisonPage) -> None:
        job = self._running.pop(page, None)
        if job is not None:
            job.cancel()

    def _end(self, page: ComparisonPage, job: Job) -> None:
        if self._running.get(page) is job:
            del self._running[page]

    def _forget(self, page: object) -> None:
        if isinstance(page, ComparisonPage):
            self._cancel(page)

    def _close_others(self) -> None:
        for page in self.pages:
            if self._is_of_other_cache(page.view.comparison):
                self._tabs.close_page(page)

    def _is_of_other_cache(self, comparison: Comparison) -> bool:
        path = self._feed.cache_path
        return path is not None and comparison.place != str(path)

    def _tell_failure(self, action: str, error: Exception) -> None:
        if isinstance(error, DownloadCancelled):
            self._notices.tell("info", str(error))
        else:
            self._notices.tell("error", RequestFailure(action, error).sentence)


def _day(record: SessionRecord) -> date:
    return record.started_at.astimezone().date()


def plain(words: str) -> str:
    """Return words as a menu shows them, with no key of their own.

    >>> plain("A & B")
    'A && B'
    """
    return words.replace("&", "&&")


def session_words(record: SessionRecord) -> str:
    """Return a session's name and when it began, as people say it."""
    start = record.started_at.astimezone()
    return f"{session_title(record)}, {format_start(start, datetime.now(start.tzinfo))}"
