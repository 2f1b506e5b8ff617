"""The calls of :class:`~blitz.io.device_calls.DeviceCalls` for plain scripts, each waiting for its answer.

Owns nothing: the connection, and the thread in which it lives, belong to :class:`blitz.Client`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from blitz.data.board_definition import BoardDefinition
from blitz.data.format_proposal import FormatProposal
from blitz.data.records import BadFrameRecord, BoardRecord, FoundDevice
from blitz.data.source_config import SourceConfig
from blitz.data.source_records import DefinitionVersion, SourceChange, SourceKindRecord
from blitz.io.device_calls import DeviceCalls

_T = TypeVar("_T")


class BlockingDeviceCalls:
    """What a server can be asked about its devices; the base of :class:`blitz.Client`.

    Arguments, calls and errors are those of :class:`blitz.AsyncClient`.
    """

    @property
    def _calls(self) -> DeviceCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def boards(self) -> list[BoardRecord]:
        """Return the devices that the server sees, each with its account."""
        return self._call(self._calls.boards)

    def scan(self) -> list[BoardRecord]:
        """Let the server look for devices anew, which takes up to 5 s, and return what it sees then."""
        return self._call(self._calls.scan)

    def command(
        self,
        board: str,
        line: str | None = None,
        *,
        command: str | None = None,
        value: float | None = None,
        is_hex: bool = False,
        ending: str = "\n",
        answer: str | None = None,
        timeout_s: float = 2.0,
    ) -> str | None:
        """Send a line, or a named command, to a board and return the board's answer, where one is waited for."""
        send = partial(self._calls.command, board, line, command=command, value=value, is_hex=is_hex)
        return self._call(partial(send, ending=ending, answer=answer, timeout_s=timeout_s))

    def release(self, board: str, for_s: float = 300.0) -> BoardRecord:
        """Lend a board's port to another program; the server takes it again after `for_s` seconds by itself."""
        return self._call(partial(self._calls.release, board, for_s))

    def retake(self, board: str) -> BoardRecord:
        """Let the server take a lent port again."""
        return self._call(partial(self._calls.retake, board))

    def attach(self, board: str, port: str) -> BoardRecord:
        """Say which of several devices that look alike, a board's ``candidates``, is this source's."""
        return self._call(partial(self._calls.attach, board, port))

    def bad_frames(self, board: str) -> list[BadFrameRecord]:
        """Return the last frames of a board that meant nothing, oldest first, at most 100."""
        return self._call(partial(self._calls.bad_frames, board))

    def found(self, ignored: bool = False) -> list[FoundDevice]:
        """Return the USB serial devices that nobody listens to."""
        return self._call(partial(self._calls.found, ignored))

    def listen(self, port: str, name: str | None = None, baud: int | None = None) -> SourceConfig:
        """Make a source of a new device; its port is opened, which resets most boards."""
        return self._call(partial(self._calls.listen, port, name, baud))

    def ignore(self, port: str) -> None:
        """Let nobody be asked about a new device any more; it can be listened to all the same."""
        self._call(partial(self._calls.ignore, port))

    def sources(self) -> list[SourceConfig]:
        """Return the sources that are configured on the server, in the order in which they were added."""
        return self._call(self._calls.sources)

    def examine(
        self, link: str, baud: int | None = None, seconds: float = 3.0, *, keep_s: float = 0.0
    ) -> FormatProposal:
        """Let the server listen to a device that is no source yet, and propose how it is to be read."""
        return self._call(partial(self._calls.examine, link, baud, seconds, keep_s=keep_s))

    def end_examining(self, link: str) -> None:
        """Let the server close a port that was kept open."""
        self._call(partial(self._calls.end_examining, link))

    def add_source(self, config: SourceConfig, *, later: bool = False) -> SourceConfig:
        """Configure a source, which the server opens now, unless it is for later, and keeps over restarts."""
        return self._call(partial(self._calls.add_source, config, later=later))

    def update_source(self, source: str, /, **changes: Any) -> SourceConfig:
        """Change some fields of a source, those of ``serial`` one by one; what is not given stays."""
        return self._call(partial(self._calls.update_source, source, **changes))

    def delete_source(self, name: str) -> None:
        """Let the server forget a source; what was recorded of it stays."""
        self._call(partial(self._calls.delete_source, name))

    def source_history(self, name: str) -> list[SourceChange]:
        """Return each change to the sources that had this name, deleted ones included, oldest first."""
        return self._call(partial(self._calls.source_history, name))

    def source_kinds(self) -> list[SourceKindRecord]:
        """Return the kinds of sources that plug-ins on the server bring, and what is wrong with them."""
        return self._call(self._calls.source_kinds)

    def definitions(self) -> list[BoardDefinition]:
        """Return all kinds of boards that the server knows."""
        return self._call(self._calls.definitions)

    def definition(self, source: str) -> BoardDefinition:
        """Return the definition in force for a source, configured or found."""
        return self._call(partial(self._calls.definition, source))

    def set_definition(self, source: str, definition: BoardDefinition) -> BoardDefinition:
        """Put a definition in force for a source, at once, in mid-session, too; earlier ones are kept."""
        return self._call(partial(self._calls.set_definition, source, definition))

    def definition_versions(self, source: str) -> list[DefinitionVersion]:
        """Return all definitions that a source had, oldest first."""
        return self._call(partial(self._calls.definition_versions, source))
