"""A source of a kind that a plug-in brings, as a device: it only prints, and its silence is no fault."""

from typing import TYPE_CHECKING

from blitz.data.board_definition import BoardDefinition
from blitz.errors import BlitzError, CommandRefused
from blitz.io.conversation import Conversation
from blitz.io.device import WireCommand
from blitz.io.kind_links import KindSource
from blitz.io.point_device import IDLE_S, PointDevice

if TYPE_CHECKING:
    from collections.abc import Callable

    from blitz.io.device_link import DeviceLink


class KindDevice(PointDevice):
    """See :class:`~blitz.io.device.Device`.

    :param source: opens its links, and is told which session messages are for.
    :param guessed: takes what its kind says that messages mean.
    """

    def __init__(self, owner: "DeviceLink", source: KindSource, guessed: "Callable[[BoardDefinition], None]") -> None:
        super().__init__(owner)
        self._link = owner
        self._source = source
        self._guessed = guessed

    def begin(self, talk: Conversation) -> None:
        """Take it for what its definition says; of one that has none, the first messages tell."""
        super().begin(talk)
        self._follow()

    def start(self, talk: Conversation) -> None:
        """Tell it that messages go to another session, or to the preview."""
        self._follow()

    def work(self, talk: Conversation) -> None:
        """Listen; what its kind says of messages holds from the next read on."""
        self._follow()
        points = talk.receive(IDLE_S)
        is_described = self._source.take_description(self._guessed)
        if is_described or (points and self._link.delivery.source is None):
            self._link.make_known(None, points)
        talk.take(points)
        talk.settle()

    def command(self, talk: Conversation, request: WireCommand) -> str | None:
        """Send something to it, if its kind takes that; no answer is waited for.

        :raises CommandRefused: if it takes none.
        """
        try:
            talk.send(request.payload)
        except BlitzError:
            raise
        except Exception as error:
            raise CommandRefused(f"{self._link.name} was not sent that: {type(error).__name__}: {error}.") from error
        return None

    def _follow(self) -> None:
        self._source.begin(self._link.delivery.active)
