"""Hooks: who is told what, by threads of their own, again and again until it is taken.

Acquisition only puts things in and never waits. Each hook has a thread and a bounded queue, so that a mail server that
hangs holds up neither the acquisition nor other hooks.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from blitz.data.hook_calm import HookCalm
from blitz.data.hook_config import CommandHook, EmailHook, HookEvent, WebhookHook
from blitz.data.hook_records import HookRecord, HookTest, Telling
from blitz.data.hook_store import HookStore
from blitz.data.records import Event, StatusRecord
from blitz.errors import ConfigError, HookError
from blitz.io.delivery import Severity
from blitz.io.hook_senders import send
from blitz.io.hook_watch import HookWatch

log = logging.getLogger(__name__)

WAITING_LIMIT = 100
"""Of what could not be sent so many are kept, the newest."""
RETRY_S = (5.0, 15.0, 60.0, 300.0, 900.0)
"""From one attempt to the next; the last one is repeated for ever."""
STOP_S = 2.0

Hook = EmailHook | WebhookHook | CommandHook
Notice = Callable[[Severity, str], None]


class Hooks:
    """All hooks of a server. :meth:`tell` and :meth:`look` never wait and may be called from any thread.

    :param notice: tells the operator when a hook fails, and when it works again.
    :param retry_s: see :data:`RETRY_S`.
    :param kept: hooks that were added by calls, and where others are kept; those of the settings go before them.
    """

    def __init__(
        self, hooks: Sequence[Hook], notice: Notice, retry_s: Sequence[float] = RETRY_S, kept: HookStore | None = None
    ) -> None:
        self._notice = notice
        self._retry_s = retry_s
        self._kept = kept
        self._changing = threading.Lock()
        self._is_running = False
        self._runners = {hook.name: _Runner(hook, notice, retry_s) for hook in hooks}
        for hook in () if kept is None else kept.hooks():
            if hook.name in self._runners:
                log.warning("The settings have a hook %r: the one of that name that was added is not used", hook.name)
            else:
                self._runners[hook.name] = _Runner(hook, notice, retry_s, is_added=True)

    @property
    def are_none(self) -> bool:
        """Whether nobody is to be told anything."""
        return not self._runners

    def start(self) -> None:
        """Begin to send."""
        with self._changing:
            self._is_running = True
            for runner in self._runners.values():
                runner.start()

    def stop(self) -> None:
        """End; what is under way has two seconds, and what is left is lost and said."""
        with self._changing:
            self._is_running = False
        for runner in self._runners.values():
            runner.stopping.set()
            runner.wake()
        deadline_s = time.monotonic() + STOP_S
        for runner in self._runners.values():
            runner.join(deadline_s)

    def names(self) -> list[str]:
        """Return the names of all hooks."""
        return list(self._runners)

    def add(self, hook: Hook) -> HookRecord:
        """Keep another hook, or one in place of an added one, and tell it what happens from now on.

        :raises ConfigError: if the settings have a hook of that name, or nothing is kept here.
        """
        with self._changing:
            before = self._runners.get(hook.name)
            if before is not None and not before.is_added:
                raise ConfigError(f"The server's settings have a hook {hook.name!r}. Choose another name.")
            if self._kept is None:
                raise ConfigError("This server keeps no hooks: its settings file is the place for them.")
            self._kept.put(hook)
            runner = _Runner(hook, self._notice, self._retry_s, is_added=True)
            self._runners = {**self._runners, hook.name: runner}
            if self._is_running:
                runner.start()
        if before is not None:
            before.end()
        return runner.record()

    def remove(self, name: str) -> bool:
        """Forget a hook that was added; what waits for it is not sent. False if there is no such hook.

        :raises ConfigError: if it is one of the settings.
        """
        with self._changing:
            runner = self._runners.get(name)
            if runner is None:
                return False
            if not runner.is_added or self._kept is None:
                raise ConfigError(f"The hook {name!r} stands in the server's settings file: take it out there.")
            self._kept.remove(name)
            self._runners = {other: each for other, each in self._runners.items() if other != name}
        runner.end()
        return True

    def tell_all(self, telling: Telling, names: Sequence[str] | None = None) -> None:
        """Tell those hooks that want it, or, of them, only those with these names."""
        for name, runner in self._runners.items():
            if names is None or name in names:
                runner.put([telling])

    def tell(self, event: Event) -> None:
        """Take an event as viewers get it."""
        for runner in self._runners.values():
            runner.tell(event)

    def look(self, status: StatusRecord) -> None:
        """Take the server's state, about once a second."""
        now_s = time.monotonic()
        for runner in self._runners.values():
            runner.look(status, now_s)

    def started_after_crash(self, text: str) -> None:
        """Tell that the server had ended unexpectedly, and what became of it.

        :param text: a sentence or more.
        """
        telling = Telling(event=HookEvent.AFTER_CRASH, title="The server was started after a crash", text=text)
        self.tell_all(telling)

    def records(self) -> list[HookRecord]:
        """Return how the hooks are doing."""
        return [runner.record() for runner in self._runners.values()]

    def test(self, name: str) -> HookTest | None:
        """Tell somebody now that this is a test, once; None if there is no such hook. Waits for it."""
        runner = self._runners.get(name)
        return None if runner is None else runner.test()

    def try_out(self, hook: Hook) -> HookTest:
        """Tell somebody now that this is a test, once, by a hook that is not kept. Waits for it."""
        return _Runner(hook, lambda severity, text: None, ()).test()


