"""Tokens: what a program presents beyond loopback, and which role it has by that.

A token is 256 random bits. Nobody can guess one, or find it from its hash by trying, so that a plain SHA-256 keeps it
as well as a slow password hash would, and costs microseconds a request. The token itself is told once and never
stored. Several programs may have the file open: `blitz token` works beside a running server.
"""

import hashlib
import secrets
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, insert, or_, select, update

from blitz.data.access_records import NAME_LENGTH, TokenRecord
from blitz.data.records import Role
from blitz.data.server_tables import TOKENS
from blitz.data.table_file import TableFile
from blitz.errors import UnknownToken

PREFIX = "blz_"
"""Lets people, and scanners for leaked secrets, see what it is."""

_RANDOM_BYTES = 32


class Bearer(NamedTuple):
    """Whom a token stands for."""

    token_id: int
    name: str
    role: Role


class TokenStore(TableFile):
    """The tokens of one server, open until :meth:`close`. May be used from any thread, but from no event loop."""

    def create(self, role: Role, name: str = "") -> tuple[TokenRecord, str]:
        """Make a token; return its record and the token itself, which nobody can read again."""
        token = new_token()
        row = {
            "name": _cleaned(name) or f"{role} of {datetime.now():%Y-%m-%d}",
            "role": str(role),
            "hash": hash_of(token),
            "created_ms": _now_ms(),
        }
        with self.transaction() as db:
            token_id = db.execute(insert(TOKENS).values(row)).inserted_primary_key[0]  # type: ignore[index]
            made = db.execute(select(TOKENS).where(TOKENS.c.id == token_id)).one()
        return _record(made), token

    def tokens(self) -> list[TokenRecord]:
        """Return all tokens, those that were revoked, too, oldest first."""
        with self.reading() as db:
            return [_record(row) for row in db.execute(select(TOKENS).order_by(TOKENS.c.id))]

    def revoke(self, token_id: int) -> TokenRecord:
        """Make a token worthless; return its record. One that is revoked already stays as it is.

        :raises UnknownToken: if there is none with that id.
        """
        this = TOKENS.c.id == token_id
        with self.transaction() as db:
            db.execute(update(TOKENS).where(this, TOKENS.c.revoked_ms.is_(None)).values(revoked_ms=_now_ms()))
            row = db.execute(select(TOKENS).where(this)).one_or_none()
        if row is None:
            raise UnknownToken(f"There is no token {token_id}. 'blitz token list' lists those that there are.")
        return _record(row)

    def bearers(self) -> dict[str, Bearer]:
        """Return whom each token that is worth something stands for, by its hash."""
        columns = [TOKENS.c.hash, TOKENS.c.id, TOKENS.c.name, TOKENS.c.role]
        with self.reading() as db:
            rows = db.execute(select(*columns).where(TOKENS.c.revoked_ms.is_(None))).all()
        return {row.hash: Bearer(row.id, row.name, Role(row.role)) for row in rows}

    def note_use(self, used_ms: dict[int, int]) -> None:
        """Keep when tokens were last used, by their ids."""
        with self.transaction() as db:
            for token_id, moment_ms in used_ms.items():
                is_older = or_(TOKENS.c.last_used_ms.is_(None), TOKENS.c.last_used_ms < moment_ms)
                db.execute(update(TOKENS).where(TOKENS.c.id == token_id, is_older).values(last_used_ms=moment_ms))


def new_token() -> str:
    """Return a token: what is random is URL-safe base64."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def hash_of(token: str) -> str:
    """Return what is kept of a token.

    >>> hash_of("blz_x")[:8]
    '109bbdab'
    """
    return hashlib.sha256(token.encode()).hexdigest()


def _cleaned(name: str) -> str:
    """A token's name says who did something: it must not look like another one's."""
    return "".join(char if char.isprintable() else "?" for char in name.strip())[:NAME_LENGTH]


def _record(row: Row[Any]) -> TokenRecord:
    return TokenRecord(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        created_at=_moment(row.created_ms),
        last_used_at=None if row.last_used_ms is None else _moment(row.last_used_ms),
        revoked_at=None if row.revoked_ms is None else _moment(row.revoked_ms),
    )


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
