"""Definitions as files of their own: templates that an editor writes and takes up. Asks the operator."""

from pathlib import Path

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QFileDialog, QWidget

from blitz.ui.pages.definition_page import DefinitionPage

_FILTER = "Board definitions (*.toml)"


class DefinitionFiles(QObject):
    """Serves one editor, and ends with it."""

    def __init__(self, page: DefinitionPage, window: QWidget) -> None:
        super().__init__(page)
        self._page = page
        self._window = window
        page.template_requested.connect(self._ask_template)
        page.file_requested.connect(self._ask_file)

    def write(self, text: str, path: Path) -> None:
        """Write a definition's text into a file."""
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            self._page.say(f"Cannot write {path}: {(error.strerror or str(error)).lower()}.")
        else:
            self._page.say(f"Written to {path}.")

    def take(self, path: Path) -> None:
        """Put a file's text in the place of what is typed."""
        try:
            self._page.show_text(path.read_text(encoding="utf-8"))
        except OSError as error:
            self._page.say(f"Cannot read {path}: {(error.strerror or str(error)).lower()}.")
        except UnicodeDecodeError:
            self._page.say(f"{path} is no text in UTF-8.")

    def _ask_template(self, text: str) -> None:
        dialog = QFileDialog(self._window, "Save as a template", f"{self._page.board}.toml")
        dialog.setAcceptMode(QFileDialog.AcceptSave)
        dialog.setDefaultSuffix("toml")
        dialog.setNameFilters([_FILTER])
        dialog.fileSelected.connect(lambda path: self.write(text, Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _ask_file(self) -> None:
        dialog = QFileDialog(self._window, "Board definition")
        dialog.setNameFilters([_FILTER, "All files (*)"])
        dialog.fileSelected.connect(lambda path: self.take(Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
