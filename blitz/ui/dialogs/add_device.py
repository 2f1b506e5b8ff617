"""Asks for a device that is not found by itself: its port, its address on the network, a file, or a recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from PyQt5.QtWidgets import QLabel, QLineEdit, QSizePolicy, QStackedWidget, QWidget

from blitz.data.records import FoundDevice
from blitz.ui.dialogs.form import Form
from blitz.ui.widgets.choice import Choice

_RATES = (9600, 19_200, 38_400, 57_600, 115_200, 230_400, 250_000, 460_800, 500_000, 921_600, 1_000_000)
_FIND_OUT = "find out"
_WIDTH_PX = 600


class DeviceKind(Enum):
    """Where a device is; the value is what people read."""

    PORT = "USB or serial port of the server"
    SOCKET = "Address on the network"
    REPLAY = "Recording, played as if it were a device"
    FILE = "CSV file that a program writes"


@dataclass(frozen=True)
class DevicePlace:
    """What was chosen."""

    kind: DeviceKind
    link: str
    baud: int | None = None
    """None: it is found out, or there is none."""


_WORDS = {
    DeviceKind.PORT: ("&Port", "/dev/ttyUSB0 or COM3", "Choose one that the server sees, or type its name."),
    DeviceKind.SOCKET: ("A&ddress", "10.0.0.7:4001", "Host and port of a device server, or of a device itself."),
    DeviceKind.REPLAY: ("&File", "/home/ada/run.jsonl", "A file on the server that “blitz record” has written."),
    DeviceKind.FILE: ("&File", "/home/ada/run.csv", "A file on the server. Its rows are messages, also those to come."),
}
_PREFIXES = {DeviceKind.SOCKET: "socket://", DeviceKind.REPLAY: "replay:", DeviceKind.FILE: "csv:"}


class AddDeviceDialog(Form):
    """What is added is listened to first; only files are added at once."""

    def __init__(self, found: Sequence[FoundDevice], parent: QWidget | None = None) -> None:
        super().__init__(
            "Add a device",
            "&Listen…",
            "New USB devices are found by themselves. Any device is listened to first; what it sends is "
            "shown before anything is recorded. Opening its port may reset it.",
            parent,
        )
        self.kind = Choice()
        for kind in DeviceKind:
            self.kind.addItem(kind.value, kind)
        self.port = Choice()
        self.port.setEditable(True)
        for device in found:
            self.port.addItem(f"{device.port}  ({device.words})", device.port)
        self.port.setCurrentIndex(0 if found else -1)
        self.port.lineEdit().setCursorPosition(0)
        self.port.lineEdit().setPlaceholderText(_WORDS[DeviceKind.PORT][1])
        self.place = QLineEdit()
        self.baud = Choice()
        self.baud.setEditable(True)
        self.baud.addItems((_FIND_OUT, *map(str, _RATES)))
        for choice in (self.kind, self.port, self.baud):
            choice.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.setMinimumWidth(_WIDTH_PX)
        self.add("&Kind", self.kind)
        self._where = QStackedWidget()
        self._where.addWidget(self.port)
        self._where.addWidget(self.place)
        self._where.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.add("&Port", self._where)
        self.add("&Baud rate", self.baud)
        self.kind.currentIndexChanged.connect(self._show_kind)
        self._show_kind()

    @property
    def device(self) -> DevicePlace:
        """What was chosen.

        :raises ValueError: with a sentence that says what is missing.
        """
        kind = self._kind
        if kind is DeviceKind.PORT:
            chosen = self.port.currentData() if self.port.currentText() == self._item_text() else None
            link = chosen or self.port.currentText().strip()
        else:
            prefix = _PREFIXES[kind]
            typed = self.place.text().strip()
            link = typed if not typed or typed.startswith(prefix) else prefix + typed
        if not link:
            raise ValueError(f"{_WORDS[kind][2]} For example: {_WORDS[kind][1]}")
        return DevicePlace(kind, link, self._baud() if kind is DeviceKind.PORT else None)

    def accept(self) -> None:
        """Close, unless something is missing, which is said."""
        try:
            _ = self.device
        except ValueError as error:
            self.say_wrong(str(error))
            return
        super().accept()

    @property
    def _kind(self) -> DeviceKind:
        kind = self.kind.currentData()
        assert isinstance(kind, DeviceKind)
        return kind

    def _item_text(self) -> str:
        return self.port.itemText(self.port.currentIndex())

    def _baud(self) -> int | None:
        text = self.baud.currentText().strip().replace("\u202f", "").replace(" ", "")
        if text in ("", _FIND_OUT.replace(" ", "")):
            return None
        if not text.isdecimal() or not 50 <= int(text) <= 20_000_000:
            raise ValueError(f"“{self.baud.currentText()}” is no baud rate: type a number, or “{_FIND_OUT}”.")
        return int(text)

    def _show_kind(self) -> None:
        kind = self._kind
        is_port = kind is DeviceKind.PORT
        field = self.port if is_port else self.place
        self._where.setCurrentWidget(field)
        label = self._fields.labelForField(self._where)
        assert isinstance(label, QLabel)
        label.setText(_WORDS[kind][0])
        label.setBuddy(field)
        self.baud.setEnabled(is_port)
        self.place.setPlaceholderText(_WORDS[kind][1])
        self.place.setToolTip(_WORDS[kind][2])
        is_file = kind in (DeviceKind.REPLAY, DeviceKind.FILE)
        self.accept_button.setText("&Add" if is_file else "&Listen…")
        self.say_wrong("")
