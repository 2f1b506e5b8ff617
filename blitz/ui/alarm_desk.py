"""What the window asks about alarms, on the worker thread's event loop."""

from collections.abc import Callable

from blitz.data.alarm_records import AlarmChange
from blitz.data.hook_records import HookRecord
from blitz.errors import BlitzError, ConfigError, Forbidden, HookError, ServerError
from blitz.io.connection import AsyncClient
from blitz.ui.alarm_view import (
    HISTORY_COUNT,
    Acknowledge,
    AddMail,
    AddRule,
    AlarmView,
    AlarmWish,
    ChangeRule,
    ConfirmRule,
    RemoveRule,
    TryMail,
)
from blitz.ui.feed import Feed, RequestFailure

_NO_SUCH_CALL = (404, 405)
_OLDER = "This server is older than this window, and cannot try what it does not keep."


class AlarmDesk:
    """Asks the client of the server that the window is connected to.

    :param client: gives it, or raises a sentence where there is none.
    """

    def __init__(self, feed: Feed, client: Callable[[], AsyncClient]) -> None:
        self._feed = feed
        self._client = client

    async def tell(self) -> None:
        """Tell all that there is; None where the server is older than alarms."""
        client = self._client()
        try:
            present = await client.alarms()
            history = await client.alarm_history(count=HISTORY_COUNT)
            rules = await client.alarm_rules()
        except (ServerError, ConfigError) as error:
            if isinstance(error, ServerError) and error.status not in _NO_SUCH_CALL:
                raise
            self._feed.alarms_told.emit(None)
            return
        hooks = await _hooks(client)
        self._feed.alarms_told.emit(AlarmView(tuple(present), tuple(history), tuple(rules), hooks))

    async def tell_again(self) -> None:
        """Tell all that there is, or that it is not up to date."""
        try:
            await self.tell()
        except BlitzError as error:
            self._feed.request_failed.emit(RequestFailure("The list of alarms is not up to date", error))

    async def take(self, change: AlarmChange) -> None:
        """Pass on what the server told."""
        self._feed.alarm_changed.emit(change)
        if change.occurrence is None:
            await self.tell_again()

    async def do(self, wish: AlarmWish) -> None:
        """Do what was asked for, and tell what came of it."""
        try:
            await self._do(wish)
        except BlitzError as error:
            self._feed.alarm_answered.emit(wish, str(error))
            return
        await self.tell_again()
        self._feed.alarm_answered.emit(wish, "")

    async def _do(self, wish: AlarmWish) -> None:
        client = self._client()
        match wish:
            case Acknowledge(alarm_id=None):
                await client.acknowledge_alarms(wish.note)
            case Acknowledge(alarm_id=int(alarm_id)):
                await client.acknowledge_alarm(alarm_id, wish.note)
            case AddRule():
                await client.add_alarm_rule(wish.rule)
            case ChangeRule():
                await client.change_alarm_rule(wish.kept.id, version=wish.kept.version, **wish.changes)
            case ConfirmRule():
                await client.confirm_alarm_rule(wish.kept.id, version=wish.kept.version)
            case RemoveRule():
                await client.remove_alarm_rule(wish.kept.id)
            case AddMail():
                await client.add_hook(wish.name, "email", **wish.fields)
            case TryMail():
                try:
                    test = await client.try_hook(wish.name, "email", **wish.fields)
                except ServerError as error:
                    if error.status not in _NO_SUCH_CALL:
                        raise
                    raise HookError(_OLDER) from error
                if not test.is_sent:
                    raise HookError(test.error or "The test e-mail was not sent.")


async def _hooks(client: AsyncClient) -> tuple[HookRecord, ...]:
    """Return whom the server can tell; none where one may not know."""
    try:
        return tuple(await client.hooks())
    except (Forbidden, ServerError, ConfigError):
        return ()
