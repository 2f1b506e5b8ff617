"""The client library's calls about devices, sources and definitions. Knows nothing of sessions and live views."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from blitz.data.board_definition import BoardDefinition
from blitz.data.format_proposal import FormatProposal
from blitz.data.model_faults import first_fault
from blitz.data.records import BadFrameRecord, BoardRecord, FoundDevice
from blitz.data.source_config import SourceConfig
from blitz.data.source_records import (
    CommandAnswer,
    CommandRequest,
    DefinitionVersion,
    SourceChange,
    SourceKindRecord,
)
from blitz.errors import ConfigError
from blitz.io.calls import NOTHING, Calls, quoted

_LONGEST_WAIT_S = 60.0
_MOST_RATES = 10
_OPEN_S = 20.0
"""So much longer the adding of a source may take than other slow calls: it is opened first."""

_BAD_FRAMES = TypeAdapter(list[BadFrameRecord])
_BOARD = TypeAdapter(BoardRecord)
_BOARDS = TypeAdapter(list[BoardRecord])
_COMMAND_ANSWER = TypeAdapter(CommandAnswer)
_DEFINITION = TypeAdapter(BoardDefinition)
_DEFINITIONS = TypeAdapter(list[BoardDefinition])
_SOURCE = TypeAdapter(SourceConfig)
_SOURCES = TypeAdapter(list[SourceConfig])
_FOUND = TypeAdapter(list[FoundDevice])
_PROPOSAL = TypeAdapter(FormatProposal)
_CHANGES_MADE = TypeAdapter(list[SourceChange])
_KINDS = TypeAdapter(list[SourceKindRecord])
_VERSIONS = TypeAdapter(list[DefinitionVersion])


class DeviceCalls(Calls):
    """What a server can be asked about its devices; the base of :class:`blitz.AsyncClient`."""

    async def boards(self) -> list[BoardRecord]:
        """Return the devices that the server sees, each with its account."""
        return await self._ask(_BOARDS, "GET", "/boards")

    async def scan(self) -> list[BoardRecord]:
        """Let the server look for devices anew, which takes up to 5 s, and return what it sees then."""
        return await self._ask(_BOARDS, "POST", "/boards/scan", timeout_s=self._slow_s())

    async def command(
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
        """Send a line, or a named command, to a board and return the board's answer.

        :param board: the source's name, such as ``ttyUSB0``.
        :param line: text, or hex digits if `is_hex`. A board of the Blitz protocol gets it with its own ending, and its
            answer is always awaited.
        :param command: the name of one of the commands of the board's definition, instead of a line.
        :param value: of a command that has a parameter, such as a motor's set point.
        :param ending: sent behind a line of text.
        :param answer: regular expression: wait for the first line that it matches. Without one, nothing is waited for,
            and the answer is None.
        :param timeout_s: how long the answer to a line is waited for; commands have a time of their own.
        :raises UnknownBoard: if no such board is connected.
        :raises CommandRefused: if the board answers with an error.
        :raises BoardTimeout: if the board does not answer.
        :raises ConfigError: if this cannot be sent, or the pattern is wrong.
        """
        try:
            request = CommandRequest(
                line=line,
                command=command,
                value=value,
                is_hex=is_hex,
                ending=ending,
                answer=answer,
                timeout_s=timeout_s,
            )
        except ValidationError as error:
            raise ConfigError(f"Cannot send this to {board}: {first_fault(error)}.") from error
        body = request.model_dump(exclude_defaults=True)
        path = f"{_board(board)}/commands"
        # A named command waits for as long as its definition says.
        wait_s = timeout_s if command is None else _LONGEST_WAIT_S
        reply = await self._ask(_COMMAND_ANSWER, "POST", path, body, self._slow_s() + wait_s)
        return reply.answer

    async def release(self, board: str, for_s: float = 300.0) -> BoardRecord:
        """Lend a board's port to another program, such as one that flashes a sketch.

        :param for_s: seconds after which the server takes it again by itself, unless :meth:`retake` comes first.
        :raises UnknownBoard: if no such board is connected.
        """
        return await self._ask(_BOARD, "POST", f"{_board(board)}/release", {"for_s": for_s}, self._slow_s())

    async def retake(self, board: str) -> BoardRecord:
        """Let the server take a lent port again.

        :raises UnknownBoard: if no such board is connected.
        """
        return await self._ask(_BOARD, "POST", f"{_board(board)}/retake", timeout_s=self._slow_s())

    async def attach(self, board: str, port: str) -> BoardRecord:
        """Say which of several devices that look alike, a board's ``candidates``, is this source's.

        :raises UnknownBoard: if there is no such board.
        """
        return await self._ask(_BOARD, "POST", f"{_board(board)}/attach", {"port": port}, self._slow_s())

    async def bad_frames(self, board: str) -> list[BadFrameRecord]:
        """Return the last frames of a board that meant nothing, oldest first, at most 100.

        :raises UnknownBoard: if no such board is connected.
        """
        return await self._ask(_BAD_FRAMES, "GET", f"{_board(board)}/bad-frames")

    async def found(self, ignored: bool = False) -> list[FoundDevice]:
        """Return the USB serial devices that nobody listens to.

        :param ignored: those that are ignored, too.
        """
        return await self._ask(_FOUND, "GET", "/found?ignored=true" if ignored else "/found")

    async def listen(self, port: str, name: str | None = None, baud: int | None = None) -> SourceConfig:
        """Make a source of a new device; its port is opened, which resets most boards.

        :param name: as its port is called, where none is given.
        :raises SourceExists: if it is a source already, or there is one of that name.
        """
        wishes = {"port": port, "name": name, "baud": baud}
        body = {key: wish for key, wish in wishes.items() if wish is not None}
        return await self._ask(_SOURCE, "POST", "/found/listen", body, self._slow_s())

    async def ignore(self, port: str) -> None:
        """Let nobody be asked about a new device any more; it can be listened to all the same."""
        await self._ask(NOTHING, "POST", "/found/ignore", {"port": port}, self._slow_s())

    async def sources(self) -> list[SourceConfig]:
        """Return the sources that are configured on the server, in the order in which they were added."""
        return await self._ask(_SOURCES, "GET", "/sources")

    async def examine(
        self, link: str, baud: int | None = None, seconds: float = 3.0, *, keep_s: float = 0.0
    ) -> FormatProposal:
        """Let the server listen to a device that is no source yet, and propose how it is to be read.

        It opens the port, which resets some devices; it records and configures nothing. A silent device is asked for
        its id, as boards of the Blitz protocol understand it.

        :param baud: the rate to listen at; None tries the likely ones, which takes up to half a minute.
        :param seconds: at most, at each rate.
        :param keep_s: the port stays open for so long: the next call with the rate that was found resets nothing, and
            tells all that came since.
        :raises SourceExists: if it is a source's.
        """
        body = {"link": link, "seconds": seconds, "keep_s": keep_s} | ({"baud": baud} if baud else {})
        timeout_s = self._slow_s() + _MOST_RATES * seconds
        return await self._ask(_PROPOSAL, "POST", "/sources/examine", body, timeout_s)

    async def end_examining(self, link: str) -> None:
        """Let the server close a port that :meth:`examine` has kept open, before it becomes a source."""
        await self._ask(NOTHING, "POST", "/sources/examine/end", {"link": link}, self._slow_s())

    async def add_source(self, config: SourceConfig, *, later: bool = False) -> SourceConfig:
        """Configure a source, which the server opens now and keeps over restarts.

        :param later: add it whether it can be opened now or not: it is read as soon as it is there.
        :raises SourceExists: if there is one of that name, or at that place.
        :raises SourceUnavailable: if it cannot be opened now: then nothing of it is kept.
        """
        path = "/sources?later=true" if later else "/sources"
        return await self._ask(_SOURCE, "POST", path, config.model_dump(mode="json"), self._slow_s() + _OPEN_S)

    async def update_source(self, source: str, /, **changes: Any) -> SourceConfig:
        """Change some fields of a source, those of ``serial`` one by one; what is not given stays.

        ::

            await client.update_source("bench", serial={"baud": 115200})

        :param source: its name; a new one is given as ``name="pump"``.
        :raises UnknownSource: if there is none of that name.
        """
        body = _CHANGES.dump_python(changes, mode="json")
        return await self._ask(_SOURCE, "PATCH", f"/sources/{quoted(source)}", body, self._slow_s())

    async def delete_source(self, name: str) -> None:
        """Let the server forget a source; what was recorded of it stays.

        :raises UnknownSource: if there is none of that name.
        """
        await self._ask(NOTHING, "DELETE", f"/sources/{quoted(name)}", timeout_s=self._slow_s())

    async def source_history(self, name: str) -> list[SourceChange]:
        """Return each change to the sources that had this name, deleted ones included, oldest first.

        :raises UnknownSource: if there never was one.
        """
        return await self._ask(_CHANGES_MADE, "GET", f"/sources/{quoted(name)}/history")

    async def source_kinds(self) -> list[SourceKindRecord]:
        """Return the kinds of sources that plug-ins on the server bring, and what is wrong with them."""
        return await self._ask(_KINDS, "GET", "/source-kinds", timeout_s=self._slow_s())

    async def definitions(self) -> list[BoardDefinition]:
        """Return all kinds of boards that the server knows."""
        return await self._ask(_DEFINITIONS, "GET", "/definitions")

    async def definition(self, source: str) -> BoardDefinition:
        """Return the definition in force for a source, configured or found.

        :raises BlitzError: if there is no such source, or it has no definition.
        """
        return await self._ask(_DEFINITION, "GET", f"/definitions/{quoted(source)}")

    async def set_definition(self, source: str, definition: BoardDefinition) -> BoardDefinition:
        """Put a definition in force for a source, at once, in mid-session, too; earlier ones are kept.

        :raises BlitzError: if there is no such source.
        """
        body = definition.model_dump(mode="json")
        return await self._ask(_DEFINITION, "PUT", f"/definitions/{quoted(source)}", body)

    async def definition_versions(self, source: str) -> list[DefinitionVersion]:
        """Return all definitions that a source had, oldest first."""
        return await self._ask(_VERSIONS, "GET", f"/definitions/{quoted(source)}/versions")


_CHANGES = TypeAdapter(dict[str, Any])


def _board(name: str) -> str:
    return f"/boards/{quoted(name)}"
