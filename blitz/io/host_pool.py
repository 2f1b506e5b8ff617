"""Several servers over one store, asked as if they were one: calls go on at another where one fails.

Owns the connection to each, and the tasks that look after them: keep-alive where all is well, and trying again. Which
one is next is :mod:`.host_choice`'s matter.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from blitz.data.records import StatusRecord
from blitz.errors import (
    AuthenticationError,
    BlitzError,
    CertificateMismatch,
    ConfigError,
    DatabaseNotFound,
    NoAcquisition,
    PoolError,
    RequestTimeout,
    ServerBusy,
    ServerError,
    ServerUnreachable,
    StoreUnavailable,
)
from blitz.io.address import ServerAddress
from blitz.io.exchange import ARROW, HttpExchange
from blitz.io.host_choice import HostChoice, is_repeatable
from blitz.io.host_list import HostEntry
from blitz.io.live_hosts import LiveHost

log = logging.getLogger(__name__)

KEEPALIVE_S = 45.0
_AT_ONCE = 8
"""Calls under way at a host; its time runs from when a call goes out, not from when it has to queue here."""
_T = TypeVar("_T")
_STATUS = TypeAdapter(StatusRecord)
_UNREACHED = (ServerUnreachable, CertificateMismatch, AuthenticationError, ConfigError, DatabaseNotFound)
_UNANSWERED = (RequestTimeout, ServerBusy, StoreUnavailable)


class HostPool:
    """The servers of one list, on one event loop. Has the calls of :class:`~blitz.io.exchange.HttpExchange`.

    :param database: the name that the servers' store must have, where it has one; empty: any.
    :param random: which host comes when, within what the weights say.
    :param clock: monotonic seconds.
    :param sleep: waits.
    """

    def __init__(
        self,
        hosts: Sequence[HostEntry],
        timeout_s: float,
        *,
        owner: str = "",
        database: str = "",
        keepalive: bool = True,
        inactive_s: float = 30.0,
        max_wait_s: float = 90.0,
        random: Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.addresses = tuple(host.address for host in hosts)
        self.store_id: str | None = None
        self._exchanges = [HttpExchange(address, timeout_s, owner) for address in self.addresses]
        self._choice = HostChoice(
            hosts, inactive_s=inactive_s, max_wait_s=max_wait_s, random=random or Random(), clock=clock
        )
        self._database = database
        self._keepalive = keepalive
        self._sleep = sleep
        self._limits = [asyncio.Semaphore(_AT_ONCE) for _ in hosts]
        self._greetings = [asyncio.Lock() for _ in hosts]
        self._is_known = [False for _ in hosts]
        """Which ones have said, since they last failed, that they serve the store."""
        self._watchers: dict[int, asyncio.Task[None]] = {}
        self._is_closed = False

    async def connect(self, timeout_s: float | None = None) -> list[StatusRecord | BlitzError]:
        """Ask every host for its status; return that, or why there is none, in the order of the list."""

        async def ask(number: int) -> StatusRecord | BlitzError:
            try:
                return await self._ask_status(number, timeout_s)
            except BlitzError as error:
                return error

        answers = await asyncio.gather(*map(ask, range(len(self._exchanges))))
        results: list[StatusRecord | BlitzError] = []
        for number, answer in enumerate(answers):
            try:
                if isinstance(answer, BlitzError):
                    raise answer
                self._admit(number, answer)
                results.append(answer)
            except BlitzError as error:
                self._fail(number, error)
                results.append(error)
        return results

    async def close(self) -> None:
        """End the tasks and the connections; a second time is allowed."""
        self._is_closed = True
        watchers = list(self._watchers.values())
        self._watchers.clear()
        for task in watchers:
            task.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        for exchange in self._exchanges:
            await exchange.close()

    # ---- calls ------------------------------------------------------------------------------------------------

    async def fetch_json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, timeout_s: float | None = None
    ) -> tuple[int, Any]:
        """Send a request to one host, or to one after the other, and return the status and the decoded answer.

        :raises PoolError: if no host is available.
        :raises BlitzError: what the host says; also what broke a call that must not be made twice.
        """
        return await self._over(
            lambda exchange: exchange.fetch_json(method, path, body, timeout_s), is_repeatable(method, path, body)
        )

    async def fetch_block(self, path: str, params: Mapping[str, Any]) -> bytes:
        """Ask for messages, or what was made of them, and return the encoded block or table."""
        return (await self.fetch_content(path, params, ARROW))[1]

    async def fetch_content(self, path: str, params: Mapping[str, Any], accept: str) -> tuple[str, bytes]:
        """Ask for bytes in one of several forms, and return their media type, and them."""
        return await self._over(lambda exchange: exchange.fetch_content(path, params, accept), True)

    def not_understood(self, what: str, status: int) -> ServerError:
        """Return the error for an answer that is not in our language."""
        return self._exchanges[0].not_understood(what, status)

    async def take(self, *, acquiring: bool = False) -> LiveHost:
        """Return a host for a live connection.

        :raises PoolError: if none is available.
        """
        tried: set[int] = set()
        while (number := self._choice.choose(tried, acquiring=acquiring)) is not None:
            tried.add(number)
            if await self._is_greeted(number):
                exchange = self._exchanges[number]
                return LiveHost(self.addresses[number], exchange.headers, exchange.tls, exchange.sound)
        raise self._none_left()

    def lost(self, address: ServerAddress, error: BlitzError) -> bool:
        """A live connection broke; return whether another host can be taken at once."""
        number = self.addresses.index(address)
        if self._choice.is_available(number):
            self._suspect_or_fail(number, error)
        return self._choice.choose({number}) is not None

    async def _over(self, ask: Callable[[HttpExchange], Awaitable[_T]], repeatable: bool) -> _T:
        tried: set[int] = set()
        refusal: BlitzError | None = None
        was_sent = False
        while (number := self._choice.choose(tried)) is not None:
            tried.add(number)
            if not await self._is_greeted(number):
                continue
            try:
                async with self._limits[number]:
                    answer = await ask(self._exchanges[number])
            except NoAcquisition as error:  # another one may
                self._choice.note_answer(number, acquires=False)
                refusal = error
            except (*_UNANSWERED, ServerUnreachable) as error:
                if self._is_closed:
                    raise
                self._suspect_or_fail(number, error)
                was_sent = was_sent or not _did_nothing(error)
                if was_sent and not repeatable:
                    raise
                log.info("%s The call goes to another host.", error)
            else:
                return answer
        raise refusal or self._none_left(was_sent=was_sent)

    def _none_left(self, *, was_sent: bool = False) -> BlitzError:
        reasons = [(address, self._choice.error(n)) for n, address in enumerate(self.addresses)]
        errors = [error for _, error in reasons if error is not None]
        if len(errors) == len(reasons) and isinstance(errors[0], BlitzError):
            kind = type(errors[0])
            if kind in (AuthenticationError, ConfigError, DatabaseNotFound) and all(type(e) is kind for e in errors):
                return errors[0]
        told = " ".join(f"{address}: {error or 'failed just now'}" for address, error in reasons)
        error = PoolError(f"No server of the list is available; try again later. {told}")
        error.was_sent = was_sent
        return error

    # ---- hosts ------------------------------------------------------------------------------------------------

    async def _is_greeted(self, number: int) -> bool:
        """Make sure that a host serves the store; False, and it is noted, where it fails."""
        async with self._greetings[number]:
            if self._is_known[number]:
                return True
            try:
                self._admit(number, await self._ask_status(number))
            except BlitzError as error:
                if self._is_closed:
                    raise
                self._fail(number, error)
                return False
            return True

    async def _ask_status(self, number: int, timeout_s: float | None = None) -> StatusRecord:
        exchange = self._exchanges[number]
        code, answer = await exchange.fetch_json("GET", "/status", timeout_s=timeout_s)
        try:
            return _STATUS.validate_python(answer)
        except ValidationError as error:
            raise exchange.not_understood("GET /status", code) from error

    def _admit(self, number: int, status: StatusRecord) -> None:
        """Take a host that answers, if it serves the store of the others.

        :raises ConfigError: if it serves another.
        :raises DatabaseNotFound: if the store has another name than was given.
        """
        address = self.addresses[number]
        check_database(address, self._database, status)
        if self.store_id not in (None, status.store_id):
            raise ConfigError(
                f"{address} serves another store ({status.store_id}) than the other hosts of the list "
                f"({self.store_id}): one list is for servers over one store. For independent servers use blitz.Servers."
            )
        self.store_id = status.store_id
        self._is_known[number] = True
        if self._choice.note_answer(number, acquires=status.acquires):
            log.info("%s answers again", address)
        if number not in self._watchers and self._keepalive:
            self._look_after(number)

    def _suspect_or_fail(self, number: int, error: BlitzError) -> None:
        """Note a failed call: one that was not answered in time may have been a long one, so its host is asked."""
        if not isinstance(error, RequestTimeout):
            self._fail(number, error)
        elif self._choice.suspect(number, error):
            self._is_known[number] = False
            self._look_after(number)

    def _fail(self, number: int, error: BlitzError) -> None:
        """Let a host rest, and be tried again; once for all calls that were under way."""
        if self._choice.is_available(number):
            self._note_failure(number, error)
            self._look_after(number)

    def _note_failure(self, number: int, error: BlitzError) -> None:
        self._is_known[number] = False
        wait_s = self._choice.note_failure(number, error, is_reached=isinstance(error, _UNANSWERED))
        log.warning("%s fails: %s It is tried again in %g s.", self.addresses[number], error, wait_s)

    def _look_after(self, number: int) -> None:
        before = self._watchers.pop(number, None)
        if before is not None:
            before.cancel()
        if not self._is_closed:
            self._watchers[number] = asyncio.create_task(self._watch(number), name=f"blitz host {number}")

    async def _watch(self, number: int) -> None:
        """Ask a host now and then; one that fails, after its wait."""
        while True:
            wait_s = self._choice.wait_s(number)
            if wait_s is None and not self._keepalive:
                self._watchers.pop(number, None)
                return
            await self._sleep(KEEPALIVE_S if wait_s is None else wait_s)
            try:
                self._admit(number, await self._ask_status(number))
            except BlitzError as error:
                if self._is_closed:
                    return
                self._note_failure(number, error)


def check_database(address: ServerAddress, database: str, status: StatusRecord) -> None:
    """See that a server has the store that was meant; one whose store has no name has but one.

    :raises DatabaseNotFound: if it has another.
    """
    if database and status.database and database != status.database:
        raise DatabaseNotFound(f"{address} has no database {database!r}: its own is {status.database!r}.")


def _did_nothing(error: BlitzError) -> bool:
    """Whether the call certainly changed nothing: it was not sent, or refused at the door."""
    return isinstance(error, ServerBusy) or (isinstance(error, ServerUnreachable) and not error.was_sent)
