"""Commands about hooks, which tell people what happens: list, add, remove, test."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.completing import complete_hooks
from blitz.cli.faults import ExitCode
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption, list_by_default
from blitz.cli.output import Output, local_time

if TYPE_CHECKING:
    from blitz.data.hook_records import HookRecord

hooks = typer.Typer(name="hooks", help="Show whom the server tells what happens, add others, and try it.")

HookName = Annotated[
    str, typer.Argument(metavar="NAME", help="The hook's name.", show_default=False, autocompletion=complete_hooks)
]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="A name of letters and digits.", show_default=False)]


class Security(StrEnum):
    """How the connection to a mail server is kept from others."""

    STARTTLS = "starttls"
    SSL = "ssl"
    NONE = "none"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(hooks, epilog=EPILOG, rich_help_panel=Panel.ADMINISTER)


@hooks.command("list", epilog=EPILOG)
def list_hooks(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the server's hooks, and how they are doing."""
    records = ask(client_settings(server, token, config_file), lambda client: client.hooks())
    out = Output(as_json)
    out.document(hooks=records)
    if not records:
        out.line(
            "No hooks. 'blitz hooks add' adds one, and so do tables [[server.hooks]] in the server's settings file."
        )
        return
    headers = ("Name", "Kind", "Tells", "Sent", "Waiting", "Dropped", "Last sent", "Trouble")
    out.table(headers, [_row(record) for record in records])


list_by_default(hooks, list_hooks)


@hooks.command("add", epilog=EPILOG)
def add_hook(
    name: NewName,
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="ADDRESS", help="E-mail address, or http(s)://… for a POST; repeatable."),
    ],
    host: Annotated[str, typer.Option("--mail-server", metavar="HOST[:PORT]", help="Through which e-mails go.")] = "",
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="From which e-mails come.")] = "",
    security: Annotated[
        Security, typer.Option("--security", help="Of the connection to the mail server.")
    ] = Security.STARTTLS,
    user: Annotated[str, typer.Option("--user", help="Login at the mail server; the password is asked.")] = "",
    on: Annotated[
        list[str] | None, typer.Option("--on", metavar="EVENT", help="What it is told, such as alarm; else everything.")
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(
            "--at-most-every",
            metavar="SECONDS",
            min=0,
            help="Of one alarm rule or source; 300 if absent, 0: each time.",
        ),
    ] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the server tell somebody what happens, by e-mail or by a POST of JSON; needs an administrator's token.

    The server keeps it, and a password, in its tables. Adding one of the same name changes it.
    """
    fields = _fields_of_hook(to, host, sender, security.value, user, on)
    if every is not None:
        fields["at_most_every_s"] = every
    record = ask(client_settings(server, token, config_file), lambda client: client.add_hook(name, **fields))
    out = Output(as_json)
    out.document(hook=record)
    out.line(f"The hook {name!r} tells {record.target}. 'blitz hooks test {name}' tries it.")


@hooks.command("remove", epilog=EPILOG)
def remove_hook(
    name: HookName,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the server forget a hook that was added."""
    ask(client_settings(server, token, config_file), lambda client: client.remove_hook(name))
    out = Output(as_json)
    out.document(removed=name)
    out.line(f"The hook {name!r} is removed.")


@hooks.command("test", epilog=EPILOG)
def try_hook(
    name: HookName,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the server tell somebody that this is a test, and say whether it was taken."""
    outcome = ask(client_settings(server, token, config_file), lambda client: client.test_hook(name))
    out = Output(as_json)
    out.document(test=outcome)
    if outcome.is_sent:
        out.line(f"Sent in {outcome.took_s:.1f} s.")
        return
    out.line(f"Not sent: {outcome.error}")
    raise typer.Exit(ExitCode.ERROR)


def _fields_of_hook(
    to: list[str], host: str, sender: str, security: str, user: str, on: list[str] | None
) -> dict[str, Any]:
    """Return a hook's fields as the server takes them.

    :raises BadParameter: if something does not fit together.
    """
    fields: dict[str, Any] = {} if not on else {"on": on}
    addresses = [address for address in to if "://" in address]
    if addresses:
        if len(to) > 1:
            raise typer.BadParameter("one web address a hook: add others by names of their own", param_hint="--to")
        return fields | {"kind": "webhook", "url": to[0]}
    for option, given in (("--mail-server", host), ("--from", sender)):
        if not given:
            raise typer.BadParameter("an e-mail needs it", param_hint=option)
    name, _, port = host.rpartition(":") if host.count(":") == 1 else (host, "", "")
    fields |= {"kind": "email", "host": name, "sender": sender, "to": to, "security": security}
    if port:
        fields["port"] = port
    if user:
        fields |= {"user": user, "password": typer.prompt(f"Password of {user}", hide_input=True, err=True)}
    return fields


def _row(record: "HookRecord") -> tuple[str, ...]:
    counts = str(record.sent), str(record.waiting), str(record.dropped)
    last = "–" if record.last_success is None else local_time(record.last_success)
    return record.name, record.kind, record.target, *counts, last, record.error or ""
