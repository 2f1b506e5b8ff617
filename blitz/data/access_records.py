"""Who may use the server, and what was done with it: what tokens and the audit trail look like to programs.

One set of frozen models serves the HTTP schema, the server's tables and the client library.
"""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from blitz.data.records import Record, Role

NAME_LENGTH = 100


class WhoRecord(Record):
    """Whom the server takes the asker for, and what that one may do."""

    name: str = Field(description="the token's name; without a token, what the asker calls itself, or `local`")
    role: Role


class TokenRecord(Record):
    """A token as it is listed; the token itself is told once, when it is made."""

    id: int
    name: str
    role: Role
    created_at: AwareDatetime
    last_used_at: AwareDatetime | None = Field(default=None, description="to some minutes; absent: never")
    revoked_at: AwareDatetime | None = Field(default=None, description="since when it is worth nothing")


class TokenRequest(BaseModel):
    """A token that is to be made. A mistyped field is an error."""

    model_config = ConfigDict(extra="forbid")

    role: Role
    name: str = Field(default="", max_length=NAME_LENGTH, description="for people: whom or what it is for")


class IssuedToken(Record):
    """A token that was just made."""

    record: TokenRecord
    token: str = Field(description="shown this once; the server keeps only its hash")
    link: str = Field(description="what to paste into a client: blitz://host:port/#TOKEN&FINGERPRINT")


class AuditRecord(Record):
    """One line of the audit trail."""

    id: int
    time: AwareDatetime
    who: str = Field(description="the token's name, what the asker calls itself, or `local`")
    origin: str = Field(description="address that it came from; `console` for a command on the server's machine")
    what: str = Field(description="method and path")
    status: int = Field(description="HTTP status of the answer; 0 where none was given")
    outcome: str = Field(description="done, failed, forbidden, refused")
    count: int = Field(default=1, description="so many alike in a few seconds, of which this was the first")
