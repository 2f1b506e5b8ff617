"""A mail server for tests, and how servers of :mod:`socketserver` are run beside a test."""

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mails as RFC 5321 says, with STARTTLS and a login; nothing else."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.mails: list[tuple[list[str], bytes, bool]] = []
        self.refusals = 0
        self.context = context
        super().__init__(("127.0.0.1", 0), _MailConversation)


class _MailConversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        login, to, is_secure = False, [], False
        self._say("220 test")
        while line := self.rfile.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            match verb.upper():
                case "EHLO":
                    offers = ["STARTTLS"] if self.server.context and not is_secure else ["AUTH PLAIN"]
                    self._say("250-test", f"250 {offers[0]}")
                case "STARTTLS":
                    assert self.server.context is not None
                    self._say("220 go on")
                    self.request = self.server.context.wrap_socket(self.request, server_side=True)
                    self.rfile, is_secure = self.request.makefile("rb"), True
                    self.wfile = self.request.makefile("wb", buffering=0)
                case "AUTH":
                    given = base64.b64decode(rest.split()[1]).split(b"\0")[1:]
                    login = given == [b"blitz", b"secret pass"]
                    self._say("235 yes" if login else "535 no")
                case "RCPT":
                    to.append(rest.partition("<")[2].rstrip(">"))
                    self._say("250 ok")
                case "DATA":
                    if self.server.refusals:
                        self.server.refusals -= 1
                        self._say("451 not now")
                        continue
                    self._say("354 go on")
                    body = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        body += part
                    self.server.mails.append((to, body, is_secure and login))
                    self._say("250 ok")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def finish(self) -> None:
        super().finish()
        self.request.close()  # of TLS, of which the server knows nothing

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    """Run a server in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
