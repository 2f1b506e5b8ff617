"""Sessions read anew by corrected definitions, and two versions compared."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from blitz.data.blocks import GRID_MESSAGES
from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.database_client import DatabaseClient
from blitz.data.models import DefinitionVersion
from blitz.data.version_comparison import ChannelComparison
from blitz.errors import CacheError, ConfigError, SessionNotFound, UnknownSource

Readings = Callable[[DatabaseClient, int], Sequence[tuple[int, str, float]]]


def basic(**changes: Any) -> BoardDefinition:
    """Board 08 of the example session, with fields of its first channel changed."""
    first = {"name": "first", "bit": 0, "bits": 12, "unit": "V", **changes}
    return BoardDefinition(
        id="08",
        name="Blitz Basic",
        channels=(Channel(**first), Channel(name="second", bit=12, bits=12, scale=0.5)),
    )


def values(cache: DatabaseClient, label: str, session_id: int = 7) -> list[float]:
    return [
        reading.value for reading in cache.get_session_readings(session_id) if reading.category.variable_name == label
    ]


def test_a_corrected_definition_reads_the_session_anew(any_cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(600).fill(any_cache)
    raw = [bytes(message) for block in any_cache.session_blocks(7) for message in block.messages()]
    recorded = any_cache.session_sources(7)
    corrected = basic(zero=100.0, scale=0.25, unit="mV")
    assert any_cache.add_definition_version(7, {"sim1": corrected}, "the sensor was turned", "ann") == 1
    assert values(any_cache, "first")[:3] == [-25.0, -24.25, -23.5]
    assert values(any_cache, "angle, set")[0] == 2.0
    assert {row.value for row in any_cache.get_session_variables(7)} == {(597 - 100) / 4, 299.0, 599.0}
    assert any_cache.session_sources(7)[0].definition == corrected
    assert any_cache.session_sources(7, 0) == recorded == any_cache.session_record(7).sources
    (version,) = any_cache.definition_versions(7)
    assert (version.number, version.who, version.reason, version.sources) == (
        1,
        "ann",
        "the sensor was turned",
        ("sim1",),
    )
    assert [bytes(message) for block in any_cache.session_blocks(7) for message in block.messages()] == raw


def test_another_layout_of_bits_and_other_names_are_read(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(60).fill(cache)
    layout = BoardDefinition(id="08", name="Bytes", channels=(Channel(name="low", bit=4, bits=8, signed=True),))
    cache.add_definition_version(7, {0: layout})
    assert values(cache, "low")[:2] == [0.0, 3.0]
    assert values(cache, "first") == []


def test_a_source_without_definition_gets_one(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(60).fill(cache)
    printer = BoardDefinition(
        id="printer", name="Printer", format="pairs", channels=[{"name": "temp", "column": "temp", "unit": "°C"}]
    )
    cache.add_definition_version(7, {"printer": printer})
    assert values(cache, "temp")[:3] == [1.0, 4.0, 7.0]
    assert cache.definition_versions(7)[0].sources == ("printer",)


def test_a_version_keeps_what_the_one_before_corrected_and_any_can_go(
    cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    example(60).fill(cache)
    motor = cache.session_sources(7)[2].definition
    cache.add_definition_version(7, {"sim1": basic(scale=2.0)})
    turned = motor.model_copy(update={"channels": (motor.channels[0].model_copy(update={"scale": 10.0}),)})
    assert cache.add_definition_version(7, {"sim2": turned}) == 2
    assert [version.sources for version in cache.definition_versions(7)] == [("sim1",), ("sim1", "sim2")]
    assert (values(cache, "first")[1], values(cache, "angle, set")[0]) == (6.0, 20.0)
    assert cache.delete_definition_version(7, 1) == 1
    assert (values(cache, "first")[1], values(cache, "angle, set")[0]) == (6.0, 20.0)
    assert cache.delete_definition_version(7) == 2
    assert (values(cache, "first")[1], values(cache, "angle, set")[0]) == (3.0, 2.0)
    with pytest.raises(SessionNotFound, match=r"Session 7 has no corrected definitions. It has the recording's."):
        cache.delete_definition_version(7)


def test_versions_outlive_a_new_download_and_not_another_session(
    cache: DatabaseClient, example: Callable[..., Any], all_readings: Readings
) -> None:
    example(60).fill(cache)
    cache.add_definition_version(7, {"sim1": basic(scale=2.0)})
    cache.clear_session_data(7)
    with pytest.raises(SessionNotFound, match="Download it first"):
        cache.session_sources(7)
    assert list(cache.get_session_readings(7)) == []
    example(60).fill(cache)
    assert values(cache, "first")[1] == 6.0
    other = example(60, started_s=1_700_009_000)
    other.fill(cache)
    assert cache.definition_versions(7) == []
    assert all_readings(cache, 7) == other.readings()


def test_versions_go_with_their_session(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(60).fill(cache)
    cache.add_definition_version(7, {"sim1": basic(scale=2.0)})
    cache.delete_session(7)
    assert cache.all(DefinitionVersion) == []


@pytest.mark.parametrize(
    ("definitions", "error", "words"),
    [
        ({"sim9": basic(scale=2.0)}, UnknownSource, "no source 'sim9'. It has: sim1, printer, sim2."),
        ({5: basic(scale=2.0)}, UnknownSource, "no source 5"),
        ({"sim1": basic()}, ConfigError, "nothing would change"),
        ({"sim2": basic()}, ConfigError, "'Blitz Basic' reads no message of sim2, such as '09a0"),
        ({"sim1": basic(unit="V\n")}, ConfigError, r"The unit 'V\\n' of channel 'first' is none"),
        ({"sim1": basic(unit="x" * 40)}, ConfigError, "up to 32 characters"),
        ({"sim1": basic(valid_low=5000.0)}, None, ""),
        (
            {"printer": BoardDefinition(id="a", name="A", format="plugin", plugin="nobody", channels=())},
            ConfigError,
            "Plug-in 'nobody' cannot be used",
        ),
    ],
)
def test_a_definition_that_cannot_be_is_refused_and_nothing_is_kept(
    cache: DatabaseClient, example: Callable[..., Any], definitions: Any, error: Any, words: str
) -> None:
    example(60).fill(cache)
    if error is None:  # one channel without readings: the other one has some
        assert cache.add_definition_version(7, definitions) == 1
        return
    with pytest.raises(error, match=words):
        cache.add_definition_version(7, definitions)
    assert cache.definition_versions(7) == []
    assert cache.all(DefinitionVersion) == []


def test_one_channel_cannot_have_two_units(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(60)
    twice = (*session.record.sources, session.record.sources[0].model_copy(update={"index": 3}))
    session.record = session.record.model_copy(update={"sources": twice})
    session.fill(cache)
    with pytest.raises(ConfigError, match="Channel 'first' would have several units: mV, V"):
        cache.add_definition_version(7, {0: basic(unit="mV")})
    assert cache.add_definition_version(7, {"sim1": basic(unit="mV")}) == 1
    assert {source.definition.channels[0].unit for source in cache.session_sources(7) if source.name == "sim1"} == {
        "mV"
    }


def test_a_version_that_is_not_there_is_told(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(60).fill(cache)
    cache.add_definition_version(7, {"sim1": basic(scale=2.0)})
    with pytest.raises(SessionNotFound, match=r"no version 3 of its definitions. There are: 0 \(the recording\), 1."):
        cache.session_sources(7, 3)
    with pytest.raises(SessionNotFound, match="Session 8 is not in the cache"):
        cache.add_definition_version(8, {"sim1": basic()})


def test_a_damaged_version_is_told_and_can_be_deleted(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(60).fill(cache)
    cache.add_definition_version(7, {"sim1": basic(scale=2.0)})
    with cache._writing() as db:
        db.get(DefinitionVersion, 1).definitions = '{"0": {"nonsense": 1}'
    with pytest.raises(CacheError, match="Version 1 of the definitions of session 7 is damaged"):
        cache.get_session_readings(7)
    assert cache.definition_versions(7)[0].sources == ()
    cache.delete_definition_version(7)
    assert values(cache, "first")[1] == 3.0


def test_two_versions_are_compared(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    count = GRID_MESSAGES + 99
    example(count).fill(cache)
    changed = BoardDefinition(
        id="08",
        name="Basic",
        channels=(
            Channel(name="voltage", bit=0, bits=12, scale=2.0, unit="mV", valid_high=4094.0),
            Channel(name="third", bit=24, bits=12),
        ),
    )
    cache.add_definition_version(7, {"sim1": changed})
    done: list[tuple[int, int]] = []
    comparison = cache.compare_versions(7, 0, 1, lambda *step: done.append(step))
    assert done == [(GRID_MESSAGES, count), (count, count)]
    assert not comparison.is_same
    of_board = [seq % 4096 for seq in range(0, count, 3)]
    kept = [value for value in of_board if 2 * value <= 4094]
    assert comparison.channels == (
        ChannelComparison(
            source="sim1",
            before="first",
            after="voltage",
            unit_before="V",
            unit_after="mV",
            compared=len(kept),
            differing=sum(value != 0 for value in kept),
            largest_difference=float(max(kept)),
            only_before=len(of_board) - len(kept),
        ),
        ChannelComparison(source="sim1", before="second", after=None, only_before=len(of_board)),
        ChannelComparison(source="sim1", before=None, after="third", only_after=len(of_board)),
        ChannelComparison(
            source="sim2",
            before="angle, set",
            after="angle, set",
            unit_before="°",
            unit_after="°",
            compared=len(range(2, count, 3)),
        ),
    )
    assert comparison.channels[0].is_renamed
    assert [channel.is_same for channel in comparison.channels] == [False, False, False, True]
    assert cache.compare_versions(7, 1).is_same


def test_a_clock_that_is_not_believed_moves_readings(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(60).fill(cache)
    cache.add_definition_version(7, {"sim1": basic().model_copy(update={"has_clock": False})})
    *of_board, of_motor = cache.compare_versions(7).channels
    assert [(channel.differing, channel.compared) for channel in of_board] == [(0, 20), (0, 20)]
    assert of_motor.is_same


def test_versions_are_kept_in_the_file(tmp_path: Path, example: Callable[..., Any]) -> None:
    with DatabaseClient(path=tmp_path / "cache.db") as cache:
        example(60).fill(cache)
        cache.add_definition_version(7, {"sim1": basic(scale=2.0)})
        forgotten = cache.get_session_readings(7)
    with DatabaseClient(path=tmp_path / "cache.db") as cache:
        assert values(cache, "first")[1] == 6.0
    with pytest.raises(CacheError, match="is closed"):
        list(forgotten)
