"""The outside world: links to boards, the acquisition, the HTTP server and the client library."""
