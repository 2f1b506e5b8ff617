"""Redis' errors as ours: why the store could not be asked, in words for an operator."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from blitz.data.room import explain_refusal
from blitz.errors import StoreUnavailable


@contextmanager
def translated() -> Iterator[None]:
    """Turn Redis' errors into ours."""
    try:
        yield
    except redis.RedisError as error:
        reason = reason_of(error)
        explained = explain_refusal(reason)
        if explained is not None:
            raise StoreUnavailable(f"{explained} (Redis says: {reason}.)") from error
        raise StoreUnavailable(f"Cannot use Redis: {reason}. Is it running?") from error


def reason_of(error: Exception) -> str:
    """Return why Redis did not do what it was asked, without a full stop; its own words where they are clear.

    >>> reason_of(redis.TimeoutError("Timeout reading from socket"))
    'it does not answer'
    >>> reason_of(redis.ConnectionError("Error while reading from redis.sock : (104, 'Connection reset by peer')"))
    'the connection broke'
    """
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return "it does not answer"
    if isinstance(error, ConnectionResetError | BrokenPipeError) or str(error).startswith("Error while "):
        return "the connection broke"
    return str(error).rstrip(".")
