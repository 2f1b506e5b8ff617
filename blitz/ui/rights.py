"""What the operator at this window may do, by the role of the token. Pure."""

from dataclasses import dataclass

from blitz.data.access_records import WhoRecord
from blitz.data.records import Role
from blitz.io.roles import may


@dataclass(frozen=True)
class Rights:
    """Everything, until a server says otherwise.

    >>> Rights(Role.VIEWER, "wall screen").refusal(Role.OPERATOR)
    'Not with the token “wall screen”: its role is viewer, and this needs operator.'
    >>> Rights(Role.OPERATOR).refusal(Role.OPERATOR)
    ''
    """

    role: Role = Role.ADMIN
    name: str = ""

    @classmethod
    def of(cls, who: WhoRecord) -> "Rights":
        """Return the rights of whom the server takes us for."""
        return cls(who.role, who.name)

    def refusal(self, needed: Role) -> str:
        """Say why something that needs a role cannot be done; empty where it can."""
        if may(self.role, needed):
            return ""
        token = f"the token “{self.name}”" if self.name else "this token"
        return f"Not with {token}: its role is {self.role.value}, and this needs {needed.value}."
