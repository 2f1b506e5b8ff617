"""Every error that Blitz raises on purpose.

::

    BlitzError
    ├── ConfigError (ValueError)              a setting is wrong; names it and what is allowed
    ├── CalibrationError (ValueError)         readings and references that determine no curve
    ├── LinkError (OSError)                   a port cannot be opened, read or written
    ├── BoardError
    │   ├── BoardMismatch (ValueError)        a message does not fit the board's layout
    │   ├── UnknownBoard (LookupError)        no such board is connected
    │   ├── CommandRefused (RuntimeError)     the board answered with an error, 61 to 66
    │   └── BoardTimeout (TimeoutError)       the board did not answer
    ├── SessionError
    │   ├── SessionRunning (RuntimeError)     a session runs already, or a running one was to be deleted
    │   ├── NoSession (RuntimeError)          no session runs
    │   ├── SessionNotFound (LookupError)     there is no session with that id
    │   ├── FieldsMissing (ValueError)        a field that every session must have was left empty
    │   └── PlanNotFound (LookupError)        no start of a session is planned under that number
    ├── StreamError
    │   ├── StreamNotFound (LookupError)      there is no stream of that name
    │   ├── StreamExists (RuntimeError)       there is a stream of that name already
    │   ├── PointsRefused (ValueError)        points that are too old, not finite, or not what the schema says
    │   └── CommandOver (RuntimeError)        a command to a stream was answered already, or too late
    ├── SourceError
    │   ├── UnknownSource (LookupError)       no source of that name is configured
    │   ├── SourceExists (RuntimeError)       there is a source of that name already
    │   └── SourceUnavailable (OSError)       a source that was to be added cannot be opened now
    ├── UnknownToken (LookupError)            no token has that id
    ├── TablesError (OSError)                 the server's own tables cannot be opened, read or written
    ├── StoreError
    │   ├── StoreUnavailable (ConnectionError)   Redis cannot be reached, or refuses to write
    │   │   └── StoreChanged                  what answers is another Redis, or one that was emptied
    │   ├── StoreFull (OSError)               no room is left for messages: nothing can be started
    │   ├── StoreInUse (RuntimeError)         another server acquires into this store or data folder
    │   ├── NoAcquisition (RuntimeError)      this server does not acquire, or none does: ask the one that does
    │   ├── StoreTooNew (RuntimeError)        the store was written by a newer Blitz
    │   ├── SpoolError (OSError)              the spool on disk cannot be read or written, or is full
    │   └── ArchiveError (OSError)            an archive file is damaged, missing, or cannot be written
    ├── BackupError (OSError)                 a backup cannot be written, read or verified
    ├── AlarmError
    │   ├── AlarmNotFound (LookupError)       no alarm has that id
    │   ├── AlarmRuleNotFound (LookupError)   no rule has that id
    │   └── AlarmRuleExists (RuntimeError)    there is a rule of that name already
    ├── HookError (OSError)                   somebody who is to be told something could not be reached
    ├── CacheError
    │   ├── CacheTooNew (RuntimeError)        the cache was written by a newer Blitz
    │   ├── CacheMismatch (ValueError)        the cache belongs to another store
    │   ├── CacheNotFound (LookupError)       there is no cache of that name, or no such file
    │   └── CacheExists (RuntimeError)        there is a cache of that name, or at that place, already
    ├── LoggerFileError (OSError)             a logger's file cannot be opened, read or written
    ├── BlockError (ValueError)               a block of messages is damaged or not a block
    ├── DownloadCancelled (RuntimeError)      the user cancelled; an older copy is kept
    ├── ExportError (OSError)                 a file could not be written
    ├── ReportTemplateError (ValueError)      a template of reports is wrong; names file and line
    ├── VerificationError (ValueError)        a file is not what its sidecar says, or a session not what it was
    ├── ImportFileError (ValueError)          a file to import is none that Blitz reads, or is damaged
    ├── SeriesError (ValueError)              arrays, transforms: no such channel, or an argument that has no meaning
    ├── InsertError (ValueError)              a series that cannot be stored
    │   └── InsertOverflow (OverflowError)    a whole number in it has more than 63 bits and a sign
    ├── QueryError (ValueError)               SQL that is wrong, or asks for what a query may not do
    │   └── QueryTimeout (TimeoutError)       a query that took too long
    ├── MarkerNotFound (LookupError)          the session has no marker with that id
    ├── EditConflict (RuntimeError)           somebody else has changed it meanwhile: look again
    ├── PackageMissing (ImportError)          an optional part is not installed; says how to install it
    └── RemoteError                           what went wrong between client and server
        ├── ServerUnreachable (ConnectionError)  no answer from host and port
        │   └── PoolError                     none of several hosts is available
        ├── RequestTimeout (TimeoutError)     the answer did not come in time
        ├── AuthenticationError (PermissionError)  the token is missing or wrong
        ├── UserAuthError (PermissionError)
        │   └── Forbidden                     the token's role may not do that
        ├── CertificateMismatch (ConnectionError)  the server's certificate is not the one that is expected
        ├── DatabaseNotFound (IndexError)     the server's store has another name than the one that is wanted
        ├── ServerBusy (ConnectionError)      a limit of the server is reached; try again later
        └── ServerError (RuntimeError)        any other refusal; carries the server's `code`
            └── UnknownAnswer (TypeError)     an answer in no words of Blitz, as of another program or version

A message says what was tried, with which value, and what to do. Each class also derives from the builtin
that fits, so that a script may catch ``ConnectionError`` or ``TimeoutError`` without knowing Blitz.
"""


