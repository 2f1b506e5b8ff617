"""Which role each call of the HTTP interface needs: one row a call, and a call without a row is refused.

Pure. :mod:`blitz.io.guard` asks it before the application sees a request.
"""

import re
from functools import lru_cache

from blitz.data.records import Role

WEBSOCKET = "WS"
"""Stands in place of the method for the live connection."""

ROLES: dict[tuple[str, str], Role | None] = {
    # the interface's own documentation, which tells nothing of this server
    ("GET", "/docs"): None,
    ("GET", "/docs/oauth2-redirect"): None,
    ("GET", "/redoc"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/static-offline-docs/{path:path}"): None,
    # the page for a phone, which tells nothing of this server either, until it has a token
    ("GET", "/"): None,
    ("GET", "/page/{name}"): None,
    # system; supervisors have no token
    ("GET", "/api/v1/health"): None,
    ("GET", "/api/v1/metrics"): Role.VIEWER,
    ("GET", "/api/v1/status"): Role.VIEWER,
    ("GET", "/api/v1/events"): Role.VIEWER,
    ("GET", "/api/v1/whoami"): Role.VIEWER,
    (WEBSOCKET, "/api/v1/live"): Role.VIEWER,
    # devices
    ("GET", "/api/v1/boards"): Role.VIEWER,
    ("GET", "/api/v1/boards/{name}/bad-frames"): Role.VIEWER,
    ("POST", "/api/v1/boards/scan"): Role.OPERATOR,
    ("POST", "/api/v1/boards/{name}/commands"): Role.OPERATOR,
    ("POST", "/api/v1/boards/{name}/release"): Role.OPERATOR,
    ("POST", "/api/v1/boards/{name}/retake"): Role.OPERATOR,
    ("POST", "/api/v1/boards/{name}/attach"): Role.OPERATOR,
    ("GET", "/api/v1/found"): Role.VIEWER,
    ("POST", "/api/v1/found/listen"): Role.OPERATOR,
    ("POST", "/api/v1/found/ignore"): Role.OPERATOR,
    # sources and definitions
    ("GET", "/api/v1/sources"): Role.VIEWER,
    ("POST", "/api/v1/sources"): Role.OPERATOR,
    ("POST", "/api/v1/sources/examine"): Role.OPERATOR,
    ("POST", "/api/v1/sources/examine/end"): Role.OPERATOR,
    ("PATCH", "/api/v1/sources/{name}"): Role.OPERATOR,
    ("DELETE", "/api/v1/sources/{name}"): Role.OPERATOR,
    ("GET", "/api/v1/sources/{name}/history"): Role.VIEWER,
    ("GET", "/api/v1/source-kinds"): Role.VIEWER,
    ("GET", "/api/v1/definitions"): Role.VIEWER,
    ("GET", "/api/v1/definitions/{source}"): Role.VIEWER,
    ("PUT", "/api/v1/definitions/{source}"): Role.OPERATOR,
    ("GET", "/api/v1/definitions/{source}/versions"): Role.VIEWER,
    ("POST", "/api/v1/query"): Role.VIEWER,  # it can only read
    # sessions and messages
    ("GET", "/api/v1/sessions"): Role.VIEWER,
    ("POST", "/api/v1/sessions"): Role.OPERATOR,
    ("POST", "/api/v1/sessions/{session_id}/stop"): Role.OPERATOR,
    ("GET", "/api/v1/sessions/{session_id}"): Role.VIEWER,
    ("PATCH", "/api/v1/sessions/{session_id}"): Role.OPERATOR,
    ("DELETE", "/api/v1/sessions/{session_id}"): Role.OPERATOR,  # to the trash, from which it can come back
    ("GET", "/api/v1/sessions/{session_key}/messages"): Role.VIEWER,
    ("GET", "/api/v1/sessions/{session_id}/readings"): Role.VIEWER,
    ("GET", "/api/v1/sessions/{session_id}/overview"): Role.VIEWER,
    ("GET", "/api/v1/sessions/{session_id}/latest"): Role.VIEWER,
    ("GET", "/api/v1/latest"): Role.VIEWER,
    ("GET", "/api/v1/sessions/{session_id}/markers"): Role.VIEWER,
    ("POST", "/api/v1/sessions/{session_id}/markers"): Role.OPERATOR,
    ("PATCH", "/api/v1/sessions/{session_id}/markers/{marker_id}"): Role.OPERATOR,
    ("DELETE", "/api/v1/sessions/{session_id}/markers/{marker_id}"): Role.OPERATOR,  # and back by an edit
    # streams
    ("GET", "/api/v1/streams"): Role.VIEWER,
    ("POST", "/api/v1/streams"): Role.OPERATOR,
    ("GET", "/api/v1/streams/{name}"): Role.VIEWER,
    ("PATCH", "/api/v1/streams/{name}"): Role.OPERATOR,
    ("DELETE", "/api/v1/streams/{name}"): Role.ADMIN,  # for good
    ("POST", "/api/v1/streams/{name}/points"): Role.OPERATOR,
    ("GET", "/api/v1/streams/{name}/range"): Role.VIEWER,
    ("GET", "/api/v1/streams/{name}/commands"): Role.VIEWER,
    ("POST", "/api/v1/streams/{name}/commands"): Role.OPERATOR,
    ("POST", "/api/v1/streams/{name}/commands/{command_id}/answer"): Role.OPERATOR,
    # timed runs
    ("GET", "/api/v1/planned"): Role.VIEWER,
    ("POST", "/api/v1/planned"): Role.OPERATOR,
    ("DELETE", "/api/v1/planned/{plan_id}"): Role.OPERATOR,
    ("PATCH", "/api/v1/sessions/{session_id}/plan"): Role.OPERATOR,
    # room: trash, retention, archive
    ("GET", "/api/v1/trash"): Role.VIEWER,
    ("POST", "/api/v1/trash/{session_id}/restore"): Role.OPERATOR,
    ("DELETE", "/api/v1/trash/{session_id}"): Role.ADMIN,
    ("GET", "/api/v1/retention"): Role.VIEWER,
    ("POST", "/api/v1/retention/apply"): Role.ADMIN,
    ("GET", "/api/v1/archive"): Role.VIEWER,
    ("POST", "/api/v1/archive/verify"): Role.OPERATOR,
    ("POST", "/api/v1/archive/{session_id}/restore"): Role.ADMIN,
    # alarms
    ("GET", "/api/v1/alarms"): Role.VIEWER,
    ("GET", "/api/v1/alarms/history"): Role.VIEWER,
    ("GET", "/api/v1/alarms/rules"): Role.VIEWER,
    ("POST", "/api/v1/alarms/rules"): Role.OPERATOR,
    ("PATCH", "/api/v1/alarms/rules/{rule_id}"): Role.OPERATOR,
    ("DELETE", "/api/v1/alarms/rules/{rule_id}"): Role.OPERATOR,
    ("POST", "/api/v1/alarms/rules/{rule_id}/confirm"): Role.OPERATOR,
    ("POST", "/api/v1/alarms/acknowledge"): Role.OPERATOR,
    ("POST", "/api/v1/alarms/{alarm_id}/acknowledge"): Role.OPERATOR,
    # supervision
    ("GET", "/api/v1/hooks"): Role.VIEWER,
    ("POST", "/api/v1/hooks"): Role.ADMIN,
    ("DELETE", "/api/v1/hooks/{name}"): Role.ADMIN,
    ("POST", "/api/v1/hooks/{name}/test"): Role.OPERATOR,
    ("POST", "/api/v1/hooks/test"): Role.ADMIN,
    # who may do what
    ("GET", "/api/v1/tokens"): Role.ADMIN,
    ("POST", "/api/v1/tokens"): Role.ADMIN,
    ("DELETE", "/api/v1/tokens/{token_id}"): Role.ADMIN,
    ("GET", "/api/v1/audit"): Role.ADMIN,
}
"""Method and path template of each call, and the least role that may use it; None is open to all.

A test compares this with the application's routes: add a row with each call that you add.
"""

OPEN_ON_LOOPBACK = ("/api/v1/metrics",)
"""Calls that need no token where only programs of this machine can connect."""

_ORDER = (None, Role.VIEWER, Role.OPERATOR, Role.ADMIN)


def may(role: Role | None, needed: Role | None) -> bool:
    """Whether somebody with that role, None being no token, may do what needs the other.

    >>> may(Role.OPERATOR, Role.VIEWER), may(Role.VIEWER, Role.OPERATOR), may(None, None)
    (True, False, True)
    """
    return _ORDER.index(role) >= _ORDER.index(needed)


def needed_role(method: str, path: str) -> Role | None:
    """Return the least role that a request needs; None if it is open to all.

    Where several templates fit, the most that one of them needs.

    :raises LookupError: if there is no such call.

    >>> needed_role("DELETE", "/api/v1/sessions/7")
    <Role.OPERATOR: 'operator'>
    """
    if method == "HEAD":
        method = "GET"
    fitting = [role for pattern, role in _patterns().get(method, ()) if pattern.match(path)]
    if not fitting:
        raise LookupError(f"There is no call {method} {path}.")
    return max(fitting, key=_ORDER.index)


def is_reading(method: str) -> bool:
    """Whether calls with this method change nothing, by the rules of HTTP.

    >>> is_reading("GET"), is_reading("PATCH")
    (True, False)
    """
    return method in ("GET", "HEAD", "OPTIONS", WEBSOCKET)


def changes_nothing(method: str, needed: Role | None) -> bool:
    """Whether a call that needs this role changes nothing: by its method, or since a viewer may do it.

    >>> changes_nothing("GET", Role.ADMIN), changes_nothing("POST", Role.VIEWER), changes_nothing("POST", Role.OPERATOR)
    (True, True, False)
    """
    return is_reading(method) or needed is Role.VIEWER


def is_putting_in_data(method: str, path: str) -> bool:
    """Whether a call puts points into a stream, as scripts do again and again.

    >>> is_putting_in_data("POST", "/api/v1/streams/oven/points"), is_putting_in_data("POST", "/api/v1/streams")
    (True, False)
    """
    return method == "POST" and path.startswith("/api/v1/streams/") and path.endswith("/points")


@lru_cache(maxsize=1)
def _patterns() -> dict[str, list[tuple[re.Pattern[str], Role | None]]]:
    """Compile the templates as the router does: what fits there must fit here, a line feed before the end included."""
    patterns: dict[str, list[tuple[re.Pattern[str], Role | None]]] = {}
    for (method, template), role in ROLES.items():
        pattern = "".join(
            ".*" if part.endswith(":path}") else "[^/]+" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{[^}]*\})", template)
        )
        patterns.setdefault(method, []).append((re.compile(f"^{pattern}$"), role))
    return patterns
