"""From a request's token to the one who asks, with a role; or to the reason why nobody is let in.

Wrong tokens are slowed by remote address. A token that `blitz token create` made is let in from such an address all
the same: nobody guesses 256 random bits, and a program with an old token must not lock out those beside it. The
setting ``token`` was thought up by somebody, so that it waits with the wrong ones.
"""

import hmac
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from blitz.data.records import Role
from blitz.data.source_records import OWNER_HEADER
from blitz.data.tokens import Bearer, hash_of
from blitz.errors import AuthenticationError, ServerBusy
from blitz.io.refusal import Refusal
from blitz.io.throttle import Throttle
from blitz.io.token_book import TokenBook

LOCAL = "local"
"""Who asks, where no token is needed and the asker does not say."""

_OWNER_LENGTH = 200
_OWNER = OWNER_HEADER.lower().encode()


class Asker(NamedTuple):
    """Who sent a request, and what that one may do."""

    name: str
    role: Role
    bearer: Bearer | None = None
    """Of a token that was made; its name counts, whatever the asker calls itself."""


class TokenCheck:
    """Used on one event loop.

    :param token: the setting: one more token, of an admin.
    :param book: the tokens that were made; None: there are none.
    :param is_token_needed: whether somebody without a token is turned away, and not taken for an admin.
    """

    def __init__(
        self,
        token: str | None,
        book: TokenBook | None,
        is_token_needed: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._setting_hash = None if token is None else hash_of(token)
        self._book = book
        self._is_token_needed = is_token_needed
        self._throttle = Throttle(clock)

    async def admit(self, headers: Mapping[bytes, str], address: str) -> Asker | Refusal:
        """Say who asks, or why the request is turned away."""
        given = headers.get(b"authorization")
        if given is None:
            if self._is_token_needed:
                return _unknown("The token is missing. Give one with BLITZ_TOKEN, as token, or by the server's link.")
            return Asker(_own_name(headers) or LOCAL, Role.ADMIN)
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "bearer":
            asker = await self._find(token.strip(), headers, address)
            if asker is not None:
                return asker
        wait_s = self._throttle.wait_s(address)
        if wait_s > 0:
            return Refusal(
                429,
                ServerBusy.code,
                f"Too many wrong tokens came from {address}. Try again in {wait_s:.0f} s, with the right one.",
                wait_s,
            )
        self._throttle.count_failure(address)
        asker = await self._find_new(token.strip())
        if asker is None:
            return _unknown("The token is wrong, or was revoked. Ask an admin of the server for a new link.")
        self._throttle.take_back(address)
        return asker

    async def _find(self, token: str, headers: Mapping[bytes, str], address: str) -> Asker | None:
        if self._book is not None:
            await self._book.refresh()
            bearer = self._book.find(token)
            if bearer is not None:
                return _asker(bearer)
        if (
            self._setting_hash is not None
            and self._throttle.wait_s(address) <= 0
            and hmac.compare_digest(hash_of(token), self._setting_hash)
        ):
            return Asker(_own_name(headers) or "setting", Role.ADMIN)
        return None

    async def _find_new(self, token: str) -> Asker | None:
        """Look once more: it may have been made this very moment."""
        if self._book is None:
            return None
        await self._book.refresh(0)
        bearer = self._book.find(token)
        return None if bearer is None else _asker(bearer)


def _asker(bearer: Bearer) -> Asker:
    return Asker(bearer.name, bearer.role, bearer)


def _own_name(headers: Mapping[bytes, str]) -> str:
    return unquote(headers.get(_OWNER, ""))[:_OWNER_LENGTH]


def _unknown(detail: str) -> Refusal:
    return Refusal(401, AuthenticationError.code, detail)
