"""Decides what is followed, the running session or the preview, and brings its readings into the live store."""

from dataclasses import replace

from PyQt5.QtCore import QObject, pyqtSignal

from blitz.data.blocks import PREVIEW_ID
from blitz.data.boards import Readings
from blitz.data.markers import with_marker
from blitz.data.records import Gap, Marker, SessionRecord, Source, StatusRecord
from blitz.ui.computed_channels import ComputedChannels
from blitz.ui.feed import Connection, ConnectionState, Feed
from blitz.ui.live_computed import LiveComputed
from blitz.ui.live_store import LiveStore


class LiveFollower(QObject):
    """Listens to a feed. The server says which session runs; without one the preview is followed."""

    followed_changed = pyqtSignal(bool)
    """Whether what is followed is the preview: not recorded."""

    def __init__(
        self, feed: Feed, store: LiveStore, kept: ComputedChannels | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._kept = kept
        self._computed = LiveComputed()
        if kept is not None:
            kept.changed.connect(self._follow)
        self._wanted = PREVIEW_ID
        self._sources: dict[int, tuple[Source, ...]] = {}
        self._beside: frozenset[str] = frozenset()
        """Names of the streams that are shown beside a session, and not recorded: they come with the preview."""
        feed.connection_changed.connect(self._take_connection)
        feed.status_received.connect(self._take_status)
        feed.session_started.connect(self._take_start)
        feed.session_stopped.connect(self._take_stop)
        feed.sources_received.connect(self._take_sources)
        feed.readings_received.connect(self._take_readings)
        feed.gap_received.connect(self._take_gap)
        feed.marker_received.connect(self._take_marker)
        feed.markers_listed.connect(self._take_markers)

    @property
    def is_preview(self) -> bool:
        """Whether what is followed is not recorded."""
        return self._wanted == PREVIEW_ID

    def write_into(self, store: LiveStore) -> None:
        """Bring what arrives from now on into another store, which has what was here."""
        self._store = store

    def _take_connection(self, state: ConnectionState) -> None:
        # What connects anew may be another server; a connection that was lost comes back otherwise.
        if state.connection in (Connection.OFFLINE, Connection.CONNECTING):
            self._sources.clear()
            self._store.clear()
            self._want(PREVIEW_ID)

    def _take_status(self, status: StatusRecord) -> None:
        beside = frozenset(board.name for board in status.boards if not board.is_recorded)
        is_other, self._beside = beside != self._beside, beside
        if not self._want(status.session.id if status.session else PREVIEW_ID) and is_other:
            self._follow()

    def _take_start(self, session: SessionRecord) -> None:
        self._want(session.id)

    def _take_stop(self, session: SessionRecord) -> None:
        if session.id == self._wanted:
            self._want(PREVIEW_ID)

    def _take_sources(self, session_id: int, sources: tuple[Source, ...]) -> None:
        self._sources[session_id] = sources
        if session_id == self._wanted or (session_id == PREVIEW_ID and self._beside):
            self._follow()

    def _take_readings(self, readings: Readings) -> None:
        if readings.session_id == PREVIEW_ID != self._wanted and readings.source.name in self._beside:
            readings = replace(readings, session_id=self._wanted)
        self._store.add(readings)
        if readings.session_id == self._store.session_id:
            self._computed.take(readings, self._store)

    def _take_gap(self, session_id: int, gap: Gap) -> None:
        if session_id == self._store.session_id:
            self._store.mark_gap(gap)

    def _take_marker(self, session_id: int, marker: Marker) -> None:
        if session_id == self._store.session_id:
            self._store.show_markers(with_marker(self._store.markers, marker))

    def _take_markers(self, session_id: int, markers: tuple[Marker, ...]) -> None:
        if session_id == self._store.session_id:
            self._store.show_markers(markers)

    def _want(self, session_id: int) -> bool:
        """Follow another one; False if it is followed already."""
        if session_id == self._wanted:
            return False
        self._wanted = session_id
        for left in [known for known in self._sources if known not in (session_id, PREVIEW_ID)]:
            del self._sources[left]
        self._follow()
        self.followed_changed.emit(self.is_preview)
        return True

    def _follow(self) -> None:
        """Show the sources of what is followed, and the streams beside it."""
        sources = self._sources.get(self._wanted, ())
        if self._wanted != PREVIEW_ID:
            known = {source.index for source in sources}
            beside = (source for source in self._sources.get(PREVIEW_ID, ()) if source.name in self._beside)
            sources = (*sources, *(source for source in beside if source.index not in known))
        computed = self._computed.follow(self._kept.channels, sources) if self._kept is not None else ()
        self._store.follow(self._wanted, (*sources, *computed))
        self._computed.fill(self._store)
