"""The server's own socket."""

import asyncio
import socket

from blitz import server
from blitz.config import ServerSettings


def test_an_answer_does_not_wait_until_its_head_is_acknowledged() -> None:
    async def is_sent_at_once(listener: socket.socket) -> bool:
        option: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted: socket.socket = writer.get_extra_info("socket")
            option.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(accept, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            is_at_once = bool(await option)
            writer.close()
            await writer.wait_closed()
        return is_at_once

    with server._listen(ServerSettings(port=0)) as listener:
        assert asyncio.run(is_sent_at_once(listener))
