"""The bar of a playback, above all pages: what is played, where it is, how fast; and that it is not live."""

from collections.abc import Callable

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSlider, QToolButton, QVBoxLayout, QWidget

from blitz.ui.formats import format_duration
from blitz.ui.icons import icon
from blitz.ui.playback import AS_FAST_AS_CAN_BE, Player
from blitz.ui.theme import LIGHT, SPACE, Theme, number_font
from blitz.ui.widgets.alarm_strip import AlarmStrip
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.elided import ElidedLabel

SPEEDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, AS_FAST_AS_CAN_BE)
STEP_S = 5.0
FAR_STEP_S = 60.0
_PLACES = 10_000
_BEHIND = 0.9
"""Below that share of the speed asked for, the bar says which one is reached."""


class PlaybackBar(QFrame):
    """Shows a :class:`Player`, and tells it what was clicked; hidden while nothing is played."""

    left = pyqtSignal()
    """The live values are wanted again."""
    alarm_requested = pyqtSignal(bool)
    """The next alarm is wanted, or the one before"""

    key_words = (
        ("Space", "During a playback: pause, or go on"),
        ("Left, Right", "During a playback: 5 seconds back or on, with Shift a minute"),
        ("N, Shift+N", "During a playback: to the next alarm, or the one before"),
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player: Player | None = None
        self._theme = LIGHT
        self.setProperty("severity", "warning")
        badge = QLabel("PLAYBACK")
        badge.setProperty("kind", "title")
        badge.setToolTip("All pages show a session that was recorded before. What arrives now goes on being recorded.")
        self.title = ElidedLabel(least=120)
        self.play = QToolButton()
        self.play.setProperty("kind", "tool")
        self.play.setIconSize(QSize(20, 20))
        self.play.clicked.connect(lambda: self._do(lambda player: player.toggle()))
        self.slider = QSlider(Qt.Horizontal)
        self.slider.setRange(0, _PLACES)
        self.slider.setAccessibleName("Place in the session")
        self.slider.setToolTip("Where in the session; drag it, or click and use the arrow keys")
        self.slider.setFocusPolicy(Qt.TabFocus)
        self.slider.actionTriggered.connect(lambda _: self._seek_to_slider())
        self.strip = AlarmStrip()
        course = QVBoxLayout()
        course.setSpacing(0)
        course.addWidget(self.slider)
        course.addWidget(self.strip)
        self.place = QLabel()
        self.place.setFont(number_font(self.font()))
        self.speed = Choice()
        self.speed.setAccessibleName("Speed")
        self.speed.setToolTip("Seconds of the session a second")
        for speed in SPEEDS:
            self.speed.addItem(speed_words(speed), speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.activated.connect(lambda _: self._do(lambda player: player.choose_speed(self.speed.currentData())))
        self.reached = QLabel()
        self.reached.setProperty("kind", "muted")
        self.leave = QPushButton("&Leave playback")
        self.leave.setToolTip("Show what arrives now again")
        self.leave.clicked.connect(self.left)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * SPACE, 6, 2 * SPACE, 6)
        row.setSpacing(SPACE)
        row.addWidget(badge)
        row.addWidget(self.title)
        row.addWidget(self.play)
        row.addLayout(course, 1)
        row.addWidget(self.place)
        row.addWidget(self.speed)
        row.addWidget(self.reached)
        row.addWidget(self.leave)
        self.hide()

    def show_player(self, player: Player, title: str) -> None:
        """Show a playback."""
        self._player = player
        self.title.setText(title)
        player.changed.connect(self._show)
        self._show()
        self.show()

    def forget(self) -> None:
        """There is nothing to be played any more."""
        self._player = None
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.strip.set_theme(theme)
        self._show()

    def take_key(self, event: QKeyEvent) -> bool:
        """Pause, go on, seek, or go to an alarm; returns whether the key does one of these."""
        far = FAR_STEP_S if event.modifiers() & Qt.ShiftModifier else STEP_S
        if self._player is None or event.modifiers() & ~(Qt.ShiftModifier | Qt.KeypadModifier):
            return False
        if event.key() == Qt.Key_Space:
            if not event.isAutoRepeat():
                self._player.toggle()
        elif event.key() in (Qt.Key_Left, Qt.Key_Right):
            self._player.step(far if event.key() == Qt.Key_Right else -far)
        elif event.key() == Qt.Key_N:
            self.alarm_requested.emit(not event.modifiers() & Qt.ShiftModifier)
        else:
            return False
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take the same keys as the plot does."""
        if not self.take_key(event):
            super().keyPressEvent(event)

    def _do(self, act: Callable[[Player], object]) -> None:
        if self._player is not None:
            act(self._player)

    def _seek_to_slider(self) -> None:
        if self._player is not None:
            self._player.seek(self.slider.sliderPosition() / _PLACES * self._player.length_s)

    def _show(self) -> None:
        player = self._player
        if player is None:
            return
        self.play.setIcon(icon("pause" if player.is_playing else "play", self._theme))
        words = "Pause" if player.is_playing else "Play"
        self.play.setAccessibleName(words)
        self.play.setToolTip(f"{words} (Space)")
        if not self.slider.isSliderDown():
            share = player.passed_s / player.length_s if player.length_s else 1.0
            self.slider.setValue(round(share * _PLACES))
        self.speed.setCurrentIndex(self.speed.findData(player.speed))
        self.place.setText(f"{format_duration(player.passed_s)} / {format_duration(player.length_s)}")
        is_behind = player.is_playing and player.reached > 0 and player.reached < _BEHIND * player.speed
        self.reached.setText(f"now {player.reached:.0f}×" if is_behind else "")


def speed_words(speed: float) -> str:
    """Write a speed.

    >>> speed_words(0.5), speed_words(1000.0), speed_words(AS_FAST_AS_CAN_BE)
    ('0.5×', '1000×', 'as fast as can be')
    """
    return "as fast as can be" if speed == AS_FAST_AS_CAN_BE else f"{speed:g}×"
