"""What makes Blitz a service: the systemd unit and the udev rule with the paths of this installation.

Makes texts and writes files; asks nobody anything.
"""

import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from blitz.cli.faults import InstallationError
from blitz.errors import ConfigError

_PACKAGE = Path(__file__).parents[1]
_FOLDERS = (_PACKAGE / "packaging", _PACKAGE.parent / "packaging")
"""In a wheel, and in the project's folder."""
_EXAMPLE = "/opt/blitz/bin/blitz serve"

SETTINGS = """\
# The settings of Blitz: see docs/settings.md.

[server]
"""


@dataclass(frozen=True)
class ServiceFile:
    """A file to be put into the system.

    :param is_kept: one that is there already is left as it is.
    """

    path: Path
    text: str
    is_kept: bool = False

    @property
    def is_there(self) -> bool:
        """Whether there is a file already."""
        return self.path.exists()

    @property
    def is_current(self) -> bool:
        """Whether the file that is there needs no change."""
        return self.is_there and (self.is_kept or self.path.read_text(encoding="utf-8") == self.text)

    def write(self) -> None:
        """Put it there.

        :raises ConfigError: if it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self.text, encoding="utf-8")
        except OSError as error:
            remedy = " Call it with sudo, or make it a service of your own with --user."
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(
                f"Cannot write {self.path}: {reason}.{remedy if isinstance(error, PermissionError) else ''}"
            ) from error


def system_files(run_as: str, data_dir: Path, root: Path = Path("/")) -> list[ServiceFile]:
    """Return the files of a service of the system.

    :param run_as: the user that the server runs as.
    :param root: where they are written below.
    """
    unit = _template("blitz-server.service").replace("User=blitz", f"User={run_as}")
    if data_dir != Path("/var/lib/blitz"):
        unit = unit.replace("StateDirectory=blitz\n", f"ReadWritePaths={_quoted(str(data_dir))}\n")
        unit = unit.replace("StateDirectoryMode=0700\n", "").replace("# /var/lib/blitz: recordings, log. ", "# ")
        unit = unit.replace(" --data-dir /var/lib/blitz", f" --data-dir {_quoted(str(data_dir))}")
    return [
        ServiceFile(root / "etc/systemd/system/blitz-server.service", _with_our_path(unit)),
        ServiceFile(root / "etc/udev/rules.d/99-blitz.rules", _template("99-blitz.rules")),
        ServiceFile(root / "etc/blitz/blitz.toml", SETTINGS, is_kept=True),
    ]


def user_files(home_config: Path) -> list[ServiceFile]:
    """Return the files of a user's service.

    :param home_config: the user's folder of settings, ``~/.config``.
    """
    unit = _with_our_path(_template("blitz-server-user.service"))
    return [ServiceFile(home_config / "systemd/user/blitz-server.service", unit)]


def why_incomplete() -> str | None:
    """Return a sentence if this installation is without the server's packages."""
    if find_spec("uvicorn") is not None:
        return None
    return 'This Blitz has no server. Install the rest of it with: pip install "blitz[server]"'


def why_not_reachable(run_as: str) -> str | None:
    """Return a sentence if another user cannot run this installation: it lies in somebody's own folder."""
    if os.name == "nt":
        return None
    for folder in reversed([Path(sys.executable).parent, *Path(sys.executable).parents]):
        if not folder.stat().st_mode & 0o001:
            return (
                f"The user {run_as} cannot get into {folder}, where this Blitz is installed. Install it in /opt/blitz, "
                "or name another user with --run-as."
            )
    return None


def _with_our_path(unit: str) -> str:
    ours = f"{_quoted(sys.executable)} -m blitz serve"
    if _EXAMPLE not in unit:
        raise InstallationError("The unit of this installation is damaged: install Blitz again.")
    return unit.replace(_EXAMPLE, ours)


def _quoted(word: str) -> str:
    """Return a word as units have it: ``%`` begins a specifier there, and spaces part words.

    >>> _quoted("/srv/50% lab/python")
    '"/srv/50%% lab/python"'
    """
    word = word.replace("%", "%%").replace("$", "$$")
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' if any(c in word for c in " '\"\\") else word


def _template(name: str) -> str:
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise InstallationError(f"{name} is missing in this installation: install Blitz again.")
