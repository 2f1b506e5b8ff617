"""What empty pages say: what to do."""

OFFLINE = "Not connected to a server.\n\nServer ▸ Connect… (Ctrl+K)"
NO_BOARDS = (
    "No board is connected to the server.\n\nPlug one in: USB boards of known makers are found by themselves.\n"
    "Others are named once, in a terminal: blitz sources add /dev/ttyUSB0:57600\n\n"
    "Without hardware: blitz serve --simulate 2"
)
NO_SESSIONS = "No sessions yet.\n\nPress Start (F5) to record what the boards send."
NO_MATCH = "No session has all of these words.\n\nFewer of them find more; an empty field shows all sessions."