class BlitzError(Exception):
    """The root: whatever Blitz raises on purpose."""

    code = "error"
    """Stable name for programs; the `code` of the HTTP problem details."""


class ConfigError(BlitzError, ValueError):
    """A setting is wrong."""

    code = "config"


class CalibrationError(BlitzError, ValueError):
    """Readings and reference values determine no curve, or no readings came."""

    code = "calibration"


class LinkError(BlitzError, OSError):
    """A link to a device cannot be opened, read or written."""

    code = "link"


class BoardError(BlitzError):
    """Something about a board."""

    code = "board"


class BoardMismatch(BoardError, ValueError):  # noqa: N818 - reads as what happened
    """A message does not fit the board's layout."""

    code = "board_mismatch"


class UnknownBoard(BoardError, LookupError):  # noqa: N818
    """No such board is connected."""

    code = "unknown_board"


class CommandRefused(BoardError, RuntimeError):  # noqa: N818
    """The board answered a command with one of its errors, 61 to 66, or has no command of that name."""

    code = "command_refused"


class BoardTimeout(BoardError, TimeoutError):  # noqa: N818
    """The board did not answer in time."""

    code = "board_timeout"


class SessionError(BlitzError):
    """Something about a session."""

    code = "session"


class SessionRunning(SessionError, RuntimeError):  # noqa: N818
    """A session runs already, or a running session was to be deleted."""

    code = "session_running"


class NoSession(SessionError, RuntimeError):  # noqa: N818
    """No session runs."""

    code = "no_session"


class SessionNotFound(SessionError, LookupError):  # noqa: N818
    """There is no session with that id."""

    code = "session_not_found"


class FieldsMissing(SessionError, ValueError):  # noqa: N818
    """A field that every session must have on that server was left empty."""

    code = "fields_missing"


class PlanNotFound(SessionError, LookupError):  # noqa: N818
    """No start of a session is planned under that number."""

    code = "plan_not_found"


class StreamError(BlitzError):
    """Something about a stream."""

    code = "stream"


class StreamNotFound(StreamError, LookupError):  # noqa: N818
    """There is no stream of that name."""

    code = "stream_not_found"


class StreamExists(StreamError, RuntimeError):  # noqa: N818
    """There is a stream of that name already."""

    code = "stream_exists"


class PointsRefused(StreamError, ValueError):  # noqa: N818
    """Points are too old for their stream, not finite, or not what its schema says; none was stored."""

    code = "points_refused"


