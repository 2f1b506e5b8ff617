"""What the window asks of boards, on the worker thread's event loop: commands, definitions, ports, bad frames."""

from blitz.data.board_definition import BoardDefinition
from blitz.errors import BlitzError
from blitz.ui.desk import Desk
from blitz.ui.feed import BoardCommand, CommandOutcome


class BoardDesk(Desk):
    """What boards are asked and told."""

    async def command(self, board: str, command: BoardCommand) -> None:
        """Send something to a board; the answer, or why there is none, is told."""
        has_failed = False
        try:
            answer = await self._client().command(
                board,
                command.line,
                command=command.command,
                value=command.value,
                is_hex=command.is_hex,
                ending=command.ending,
            )
        except BlitzError as error:
            answer, has_failed = str(error), True
        self._feed.command_answered.emit(board, command.words, "sent" if answer is None else answer)
        self._feed.command_settled.emit(CommandOutcome(board, command, answer or "", has_failed))

    async def define(self, board: str, definition: BoardDefinition) -> None:
        """Let the server read a board's messages by another definition."""
        reason = "The server was not asked."
        try:
            await self._client().set_definition(board, definition)
            reason = ""
        except BlitzError as error:
            reason = str(error)
            raise
        finally:
            self._feed.definition_answered.emit(board, reason)
        await self._ask_status()

    async def release(self, board: str) -> None:
        """Lend a board's port."""
        await self._client().release(board)
        await self._ask_status()

    async def retake(self, board: str) -> None:
        """Take a port again."""
        await self._client().retake(board)
        await self._ask_status()

    async def attach(self, board: str, port: str) -> None:
        """Say at which port a board is."""
        await self._client().attach(board, port)
        await self._ask_status()

    async def list_bad_frames(self, board: str) -> None:
        """Tell a board's last bad frames, or that they could not be fetched."""
        frames = None
        try:
            frames = tuple(await self._client().bad_frames(board))
        finally:
            self._feed.bad_frames_received.emit(board, frames)

    async def scan(self) -> None:
        """Let the server look for devices anew."""
        await self._client().scan()
        await self._ask_status()

    async def rename(self, source: str, name: str) -> None:
        """Give a source another name."""
        await self._client().update_source(source, name=name)
        await self._ask_status()

    async def enable(self, source: str, is_enabled: bool) -> None:
        """Let the server close a source until it is enabled again, or read it again."""
        await self._client().update_source(source, is_enabled=is_enabled)
        await self._ask_status()

    async def delete(self, source: str) -> None:
        """Let the server forget a source."""
        await self._client().delete_source(source)
        await self._ask_status()
