"""Where the server of a data folder is reached while it runs: for `blitz token` on the same machine."""

import contextlib
import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

_FILE = "served.json"
_ANY = ("0.0.0.0", "::", "")


class ServedAddress(BaseModel):
    """Host as it was configured, the port that was taken, and how the server is known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str
    port: int
    fingerprint: str = ""
    """Of the certificate, 64 small hex digits; empty where TLS is off."""

    def link(self, token: str, own_name: str) -> str:
        """Return what is pasted into a client.

        :param own_name: the machine's name, for a server that listens on all its addresses.

        >>> ServedAddress(host="0.0.0.0", port=8999, fingerprint="a7").link("blz_x", "lab-pi")
        'blitz://lab-pi:8999/#blz_x&a7'
        """
        return f"blitz://{self._shown(own_name)}/#{token}{'&' if self.fingerprint else ''}{self.fingerprint}"

    def page(self, token: str, own_name: str) -> str:
        """Return what a browser opens: the server's page, with the token where only the page reads it.

        >>> ServedAddress(host="lab-pi", port=8999, fingerprint="a7").page("blz_x", "")
        'https://lab-pi:8999/#blz_x'
        """
        return f"http{'s' if self.fingerprint else ''}://{self._shown(own_name)}/#{token}"

    def _shown(self, own_name: str) -> str:
        host = own_name if self.host in _ANY else self.host
        return f"{f'[{host}]' if ':' in host else host}:{self.port}"

    def write(self, data_dir: Path) -> None:
        """Keep it in the data folder; it is only a convenience, so that a full disk is no fault here."""
        new = data_dir / f"{_FILE}.new"
        with contextlib.suppress(OSError):
            new.write_text(self.model_dump_json())
            os.replace(new, data_dir / _FILE)

    @staticmethod
    def forget(data_dir: Path) -> None:
        """Take it away: no server runs there, or not yet."""
        with contextlib.suppress(OSError):
            (data_dir / _FILE).unlink(missing_ok=True)

    @classmethod
    def read(cls, data_dir: Path) -> Self | None:
        """Return what was written last; None if there is nothing, or nothing that can be read."""
        try:
            return cls.model_validate_json((data_dir / _FILE).read_bytes())
        except (OSError, ValidationError):
            return None
