#!/usr/bin/env python3
"""Starts the desktop client: ``python run_client.py [--server URL]``; the same as ``blitz client``."""

from blitz.cli.main import run_client

if __name__ == "__main__":
    run_client()
