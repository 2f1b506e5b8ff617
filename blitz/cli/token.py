"""Commands about who may use a server. They work on its data folder, on its machine, whether it runs or not."""

import io
import ipaddress
import socket
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from blitz.cli.completing import complete_tokens
from blitz.cli.options import EPILOG, JsonOption, Panel
from blitz.cli.output import Output, local_time
from blitz.cli.programs import SERVER_PACKAGES, needing

if TYPE_CHECKING:
    from blitz.config import ServerSettings
    from blitz.data.access_records import AuditRecord, TokenRecord
    from blitz.data.served_address import ServedAddress

_TABLES = "server.db"

tokens = typer.Typer(
    name="token",
    help="Make, list or revoke tokens: who may use the server.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class RoleName(StrEnum):
    """What a token allows; each role allows what those before it do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


DataDirOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The server's data folder. [default: as for 'blitz serve']")
]
ServerConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with a table [server].")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tokens, rich_help_panel=Panel.ADMINISTER)
    app.command(epilog=EPILOG, rich_help_panel=Panel.ADMINISTER)(audit)


@tokens.callback(invoke_without_command=True)
def _tokens(
    context: typer.Context,
    data_dir: DataDirOption = None,
    config_file: ServerConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    if context.invoked_subcommand is None:
        list_tokens(data_dir, config_file, as_json)


@tokens.command(epilog=EPILOG)
def create(
    role: Annotated[
        RoleName,
        typer.Option(help="viewer: look, download; operator: also record, command; admin: all.", show_default=False),
    ],
    name: Annotated[str, typer.Option("--name", "-n", help="Whom or what it is for.", show_default=False)] = "",
    host: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What clients call this machine. [default: as the server is reached]"),
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of the server, if it is another.", show_default=False)] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="For a server that runs with --insecure: without TLS.")
    ] = False,
    qr: Annotated[bool, typer.Option("--qr", help="Show the page's address as a picture that phones read.")] = False,
    data_dir: DataDirOption = None,
    config_file: ServerConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print its link, once.

    The link is what clients need: paste it into the window, or give it to --server. Run this on the server's machine,
    as the user whom the server runs as. It needs no running server, so that the first token can be made before the
    server is reached from the network.
    """
    from blitz.config import LOOPBACK_HOSTS, ServerSettings, load
    from blitz.data.records import Role
    from blitz.data.tokens import TokenStore

    host, port = _split(host, port)
    arguments = {"data_dir": data_dir, "port": port, "insecure": insecure or None}
    settings = load(ServerSettings, arguments, config_file)
    with needing("server", "The server", SERVER_PACKAGES):
        served = _served(settings, host, port)
    with TokenStore(settings.data_dir / _TABLES) as store:
        record, token = store.create(Role(role.value), name)
    link = served.link(token, socket.gethostname())
    out = Output(as_json)
    page = served.page(token, socket.gethostname())
    out.document(record=record, token=token, link=link, page=page)
    out.line(link)
    out.line("")
    out.line("Paste it into the client, or give it to --server. It is shown this once, and is as good as a password.")
    out.line(f"'blitz token revoke {record.id}' makes it worthless.")
    is_local = served.host in LOOPBACK_HOSTS
    out.line(f"{'In a browser of this machine' if is_local else 'In a browser, of a phone too'}: {page}")
    if qr:
        with needing("server", "The picture", SERVER_PACKAGES):
            out.text(_picture(page))
    if not _is_known_name(settings, served.host):
        out.line(
            f"The server answers to the name {served.host} only if its settings have it: "
            f'allowed_hosts = ["{served.host}"] in the table [server].'
        )
    if not served.fingerprint and not insecure:
        out.line(
            "This link is without TLS, for programs of this machine. For a server that will listen on the network, "
            f"name the machine: --host {socket.gethostname()}."
        )
    note(settings, f"blitz token create: {record.id}, {record.name}, {record.role}")


def _picture(text: str) -> str:
    """Return a QR code for a dark terminal; phones read it on a bright one, too."""
    import segno

    drawn = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawn, compact=True)
    return drawn.getvalue()


@tokens.command("list", epilog=EPILOG)
def list_tokens(
    data_dir: DataDirOption = None, config_file: ServerConfigOption = None, as_json: JsonOption = False
) -> None:
    """List all tokens, revoked ones, too."""
    from blitz.data.tokens import TokenStore

    with TokenStore(_existing_tables(server_settings(data_dir, config_file))) as store:
        records = store.tokens()
    out = Output(as_json)
    out.document(tokens=records)
    if records:
        out.table(("Id", "Name", "Role", "Made", "Last used", "Revoked"), [_token_row(record) for record in records])
    else:
        out.line("There are no tokens. 'blitz token create --role admin' makes one.")


