"""``python -m blitz`` is the ``blitz`` command."""

from blitz.cli.ending import note_signals


def run() -> None:
    """Be the `blitz` program; signals are noted while the rest of it is imported."""
    note_signals()
    from blitz.cli.main import run

    run()


if __name__ == "__main__":
    run()
