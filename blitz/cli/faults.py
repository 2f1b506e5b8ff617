"""What an error means to the caller of a command: an exit code, and one sentence or a JSON document."""

import json
import logging
import sys
from enum import IntEnum

import typer

from blitz import errors
from blitz.cli.output import printable

log = logging.getLogger(__name__)

# Typer carries its own copy of click, and earlier versions use click itself: this finds the class of either.
UsageFault: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    INTERRUPTED = 130


_CODES: dict[type[BaseException], ExitCode] = {
    errors.ConfigError: ExitCode.USAGE,
    errors.ServerUnreachable: ExitCode.UNREACHABLE,
    errors.RequestTimeout: ExitCode.UNREACHABLE,
    errors.ServerBusy: ExitCode.UNREACHABLE,
    errors.CertificateMismatch: ExitCode.UNREACHABLE,
    errors.SessionRunning: ExitCode.REFUSED,
    errors.NoSession: ExitCode.REFUSED,
    errors.StoreInUse: ExitCode.REFUSED,
    errors.StoreFull: ExitCode.REFUSED,
    errors.CommandRefused: ExitCode.REFUSED,
    errors.EditConflict: ExitCode.REFUSED,
    errors.FieldsMissing: ExitCode.REFUSED,
    errors.SourceExists: ExitCode.REFUSED,
    errors.SourceUnavailable: ExitCode.REFUSED,
    errors.StreamExists: ExitCode.REFUSED,
    errors.CacheExists: ExitCode.REFUSED,
    errors.AuthenticationError: ExitCode.REFUSED,
    errors.Forbidden: ExitCode.REFUSED,
    errors.Forbidden: ExitCode.REFUSED,
    UsageFault: ExitCode.USAGE,
    KeyboardInterrupt: ExitCode.INTERRUPTED,
}


class InstallationError(errors.BlitzError, ImportError):
    """A part of Blitz is not installed; says how to install it."""

    code = "installation"


def report(error: BaseException, *, as_json: bool) -> ExitCode:
    """Tell the user what went wrong, and return the exit code."""
    exit_code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), ExitCode.ERROR)
    code, sentence = _describe(error)
    if as_json:
        document = {"error": {"code": code, "message": sentence, "exit_code": int(exit_code)}}
        print(json.dumps(document), file=sys.stderr)  # noqa: T201
    elif sentence:
        lines = (printable(line) for line in sentence.split("\n"))  # they may come from a server
        print(*lines, sep="\n", file=sys.stderr)  # noqa: T201
    return exit_code


def _describe(error: BaseException) -> tuple[str, str]:
    if isinstance(error, errors.BlitzError):
        return error.code, str(error)
    if isinstance(error, UsageFault):
        return "usage", _usage_sentence(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "Interrupted."
    if isinstance(error, OSError):
        reason = (error.strerror or str(error)).lower()
        return "system", f"{error.filename}: {reason}." if error.filename else f"{reason[:1].upper()}{reason[1:]}."
    log.error("A fault of our own", exc_info=error)
    return "fault", f"Sorry, this is a fault in Blitz itself: {type(error).__name__}: {error}."


def _usage_sentence(error: Exception) -> str:
    if type(error).__name__ == "NoArgsIsHelpError":  # its words would be the whole help
        names = ", ".join(name for name, command in error.ctx.command.commands.items() if not command.hidden)  # type: ignore[attr-defined]
        sentence = f"Say what to do, one of: {names}"
    else:
        sentence = error.format_message() if hasattr(error, "format_message") else str(error)
    sentence = " ".join(sentence.replace(": Value error, ", ": ").split())  # choices come on lines of their own
    if "Input should" in sentence:
        from blitz.config import plain_reason

        place, colon, reason = sentence.partition(": ")
        sentence = f"{place}{colon}{plain_reason(reason)}"
    context = getattr(error, "ctx", None)
    hint = f" See '{context.command_path} --help'." if context is not None else ""
    sentence = sentence.rstrip(".")
    return f"{sentence}{'' if sentence.endswith('?') else '.'}{hint}"
