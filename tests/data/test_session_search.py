"""Which sessions a search finds."""

from datetime import UTC, datetime

import pytest

from blitz.data.records import Marker, SessionRecord
from blitz.data.session_search import SessionSearch

RECORD = SessionRecord(
    id=7,
    name="Prüfstand 4, Aufwärmen",
    notes="with the new pump\nand a hose",
    owner="Ada@bench",
    started_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    starred=True,
    tags=("warm-up", "Rig 2"),
    fields={"sample": "brass no. 4", "Temperatur": "20 °C"},
    markers=(Marker(id=1, from_ns=1, text="Zündung an", changed_at=datetime(2026, 3, 1, tzinfo=UTC)),),
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "prufstand",
        "AUFWÄRMEN pump",
        "zundung",
        "tag:WARM-UP",
        'tag:"rig 2" hose',
        "sample:brass",
        'sample:"no. 4"',
        "temperatur:20",
        "owner:ada",
        "starred",
        "7",
        "2026-03-01",
        '"new pump"',
        "brass pump warm starred",
        "further",
    ],
)
def test_what_is_there_is_found(text: str) -> None:
    assert SessionSearch(text).matches(RECORD, ["further texts"])


@pytest.mark.parametrize(
    "text",
    [
        "steel",
        "pump steel",
        "tag:warm",
        "tag:brass",
        "sample:steel",
        "owner:bob",
        '"pump new"',
        "colour:red",
        '"starred"',
    ],
)
def test_what_is_not_there_is_not_found(text: str) -> None:
    assert not SessionSearch(text).matches(RECORD)


def test_a_colon_in_a_text_is_looked_for_as_it_is() -> None:
    record = RECORD.model_copy(update={"notes": "see http://wiki:80/x at 12:30"})
    assert SessionSearch("12:30").matches(record)
    assert SessionSearch("http://wiki:80/x").matches(record)
    assert not SessionSearch("12:31").matches(record)


def test_a_star_is_looked_for_by_its_word() -> None:
    assert not SessionSearch("starred").matches(RECORD.model_copy(update={"starred": False}))


@pytest.mark.parametrize("text", ['"', '""', ":", 'a"', '"a b', "::", 'tag:"', "tag:"])
def test_a_search_that_is_not_finished_raises_nothing(text: str) -> None:
    SessionSearch(text).matches(RECORD)