class CommandOver(StreamError, RuntimeError):  # noqa: N818
    """A command to a stream was answered already, or its time is over."""

    code = "command_over"


class SourceError(BlitzError):
    """Something about a configured input."""

    code = "source"


class UnknownSource(SourceError, LookupError):  # noqa: N818
    """No source of that name is configured."""

    code = "unknown_source"


class SourceExists(SourceError, RuntimeError):  # noqa: N818
    """There is a source of that name already."""

    code = "source_exists"


class SourceUnavailable(SourceError, OSError):  # noqa: N818
    """A source that was to be added cannot be opened now: it was not added. It can be, for later."""

    code = "source_unavailable"


class UnknownToken(BlitzError, LookupError):  # noqa: N818
    """No token has that id."""

    code = "unknown_token"


class TablesError(BlitzError, OSError):
    """The server's own tables, in which it keeps its configuration, cannot be opened, read or written."""

    code = "tables"


class StoreError(BlitzError):
    """Something about the store (Redis)."""

    code = "store"


class StoreUnavailable(StoreError, ConnectionError):  # noqa: N818
    """Redis cannot be reached, or refuses to write."""

    code = "store_unavailable"


class StoreChanged(StoreUnavailable):
    """What answers is not the store that it was: another Redis, or one that was emptied."""

    code = "store_changed"


class StoreFull(StoreError, OSError):  # noqa: N818
    """No room is left for messages, in Redis or on disk: a session cannot be started."""

    code = "store_full"


class StoreInUse(StoreError, RuntimeError):  # noqa: N818
    """Another server acquires into this store or data folder."""

    code = "store_in_use"


class NoAcquisition(StoreError, RuntimeError):  # noqa: N818
    """This server opens no ports, or no server acquires into the store: ask the one that does, or start one."""

    code = "no_acquisition"


class StoreTooNew(StoreError, RuntimeError):  # noqa: N818
    """The store was written by a newer version of Blitz."""

    code = "store_too_new"


class SpoolError(StoreError, OSError):
    """The spool on disk cannot be read or written, or has reached its limit."""

    code = "spool"


class ArchiveError(StoreError, OSError):
    """An archive file is damaged, missing, or cannot be written."""

    code = "archive"


class BackupError(BlitzError, OSError):
    """A backup cannot be written, read or verified."""

    code = "backup"


class HookError(BlitzError, OSError):
    """Somebody who is to be told something could not be reached."""

    code = "hook"


class AlarmError(BlitzError):
    """Something about an alarm or its rule."""

    code = "alarm"


class AlarmNotFound(AlarmError, LookupError):  # noqa: N818
    """No alarm has that id."""

    code = "alarm_not_found"


class AlarmRuleNotFound(AlarmError, LookupError):  # noqa: N818
    """No rule has that id."""

    code = "alarm_rule_not_found"


class AlarmRuleExists(AlarmError, RuntimeError):  # noqa: N818
    """There is a rule of that name already."""

    code = "alarm_rule_exists"


class CacheError(BlitzError):
    """Something about the client's local cache."""

    code = "cache"


class CacheTooNew(CacheError, RuntimeError):  # noqa: N818
    """The cache was written by a newer version of Blitz."""

    code = "cache_too_new"


class CacheMismatch(CacheError, ValueError):  # noqa: N818
    """The cache belongs to another server's store."""

    code = "cache_mismatch"


class CacheNotFound(CacheError, LookupError):  # noqa: N818
    """There is no cache of that name, or no such file."""

    code = "cache_not_found"


class CacheExists(CacheError, RuntimeError):  # noqa: N818
    """There is a cache of that name, or at that place, already."""

    code = "cache_exists"


class LoggerFileError(BlitzError, OSError):
    """A logger's file cannot be opened, read or written."""

    code = "logger_file"


class BlockError(BlitzError, ValueError):
    """A block of messages is damaged, or not a block at all."""

    code = "block"


