"""The HTTP calls about who may use the server: tokens, the audit trail, and who one is.

Thin calls on what keeps them. What they need is the role admin, but for ``/whoami``: see :mod:`blitz.io.roles`.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from blitz.data.access_records import AuditRecord, IssuedToken, TokenRecord, TokenRequest, WhoRecord
from blitz.errors import TablesError
from blitz.io.access import Access, own_name
from blitz.io.askers import AskerGiven, NoteSubject

AUDIT_LIMIT = 10_000

_LARGEST_ID = (1 << 63) - 1


def token_calls(access: Access | None) -> APIRouter:
    """Return the calls ``/whoami``, ``/tokens`` and ``/audit``.

    :param access: None where the server has no tables: then it says so.
    """
    calls = APIRouter(tags=["access"])

    @calls.get("/whoami")
    def read_whoami(asker: AskerGiven) -> WhoRecord:
        """Say whom the server takes the asker for, and which role that one has."""
        return WhoRecord(name=asker.name, role=asker.role)

    @calls.get("/tokens", response_model_exclude_none=True)
    def list_tokens() -> list[TokenRecord]:
        """Return all tokens, those that were revoked, too."""
        return _opened(access).tokens.tokens()

    @calls.post("/tokens", status_code=201, response_model_exclude_none=True)
    def create_token(wanted: TokenRequest, request: Request, note_subject: NoteSubject) -> IssuedToken:
        """Make a token. It is told this once; the server keeps only its hash."""
        opened = _opened(access)
        served = opened.served_at(str(request.base_url))
        record, token = opened.tokens.create(wanted.role, wanted.name)
        note_subject(f"{record.id}, {record.name}, {record.role}")
        return IssuedToken(record=record, token=token, link=served.link(token, own_name()))

    @calls.delete("/tokens/{token_id}", response_model_exclude_none=True)
    def revoke_token(token_id: Annotated[int, Path(ge=0, le=_LARGEST_ID)]) -> TokenRecord:
        """Make a token worthless; who is connected by it is cut off within a second."""
        return _opened(access).tokens.revoke(token_id)

    @calls.get("/audit")
    def read_audit(
        last: Annotated[int, Query(ge=1, le=AUDIT_LIMIT, description="so many entries at most")] = 100,
    ) -> list[AuditRecord]:
        """Return what was changed and what was refused, oldest first."""
        return _opened(access).audit.last(last)

    return calls


def _opened(access: Access | None) -> Access:
    if access is None:
        raise TablesError("This server keeps no tables, and so neither tokens nor an audit trail.")
    return access
