"""The accounts of the running session: what links read, what the store took, what was found missing.

Each part is told by whoever knows it, from its own thread; nothing is derived from another part, so that an account
which does not balance shows that something went missing.
"""

import threading
from collections import Counter
from collections.abc import Sequence

from blitz.data.blocks import Read
from blitz.data.records import Account, Gap, SessionRecord
from blitz.io.ledger import join_accounts


class AccountBook:
    """Accounts of one session by source row. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session_id: int | None = None
        self._closed: dict[int, Account] = {}
        self._appended: Counter[int] = Counter()

    def open(self, session_id: int, accounts: Sequence[Account] = ()) -> None:
        """Begin with a session.

        :param accounts: those that an earlier server made of it, closed.
        """
        with self._lock:
            self._session_id = session_id
            self._closed = {account.source: account for account in accounts}
            self._appended = Counter({account.source: account.messages_appended for account in accounts})

    def close(self, session_id: int, account: Account) -> None:
        """Take a link's account of a stretch that is over; a source may have several."""
        with self._lock:
            if session_id == self._session_id:
                before = self._closed.get(account.source)
                self._closed[account.source] = account if before is None else join_accounts([before, account])

    def append(self, session_id: int, reads: Sequence[Read]) -> None:
        """The store has acknowledged messages, and viewers may see them."""
        with self._lock:
            if session_id == self._session_id:
                for read in reads:
                    self._appended[read.source] += len(read.messages)

    def account(
        self, session_id: int, name: str, row: int, live: Account | None, *, is_running: bool = False
    ) -> Account:
        """Return what is known of a source.

        :param live: the account of the stretch that goes on; None if the link is done with the session.
        :param is_running: the session is not over: the store may be about to take messages of a link that is done.
        """
        with self._lock:
            if session_id != self._session_id:
                account = live or Account(source=row)
                settled = {"messages_previewed": account.messages_read - account.messages_dropped}
                return account.model_copy(update={"name": name, **settled})
            account, appended = self._closed.get(row) or Account(source=row), self._appended[row]
        if live is not None:
            account = join_accounts([account, live])
        waiting = account.messages_read - account.messages_dropped - appended if live or is_running else 0
        return account.model_copy(
            update={
                "name": name,
                "messages_appended": appended,
                "messages_served": appended,
                "messages_waiting": max(waiting, 0),
            }
        )

    def rows(self, session_id: int) -> set[int]:
        """Return the sources of which anything is known in the session."""
        with self._lock:
            return set() if session_id != self._session_id else {*self._closed, *self._appended}


def verdict(accounts: Sequence[Account], gaps: Sequence[Gap], record: SessionRecord) -> str:
    """Return the one line that a stopped session carries.

    >>> from datetime import UTC, datetime
    >>> record = SessionRecord(id=1, started_at=datetime.now(UTC), message_count=5)
    >>> verdict([Account(source=0, messages_read=5, messages_appended=5)], [], record)
    'no gaps, nothing lost, account balances'
    """
    lost, recovered = sum(a.lost for a in accounts), sum(a.recovered for a in accounts)
    about = "" if all(a.is_lost_exact for a in accounts if a.lost) else "about "
    unknown = [gap for gap in gaps if gap.lost is None]
    parts = ["no gaps" if not gaps else f"{len(gaps)} gap{'s' if len(gaps) > 1 else ''}"]
    if lost:
        parts.append(f"{about}{lost} lost")
    if unknown:
        parts.append(f"losses of {'one gap' if len(unknown) == 1 else f'{len(unknown)} gaps'} unknown")
    elif not lost:
        parts.append("nothing lost")
    if recovered:
        parts.append(f"{recovered} recovered from the board")
    if overruns := sum(a.overruns or 0 for a in accounts):
        parts.append(f"{overruns} bytes overrun in the driver")
    if bad := sum(a.bad_frames for a in accounts):
        parts.append(f"{bad} bad frame{'s' if bad > 1 else ''}")
    if unexamined := sum(a.unexamined for a in accounts):
        parts.append(f"{unexamined} messages not examined")
    parts.append(_balance(accounts, record))
    return ", ".join(parts)


def _balance(accounts: Sequence[Account], record: SessionRecord) -> str:
    surplus_bytes = sum(abs(a.surplus_bytes) for a in accounts)
    surplus_messages = sum(abs(a.surplus_messages) for a in accounts)
    appended = sum(a.messages_appended for a in accounts)
    missing = appended - record.message_count
    if missing > 0:  # more is possible: programs queue messages, too
        return f"account does not balance: {missing} messages that were stored are not there"
    if surplus_bytes or surplus_messages:
        return f"account does not balance: {surplus_messages} messages and {surplus_bytes} bytes are unaccounted for"
    return "account balances"
