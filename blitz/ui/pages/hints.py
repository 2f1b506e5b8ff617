"""What empty pages say: what to do."""

OFFLINE = "Not connected to a server.\n\nServer ▸ Connect… (Ctrl+K)"
NO_BOARDS = (
    "No board is connected to the server.\n\nPlug one in, or name its port when starting the server:\n"
    "python run_server.py --serial /dev/ttyUSB0:57600\n\nWithout hardware: --simulate 2"
)
NO_SESSIONS = "No sessions yet.\n\nPress Start (F5) to record what the boards send."
