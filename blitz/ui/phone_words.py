"""What is said of the link to the page for a phone: what it allows, who can reach it, what a browser asks. Pure."""

import ipaddress
from collections.abc import Mapping

from blitz.config import LOOPBACK_HOSTS
from blitz.data.records import Role
from blitz.io.address import ServerAddress

_ALLOWED: Mapping[Role, str] = {
    Role.VIEWER: "can look, and change nothing",
    Role.OPERATOR: "can look, start and stop sessions, write markers and acknowledge alarms",
    Role.ADMIN: "may do everything on this server, making tokens and deleting for good included",
}


def page_link(server: ServerAddress, token: str) -> str:
    """Return what a browser opens; the token stands where only the page reads it.

    >>> page_link(ServerAddress("lab-pi", is_tls=True), "blz_x"), page_link(ServerAddress("::1"), "")
    ('https://lab-pi:8999/#blz_x', 'http://[::1]:8999/')
    """
    return f"{server.http_url}/{'#' if token else ''}{token}"


def is_of_this_computer(host: str) -> bool:
    """Whether an address leads back to the computer that asks.

    >>> is_of_this_computer("127.0.0.2"), is_of_this_computer("192.168.0.20"), is_of_this_computer("lab-pi")
    (True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK_HOSTS


def allowed_words(role: Role) -> str:
    """Say what whoever has a link of that role may do.

    >>> allowed_words(Role.VIEWER)
    'Whoever has the link can look, and change nothing: its role is viewer.'
    """
    return f"Whoever has the link {_ALLOWED[role]}: its role is {role.value}."


def reach_words(server: ServerAddress, *, has_token: bool) -> str:
    """Say what has to be known to reach the server by this address; nothing, where a phone in its network does.

    :param has_token: whether the link has one.
    """
    if is_of_this_computer(server.host):
        return (
            f"A phone cannot reach {server.host}: on each device that is the device itself. The link is for a browser "
            "of this computer. For a phone the server has to listen to the network: make a token with “blitz token "
            "create --role admin --host 192.168.0.20”, its own address there; start it with “blitz serve --host "
            "0.0.0.0”, which encrypts; and connect this window to the link that was printed."
        )
    said = []
    if not _is_number(server.host):
        said.append(
            f"If the phone does not find {server.host}, connect this window by the server's number in the network, "
            "such as 192.168.0.20, and come here again."
        )
    if not server.is_tls:
        what = "all messages and the token" if has_token else "all messages"
        said.append(f"The connection is not encrypted: whoever can listen on that network can read {what}.")
    return " ".join(said)


def certificate_words(server: ServerAddress) -> str:
    """Say what a browser asks where nobody vouches for the certificate; nothing, where it asks nothing."""
    if not server.is_tls or not server.fingerprint:
        return ""
    return (
        "The browser warns, since nobody vouches for this server's certificate. Before you go on there, "
        "look at the certificate's details: its SHA-256 fingerprint must be this one."
    )


def fingerprint_lines(fingerprint: str) -> str:
    """Return a fingerprint as browsers write it, eight bytes a line.

    >>> print(fingerprint_lines(32 * "a7"))
    A7 A7 A7 A7 A7 A7 A7 A7
    A7 A7 A7 A7 A7 A7 A7 A7
    A7 A7 A7 A7 A7 A7 A7 A7
    A7 A7 A7 A7 A7 A7 A7 A7
    """
    pairs = [fingerprint[place : place + 2].upper() for place in range(0, len(fingerprint), 2)]
    return "\n".join(" ".join(pairs[place : place + 8]) for place in range(0, len(pairs), 8))


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