class _Runner:
    """One hook: what waits for it, and the thread that sends it."""

    def __init__(self, hook: Hook, notice: Notice, retry_s: Sequence[float], *, is_added: bool = False) -> None:
        self.is_added = is_added
        self.stopping = threading.Event()
        self._hook = hook
        self._notice = notice
        self._retry_s = retry_s
        self._watch = HookWatch(hook.after_s)
        self._calm = HookCalm(hook.at_most_every_s)
        self._waiting: deque[Telling] = deque()
        self._changed = threading.Condition()
        self._testing = threading.Lock()
        self._record = HookRecord(
            name=hook.name,
            kind=hook.kind,
            target=hook.target,
            on=hook.on,
            after_s=hook.after_s,
            at_most_every_s=hook.at_most_every_s,
            is_added=is_added,
        )
        self._thread = threading.Thread(target=self._run, name=f"hook {hook.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Send no more; what is under way may end by itself."""
        self.stopping.set()
        self.wake()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def join(self, deadline_s: float) -> None:
        if self._thread.is_alive():
            self._thread.join(max(deadline_s - time.monotonic(), 0.0))
        with self._changed:
            self._queue(self._calm.release(time.monotonic(), is_end=True))
            left = [telling.title for telling in self._waiting]
        if left:
            log.warning("Hook %s could not tell any more: %s", self._hook.name, "; ".join(left))

    def tell(self, event: Event) -> None:
        with self._changed:
            tellings = self._watch.tell(event)
        self.put(tellings)

    def look(self, status: StatusRecord, now_s: float) -> None:
        with self._changed:
            tellings = self._watch.look(status, now_s)
        self.put(tellings)

    def put(self, tellings: Sequence[Telling]) -> None:
        wanted = [telling for telling in tellings if self._hook.wants(telling.event)]
        if not wanted:
            return
        with self._changed:
            self._queue(self._calm.take(wanted, time.monotonic()))

    def _queue(self, tellings: Sequence[Telling]) -> None:
        for telling in tellings:
            log.info("Hook %s is to tell: %s", self._hook.name, telling.title)
            self._waiting.append(telling)
        while len(self._waiting) > WAITING_LIMIT:
            self._waiting.popleft()
            self._change(dropped=self._record.dropped + 1)
        if tellings:
            self._changed.notify_all()

    def record(self) -> HookRecord:
        with self._changed:
            held = self._calm.held_count
            return self._record.model_copy(update={"waiting": len(self._waiting), "held": held})

    def test(self) -> HookTest:
        with self._testing:  # one at a time: nobody floods a mailbox with tests
            telling = Telling(
                event=HookEvent.TEST,
                title="a test",
                text=f"This is a test of the hook {self._hook.name!r}. Nothing is wrong.",
            )
            began_s = time.monotonic()
            error = self._send(telling)
            return HookTest(is_sent=error is None, took_s=round(time.monotonic() - began_s, 3), error=error)

    # ---- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        attempt = 0
        while True:
            with self._changed:
                while not self._waiting and not self.stopping.is_set():
                    self._queue(self._calm.release(time.monotonic()))
                    if not self._waiting:
                        self._changed.wait(1.0)
                if self.stopping.is_set():
                    self._queue(self._calm.release(time.monotonic(), is_end=True))
                if self.stopping.is_set() and (not self._waiting or attempt):
                    return
                telling = self._waiting[0]
            if self._send(telling) is None:
                attempt = 0
                self._forget(telling)
                continue
            if self.stopping.wait(self._retry_s[min(attempt, len(self._retry_s) - 1)]):
                return
            attempt += 1

    def _forget(self, telling: Telling) -> None:
        with self._changed:
            if self._waiting and self._waiting[0] is telling:  # else it was pushed out meanwhile
                self._waiting.popleft()

    def _send(self, telling: Telling) -> str | None:
        """Send once; return the sentence that says why it did not work."""
        try:
            send(self._hook, telling)
        except HookError as error:
            return self._failed(str(error))
        except Exception as error:
            log.exception("Hook %s failed", self._hook.name)
            return self._failed(f"It ended by a fault of ours: {error!r}.")
        with self._changed:
            had_failed = self._record.error is not None
            self._change(sent=self._record.sent + 1, last_success=datetime.now(UTC), error=None)
        if had_failed:
            self._notice("info", f"Hook {self._hook.name!r} works again.")
        return None

    def _failed(self, sentence: str) -> str:
        with self._changed:
            is_news = self._record.error is None
            self._change(last_failure=datetime.now(UTC), error=sentence)
        if is_news:
            self._notice("warning", f"Hook {self._hook.name!r} does not work: {sentence}")
        return sentence

    def _change(self, **fields: object) -> None:
        self._record = self._record.model_copy(update=fields)
