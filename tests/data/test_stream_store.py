"""Streams in a real Redis: made, filled, found by time, deleted; each batch once."""

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.database_server import DatabaseServer
from blitz.data.stream_points import check_points, encode_point, time_of
from blitz.data.stream_schema import compile_schema, encode_schema
from blitz.errors import PointsRefused, SessionNotFound, StreamExists, StreamNotFound


def points(*times: float) -> list[dict[str, Any]]:
    return [{"t": time, "d": place} for place, time in enumerate(times)]


def stored(store: DatabaseServer, name: str) -> list[tuple[float, Any]]:
    messages = store.messages(store.streams.stream(name).id, 0, 100_000).messages()
    return [(point["t"], point["d"]) for point in map(json.loads, messages)]


def test_a_stream_is_made_changed_listed_and_deleted_for_good(store: DatabaseServer) -> None:
    made = store.streams.create("lab/1".replace("/", ":"), schema={"type": "number"}, nickname="Lab", unit="°C")
    assert (made.name, made.schema_, made.nickname, made.unit) == ("lab:1", {"type": "number"}, "Lab", "°C")
    assert (made.downlink, made.point_count, made.newest_t, made.description) == (False, 0, None, "")
    with pytest.raises(StreamExists, match="'lab:1' already"):
        store.streams.create("lab:1")
    store.streams.create("Ä b")
    changed = store.streams.update("lab:1", {"description": "by the door", "downlink": True})
    assert (changed.description, changed.downlink, changed.nickname) == ("by the door", True, "Lab")
    assert store.streams.update("lab:1", {}) == changed
    assert [stream.name for stream in store.streams.streams()] == ["lab:1", "Ä b"]
    store.streams.append("lab:1", points(1, 2))
    store.streams.delete("lab:1")
    assert not [key for key in store.client.scan_iter() if b"session_%d" % made.id in key]
    assert not [key for key in store.client.scan_iter() if b"session_%d" % made.downlink_id in key]
    for call in (store.streams.stream, store.streams.delete, store.streams.range):
        with pytest.raises(StreamNotFound, match="'lab:1'"):
            call("lab:1")
    with pytest.raises(StreamNotFound):
        store.streams.append("lab:1", points(3))
    with pytest.raises(StreamNotFound):
        store.streams.update("lab:1", {"unit": "K"})
    again = store.streams.create("lab:1")
    assert again.id > made.downlink_id
    assert store.streams.append("lab:1", points(1)).first == 0


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", ".", "..", "a\nb", "x" * 201, "\ud800"])
def test_a_stream_cannot_have_a_name_that_no_address_can_hold(store: DatabaseServer, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        store.streams.create(name)


def test_points_are_stored_all_or_none_in_the_order_of_their_times(store: DatabaseServer) -> None:
    store.streams.create("a", schema={"type": "integer"})
    result = store.streams.append("a", points(10, 10, 11.25))
    assert (result.first, result.count, result.repeated, result.refused, result.restamped) == (0, 3, False, (), 0)
    assert store.streams.stream("a").newest_t == 11.25
    for wrong, said in (
        (points(11, 12), "point 0, counted from 0.*older than the newest point of the stream, of 11.25"),
        (points(12, 14, 13), "point 2.*older.*14.0"),
        ([*points(12), {"t": 13, "d": "x"}], "point 1.*'x' is not of type 'integer'"),
        ([{"t": float("inf"), "d": 1}], "point 0.*not finite"),
        ([{"t": 10**400, "d": 1}], "point 0.*not finite"),
        ([{"t": "12", "d": 1}], "t is no number"),
        ([{"t": True, "d": 1}], "t is no number"),
        ([{"t": 12}], "no point"),
        ([{"t": 12, "d": 1, "x": 2}], "no point"),
        ([7], "no point"),
    ):
        with pytest.raises(PointsRefused, match=said):
            store.streams.append("a", wrong)
    assert stored(store, "a") == [(10, 0), (10, 1), (11.25, 2)]
    assert store.streams.append("a", []).first == 3
    assert store.streams.append("a", points(11.25)).first == 3


def test_values_are_any_json_and_nothing_else(store: DatabaseServer) -> None:
    store.streams.create("any")
    values = [None, True, 0.1, -0.0, 10**30, "ü\n\ud83d", [1, {"a": []}], {}]
    store.streams.append("any", [{"t": 1, "d": value} for value in values])
    assert [value for _, value in stored(store, "any")] == values
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for wrong, said in ((float("nan"), "not finite"), ([float("-inf")], "not finite"), (deep, "too deeply")):
        with pytest.raises(PointsRefused, match=said):
            store.streams.append("any", [{"t": 2, "d": wrong}])


def test_of_partial_points_the_good_ones_are_stored_and_the_others_told(store: DatabaseServer) -> None:
    store.streams.create("a", schema={"type": "integer"})
    store.streams.append("a", points(10))
    mixed = [*points(9, 8, 10, 12, 11), {"t": 12, "d": None}, {"t": 12, "d": 6}]
    result = store.streams.append("a", mixed, partial=True)
    assert (result.first, result.count) == (1, 3)
    assert [(point.index, point.t) for point in result.refused] == [(0, 9), (1, 8), (4, 11), (5, 12)]
    assert "10.0" in result.refused[0].reason
    assert "None is not of type" in result.refused[3].reason
    assert stored(store, "a") == [(10, 0), (10, 2), (12, 3), (12, 6)]
    nothing = store.streams.append("a", points(1, 2), partial=True)
    assert (nothing.count, len(nothing.refused)) == (0, 2)


def test_restamped_points_get_the_newest_time(store: DatabaseServer) -> None:
    store.streams.create("a")
    store.streams.append("a", points(0.1 + 0.2))
    result = store.streams.append("a", points(0.1, 0.2, 5, 4, 6), restamp=True)
    assert (result.first, result.count, result.restamped, result.refused) == (1, 5, 3, ())
    newest = 0.1 + 0.2
    assert stored(store, "a") == [(newest, 0), (newest, 0), (newest, 1), (5, 2), (5, 3), (6, 4)]
    assert store.streams.append("a", points(1, 2), restamp=True).restamped == 2
    assert store.streams.stream("a").newest_t == 6
    assert store.streams.append("a", [{"t": 7, "d": None}, 7], restamp=True, partial=True).count == 1


def test_a_batch_that_comes_again_is_stored_once_and_answered_as_before(store: DatabaseServer) -> None:
    store.streams.create("a")
    store.streams.append("a", points(10))
    first = store.streams.append("a", points(9, 11, 12), writer="logger 1", batch=3, partial=True)
    store.streams.append("a", points(20), writer="logger 2", batch=1)
    again = store.streams.append("a", points(9, 11, 12), writer="logger 1", batch=3, partial=True)
    assert again == first.model_copy(update={"repeated": True})
    earlier = store.streams.append("a", points(30), writer="logger 1", batch=2)
    assert (earlier.repeated, earlier.count) == (True, 0)
    assert store.streams.append("a", points(5, 31), writer="logger 1", batch=9, restamp=True).restamped == 1
    repeated = store.streams.append("a", points(5, 31), writer="logger 1", batch=9, restamp=True)
    assert (repeated.first, repeated.count, repeated.restamped, repeated.repeated) == (4, 2, 1, True)
    assert [time for time, _ in stored(store, "a")] == [10, 11, 12, 20, 20, 31]
    for writer, batch in (("w", None), ("", 1), ("w", -1), ("w", 2**53), ("w" * 201, 1), ("a\nb", 1)):
        with pytest.raises(ValueError, match=r"atch|writer"):
            store.streams.append("a", points(40), writer=writer, batch=batch)
    with pytest.raises(ValueError, match="At most 65536"):
        store.streams.append("a", [{}] * 65_537)


def test_an_answer_that_got_lost_costs_no_point_twice(store: DatabaseServer) -> None:
    """The connection asks a second time by itself."""
    store.streams.create("a")
    execute, sent = store.client.execute_command, []

    def lose_reply(*command: Any, **options: Any) -> Any:
        reply = execute(*command, **options)
        if command[0] == "EVAL":
            sent.append(reply)
            reply = execute(*command, **options)
            assert reply == sent[-1]
        return reply

    store.client.execute_command = lose_reply  # type: ignore[method-assign]
    assert store.streams.append("a", points(1, 2)).first == 0
    assert store.streams.append("a", points(1, 3), partial=True).refused[0].t == 1
    assert store.streams.append("a", points(1, 3), restamp=True).restamped == 1
    assert not store.streams.append("a", points(4), writer="w", batch=1).repeated
    assert store.streams.create("b").name == "b"
    assert len(sent) == 5
    assert [time for time, _ in stored(store, "a")] == [1, 2, 3, 3, 3, 4]


def test_a_range_is_found_by_places_or_by_times(store: DatabaseServer) -> None:
    made = store.streams.create("a")
    store.streams.append("a", points(*[time // 3 for time in range(300)]))

    def found(**wish: Any) -> tuple[int, int]:
        answer = store.streams.range("a", **wish)
        assert answer.id == made.id
        return answer.first, answer.stop

    assert found() == (0, 300)
    assert found(i1=-5) == (295, 300)
    assert found(i1=10, i2=-280) == (10, 20)
    assert found(i1=20, i2=10) == (20, 20)
    assert found(i1=-1000, i2=1000) == (0, 300)
    assert found(t1=1, t2=2) == (3, 6)
    assert found(t1=0.5) == (3, 300)
    assert found(t2=50, limit=7) == (0, 7)
    assert found(t1=-5, t2=-4) == (0, 0)
    assert found(t1=1000) == (300, 300)
    assert found(t1=5, t2=4) == (15, 15)
    with pytest.raises(ValueError, match="not of both"):
        found(i1=0, t1=0)


def test_thousands_of_points_go_in_with_one_call_and_each_is_read(store: DatabaseServer) -> None:
    made = store.streams.create("a")
    for begin in range(0, 131_072, 65_536):
        result = store.streams.append("a", [{"t": begin + place, "d": place / 3} for place in range(65_536)])
        assert (result.first, result.count) == (begin, 65_536)
    block = store.messages(made.id, 65_000, 1_000)
    assert [time_of(message) for message in block.messages()] == list(range(65_000, 66_000))
    assert (block.arrived_ns[1:] >= block.arrived_ns[:-1]).all()
    assert set(block.source.tolist()) == {0}
    assert store.session(made.id).sources[0].name == "a"


def test_many_writers_at_once_keep_the_order_of_times_and_lose_nothing(store: DatabaseServer) -> None:
    store.streams.create("a")
    counts: list[int] = []

    def write(writer: int) -> None:
        for batch in range(40):
            wished = [{"t": batch + place, "d": [writer, batch, place]} for place in range(3)]
            counts.append(store.streams.append("a", wished, writer=f"w{writer}", batch=batch, restamp=True).count)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = stored(store, "a")
    times = [time for time, _ in found]
    assert times == sorted(times)
    assert sorted(value for _, value in found) == [[w, b, p] for w in range(4) for b in range(40) for p in range(3)]
    assert sum(counts) == 480
    block = store.messages(store.streams.stream("a").id, 0, 480)
    assert (block.arrived_ns[1:] >= block.arrived_ns[:-1]).all()


@given(
    newest=st.integers(0, 6),
    times=st.lists(st.integers(0, 9), max_size=12),
    restamp=st.booleans(),
)
def test_what_is_kept_is_what_one_point_after_the_other_would_have_kept(
    store: DatabaseServer, newest: int, times: list[int], restamp: bool
) -> None:
    store.streams.ids().get("a") and store.streams.delete("a")
    store.streams.create("a")
    store.streams.append("a", [{"t": newest, "d": "before"}])
    result = store.streams.append("a", points(*times), restamp=restamp, partial=not restamp)
    expected: list[tuple[float, Any]] = [(newest, "before")]
    refused = []
    for place, time in enumerate(times):
        if time >= expected[-1][0] or restamp:
            expected.append((max(time, expected[-1][0]), place))
        else:
            refused.append(place)
    assert stored(store, "a") == expected
    assert [point.index for point in result.refused] == refused
    assert result.restamped == (sum(t != times[d] for t, d in expected[1:]) if restamp else 0)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "nonsense"}, r"\$\.type"),
        ({"properties": {"a": {"minimum": "x"}}}, r"\$\.properties\.a\.minimum"),
        ({"$ref": "https://example.org/schema"}, "refers to 'https://example.org/schema'"),
        ({"$ref": "#/$defs/missing"}, "not in it"),
        ({"$ref": "#"}, "without an end"),
        ({"pattern": "("}, "pattern"),
        ({"pattern": "(a)\\1"}, "pattern"),
        ({"patternProperties": {"a": {}}}, "patternProperties"),
        ({"description": "x" * 70_000}, "bytes"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_and_says_where(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        encode_schema(schema)


def test_a_value_is_checked_by_its_schema() -> None:
    def check(schema: dict[str, Any], value: Any) -> str | None:
        return compile_schema(encode_schema(schema))(value)

    assert check({}, float) is None
    assert check({"type": "number"}, 1.5) is None
    assert check({"type": "number"}, True) == "True is not of type 'number'."
    assert check({"type": "integer"}, 2.0) is None
    assert check({"type": "string", "maxLength": 3}, "long") is not None
    wanted = {
        "type": "object",
        "properties": {"volts": {"$ref": "#/$defs/volts"}, "name": {"pattern": "^(a+)+$"}},
        "required": ["volts"],
        "$defs": {"volts": {"type": "number", "minimum": 0}},
    }
    assert check(wanted, {"volts": 1}) is None
    assert check(wanted, {"volts": -1}) == "$.volts: -1 is less than the minimum of 0."
    assert check(wanted, {"volts": 1, "name": "a" * 50 + "b"}).startswith("$.name: ")  # type: ignore[union-attr]
    tree = {"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
    assert check(tree, [[], [[]]]) is None
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    assert check(tree, deep) == "It is nested too deeply."


@given(st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_a_message_tells_its_time_exactly(time: float, value: str) -> None:
    message = encode_point(time, value)
    assert time_of(message) == time
    assert json.loads(message) == {"t": time, "d": value}


def test_nothing_behind_the_first_fault_is_looked_at_where_all_is_lost_by_it() -> None:
    checked = check_points([1, 2, 3], lambda _: None, stop_at_first=True)
    assert [point.index for point in checked.refused] == [0]


def test_a_stream_is_no_session_that_could_be_stopped_or_thrown_away(store: DatabaseServer) -> None:
    made = store.streams.create("a")
    assert store.available_sessions() == []
    assert store.running_session() is None
    for session_id in (made.id, made.downlink_id):
        with pytest.raises(SessionNotFound):
            store.delete_session(session_id)
        with pytest.raises(SessionNotFound):
            store.trash.put(session_id, 1)
        assert store.close_session(session_id) is None
    assert store.streams.append("a", points(1)).count == 1


def test_of_very_many_writers_those_are_remembered_that_came_last(store: DatabaseServer) -> None:
    made = store.streams.create("a")
    for writer in range(5_000):
        store.streams.append("a", points(writer), writer=f"w{writer}", batch=1)
    fields = store.client.hlen(store.keys.meta(made.id))
    assert 2_048 <= fields <= 4_096
    assert store.streams.append("a", points(0), writer="w4999", batch=1).repeated
    assert store.streams.append("a", points(0), writer="w3500", batch=1).repeated
    with pytest.raises(PointsRefused):
        store.streams.append("a", points(0), writer="w0", batch=1)


def test_half_a_character_matches_no_pattern() -> None:
    assert compile_schema(encode_schema({"pattern": "a"}))("\ud800") is not None


def test_a_stream_is_told_from_one_that_another_store_has_at_its_place(store: DatabaseServer) -> None:
    store.streams.create("a", downlink=True)
    store.streams.append("a", points(1))
    store.client.flushdb()
    store.streams.create("b", downlink=True)
    with pytest.raises(StreamNotFound):
        store.streams.append("a", points(2))
    store.client.flushdb()
    store.streams.create("a", schema={"type": "string"}, downlink=True)
    with pytest.raises(PointsRefused):
        store.streams.append("a", points(2))
