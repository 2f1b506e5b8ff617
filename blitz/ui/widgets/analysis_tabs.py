"""The tabs of the analysis of a stretch: each says what is to be computed, and shows what came of it.

What is computed, in a thread, is in :mod:`blitz.ui.analysis`.
"""

import math
from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from blitz.ui.analysis import (
    HistogramFound,
    PairsFound,
    SpectrumFound,
    Stretch,
    find_histogram,
    find_pairs,
    find_spectrum,
)
from blitz.ui.formats import MISSING, format_count
from blitz.ui.models.text_rows import TextRows
from blitz.ui.plots.figure_marks import FigureCurve, FigureNote, Shape
from blitz.ui.plots.figure_plot import FigurePlot
from blitz.ui.theme import LIGHT, SPACE, Theme, number_font
from blitz.ui.widgets.channel_choice import ChannelBox, ChannelList, ShownChannel
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.elided import ElidedLabel
from blitz.ui.widgets.table import Table

Work = Callable[[Stretch], object]
NO_CHANNEL = "No channel is chosen. Tick one in the list on the right."
NO_PEAK = "No peak stands out of the noise."


class AnalysisTab(QWidget):
    """What all of them have."""

    title = ""
    asked = pyqtSignal()
    """Something else is to be computed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.channels: tuple[ShownChannel, ...] = ()
        self.theme = LIGHT
        self.remarks = ElidedLabel()
        self.remarks.setProperty("kind", "muted")
        self._is_empty = True
        self.result: object = None
        """What is shown; None where there is nothing."""

    @property
    def drawing(self) -> QWidget | None:
        """What a picture can be made of; None where there are numbers only."""
        return None

    def show_channels(self, channels: tuple[ShownChannel, ...]) -> None:
        """Take over what can be looked at: one a label."""
        self.channels = channels

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.theme = theme

    def work(self) -> Work | None:
        """Return what is to be computed; None where there is nothing."""
        raise NotImplementedError

    def show_result(self, result: Any) -> None:
        """Show what was computed."""
        raise NotImplementedError

    def show_refusal(self, text: str) -> None:
        """Say why there is nothing."""
        raise NotImplementedError

    def show_waiting(self) -> None:
        """Say that something is computed, where nothing is shown yet."""
        if self._is_empty:
            self.show_refusal("Computing…")

    def tell(self, remarks: tuple[str, ...]) -> None:
        """Say how it was computed; the owner of the tab places :attr:`remarks`."""
        self._is_empty = not remarks
        self.remarks.setText(" ".join(remarks))


class FigureTab(AnalysisTab):
    """A plot below a row of choices."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figure = FigurePlot(self.title)
        self.row = QHBoxLayout()
        self.row.setSpacing(SPACE)
        self.beside = QSplitter()
        self.beside.setHandleWidth(SPACE)
        self.beside.addWidget(self.figure)
        self.beside.setStretchFactor(0, 1)
        self.beside.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addLayout(self.row)
        column.addWidget(self.beside, 1)

    @property
    def drawing(self) -> QWidget | None:
        """The plot."""
        return self.figure

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        super().set_theme(theme)
        self.figure.set_theme(theme)

    def show_refusal(self, text: str) -> None:
        """Say why there is nothing."""
        self.figure.show_hint(text or NO_CHANNEL)
        self.tell(())

    def shown(self, box: ChannelBox | ChannelList) -> ShownChannel | None:
        """Return the channel that is chosen."""
        return next((shown for shown in self.channels if shown.channel.label == box.currentText()), None)


