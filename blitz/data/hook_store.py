"""Hooks that were added by a call, kept in ``server.db`` over restarts; those of the settings file are not here."""

import logging

from pydantic import ValidationError
from sqlalchemy import delete, insert, select

from blitz.data.hook_config import CommandHook, EmailHook, WebhookHook, hook_from_json
from blitz.data.server_tables import HOOKS
from blitz.data.table_file import TableFile

log = logging.getLogger(__name__)


class HookStore(TableFile):
    """The added hooks of one server."""

    def hooks(self) -> list[EmailHook | WebhookHook | CommandHook]:
        """Return all of them, as they were added; one that cannot be read any more is left out, and said."""
        with self.transaction() as db:
            rows = db.execute(select(HOOKS.c.name, HOOKS.c.config).order_by(HOOKS.c.id)).all()
        hooks = []
        for name, config in rows:
            try:
                hooks.append(hook_from_json(config))
            except ValidationError:
                log.warning("The hook %r in %s cannot be read, and tells nobody: add it anew", name, self.path)
        return hooks

    def put(self, hook: EmailHook | WebhookHook | CommandHook) -> None:
        """Keep a hook, in place of one of that name."""
        with self.transaction() as db:
            db.execute(delete(HOOKS).where(HOOKS.c.name == hook.name))
            db.execute(insert(HOOKS).values(name=hook.name, config=hook.model_dump_json(exclude_unset=True)))

    def remove(self, name: str) -> None:
        """Forget one, if it is there."""
        with self.transaction() as db:
            db.execute(delete(HOOKS).where(HOOKS.c.name == name))