@tokens.command(epilog=EPILOG)
def revoke(
    token_id: Annotated[
        int, typer.Argument(metavar="ID", min=0, help="As 'blitz token list' shows it.", autocompletion=complete_tokens)
    ],
    data_dir: DataDirOption = None,
    config_file: ServerConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token worthless, at once.

    Who is connected by it is cut off within a second.
    """
    from blitz.data.tokens import TokenStore

    settings = server_settings(data_dir, config_file)
    with TokenStore(_existing_tables(settings)) as store:
        record = store.revoke(token_id)
    note(settings, f"blitz token revoke: {record.id}, {record.name}")
    out = Output(as_json)
    out.document(token=record)
    out.line(f"Token {record.id} ({record.name}) is revoked.")


def audit(
    last: Annotated[int, typer.Option("--last", metavar="N", min=1, help="So many entries at most.")] = 50,
    data_dir: DataDirOption = None,
    config_file: ServerConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was changed on the server, by whom.

    And what was refused. Run it on the server's machine, as the user whom the server runs as.
    """
    from blitz.data.audit import AuditStore

    with AuditStore(_existing_tables(server_settings(data_dir, config_file))) as store:
        records = store.last(last)
    out = Output(as_json)
    out.document(audit=records)
    if records:
        out.table(("Time", "Who", "From", "What", "Outcome", "Times"), [_audit_row(record) for record in records])
    else:
        out.line("Nothing was changed and nothing was refused.")


def server_settings(data_dir: Path | None, config_file: Path | None) -> "ServerSettings":
    """Gather the settings of the server whose data folder a command works on."""
    from blitz.config import ServerSettings, load

    return load(ServerSettings, {"data_dir": data_dir}, config_file)


def _existing_tables(settings: "ServerSettings") -> Path:
    """To look must not make a data folder where somebody has mistyped its name."""
    from blitz.errors import ConfigError

    path = settings.data_dir / _TABLES
    if not path.exists():
        raise ConfigError(f"No server has used the data folder {settings.data_dir} yet: {path} does not exist.")
    return path


def _served(settings: "ServerSettings", host: str | None, port: int | None) -> "ServedAddress":
    """Say how clients reach the server: as it runs now, or as it will run with these settings."""
    from blitz.config import LOOPBACK_HOSTS
    from blitz.data.served_address import ServedAddress
    from blitz.io.access import server_certificate

    running = ServedAddress.read(settings.data_dir)
    if running is not None and (running.host not in LOOPBACK_HOSTS or host is None or host in LOOPBACK_HOSTS):
        fingerprint = "" if settings.insecure else running.fingerprint
        return ServedAddress(host=host or running.host, port=port or running.port, fingerprint=fingerprint)
    planned = settings.model_copy(update={"host": host or settings.host})
    certificate = server_certificate(planned)
    fingerprint = certificate.fingerprint if certificate else ""
    return ServedAddress(host=planned.host, port=planned.port, fingerprint=fingerprint)


def _split(host: str | None, port: int | None) -> tuple[str | None, int | None]:
    """Take ``NAME:PORT`` apart, as people write it who know a server's address; an IPv6 address stays whole.

    :raises ConfigError: if it is no name.
    """
    from blitz.errors import ConfigError

    if host is None:
        return None, port
    wrong = ConfigError(f"--host {host!r} is no name: give what clients call this machine, such as lab-pi.")
    try:
        parts = urlsplit(f"//[{host}]" if host.count(":") > 1 and "[" not in host else f"//{host}")
        number = parts.port
    except ValueError:
        raise wrong from None
    if not parts.hostname or parts.netloc.strip("[]") != host.strip("[]") or "@" in host or " " in host:
        raise wrong
    return parts.hostname, number or port


def _is_known_name(settings: "ServerSettings", name: str) -> bool:
    from blitz.config import LOOPBACK_HOSTS

    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in (*LOOPBACK_HOSTS, settings.host, socket.gethostname(), *settings.allowed_hosts)
    return True


def note(settings: "ServerSettings", what: str) -> None:
    """Put into the audit trail what was done at the console."""
    from blitz.data.audit import AuditEntry, AuditStore, Outcome, now_ms
    from blitz.io.calls import default_owner

    with AuditStore(settings.data_dir / _TABLES) as trail:
        trail.add([AuditEntry(now_ms(), default_owner(), "console", what, 0, Outcome.DONE)])


def _token_row(record: "TokenRecord") -> tuple[str, ...]:
    moments = (record.created_at, record.last_used_at, record.revoked_at)
    shown = (local_time(moment) if moment else "" for moment in moments)
    return str(record.id), record.name, record.role, *shown


def _audit_row(record: "AuditRecord") -> tuple[str, ...]:
    status = f" ({record.status})" if record.status else ""
    times = str(record.count) if record.count > 1 else ""
    return local_time(record.time), record.who, record.origin, record.what, f"{record.outcome}{status}", times