class OneChannelTab(FigureTab):
    """A plot of the channel that is chosen in a list beside it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.channel = ChannelList(f"Channel of the {self.title.lower()}")
        self.channel.chosen.connect(self.asked)
        self.beside.insertWidget(0, self.channel)
        self.colour = ""

    def show_channels(self, channels: tuple[ShownChannel, ...]) -> None:
        """Take over what can be looked at."""
        super().show_channels(channels)
        self.channel.show_channels(channels, self.theme)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        super().set_theme(theme)
        self.channel.show_channels(self.channels, theme)


class SpectrumTab(OneChannelTab):
    """The spectrum of a channel, with its peaks."""

    title = "Spectrum"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = Choice()
        self.kind.setAccessibleName("Kind of spectrum")
        self.kind.addItems(["Amplitudes (FFT)", "Noise density (Welch)"])
        self.log = QCheckBox("Logarithmic")
        self.peaks = TextRows(("Peak", "Value"), (0, 1), parent=self)
        self.peaks.number_font = number_font(self.font(), self.font().pointSizeF())
        self.table = Table(self.peaks, NO_PEAK)
        self.table.setAccessibleName("Peaks")
        self.table.setSelectionMode(Table.ExtendedSelection)
        self.table.set_widths(110, 110, stretched=1)
        self.table.setMinimumWidth(210)
        self.beside.addWidget(self.table)
        for widget in (self.kind, self.log):
            self.row.addWidget(widget)
        self.row.addStretch(1)
        self.kind.activated.connect(lambda _: self.asked.emit())
        self.log.toggled.connect(self.figure.set_log)

    def work(self) -> Work | None:
        """Compute the channel's."""
        shown, is_averaged = self.shown(self.channel), self.kind.currentIndex() == 1
        if shown is None:
            return None
        self.colour = shown.colour(self.theme)
        return lambda stretch: find_spectrum(stretch, shown.channel, is_averaged=is_averaged)

    def show_result(self, result: SpectrumFound) -> None:
        """Draw it, and name the peaks."""
        found = result.spectrum
        notes = [FigureNote(peak.frequency_hz, peak.value, frequency_words(peak.frequency_hz)) for peak in result.peaks]
        curve = FigureCurve(found.frequency_hz, found.values, self.colour, found.label)
        title = "Density" if found.is_density else "Amplitude"
        self.figure.show_curves([curve], "Frequency [Hz]", titled(title, found.unit), notes)
        unit = f" {found.unit}" if found.unit else ""
        self.table.set_hint(NO_PEAK)
        self.peaks.show([(frequency_words(peak.frequency_hz), f"{peak.value:.4g}{unit}") for peak in result.peaks])
        step_hz = found.rate_hz / 2 / max(len(found) - 1, 1)
        self.tell((*result.remarks, f"{found.rate_hz:.5g} readings a second, steps of {step_hz:.3g} Hz."))

    def show_refusal(self, text: str) -> None:
        """Say why there is nothing."""
        super().show_refusal(text)
        self.table.set_hint("")
        self.peaks.show(())


class HistogramTab(OneChannelTab):
    """How often a channel had which value."""

    title = "Histogram"

    def work(self) -> Work | None:
        """Compute the channel's."""
        shown = self.shown(self.channel)
        if shown is None:
            return None
        self.colour = shown.colour(self.theme)
        return lambda stretch: find_histogram(stretch, shown.channel)

    def show_result(self, result: HistogramFound) -> None:
        """Draw it."""
        found = result.histogram
        bars = FigureCurve(found.edges, found.counts.astype(float), self.colour, found.label, Shape.BARS)
        self.figure.show_curves([bars], titled(found.label, found.unit), "Readings")
        width = float(found.edges[1] - found.edges[0])
        count = int(found.counts.sum())
        readings = "1 reading" if count == 1 else f"{format_count(count)} readings"
        self.tell(
            (
                *result.remarks,
                f"{readings} in {_bins(len(found.counts), width, found.unit)}.",
            )
        )


class PairsTab(FigureTab):
    """One channel against another."""

    title = "XY"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.along, self.upwards = ChannelBox("Channel along"), ChannelBox("Channel upwards")
        for words, box in (("Along", self.along), ("Upwards", self.upwards)):
            label = QLabel(words)
            label.setBuddy(box)
            self.row.addWidget(label)
            self.row.addWidget(box)
            box.activated.connect(lambda _: self.asked.emit())
        self.row.addStretch(1)
        self._colour = ""

    def show_channels(self, channels: tuple[ShownChannel, ...]) -> None:
        """Take over what can be looked at."""
        super().show_channels(channels)
        self.along.show_channels(channels)
        self.upwards.show_channels(channels, first=1)

    def work(self) -> Work | None:
        """Compute the pairs."""
        x, y = self.shown(self.along), self.shown(self.upwards)
        if x is None or y is None:
            return None
        self._colour = y.colour(self.theme)
        return lambda stretch: find_pairs(stretch, x.channel, y.channel)

    def show_result(self, result: PairsFound) -> None:
        """Draw them as points."""
        found = result.pairs
        points = FigureCurve(found.x, found.y, self._colour, found.y_label, Shape.DOTS)
        self.figure.show_curves([points], titled(found.x_label, found.x_unit), titled(found.y_label, found.y_unit))
        self.tell((*result.remarks, _points(int((found.x == found.x).sum()))))


def number_words(value: float) -> str:
    """Write a number with six digits.

    >>> number_words(1234.5678), number_words(float("nan"))
    ('1234.57', '–')
    """
    return f"{value:.6g}" if math.isfinite(value) else MISSING


def frequency_words(frequency_hz: float) -> str:
    """Write a frequency.

    >>> frequency_words(12.3401), frequency_words(2500.0)
    ('12.34 Hz', '2.5 kHz')
    """
    return f"{frequency_hz / 1000:.4g} kHz" if frequency_hz >= 1000 else f"{frequency_hz:.4g} Hz"


def _bins(count: int, width: float, unit: str) -> str:
    size = f"{width:.3g} {unit}".rstrip()
    return f"{count} bins of {size}" if count > 1 else f"one bin of {size}"


def _points(count: int) -> str:
    return "1 point." if count == 1 else f"{format_count(count)} points."


def titled(title: str, unit: str) -> str:
    """Return the title of an axis."""
    return f"{title} [{unit}]" if unit else title
