"""What a report tells first: when, how long, how it ended; and what the report itself lacks. Pure."""

from blitz.data.records import SessionRecord
from blitz.data.report_lists import Teller
from blitz.data.report_reading import SessionReading
from blitz.data.report_words import count_words, duration_words, many, zone_words
from blitz.data.series_request import nanoseconds


def session_title(record: SessionRecord) -> str:
    """Return what people call a session."""
    return record.name or f"Session {record.id}"


def session_facts(record: SessionRecord, teller: Teller) -> tuple[tuple[str, str], ...]:
    """Return names and values of what is told first; what is empty is left out."""
    started_ns = nanoseconds("started_at", record.started_at)
    facts = [("Session", str(record.id)), ("Started", f"{teller.at(started_ns)} {zone_words(started_ns, teller.zone)}")]
    if record.stopped_at is not None:
        stopped_ns = nanoseconds("stopped_at", record.stopped_at)
        facts.append(("Ended", f"{teller.at(stopped_ns)} {zone_words(stopped_ns, teller.zone)}"))
        facts.append(("Length", duration_words((stopped_ns - started_ns) / 1e9)))
    else:
        facts.append(("Ended", "it was still running" if record.is_running else "not known"))
    facts += [
        ("Messages", count_words(record.message_count)),
        ("Recorded by", record.owner),
        ("Tags", ", ".join(record.tags)),
        ("Stopped because", record.stop_reason),
        ("Verdict", record.verdict),
        ("Interrupted", "yes: the server ended unexpectedly while it ran" if record.interrupted else ""),
        ("Restarts", f"a restarted server went on with it {many(record.resumed, 'time')}" if record.resumed else ""),
    ]
    return tuple((name, value) for name, value in facts if value)


def own_fields(record: SessionRecord) -> tuple[tuple[str, str], ...]:
    """Return the laboratory's own fields."""
    return tuple(record.fields.items())


def lack_sentences(record: SessionRecord, reading: SessionReading, *, is_of_rows: bool) -> tuple[str, ...]:
    """Return what the report cannot tell of, a sentence each; none where it is whole.

    :param is_of_rows: readings that were added one by one: nobody counts how many there should be.
    """
    sentences = []
    if record.is_running:
        sentences.append(
            "The session was still running when this computer last asked: the report is about what had come until then."
        )
    if not is_of_rows and reading.held < record.message_count:
        held, total = count_words(reading.held), count_words(record.message_count)
        sentences.append(
            f"The report is not whole: {held} of the session's {total} messages are on this computer. Download the "
            "rest, if a server still has it, and make the report once more."
        )
    for each in reading.unreadable:
        count = many(each.stop - each.first, "message")
        sentences.append(
            f"The report is not whole: {count} cannot be read, {each.first} to {each.stop - 1}. "
            f"Plots and statistics leave them out. ({each.why})"
        )
    if reading.unreadable:
        sentences.append("Download the session again, and make the report once more; till then it has no fingerprint.")
    return (*sentences, *reading.not_computed)
