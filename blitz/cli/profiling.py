"""Commands about profiles: servers by name, as the user of this machine knows them."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli.asking import ask, confirm
from blitz.cli.completing import complete_caches, complete_profiles
from blitz.cli.ending import at_once
from blitz.cli.options import EPILOG, JsonOption, Panel, YesOption
from blitz.cli.output import Output
from blitz.errors import BlitzError

if TYPE_CHECKING:
    from blitz.data.profiles import Profile

_CHECK_S = 3.0

profile = typer.Typer(name="profile", help="Name servers, so that --server takes a name: list, add, use or delete.")

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The profile's name.", show_default=False, autocompletion=complete_profiles),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(profile, epilog=EPILOG, rich_help_panel=Panel.ADMINISTER)


@profile.callback(invoke_without_command=True)
def _profile(context: typer.Context, as_json: JsonOption = False) -> None:
    if context.invoked_subcommand is None:
        list_profiles(as_json)


@profile.command("list", epilog=EPILOG)
def list_profiles(as_json: JsonOption = False) -> None:
    """List the profiles. Tokens are not shown."""
    from blitz.data.profiles import read_profiles

    profiles = read_profiles()
    out = Output(as_json)
    out.document(
        profiles=[_plain(each) for each in profiles.by_name.values()], use=profiles.chosen, file=str(profiles.path)
    )
    if not profiles.by_name:
        out.line("No profiles. 'blitz profile add NAME LINK' makes one, with the link of 'blitz token create'.")
        return
    rows = [_row(each, each.name == profiles.chosen) for each in profiles.by_name.values()]
    out.table(("Name", "Used", "Server", "Token", "Fingerprint", "Cache"), rows)


@profile.command(epilog=EPILOG)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as bench1.", show_default=False)],
    link: Annotated[
        str | None,
        typer.Argument(
            metavar="LINK",
            help="Of 'blitz token create', in quotes, or an address; -: from the standard input. [default: it is "
            "asked for, so that no history keeps it]",
            show_default=False,
        ),
    ] = None,
    token: Annotated[
        str | None, typer.Option("--token", metavar="TOKEN", help="What the server asks for, if no link says it.")
    ] = None,
    cache: Annotated[
        str,
        typer.Option(
            "--cache",
            metavar="NAME",
            help="The cache for it, as 'blitz cache' names it.",
            autocompletion=complete_caches,
        ),
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of one of this name.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Note a server under a name, and say whether it answers.

    The file belongs to you alone, since there are tokens in it.
    """
    from blitz.data.profiles import Profile, add_profile, profiles_path
    from blitz.io.address import ServerAddress

    address = ServerAddress.parse(_link(link), token=token)
    noted = Profile(name, address.http_url, address.token, address.fingerprint, cache)
    add_profile(noted, replace=replace)
    out = Output(as_json)
    trouble = _try(noted)
    out.document(profile=_plain(noted), answers=not trouble, trouble=trouble, file=str(profiles_path()))
    out.line(
        f"{name} is {noted.server}. '--server {name}' means it, and 'blitz profile use {name}' makes it the usual one."
    )
    out.line(f"But now: {trouble}" if trouble else "It answers.")


@profile.command(epilog=EPILOG)
def use(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="The profile's name.", show_default=False, autocompletion=complete_profiles
        ),
    ] = None,
    none: Annotated[
        bool, typer.Option("--none", help="Use none: the server of the settings, or of this machine.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Choose the server that commands mean where none is named."""
    from blitz.config import ClientSettings, load
    from blitz.data.profiles import use_profile

    if (name is None) != none:
        raise typer.BadParameter("give the name of a profile, or --none.")
    use_profile(name or "")
    out = Output(as_json)
    origin = load(ClientSettings).origin("server")
    out.document(use=name or "", overruled_by=origin)
    out.line(f"{name} is used where no server is named." if name else "No profile is used.")
    if name and origin:
        out.line(f"But {origin} says another, and goes before it.")


@profile.command(epilog=EPILOG)
def delete(name: NameArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Forget a profile. The server keeps its token, which 'blitz token revoke' there makes worthless."""
    from blitz.data.profiles import delete_profile, read_profiles

    noted = read_profiles().named(name)
    confirm(f"Forget {name}, {noted.server}{', and its token' if noted.token else ''}?", yes=yes)
    delete_profile(name)
    out = Output(as_json)
    out.document(deleted=name)
    out.line(f"{name} is forgotten.")


def _link(given: str | None) -> str:
    """Return what says where the server is: from the command line, the standard input, or whoever sits there."""
    if given not in (None, "-"):
        return str(given)
    if given == "-":
        return sys.stdin.readline().strip()
    if sys.stdin is None or not sys.stdin.isatty():
        raise typer.BadParameter(
            "it is missing, and nobody can be asked here: give it, or - to read it.", param_hint="LINK"
        )
    try:
        with at_once():
            return str(typer.prompt("Link or address (not shown)", hide_input=True, err=True))
    except typer.Abort:
        raise KeyboardInterrupt from None


def _try(noted: "Profile") -> str:
    """Return why a server does not answer; empty if it does."""
    from blitz.config import ClientSettings, load
    from blitz.data.profiles import put_profile

    async def look(client: Any) -> None:
        async with asyncio.timeout(_CHECK_S):
            await client.status()

    settings = put_profile(noted, load(ClientSettings))
    try:
        ask(settings, look)
    except BlitzError as error:
        return str(error)
    except TimeoutError:
        return f"{noted.server} did not answer in {_CHECK_S:.0f} s."
    return ""


def _plain(noted: "Profile") -> dict[str, Any]:
    """Return a profile as JSON has it: whether there is a token, not which."""
    return {
        "name": noted.name,
        "server": noted.server,
        "has_token": bool(noted.token),
        "fingerprint": noted.fingerprint,
        "cache": noted.cache,
    }


def _row(noted: "Profile", is_used: bool) -> tuple[str, ...]:
    token, fingerprint = "yes" if noted.token else "–", f"{noted.fingerprint[:16]}…" if noted.fingerprint else "–"
    return noted.name, "yes" if is_used else "", noted.server, token, fingerprint, noted.cache or "–"
