"""Everything about who may use a server, as one part of it: tokens, audit trail, certificate, the guard before it all.

Opened at the start of the server, closed at its end.
"""

import logging
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from blitz.config import ServerSettings
from blitz.data.audit import AuditStore
from blitz.data.served_address import ServedAddress
from blitz.data.tokens import PREFIX, TokenStore
from blitz.errors import ConfigError
from blitz.io.audit_trail import AuditTrail
from blitz.io.certificate import Certificate, own_certificate, private_certificate
from blitz.io.guard import Guard
from blitz.io.link import check_link
from blitz.io.link_rule import LinkRule, network_rule
from blitz.io.refusal import AsgiApp
from blitz.io.token_book import TokenBook

log = logging.getLogger(__name__)

TABLES = "server.db"


class Access:
    """Use it as a context, or call :meth:`close`.

    :raises ConfigError: if the server would be open to a network without a token, or its certificate cannot be used.
    :raises TablesError: if the server's tables cannot be opened.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        if settings.token is not None and settings.token.startswith(PREFIX):
            raise ConfigError(
                "The setting token (BLITZ_TOKEN) is one that 'blitz token create' made for a client; as a setting it "
                "would be an admin's. Take it away: the server knows its tokens."
            )
        tables = settings.data_dir / TABLES
        self.tokens = TokenStore(tables)
        try:
            check_tokens(settings, self.tokens)
            self.certificate = server_certificate(settings)
            self.audit = AuditStore(tables)
        except BaseException:
            self.tokens.close()
            raise
        ServedAddress.forget(settings.data_dir)
        self.check_link: LinkRule = check_link if settings.is_loopback else network_rule(settings.data_dir)
        """Which links may be named in a request."""
        self._trail = AuditTrail(self.audit)
        self._book = TokenBook(self.tokens)

    def close(self) -> None:
        """Write what is left of the audit trail, and release the tables."""
        ServedAddress.forget(self._settings.data_dir)
        self._trail.stop()
        self.audit.close()
        self.tokens.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def guard(self, app: AsgiApp, hosts: Iterable[str]) -> Guard:
        """Put the guard before an application.

        :param hosts: names and addresses of this server besides the loopback ones.
        """
        settings = self._settings
        return Guard(app, hosts, settings.token, book=self._book, trail=self._trail, is_loopback=settings.is_loopback)

    def served_at(self, base_url: str) -> ServedAddress:
        """Return how the server is reached by whoever reached it at this address.

        :raises ValueError: if it is none.
        """
        parts = urlsplit(base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        fingerprint = self.certificate.fingerprint if self.certificate else ""
        return ServedAddress(host=parts.hostname or "", port=port, fingerprint=fingerprint)

    def announce(self, port: int) -> None:
        """Say in the log how safe the connection is, and keep where the server is for `blitz token`.

        :param port: the one that was taken.
        """
        settings = self._settings
        fingerprint = self.certificate.fingerprint if self.certificate else ""
        ServedAddress(host=settings.host, port=port, fingerprint=fingerprint).write(settings.data_dir)
        if self.certificate is not None:
            log.info("TLS is on; fingerprint of the certificate %s: %s", self.certificate.certificate, fingerprint)
        elif not settings.is_loopback:
            log.warning(
                "TLS is off (insecure): whoever can listen on this network can read every token and message, "
                "and use the tokens"
            )


def uses_tls(settings: ServerSettings) -> bool:
    """Whether connections are encrypted: beyond loopback always, unless that was ruled out by ``insecure``.

    :raises ConfigError: if settings contradict each other.
    """
    if settings.tls_key is not None and settings.tls_certificate is None:
        raise ConfigError("tls_key is given without tls_certificate. Give both, or neither.")
    if settings.insecure and settings.tls_certificate is not None:
        raise ConfigError("insecure and tls_certificate are both given. Give only one of them.")
    return settings.tls_certificate is not None or not (settings.is_loopback or settings.insecure)


def server_certificate(settings: ServerSettings) -> Certificate | None:
    """Return the certificate that a server shows; None where TLS is off.

    :raises ConfigError: if it cannot be used.
    """
    if not uses_tls(settings):
        return None
    if settings.tls_certificate is not None:
        return own_certificate(settings.tls_certificate, settings.tls_key)
    return private_certificate(settings.data_dir, (settings.host, *settings.allowed_hosts))


def check_tokens(settings: ServerSettings, tokens: TokenStore) -> None:
    """Check that a server on a network does not stand open.

    :raises ConfigError: if nobody could be told from anybody there.
    """
    if settings.is_loopback or settings.token is not None or tokens.bearers():
        return
    folder = "" if settings.data_dir == _default_folder() else f" --data-dir {settings.data_dir}"
    raise ConfigError(
        f"--host {settings.host} can be reached from the network, and without a token anybody there could stop a "
        f"run. Make one with 'blitz token create --role admin{folder}', or listen on 127.0.0.1."
    )


def _default_folder() -> Path:
    return ServerSettings().data_dir  # type: ignore[call-arg]


def own_name() -> str:
    """Return what this machine calls itself."""
    return socket.gethostname()
