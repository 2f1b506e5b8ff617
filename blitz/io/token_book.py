"""The tokens that are worth something, in memory, for the event loop: read anew in a thread, at most a moment old.

Knows nothing of requests. If the tables cannot be read, what was read last goes on to count, and the log says so.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import anyio.to_thread

from blitz.data.tokens import Bearer, TokenStore, hash_of
from blitz.errors import TablesError

log = logging.getLogger(__name__)

STALE_S = 0.5
"""For so long, at most, a revoked token goes on to be taken."""

_USE_KEPT_EACH_MS = 600_000
_WARN_EACH_S = 10.0


class TokenBook:
    """Made in any thread, used on one event loop.

    :param store: `blitz token`, another process, may change it at any time.
    """

    def __init__(self, store: TokenStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._bearers = store.bearers()
        self._read_s = clock()
        self._turn = asyncio.Lock()
        # Calls that wait for boards may hold all the usual threads; and no request waits for a disk that writes.
        self._reads = anyio.CapacityLimiter(1)
        self._writes = anyio.CapacityLimiter(1)
        self._keeping: asyncio.Task[None] | None = None
        self._used_ms: dict[int, int] = {}
        self._kept_ms: dict[int, int] = {}
        self._watched: dict[int, set[Callable[[], None]]] = {}
        self._poll: asyncio.Task[None] | None = None
        self._warned_s = -_WARN_EACH_S

    def find(self, token: str) -> Bearer | None:
        """Return whom a token stands for, as far as is known at present, and note that it was used."""
        bearer = self._bearers.get(hash_of(token))
        if bearer is not None:
            self._used_ms[bearer.token_id] = time.time_ns() // 1_000_000
        return bearer

    async def refresh(self, age_s: float = STALE_S) -> None:
        """Read the tokens, unless that was done in the last ``age_s``; askers at one time share one reading."""
        asked_s = self._clock()
        if self._read_s > asked_s - age_s:
            return
        async with self._turn:
            if self._read_s > asked_s - age_s:
                return
            began_s = self._clock()
            try:
                self._bearers = await anyio.to_thread.run_sync(self._store.bearers, limiter=self._reads)
            except TablesError as error:
                self._warn("Tokens cannot be read, those known before go on to count: %s", error)
            self._read_s = began_s
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.get_running_loop().create_task(self._keep_use())
        self._tell_revoked()

    @contextmanager
    def watch(self, bearer: Bearer, on_revoked: Callable[[], None]) -> Iterator[None]:
        """Call ``on_revoked``, on the loop, soon after the token has become worthless, for as long as this lasts."""
        self._watched.setdefault(bearer.token_id, set()).add(on_revoked)
        if self._poll is None:
            self._poll = asyncio.get_running_loop().create_task(self._keep_fresh())
        try:
            yield
        finally:
            watchers = self._watched[bearer.token_id]
            watchers.discard(on_revoked)
            if not watchers:
                del self._watched[bearer.token_id]
            if not self._watched and self._poll is not None:
                self._poll.cancel()
                self._poll = None

    async def _keep_fresh(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(STALE_S)
                await self.refresh()

    def _tell_revoked(self) -> None:
        valid = {bearer.token_id for bearer in self._bearers.values()}
        for token_id in [token_id for token_id in self._watched if token_id not in valid]:
            for on_revoked in list(self._watched[token_id]):
                on_revoked()

    async def _keep_use(self) -> None:
        used = {
            token_id: used_ms
            for token_id, used_ms in self._used_ms.copy().items()
            if used_ms - self._kept_ms.get(token_id, 0) >= _USE_KEPT_EACH_MS
        }
        if not used:
            return
        try:
            await anyio.to_thread.run_sync(self._store.note_use, used, limiter=self._writes, abandon_on_cancel=True)
        except TablesError as error:
            self._warn("When tokens were used cannot be kept: %s", error)
        else:
            self._kept_ms |= used

    def _warn(self, sentence: str, error: TablesError) -> None:
        if self._clock() - self._warned_s >= _WARN_EACH_S:
            self._warned_s = self._clock()
            log.warning(sentence, error)
