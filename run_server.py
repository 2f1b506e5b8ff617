"""Start the Blitz server: the same as ``blitz serve``. ``python run_server.py --help`` lists its settings."""

from blitz.cli.main import run_server

if __name__ == "__main__":
    run_server()
