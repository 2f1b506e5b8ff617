"""The accounts of the running session: what links read, what was made safe, what is missing, and the final line.

Brings together what each part has counted by itself (:mod:`blitz.io.account_book`) and what the observer has found.
Accounts are written down while the session runs, so that a server which has to go on with it goes on from there.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence

from blitz.data.blocks import PREVIEW_ID, MessageBlock, Read
from blitz.data.records import Account, SessionRecord
from blitz.data.spool_records import Change, ChangeKind
from blitz.errors import SpoolError
from blitz.io.account_book import AccountBook, verdict
from blitz.io.device_link import DeviceLink
from blitz.io.devices import Devices
from blitz.io.intake import Intake
from blitz.io.ledger import join_accounts
from blitz.io.observer import Observer, Reporter
from blitz.io.resume import Resumption, unaccounted

log = logging.getLogger(__name__)


class Accounting:
    """Accounts of all sources. Calls may come from any thread.

    See :class:`~blitz.io.observer.Observer` for the other parameters.

    :param devices: tells which links deliver, and whose a row is.
    """

    def __init__(
        self,
        devices: Devices,
        intake: Intake,
        read: Callable[[int, int, int], MessageBlock],
        end_of: Callable[[int], int | None],
        reporter: Reporter,
    ) -> None:
        self.observer = Observer(read, end_of, reporter)
        self.book = AccountBook()
        self._devices = devices
        self._intake = intake
        self._unaccounted = 0
        """Messages of a session that an earlier server began which came behind its last account."""

    def open(self, record: SessionRecord, resumption: Resumption | None = None) -> None:
        """Begin with a session, or go on with one of an earlier server."""
        accounts = [] if resumption is None else resumption.accounts()
        first_seq = record.message_count if resumption is None else resumption.examined_from
        self.book.open(record.id, accounts)
        self._unaccounted = 0 if resumption is None else unaccounted(accounts, record.message_count)
        self.observer.open_session(record.id, first_seq)
        for source in record.sources:
            self.observer.add_source(source)
        for gap in record.gaps if resumption is None else resumption.gaps():
            self.observer.add_gap(record.id, gap)

    def append(self, session_id: int, reads: Sequence[Read]) -> None:
        """Messages are safe, and viewers may see them."""
        self.book.append(session_id, reads)

    def adopt(self, session_id: int, reads: Sequence[Read]) -> None:
        """A session gets messages that came before it began."""
        for row in {read.source for read in reads}:
            messages = [message for read in reads if read.source == row for message in read.messages]
            size = sum(map(len, messages))
            account = Account(source=row, bytes_read=size, message_bytes=size, messages_read=len(messages))
            self.book.close(session_id, account)

    def keep(self, session_id: int) -> None:
        """Write down how accounts stand.

        :raises SpoolError: if neither store nor spool takes them.
        """
        self._put(session_id, self.of_session(session_id), {})

    def finish(self, record: SessionRecord) -> SessionRecord:
        """The session is over, and all that can be known of it is known: write it down, and return it with that."""
        accounts = self.of_session(record.id)
        line = verdict(accounts, self.observer.gaps(), record)
        if record.resumed:
            line += f", the server was restarted {'once' if record.resumed == 1 else f'{record.resumed} times'}"
        if self._unaccounted:
            line += f" ({self._unaccounted} messages before that are in no account)"
        try:
            self._put(record.id, accounts, {"verdict": line})
        except SpoolError as error:
            log.warning("The accounts of session %s could not be stored: %s", record.id, error)
        gaps = tuple(self.observer.gaps()) or record.gaps
        return record.model_copy(update={"accounts": tuple(accounts), "verdict": line, "gaps": gaps})

    def _put(self, session_id: int, accounts: Sequence[Account], more: Mapping[str, str]) -> None:
        fields = {f"account:{account.source}": account.model_dump_json(exclude_none=True) for account in accounts}
        fields |= more
        if fields:
            self._intake.put(Change(session_id, ChangeKind.FIELDS, json.dumps(fields)))

    def of_session(self, session_id: int, name: str | None = None) -> list[Account]:
        """Return the accounts by row: of one device in the running session, or of all."""
        live = {link.delivery.row: link for link in self._devices.links() if link.delivery.active == session_id}
        rows = self.book.rows(session_id) | {row for row in live if row is not None}
        accounts = []
        for row in sorted(rows):
            owner = self._devices.name_of(row)
            if owner is None:
                continue  # messages of other programs
            if name is not None and owner != name:
                continue
            open_account = live[row].delivery.account() if row in live else None
            account = self.book.account(session_id, owner, row, open_account, is_running=name is not None)
            accounts.append(self.observer.complete(account))
        return accounts

    def of_link(self, link: DeviceLink, session_id: int | None) -> Account | None:
        """Return the account of a device, in the running session if there is one, else since its link was made."""
        row, active = link.delivery.row, link.delivery.active
        if row is None:
            return None
        if active is None:  # a recording at its end
            active = session_id
        if active and (accounts := self.of_session(active, link.name)):
            return join_accounts(accounts)
        return self.book.account(active or PREVIEW_ID, link.name, row, link.delivery.account())
