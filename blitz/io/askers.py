"""What calls may know of who sent them, as dependencies for FastAPI: what the guard found out."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from blitz.data.records import Role
from blitz.io.refusal import ASKER, SUBJECT
from blitz.io.token_check import LOCAL, Asker


async def _read_asker(request: Request) -> Asker:
    asker = request.scope.get(ASKER)
    return asker if isinstance(asker, Asker) else Asker(LOCAL, Role.ADMIN)


async def _read_token_name(request: Request) -> str:
    asker = await _read_asker(request)
    return asker.name if asker.bearer is not None else ""


async def _read_subject(request: Request) -> Callable[[object], None]:
    names: list[str] = request.scope.get(SUBJECT, [])
    return lambda name: names.append(str(name))


AskerGiven = Annotated[Asker, Depends(_read_asker)]
"""Who sent the request, and in which role."""

TokenName = Annotated[str, Depends(_read_token_name)]
"""The name of the token that came with it, which counts more than any name in the request; empty without one."""

NoteSubject = Annotated[Callable[[object], None], Depends(_read_subject)]
"""Call it with the name of what was made: it stands in the audit trail behind the call."""
