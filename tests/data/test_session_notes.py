"""Markers and words in a real Redis: versions, two who write at once, sessions that are closed, archived or gone."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from blitz.data import markers
from blitz.data.backup import write_backup
from blitz.data.database import DatabaseServer
from blitz.data.records import TimelineEntry, TimelineKind
from blitz.data.restoring import restore_backup
from blitz.data.session_words import SessionWords
from blitz.data.store_schema import migrate
from blitz.errors import EditConflict, MarkerNotFound, SessionNotFound, StoreUnavailable


@pytest.fixture
def store(redis_url: str) -> Iterator[DatabaseServer]:
    store = DatabaseServer(redis_url)
    migrate(store)
    yield store
    store.close()


def test_a_marker_is_added_changed_deleted_and_brought_back(store: DatabaseServer) -> None:
    number = store.start_session()
    store.add_entry(number, TimelineEntry(kind=TimelineKind.SERVER, time_ns=1, text="restarted"))
    first = store.notes.add_marker(number, "pump on", 1_000, who="ada")
    assert (first.id, first.version, first.who) == (1, 1, "ada")
    assert store.notes.add_marker(number, "earlier", 500, 700, source="sim1").id == 2
    store.stop_session()
    second = store.notes.edit_marker(number, 1, 1, {"text": "pump on, 2 bar", "to_ns": 9_000}, who="bob")
    assert [(m.id, m.text) for m in store.notes.markers(number)] == [(2, "earlier"), (1, "pump on, 2 bar")]
    with pytest.raises(EditConflict):
        store.notes.delete_marker(number, 1, first.version)
    gone = store.notes.delete_marker(number, 1, second.version)
    assert [m.id for m in store.session(number).markers] == [2]
    back = store.notes.edit_marker(number, 1, gone.version, {})
    record = store.session(number)
    assert record.markers[1] == back
    assert (back.text, back.to_ns) == ("pump on, 2 bar", 9_000)
    assert [entry.text for entry in record.timeline] == ["restarted"]
    assert record.revision == 5
    history = store.notes.markers(number, versions=True)
    assert [(m.id, m.version, m.is_deleted) for m in history] == [
        (1, 1, False),
        (2, 1, False),
        (1, 2, False),
        (1, 3, True),
        (1, 4, False),
    ]


def test_who_writes_at_once_writes_one_after_the_other(redis_url: str, store: DatabaseServer) -> None:
    number = store.start_session()
    shared = store.notes.add_marker(number, "shared", 1)
    outcomes: list[str] = []

    def write(who: int) -> None:
        other = DatabaseServer(redis_url)
        for count in range(5):
            other.notes.add_marker(number, f"{who}/{count}", 10)
        try:
            other.notes.edit_marker(number, shared.id, shared.version, {"text": f"by {who}"})
            outcomes.append("written")
        except EditConflict:
            outcomes.append("conflict")
        other.close()

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.notes.markers(number)
    assert sorted(m.id for m in found) == list(range(1, 22))
    assert {m.text for m in found if m.id != shared.id} == {f"{w}/{c}" for w in range(4) for c in range(5)}
    assert sorted(outcomes) == ["conflict", "conflict", "conflict", "written"]


def test_a_lost_reply_writes_nothing_twice(store: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    number = store.start_session()
    lost = []

    def lose_once(pipeline: Any, execute: Callable[[Any], Any] = redis.client.Pipeline.execute) -> Any:
        reply = execute(pipeline)
        if pipeline.explicit_transaction is False and not lost and reply and isinstance(reply[0], int):
            lost.append(reply)
            raise redis.WatchError
        return reply

    monkeypatch.setattr(redis.client.Pipeline, "execute", lose_once)
    added = store.notes.add_marker(number, "once", 1)
    assert lost
    assert store.notes.markers(number, versions=True) == (added,)


def test_a_session_that_is_gone_or_in_the_trash_takes_no_notes(store: DatabaseServer) -> None:
    number = store.start_session()
    store.notes.add_marker(number, "kept", 1)
    store.stop_session()
    store.trash.put(number, 1)
    for session_id, words in ((number, "in the trash"), (99, "no session 99")):
        with pytest.raises(SessionNotFound, match=words):
            store.notes.add_marker(session_id, "x", 1)
        with pytest.raises(SessionNotFound, match=words):
            store.notes.markers(session_id)
        with pytest.raises(SessionNotFound, match=words):
            store.update_session(session_id, name="x")
    store.trash.restore(number)
    assert [m.text for m in store.notes.markers(number)] == ["kept"]
    with pytest.raises(MarkerNotFound):
        store.notes.delete_marker(number, 2, 1)


def test_without_redis_nothing_is_acknowledged() -> None:
    store = DatabaseServer("redis://127.0.0.1:1")
    with pytest.raises(StoreUnavailable):
        store.notes.add_marker(1, "x", 1)
    store.close()


def test_words_change_with_their_history(store: DatabaseServer) -> None:
    number = store.start_session("a", "n", tags=("one", " one", "two"), fields={"sample": " brass ", "rig": ""})
    record = store.session(number)
    assert (record.tags, record.fields, record.changes, record.revision) == (("one", "two"), {"sample": "brass"}, (), 0)
    record = store.update_session(
        number, name="b", starred=True, tags=("two", "drei"), fields={"sample": "steel", "rig": "4"}, who="ada"
    )
    assert (record.name, record.notes, record.starred) == ("b", "n", True)
    assert (record.tags, record.fields) == (("two", "drei"), {"sample": "steel", "rig": "4"})
    assert [(c.name, c.before, c.after, c.who) for c in record.changes] == [
        ("name", "a", "b", "ada"),
        ("starred", "no", "yes", "ada"),
        ("tags", "one, two", "two, drei", "ada"),
        ("sample", "brass", "steel", "ada"),
        ("rig", "", "4", "ada"),
    ]
    assert store.update_session(number, name="b", fields={"rig": "4"}) == record
    record = store.update_session(number, fields={"rig": " "}, starred=False, tags=())
    assert (record.tags, record.fields, record.starred, record.revision) == ((), {"sample": "steel"}, False, 2)
    (listed,) = store.sessions()
    assert listed.fields == {"sample": "steel"}
    assert listed.revision == 2
    assert not listed.changes


def test_two_who_change_different_words_undo_nothing(redis_url: str, store: DatabaseServer) -> None:
    number = store.start_session()

    def write(who: int) -> None:
        other = DatabaseServer(redis_url)
        for count in range(5):
            other.notes.change_words(number, SessionWords(fields={f"field {who}": str(count)}))
        other.close()

    threads = [threading.Thread(target=write, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = store.session(number)
    assert record.fields == {f"field {who}": "4" for who in range(3)}
    assert len(record.changes) == 15
    assert record.revision == 15


def test_the_oldest_changes_make_room_for_newer_ones(store: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markers, "MOST_CHANGES", 3)
    number = store.start_session()
    store.notes.add_marker(number, "stays", 1)
    for name in "abcde":
        store.update_session(number, name=name)
    assert [change.after for change in store.session(number).changes] == ["c", "d", "e"]
    monkeypatch.setattr(markers, "MOST_CHANGE_BYTES", 50_000)
    for count in range(3):
        store.update_session(number, notes=str(count) * 10_000)
    assert [change.after[0] for change in store.session(number).changes] == ["1", "2"]
    assert [m.text for m in store.session(number).markers] == ["stays"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"tags": ("a,b",)}, "'a,b' is no tag"),
        ({"tags": tuple(map(str, range(51)))}, "at most 50 tags"),
        ({"fields": {"9x": "1"}}, "'9x' is no name of a field"),
        ({"fields": {"Owner": "1"}}, "'Owner' is the name of something else"),
        ({"fields": {"x": "1" * 1001}}, "at most 1000 characters"),
        ({"fields": {f"x{n}": "1" for n in range(51)}}, "at most 50 fields"),
    ],
)
def test_words_that_cannot_be_are_refused(store: DatabaseServer, words: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        store.start_session(**words)
    number = store.start_session()
    with pytest.raises(ValueError, match=sentence):
        store.update_session(number, **words)


def test_notes_go_into_backups_and_come_back(store: DatabaseServer, tmp_path: Path) -> None:
    number = store.start_session(tags=("kept",), fields={"sample": "brass"})
    store.queue("a message")
    store.notes.add_marker(number, "first", 1)
    store.notes.edit_marker(number, 1, 1, {"text": "Zweiter Anlauf, 4 °C"})
    store.update_session(number, notes="more")
    store.stop_session()
    before = store.session(number), store.notes.markers(number, versions=True)
    write_backup(store, tmp_path / "all.blitz")
    store.client.flushall()
    restore_backup(tmp_path / "all.blitz", store)
    assert (store.session(number), store.notes.markers(number, versions=True)) == before


def test_texts_are_found_for_searches(store: DatabaseServer) -> None:
    one, texts = store.start_session("one"), store.notes.texts
    store.notes.add_marker(one, "pump", 1)
    store.notes.add_marker(one, "valve", 2)
    store.notes.delete_marker(one, 1, 1)
    store.stop_session()
    two = store.start_session("two")
    assert texts([one, two]) == {one: ("valve",), two: ()}
    assert store.notes.names([one, two, 99]) == ["one", "two", ""]
