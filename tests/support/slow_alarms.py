"""Alarm rules evaluated message by message, in plain Python: what the fast evaluation is compared with."""

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

SLOT_NS = 50_000_000
S = 1_000_000_000


@dataclass
class SlowSource:
    """A source's time and usual period, by their definition."""

    inner: int | None = None
    raw: int | None = None
    since: int | None = None
    offset: int = 0
    period: int | None = None
    count: int = 0
    span: int = 0
    in_a_row: int = 0
    is_expected: bool = True

    def longest(self) -> int | None:
        usual = self.period if self.period is not None else (self.span // self.count if self.count else None)
        return None if usual is None else max(3 * usual, 2 * S)

    def base(self) -> int | None:
        known = [each for each in (self.inner, self.since) if each is not None]
        return max(known) if known else None

    def step(self, raw: int) -> tuple[int, int | None]:
        """Take a reading's time; return its inner time, and when silence before it was too long."""
        if self.raw is None or self.inner is None:
            self.raw, self.inner = raw, raw + self.offset
            return self.inner, None
        if raw < self.raw:
            self.offset += self.raw - raw
        base = self.base()
        assert base is not None
        self.raw = raw
        now = raw + self.offset
        start = min(base, now)
        longest, due = self.longest(), None
        if longest is not None and now - start > longest:
            due = start + longest
            self.in_a_row += 1
            if self.in_a_row == 3:
                self.in_a_row = self.count = self.span = 0
                self.period = None
        if due is None:
            self.in_a_row = 0
        if due is None or self.in_a_row == 0:
            self.span += now - start
            if start // SLOT_NS != now // SLOT_NS:
                self.count += 1
            if self.count == 32:
                self.period, self.count, self.span = self.span // 32, 0, 0
        self.inner = now
        return now, due if self.is_expected else None


@dataclass
class SlowRule:
    """One rule, by its definition. What changed is in ``told``: raised or cleared, raw time, session, seq, value."""

    rule: Any
    source: SlowSource = field(default_factory=SlowSource)
    session: tuple[int, int] | None = None
    """Its id, and the inner time at which it has begun."""
    told: list[tuple[bool, int, int, int, float | None]] = field(default_factory=list)
    holds: bool = False
    raised: bool = False
    since: int | None = None
    newest: tuple[int, int, float | None] = (0, -1, None)
    earlier: tuple[int, int, float | None] = (0, -1, None)
    newest_at: int = -1
    samples: dict[int, tuple[int, float]] = field(default_factory=dict)
    moment: int | None = None
    before: float | None = None

    @property
    def needs_session(self) -> bool:
        return bool(self.rule.only_recording) or self.rule.condition.kind == "reference"

    def begin(self, session_id: int, started: int) -> None:
        self.session = session_id, started + self.source.offset
        self.before = None
        self.moment = started if getattr(self.rule.condition, "align", "") == "start" else None

    def end(self, now: int) -> None:
        self.session = None
        self.moment = None
        if self.needs_session:
            if self.raised:
                self.told.append((False, now, *self.newest))
            self.holds, self.raised, self.since = False, False, None
            self.samples = {}

    def mark(self, time_ns: int) -> None:
        if self.session is not None and getattr(self.rule.condition, "align", "") == "marker":
            self.moment = time_ns

    def expect(self, is_expected: bool, now: int) -> None:
        self.source.is_expected, self.source.since = is_expected, now + self.source.offset
        if self.rule.condition.kind == "no_data" and not is_expected and self.holds:
            self._pass(now + self.source.offset)
            self._turn(now + self.source.offset, False)
            self._pass(now + self.source.offset)

    def message(self, session_id: int, seq: int, raw: int, value: float) -> None:
        no_data = self.rule.condition.kind == "no_data"
        begun = None if self.session is None else self.session[1]
        base = self.source.base()
        old_offset = self.source.offset
        inner, due = self.source.step(raw)
        is_concerned = not self.needs_session or (session_id != 0 and self.session is not None)
        if due is not None:
            self.samples = {} if is_concerned else self.samples
        if is_concerned:
            late = base
            if self.needs_session and begun is not None:
                late = begun if base is None else max(base, begun)
            if no_data and self.rule.condition.after_s is not None:
                after = round(self.rule.condition.after_s * S)
                due = None
                if late is not None and self.source.is_expected and inner - late > after:
                    due = late + after
            elif due is not None and late is not None and base is not None:
                due += late - base
                due = due if inner > due else None
            offset, self.source.offset = self.source.offset, old_offset
            silent = True if no_data else {"hold": None, "alarm": True, "normal": False}[self.rule.on_gap]
            if due is not None and silent is not None:
                self._pass(due)
                self._turn(due, silent)
            self._pass(inner)
            self.source.offset = offset
            holds = False if no_data else self._says(inner, raw, value)
            if not no_data and math.isnan(value) and self.rule.on_nan != "ignore":
                holds = self.rule.on_nan == "alarm"
        if no_data or not math.isnan(value) or self.rule.on_nan != "ignore":
            self._count((session_id, seq, None if no_data or math.isnan(value) else value), inner)
        if is_concerned and holds is not None:
            self._turn(inner, holds, is_reading=True)

    def finish(self, now: int) -> None:
        """No message comes any more, up to a time."""
        end = now + self.source.offset
        no_data = self.rule.condition.kind == "no_data"
        if self.needs_session and self.session is None:
            return
        silent = True if no_data else {"hold": None, "alarm": True, "normal": False}[self.rule.on_gap]
        after = getattr(self.rule.condition, "after_s", None)
        longest = self.source.longest() if after is None else round(after * S)
        base = self.source.base()
        if self.needs_session and self.session is not None:
            base = max(base or 0, self.session[1])
        if None not in (silent, longest, base) and self.source.is_expected and end > base + longest:  # type: ignore[operator]
            self._pass(base + longest)  # type: ignore[operator]
            self._turn(base + longest, bool(silent))  # type: ignore[operator]
        self._pass(end)

    def _count(self, newest: tuple[int, int, float | None], inner: int) -> None:
        if inner > self.newest_at:
            self.earlier = self.newest
        self.newest, self.newest_at = newest, inner

    def _turn(self, inner: int, holds: bool, *, is_reading: bool = False) -> None:
        if holds == self.holds:
            return
        self.holds = holds
        self.since = None if holds == self.raised else inner
        delay = self.rule.on_delay_s if holds else self.rule.off_delay_s
        if self.since is not None and not delay:
            self._tell(inner, is_reading)

    def _pass(self, inner: int) -> None:
        if self.since is not None:
            due = self.since + round((self.rule.on_delay_s if self.holds else self.rule.off_delay_s) * S)
            if due <= inner:
                self._tell(due, False)

    def _tell(self, inner: int, is_reading: bool) -> None:
        self.raised, self.since = self.holds, None
        by = self.newest if is_reading or self.newest_at < inner else self.earlier
        self.told.append((self.raised, inner - self.source.offset, *by))

    def _says(self, inner: int, raw: int, value: float) -> bool | None:
        condition = self.rule.condition
        if condition.kind == "rate":
            return self._says_rate(inner, value)
        if condition.kind == "reference":
            return self._says_reference(raw, value)
        if math.isnan(value):
            return None
        back = condition.hysteresis
        if condition.kind == "level":
            if condition.above is not None and value > condition.above:
                return True
            if condition.below is not None and value < condition.below:
                return True
            is_low = condition.above is None or value <= condition.above - back
            is_high = condition.below is None or value >= condition.below + back
            return False if is_low and is_high else None
        if condition.kind == "equal":
            distance = abs(value - condition.value)
            if condition.is_different:
                return True if distance > condition.tolerance else _no(distance <= condition.tolerance - back)
            return True if distance <= condition.tolerance else _no(distance > condition.tolerance + back)
        if condition.is_inside:
            if condition.low <= value <= condition.high:
                return True
            return _no(value < condition.low - back or value > condition.high + back)
        if not condition.low <= value <= condition.high:
            return True
        return _no(condition.low + back <= value <= condition.high - back)

    def _says_rate(self, inner: int, value: float) -> bool | None:
        condition = self.rule.condition
        window = round(condition.window_s * S)
        if math.isnan(value):
            return None
        self.samples.setdefault(inner // (window // 64), (inner, value))
        old = [each for each in self.samples.values() if each[0] <= inner - window]
        if not old:
            return None
        then, was = max(old)
        rate = (value - was) / (inner - then) * 1e9
        rate = {"rising": rate, "falling": -rate, "either": abs(rate)}[condition.direction]
        return True if rate > condition.above_per_s else _no(rate <= condition.above_per_s - condition.hysteresis)

    def _says_reference(self, raw: int, value: float) -> bool | None:
        condition = self.rule.condition
        if math.isnan(value):
            return None
        if condition.align == "trigger" and self.moment is None:
            before, self.before = self.before, value
            if before is not None:
                up = before < condition.level <= value
                down = before > condition.level >= value
                self.moment = raw if (up if condition.edge == "rising" else down) else None
        if self.moment is None:
            return None
        at = (raw - self.moment) / 1e9
        points = list(zip(condition.times_s, condition.values, strict=True))
        for (t0, v0), (t1, v1) in itertools.pairwise(points):
            if t0 <= at <= t1:
                course = v0 + (v1 - v0) * (at - t0) / (t1 - t0)
                allowed = max(condition.absolute or 0.0, (condition.relative or 0.0) * abs(course))
                distance = abs(value - course)
                return True if distance > allowed else _no(distance <= allowed - condition.hysteresis)
        return None


def _no(is_back: bool) -> bool | None:
    return False if is_back else None
