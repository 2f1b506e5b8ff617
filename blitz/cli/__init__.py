"""The `blitz` command: thin commands over the client library and the two programs."""
