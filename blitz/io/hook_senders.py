"""The three ways in which hooks tell somebody: e-mail, a POST to a web address, a program of this machine.

Each sends once, within its time, and raises :class:`~blitz.errors.HookError` with a sentence if that did not work.
"""

import contextlib
import os
import signal
import smtplib
import ssl
import subprocess
import sys
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

import httpx

from blitz.data.hook_config import CommandHook, EmailHook, WebhookHook
from blitz.data.hook_records import Telling
from blitz.errors import ConfigError, HookError

_SHOWN_CHARS = 200


def send(hook: EmailHook | WebhookHook | CommandHook, telling: Telling) -> None:
    """Send once.

    :raises HookError: if it was not taken.
    """
    try:
        if isinstance(hook, EmailHook):
            _send_email(hook, telling)
        elif isinstance(hook, WebhookHook):
            _send_webhook(hook, telling)
        else:
            _run_command(hook, telling)
    except ConfigError as error:
        raise HookError(str(error)) from error


# ---- e-mail ---------------------------------------------------------------------------------------------------------


def _send_email(hook: EmailHook, telling: Telling) -> None:
    where = f"{hook.host} port {hook.port_in_use}"
    try:
        password = hook.secret() if hook.user else ""
        context = _tls(hook.ca_file) if hook.security != "none" else None
        with _connect(hook, context) as server:
            if hook.security == "starttls":
                server.starttls(context=context)
            if hook.user:
                server.login(hook.user, password)
            server.send_message(_email(hook, telling))
    except smtplib.SMTPAuthenticationError as error:
        raise HookError(f"The mail server {where} does not take the login of {hook.user!r}.") from error
    except smtplib.SMTPResponseException as error:
        raise HookError(f"The mail server {where} refused: {error.smtp_code} {_shown(error.smtp_error)}.") from error
    except smtplib.SMTPNotSupportedError as error:
        raise HookError(
            f"The mail server {where} does not offer it: {_reason(error)}. Where the network to it can be trusted, "
            "choose “not encrypted”."
        ) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise HookError(f"The mail server {where} refused {', '.join(error.recipients)}.") from error
    except (OSError, ValueError) as error:  # smtplib's other errors are OSErrors, too
        raise HookError(f"Cannot send an e-mail through {where}: {_reason(error)}.") from error


def _connect(hook: EmailHook, context: ssl.SSLContext | None) -> smtplib.SMTP:
    if hook.security == "ssl":
        return smtplib.SMTP_SSL(hook.host, hook.port_in_use, timeout=hook.timeout_s, context=context)
    return smtplib.SMTP(hook.host, hook.port_in_use, timeout=hook.timeout_s)


def _email(hook: EmailHook, telling: Telling) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = f"Blitz on {telling.server}: {_one_line(telling.title)}"
    message["From"] = hook.sender
    message["To"] = ", ".join(hook.to)
    message["Date"] = format_datetime(telling.time)
    message["Message-ID"] = make_msgid(telling.id, domain=hook.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    moment = telling.time.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    message.set_content(f"{telling.text}\n\n{moment}, {telling.event.value}, sent by Blitz on {telling.server}.\n")
    return message


# ---- webhook --------------------------------------------------------------------------------------------------------


def _send_webhook(hook: WebhookHook, telling: Telling) -> None:
    try:
        context: Any = _tls(hook.ca_file) if hook.url.startswith("https:") else True
        told = telling.model_dump(mode="json", exclude_none=True)
        with (
            httpx.Client(timeout=hook.timeout_s, verify=context) as client,
            client.stream("POST", hook.url, json=told, headers=hook.headers()) as answer,
        ):
            # No more of it than is shown: nobody knows how long it is.
            said = next(answer.iter_raw(_SHOWN_CHARS), b"")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise HookError(f"Cannot reach {hook.target}: {_reason(error)}.") from error
    if not answer.is_success:
        raise HookError(f"{hook.target} answered {answer.status_code} {answer.reason_phrase}: {_shown(said)}.")


# ---- command --------------------------------------------------------------------------------------------------------


def _run_command(hook: CommandHook, telling: Telling) -> None:
    words = {
        "event": telling.event.value,
        "title": _one_line(telling.title),
        "text": _printable(telling.text),
        "source": _one_line(telling.source or ""),
        "session": "" if telling.session_id is None else str(telling.session_id),
        "server": telling.server,
    }
    command = [_filled(part, words) for part in hook.command]
    # The server's token is nobody else's business.
    environment = {name: value for name, value in os.environ.items() if name != "BLITZ_TOKEN"}
    environment |= {f"HOOK_{name.upper()}": value for name, value in words.items()}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise HookError(f"Cannot start {hook.target}: {_reason(error)}.") from error
    with process:
        try:
            said = process.communicate(telling.model_dump_json(exclude_none=True).encode(), hook.timeout_s)[1]
        except subprocess.TimeoutExpired:
            _kill(process)
            raise HookError(f"{hook.target} did not end within {hook.timeout_s:g} s, and was killed.") from None
        except BaseException:
            _kill(process)
            raise
    if process.returncode:
        raise HookError(f"{hook.target} ended with code {process.returncode}: {_shown(said)}.")


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End a program and those that it started: they hold the pipe that is waited for."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _filled(part: str, words: dict[str, str]) -> str:
    """Put words in their places; once, so that a word that looks like a place stays as it is.

    >>> _filled("{event}: {title}", {"event": "test", "title": "{event} {x}"})
    'test: {event} {x}'
    """
    pieces: list[str] = []
    while part:
        head, brace, rest = part.partition("{")
        pieces.append(head)
        name, closing, after = rest.partition("}")
        if closing and name in words:
            pieces.append(words[name])
            part = after
        else:
            pieces.append(brace)
            part = rest
    return "".join(pieces)


# ---- words ----------------------------------------------------------------------------------------------------------


def _tls(ca_file: Any) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file.expanduser()))


def _one_line(text: str) -> str:
    """Return text without what could end a header line: names come from other people.

    >>> _one_line("pump\\r\\nBcc: x@y.z")
    'pump  Bcc: x@y.z'
    """
    return "".join(char if char.isprintable() else " " for char in text)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def _shown(said: str | bytes) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    text = _one_line(text.strip())
    return repr(text[:_SHOWN_CHARS]) if text else "without a word"


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return _one_line(str(text)).rstrip(".")
