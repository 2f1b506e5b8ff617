"""How accounts, gaps, time lines and bad frames are printed: records in, tables out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from blitz.cli.output import Output, duration, local_time

if TYPE_CHECKING:
    from blitz.data.records import Account, BadFrameRecord, Gap, Marker, SessionChange, Source, TimelineEntry

_SHOWN_BYTES = 24
_ACCOUNT_HEADERS = (
    "Account of",
    "Messages",
    "Stored",
    "Lost",
    "Recovered",
    "Bad",
    "Discarded bytes",
    "Overruns",
    "Drift",
    "Jitter",
    "Balances",
)


def print_accounts(out: Output, accounts: Sequence[tuple[str, "Account"]]) -> None:
    """Print what became of each source's bytes and messages.

    :param accounts: the sources' names, and their accounts.
    """
    if accounts:
        out.line("")
        out.table(_ACCOUNT_HEADERS, [_account_row(name, account) for name, account in accounts])


def print_gaps(out: Output, gaps: Sequence["Gap"], sources: Sequence["Source"]) -> None:
    """Print when messages are missing, and how many."""
    if not gaps:
        return
    names = {source.index: source.name for source in sources}
    out.line("")
    headers = ("Gap of", "From", "Lasted", "At message", "Missing", "Recovered", "Reason")
    out.table(headers, [_gap_row(names.get(gap.source, str(gap.source)), gap) for gap in gaps])


def print_timeline(out: Output, entries: Sequence["TimelineEntry"]) -> None:
    """Print what happened during a session."""
    if not entries:
        return
    out.line("")
    headers = ("Time", "What", "Source", "Who", "Text", "Answer")
    out.table(headers, [_entry_row(entry) for entry in entries])


def print_markers(out: Output, markers: Sequence["Marker"]) -> None:
    """Print what operators noted at times of a session."""
    if not markers:
        return
    out.line("")
    headers = ("Marker", "From", "To", "Text", "Source", "Who", "Version")
    out.table(headers, [_marker_row(marker) for marker in markers])


def print_changes(out: Output, changes: Sequence["SessionChange"]) -> None:
    """Print who changed what is written of a session."""
    if not changes:
        return
    out.line("")
    rows = [
        (local_time(change.changed_at), change.who, change.name, _brief(change.before), _brief(change.after))
        for change in changes
    ]
    out.table(("Changed", "Who", "What", "Before", "After"), rows)


def print_bad_frames(out: Output, frames: Sequence["BadFrameRecord"], *, whole: bool) -> None:
    """Print frames that mean nothing, in hex digits and as text.

    :param whole: all of a long frame, and not only its beginning.
    """
    headers = ("Time", "Bytes", "Reason", "Hex", "Text")
    out.table(headers, [_frame_row(frame, None if whole else _SHOWN_BYTES) for frame in frames])


def balance(account: "Account") -> str:
    """Say whether an account balances, and what is missing if it does not."""
    if account.is_balanced:
        return "yes"
    surplus = ((account.surplus_bytes, "bytes"), (account.surplus_messages, "messages"))
    return f"no: {', '.join(f'{count:+} {unit}' for count, unit in surplus if count)}"


def clock_time(time_ns: int) -> str:
    """Return a time as a clock on this machine shows it, with milliseconds."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{local_time(moment)}.{time_ns // 1_000_000 % 1000:03}"


def _account_row(name: str, account: "Account") -> tuple[str, ...]:
    return (
        name,
        str(account.messages_read),
        str(account.messages_appended),
        _count(account.lost, is_exact=account.is_lost_exact),
        str(account.recovered),
        str(account.bad_frames),
        ", ".join(f"{count} {reason}" for reason, count in account.discarded.items() if count) or "0",
        "" if account.overruns is None else str(account.overruns),
        "" if account.drift_ppm is None else f"{account.drift_ppm:+.1f} ppm",
        "" if account.jitter_ms is None else f"{account.jitter_ms:.1f} ms",
        balance(account),
    )


def _gap_row(name: str, gap: "Gap") -> tuple[str, ...]:
    lasted_s = max(gap.to_ns - gap.from_ns, 0) / 1e9
    lasted = f"{lasted_s:.3f} s" if lasted_s < 100 else duration(timedelta(seconds=lasted_s))
    missing = "unknown" if gap.lost is None else _count(gap.lost, is_exact=gap.is_exact)
    return name, clock_time(gap.from_ns), lasted, str(gap.seq), missing, str(gap.recovered), gap.reason


def _count(count: int, *, is_exact: bool) -> str:
    return str(count) if is_exact or not count else f"about {count}"


def _entry_row(entry: "TimelineEntry") -> tuple[str, ...]:
    return (
        clock_time(entry.time_ns),
        entry.kind.value.replace("_", " "),
        entry.source or "",
        entry.who,
        entry.text,
        entry.error or entry.answer or "",
    )


def _marker_row(marker: "Marker") -> tuple[str, ...]:
    version = f"{marker.version}, deleted" if marker.is_deleted else str(marker.version)
    until = "" if marker.to_ns is None else clock_time(marker.to_ns)
    text = " ".join(marker.text.split())
    return str(marker.id), clock_time(marker.from_ns), until, text, marker.source or "", marker.who, version


def _brief(text: str, length: int = 40) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _frame_row(frame: "BadFrameRecord", limit: int | None) -> tuple[str, ...]:
    size = len(frame.raw) // 2
    more = "…" if limit is not None and size > limit else ""
    hexed = bytes.fromhex(frame.raw)[:limit].hex(" ")
    return clock_time(frame.time_ns), str(size), frame.reason, hexed + more, frame.text[:limit] + more
