"""``python -m blitz`` is the ``blitz`` command."""

from blitz.cli.main import run

if __name__ == "__main__":
    run()
