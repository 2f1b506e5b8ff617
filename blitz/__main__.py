"""``python -m blitz`` is the ``blitz`` command."""

from blitz.cli.ending import note_signals
from blitz.data.program_start import start_quickly


def run() -> None:
    """Be the `blitz` program; signals are noted while the rest of it is imported."""
    note_signals()
    start_quickly()
    from blitz.cli.main import run

    run()


if __name__ == "__main__":
    run()
