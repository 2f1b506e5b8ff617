"""What a logger keeps in its file beside points, and the server that it names."""

import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from blitz.config import DEFAULT_HOST, DEFAULT_PORT
from blitz.data.logger_file import LoggerFile
from blitz.errors import ConfigError
from blitz.io.address import Host, ServerAddress
from blitz.io.blocking import Client

_C = TypeVar("_C", bound=Client)

DEFAULT_PERIOD_S = 600.0


class LoggerSettings:
    """The properties of :class:`blitz.Logger`: what is assigned stays in the file."""

    _file: LoggerFile

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: Client | None = None

    @property
    def data(self) -> Any:
        """Anything that JSON has, for the script's own settings; to change it, assign it anew."""
        return self._file.setting("data", {})

    @data.setter
    def data(self, value: Any) -> None:
        self._file.keep("data", value)

    @property
    def syncperiod(self) -> float:
        """Seconds between synchronisations in the background."""
        return float(self._file.setting("syncperiod", DEFAULT_PERIOD_S))

    @syncperiod.setter
    def syncperiod(self, period_s: float) -> None:
        is_number = isinstance(period_s, int | float) and not isinstance(period_s, bool)
        if not is_number or not math.isfinite(period_s) or period_s <= 0:
            raise ConfigError(f"syncperiod is {period_s!r}: give a number of seconds above 0.")
        self._file.keep("syncperiod", float(period_s))
        self._period_changed()

    @property
    def lastsynctime(self) -> float:
        """When all had been sent for the last time, in seconds since the Unix epoch; 0 if never."""
        return float(self._file.setting("lastsynctime", 0.0))

    @property
    def restamp(self) -> bool:
        """Whether points that are too old get the newest time of their stream, instead of being refused."""
        return bool(self._file.setting("restamp", False))

    @restamp.setter
    def restamp(self, is_wanted: bool) -> None:
        self._file.keep("restamp", bool(is_wanted))

    @property
    def apikey(self) -> str | None:
        """The token with which the server is asked; None where it asks for none."""
        return self._file.setting("apikey") or None

    @apikey.setter
    def apikey(self, token: str | None) -> None:
        self._file.keep("apikey", token)
        self._file.keep("name", None)
        self._drop_client()

    @property
    def serverurl(self) -> str:
        """The address of the server; a link of ``blitz token create`` may be assigned, which brings its token."""
        return str(self._address())

    @serverurl.setter
    def serverurl(self, address: str | ServerAddress | Sequence[Host]) -> None:
        parsed = ServerAddress.parse(address)
        if parsed.token:
            self.apikey = parsed.token
        self._file.keep("serverurl", f"{parsed.http_url}{f'#{parsed.fingerprint}' if parsed.fingerprint else ''}")
        self._file.keep("name", None)
        self._drop_client()

    @property
    def client(self) -> Client:
        """The client of the server, for what else there is to do.

        :raises RemoteError: if it cannot connect.
        """
        with self._lock:
            client = self._client
        if client is None:
            client = self._new_client(Client)
            try:
                client.connect()
            except BaseException:
                client.close()
                raise
            with self._lock:
                known, self._client = self._client, client if self._client is None else self._client
            if known is not None:  # another thread was faster
                client.close()
                client = known
        return client

    connectordb = client

    @property
    def name(self) -> str:
        """Whom the server takes the logger for: the name of its token. Asked once, and kept.

        :raises RemoteError: if the server cannot be asked the first time.
        """
        name = self._file.setting("name")
        if name is None:
            name = self.client.whoami().name
            self._file.keep("name", name)
        return str(name)

    def ping(self) -> None:
        """Ask the server for its status.

        :raises RemoteError: if it cannot be reached, or refuses.
        """
        self.client.connect()

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._file.path

    def _period_changed(self) -> None:
        raise NotImplementedError

    def _address(self) -> ServerAddress:
        return ServerAddress.parse(self._file.setting("serverurl") or [(DEFAULT_HOST, DEFAULT_PORT)])

    def _new_client(self, kind: type[_C]) -> _C:
        return kind(self._address(), token=self.apikey)

    def _drop_client(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