class DownloadCancelled(BlitzError, RuntimeError):  # noqa: N818
    """A download was cancelled; an older copy is kept."""

    code = "download_cancelled"


class ExportError(BlitzError, OSError):
    """A file could not be written."""

    code = "export"


class ReportTemplateError(BlitzError, ValueError):
    """A template of reports is wrong."""

    code = "report_template"


class VerificationError(BlitzError, ValueError):
    """A file is not what its sidecar says."""

    code = "verification"


class ImportFileError(BlitzError, ValueError):
    """A file to import is none that Blitz reads, or is damaged."""

    code = "import_file"


class SeriesError(BlitzError, ValueError):
    """Arrays were asked for a channel that is not there, or with an argument that has no meaning."""

    code = "series"


class QueryError(BlitzError, ValueError):
    """SQL is wrong, or asks for what a query may not do."""

    code = "query"


class QueryTimeout(QueryError, TimeoutError):  # noqa: N818
    """A query took longer than it was given."""

    code = "query_timeout"


class InsertError(BlitzError, ValueError):
    """A series cannot be stored: it is none, or the server refuses its points."""

    code = "insert"


class InsertOverflow(InsertError, OverflowError):  # noqa: N818
    """A whole number of a series has more than 63 bits and a sign."""

    code = "insert_overflow"


class MarkerNotFound(BlitzError, LookupError):  # noqa: N818
    """A session has no marker with that id."""

    code = "marker_not_found"


class EditConflict(BlitzError, RuntimeError):  # noqa: N818
    """Somebody else has changed it since it was read."""

    code = "edit_conflict"


class PackageMissing(BlitzError, ImportError):  # noqa: N818
    """An optional part of Blitz is not installed."""

    code = "package_missing"


class RemoteError(BlitzError):
    """What went wrong between a client and the server."""

    code = "remote"


class ServerUnreachable(RemoteError, ConnectionError):  # noqa: N818
    """No server answered at the host and port."""

    code = "server_unreachable"
    was_sent = True
    """Whether the request may have reached a server: else it certainly changed nothing."""


class PoolError(ServerUnreachable):
    """None of several hosts is available: try again later."""

    code = "pool"


class RequestTimeout(RemoteError, TimeoutError):  # noqa: N818
    """The server's answer did not come in time."""

    code = "request_timeout"


class AuthenticationError(RemoteError, PermissionError):
    """The token is missing or wrong."""

    code = "authentication"


class UserAuthError(RemoteError, PermissionError):
    """Who asks has no right to do that."""

    code = "user_auth"


class Forbidden(UserAuthError):  # noqa: N818
    """The token's role may not do that."""

    code = "forbidden"


class CertificateMismatch(RemoteError, ConnectionError):  # noqa: N818
    """The server's certificate is not the one that is expected."""

    code = "certificate_mismatch"


class DatabaseNotFound(RemoteError, IndexError):  # noqa: N818
    """The server's store has another name than the one that is wanted."""

    code = "database_not_found"


class ServerBusy(RemoteError, ConnectionError):  # noqa: N818
    """A limit of the server is reached, or too many attempts failed: try again later."""

    code = "busy"
    retry_after_s: float | None = None
    """How long the server asks to wait; None where it does not say."""


class ServerError(RemoteError, RuntimeError):
    """The server refused a request for a reason that has no class of its own.

    :param code: the stable code of the server's problem details.
    :param status: the HTTP status.
    """

    def __init__(self, message: str, code: str = "server", status: int = 500) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class UnknownAnswer(ServerError, TypeError):  # noqa: N818
    """What answers does not speak as a Blitz server of this version does."""


def error_for_code(code: str, message: str, status: int = 500) -> BlitzError:
    """Return the error that a server's problem details stand for.

    >>> error_for_code("no_session", "No session runs.")
    NoSession('No session runs.')
    """
    pending = list(BlitzError.__subclasses__())
    while pending:
        kind = pending.pop()
        if kind.code == code and not issubclass(kind, ServerError):
            return kind(message)
        pending.extend(kind.__subclasses__())
    return ServerError(message, code, status)
