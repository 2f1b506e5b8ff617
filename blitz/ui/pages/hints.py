"""What empty pages say: what to do."""

from blitz.ui.feed import Connection, ConnectionState

OFFLINE = "Not connected to a server.\n\nServer ▸ Servers… (Ctrl+K)"
NO_BOARDS = (
    "No board is connected to the server.\n\n"
    "Plug one in: a new USB device is found by itself, and listened to when you say so.\n"
    "Any other device: Server ▸ Add a device…\n\n"
    "Without hardware: Server ▸ Servers… (Ctrl+K), Demo"
)
NO_SESSIONS = "No sessions yet.\n\nPress Start (F5) to record what the boards send."
NO_MATCH = "No session has all of these words.\n\nFewer of them find more; an empty field shows all sessions."
NO_MATCH_THEN = "No such session began then.\n\nChoose “Any day” above to look everywhere."


def away_words(state: ConnectionState) -> str:
    """Return what a page says that is empty for want of a connection."""
    if state.connection is Connection.WAITING:
        return "The connection was lost, and is tried again.\n\nBoards and values appear here when it is back."
    return OFFLINE if state.connection is Connection.OFFLINE else f"Connecting to {state.address} …"
