"""Commands about the certificate by which clients know the server. They work on its data folder, on its machine."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from blitz.cli.asking import confirm
from blitz.cli.options import EPILOG, JsonOption, Panel, YesOption
from blitz.cli.output import Output
from blitz.cli.programs import SERVER_PACKAGES, needing
from blitz.cli.token import DataDirOption, ServerConfigOption, note, server_settings
from blitz.errors import ConfigError

if TYPE_CHECKING:
    from blitz.config import ServerSettings
    from blitz.io.certificate import Certificate

tls = typer.Typer(name="tls", help="Show or renew the certificate by which clients know the server.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tls, epilog=EPILOG, rich_help_panel=Panel.ADMINISTER)


@tls.callback(invoke_without_command=True)
def _tls(
    context: typer.Context,
    data_dir: DataDirOption = None,
    config_file: ServerConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    if context.invoked_subcommand is None:
        show(data_dir, config_file, as_json)


@tls.command(epilog=EPILOG)
def show(data_dir: DataDirOption = None, config_file: ServerConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the server's certificate: names, validity, fingerprint."""
    settings = server_settings(data_dir, config_file)
    with needing("server", "The certificate", SERVER_PACKAGES):
        certificate = _certificate(settings)
        from blitz.io.access import uses_tls
        from blitz.io.certificate_facts import read_facts

        facts, is_used = read_facts(certificate), uses_tls(settings)
    trouble = "" if certificate.is_private else facts.trouble(datetime.now(UTC))
    out = Output(as_json)
    out.document(
        certificate=str(certificate.certificate),
        key=str(certificate.key),
        is_private=certificate.is_private,
        names=list(facts.names),
        since=facts.since.isoformat(),
        until=facts.until and facts.until.isoformat(),
        issuer=facts.issuer,
        fingerprint=facts.fingerprint,
        trouble=trouble,
        is_used=is_used,
    )
    out.line(f"Certificate:  {certificate.certificate}")
    out.line(f"Key:          {certificate.key}")
    out.line(f"Made by:      {'this server, for itself' if certificate.is_private else facts.issuer}")
    out.line(f"For:          {', '.join(facts.names) or 'no name'}")
    out.line(f"Valid:        {f'until {facts.until:%Y-%m-%d}' if facts.until else 'without end'}")
    out.line(f"Fingerprint:  {facts.fingerprint}")
    if trouble:
        out.line(trouble)
    if not is_used:
        out.line("With these settings the server does not use it: it listens on its own machine only, or is insecure.")


@tls.command(epilog=EPILOG)
def fingerprint(
    data_dir: DataDirOption = None, config_file: ServerConfigOption = None, as_json: JsonOption = False
) -> None:
    """Print the fingerprint alone: SHA-256 of the certificate."""
    with needing("server", "The certificate", SERVER_PACKAGES):
        certificate = _certificate(server_settings(data_dir, config_file))
    out = Output(as_json)
    out.document(fingerprint=certificate.fingerprint)
    out.line(certificate.fingerprint)


@tls.command(epilog=EPILOG)
def renew(
    yes: YesOption = False,
    data_dir: DataDirOption = None,
    config_file: ServerConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new certificate, such as when somebody else may have its key.

    Clients know the server by its certificate: each needs a new link or the new fingerprint. The server shows the new
    one when it is started again.
    """
    settings = server_settings(data_dir, config_file)
    if settings.tls_certificate is not None:
        raise ConfigError(
            f"The server uses your own certificate {settings.tls_certificate}: put a new one there, then start the "
            "server again."
        )
    with needing("server", "The certificate", SERVER_PACKAGES):
        before = _certificate(settings)
        from blitz.io.certificate_facts import read_facts, renew_private_certificate

        confirm("All clients that use a link will need a new one. Make a new certificate?", yes=yes)
        names = (*read_facts(before).names, settings.host, *settings.allowed_hosts)
        certificate, aside = renew_private_certificate(settings.data_dir, names)
    note(settings, f"blitz tls renew: {certificate.fingerprint}")
    out = Output(as_json)
    out.document(fingerprint=certificate.fingerprint, before=before.fingerprint, moved_to=str(aside))
    out.line(f"New fingerprint: {certificate.fingerprint}")
    out.line(
        f"The old certificate is in {aside}. Start the server again, then tell all clients: tokens stay as they are."
    )
    out.line("'blitz token create' prints links with the new one; 'blitz profile add NAME LINK --replace' takes one.")


def _certificate(settings: "ServerSettings") -> "Certificate":
    """Return the certificate that there is; to look must not make one.

    :raises ConfigError: if there is none, or it cannot be used.
    """
    from blitz.io.certificate import FOLDER, own_certificate, private_certificate

    if settings.tls_certificate is not None:
        return own_certificate(settings.tls_certificate, settings.tls_key)
    if not (settings.data_dir / FOLDER).exists():
        raise ConfigError(
            f"There is no certificate in {settings.data_dir} yet. One is made when the server is first started beyond "
            "its own machine, or by 'blitz token create' with --host."
        )
    return private_certificate(settings.data_dir)
