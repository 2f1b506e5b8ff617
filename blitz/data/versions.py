"""Whether a client and a server of different versions understand each other. Pure.

The rule: versions that are alike in their first two numbers, such as 0.4.0 and 0.4.2, do. Others still talk, since
unknown fields are ignored on either side, but one of them does not know what is new in the other, and a person is told.
"""

import re

_VERSION = re.compile(r"(\d+)\.(\d+)")


def compare_versions(client: str, server: str) -> str:
    """Return a sentence where the versions differ in their first two numbers; else nothing.

    What is no version, as of a server in development, is compared with nothing.

    >>> compare_versions("0.4.0", "0.4.2")
    ''
    >>> compare_versions("0.4.0", "0.5.1")
    'This client is Blitz 0.4.0 and the server is 0.5.1: what is new in 0.5 is not shown here. Update this client.'
    """
    ours, theirs = _numbers(client), _numbers(server)
    if ours is None or theirs is None or ours == theirs:
        return ""
    newer = ".".join(map(str, max(ours, theirs)))
    lack, remedy = (
        (f"what is new in {newer} is not shown here", "Update this client.")
        if theirs > ours
        else (f"what is new in {newer} does not work with it", "Update the server.")
    )
    return f"This client is Blitz {client} and the server is {server}: {lack}. {remedy}"


def _numbers(version: str) -> tuple[int, int] | None:
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else None
