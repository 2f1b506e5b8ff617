"""The command `blitz service`: prints or installs what makes the server a service of the system or of a user."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import confirm
from blitz.cli.options import EPILOG, JsonOption, Panel, YesOption
from blitz.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blitz.cli.service_files import ServiceFile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.RUN)(service)


def service(
    install: Annotated[bool, typer.Option("--install", help="Write the files; else they are printed.")] = False,
    user: Annotated[
        bool, typer.Option("--user/--system", help="A service of yours, without root, or of the system.")
    ] = False,
    run_as: Annotated[str, typer.Option(metavar="USER", help="System: whom the server runs as.")] = "blitz",
    data_dir: Annotated[Path, typer.Option(metavar="DIR", help="System: folder of the recordings.")] = Path(
        "/var/lib/blitz"
    ),
    root: Annotated[Path, typer.Option(metavar="DIR", help="System: write below this folder, to pack it.")] = Path("/"),
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print or install what lets systemd run the server.

    That is its unit and a udev rule for serial ports. Files that are there and differ are replaced only if you agree.
    """
    from blitz.cli import service_files

    if sys.platform != "linux":
        raise typer.BadParameter("there is no systemd here: start 'blitz serve' by the means of this system.")
    if not data_dir.is_absolute():
        raise typer.BadParameter("give the whole path.", param_hint="--data-dir")
    if not run_as.isprintable() or " " in run_as:
        raise typer.BadParameter(f"{run_as!r} is no user's name.", param_hint="--run-as")
    if user:
        files = service_files.user_files(Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"))
        warning = service_files.why_incomplete()
    else:
        files = service_files.system_files(run_as, data_dir, root)
        warning = service_files.why_incomplete() or service_files.why_not_reachable(run_as)
    out = Output(as_json)
    if not install:
        out.document(files=[{"path": str(file.path), "text": file.text} for file in files], warning=warning)
        for file in files:
            out.line(f"# ---- {file.path}")
            out.text(file.text)
        _tell(out, [warning])
        return
    outcome = {str(file.path): _put(file, yes=yes) for file in files}
    steps = _user_steps() if user else _system_steps(run_as, data_dir)
    out.document(files=outcome, next_steps=steps, warning=warning)
    for path, what in outcome.items():
        out.line(f"{path}: {what}")
    _tell(out, [warning, "Then:", *(f"    {step}" for step in steps)])


def _put(file: "ServiceFile", *, yes: bool) -> str:
    """Write a file, or leave it, and say which."""
    if file.is_current:
        return "was there, and is left as it is" if file.is_kept else "is as it should be"
    was_there = file.is_there
    if was_there:
        confirm(f"{file.path} is there, and differs. Replace it?", yes=yes)
    file.write()
    return "replaced" if was_there else "written"


def _tell(out: Output, lines: "Sequence[str | None]") -> None:
    for line in lines:
        if line is not None:
            out.line(line)


def _system_steps(run_as: str, data_dir: Path) -> list[str]:
    home = f"--home-dir {data_dir} --shell /usr/sbin/nologin"
    return [
        f"id {run_as} || sudo useradd --system {home} {run_as}",
        "sudo udevadm control --reload && sudo udevadm trigger",
        "sudo systemctl daemon-reload",
        "sudo systemctl enable --now blitz-server",
        "systemctl status blitz-server",
        f"sudo -u {run_as} {sys.executable} -m blitz token create --role operator --data-dir {data_dir} "
        "--config /etc/blitz/blitz.toml   # a link for another machine",
    ]


def _user_steps() -> list[str]:
    return [
        "sudo usermod -aG dialout $USER   # once, then log in again: the serial ports are that group's",
        "systemctl --user daemon-reload",
        "systemctl --user enable --now blitz-server",
        "loginctl enable-linger            # it starts with the machine, and goes on when you log out",
        "systemctl --user status blitz-server",
    ]
