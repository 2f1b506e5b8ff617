"""Computed channels in files: the values that the window's plot has, compared with pandas on the exported columns."""

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from blitz.data import session_computed
from blitz.data.blocks import GRID_MESSAGES, MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.computed import ComputedChannel, Step
from blitz.data.computed_formulas import written_out
from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_session
from blitz.data.kept_computed import KEY, kept_channels, write_channels
from blitz.data.kept_settings import FILE_NAME, KeptSettings
from blitz.data.records import SessionRecord, Source
from blitz.data.report import write_report
from blitz.data.session_computed import computed_series, fitting_channels
from blitz.data.session_statistics import session_statistics
from blitz.data.sidecar import Sidecar, verify_file
from blitz.data.transforms import Integral, MovingAverage, Resample, Translate
from blitz.errors import SeriesError

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
START_NS = round(START.timestamp()) * 10**9
COUNT = GRID_MESSAGES + 3_000
POWER = ComputedChannel("Power", "'Supply voltage' * current", "W", 0.5, definition="p")
SMOOTH = ComputedChannel("Smooth", "'Supply voltage'", "V", steps=(Step(MovingAverage(5)),))
CHARGE = ComputedChannel("Charge", "current", "A", steps=(Step(Integral(1.0)),))
SECONDLY = ComputedChannel("Secondly", "current", "A", steps=(Step(Resample(1.0)),))
ALL = (POWER, SMOOTH, CHARGE, SECONDLY)


def source(index: int, name: str, board: str, *channels: dict[str, object]) -> Source:
    given = [{"column": place, **channel} for place, channel in enumerate(channels)]
    definition = BoardDefinition.model_validate({"id": board, "name": board, "format": "columns", "channels": given})
    return Source(index=index, name=name, link="", definition=definition)


SOURCES = (
    source(0, "supply", "p", {"name": "u", "label": "Supply voltage", "unit": "V"}, {"name": "noise"}),
    source(1, "meter", "q", {"name": "current", "unit": "A"}),
)


def messages() -> MessageBlock:
    """Two devices at uneven steps, one away for three seconds; a garbled line now and then."""
    rng = np.random.default_rng(1)
    reads, at_ns = [], START_NS
    while len(reads) < COUNT:
        at_ns += int(rng.integers(5_000_000, 15_000_000))
        number = len(reads)
        text = b"garbled" if number % 997 == 5 else b"%.3f,%d" % (10 + math.sin(number / 50), number % 7)
        reads.append(Read(at_ns, 0, [text]))
        if number % 3 == 1 and not 1200 < number < 1500:
            reads.append(Read(at_ns + 4_000_000, 1, [b"%.3f" % (2 + math.cos(number / 80))]))
    return MessageBlock.from_reads(1, 0, reads)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("computed") / "cache.db"
    block = messages()
    record = SessionRecord(id=1, started_at=START, message_count=block.next_seq, sources=SOURCES)
    with DatabaseClient(path=path) as cache:
        cache.begin_download(record)
        for first in range(0, block.next_seq, GRID_MESSAGES):
            cache.store_block(1, block.between(first, first + GRID_MESSAGES))
        cache.finish_download(record)
    return path


@pytest.fixture
def own(path: Path) -> Iterator[DatabaseClient]:
    with DatabaseClient(path=path) as cache:
        yield cache


def on_lines(frame: pd.DataFrame, column: str, at: pd.Series, longest_s: float) -> np.ndarray:
    """Bring a column to other times on straight lines, not across long gaps, by pandas and numpy alone."""
    known = frame.dropna(subset=[column])
    known_s = (known["time"] - pd.Timestamp(START)).dt.total_seconds().to_numpy()
    at_s = (at - pd.Timestamp(START)).dt.total_seconds().to_numpy()
    found = np.interp(at_s, known_s, known[column].to_numpy(), left=np.nan, right=np.nan)
    right = np.clip(np.searchsorted(known_s, at_s), 1, len(known_s) - 1)
    return np.where(known_s[right] - known_s[right - 1] > longest_s, np.nan, found)


def test_computed_channels_stand_in_the_rows_of_their_messages(own: DatabaseClient, tmp_path: Path) -> None:
    file = export_session(own, 1, tmp_path / "run.parquet", computed=ALL[:3])
    frame = pq.read_table(file).to_pandas()
    assert list(frame.columns) == ["time", "u", "noise", "current", "Power", "Smooth", "Charge"]
    assert len(frame) == own.session_record(1).message_count
    supply, meter = frame[frame["u"].notna()], frame[frame["current"].notna()]
    power = supply["u"].to_numpy() * on_lines(frame, "current", supply["time"], 0.5)
    assert 250 < np.isnan(power).sum() < 400
    np.testing.assert_allclose(supply["Power"], power, rtol=1e-9)
    assert frame.loc[frame["u"].isna(), "Power"].isna().all()
    sent = frame[frame["current"].isna()]  # by the supply, garbled lines among them
    inner = sent["u"].rolling(5, center=True, min_periods=1).mean().where(sent["u"].notna())
    np.testing.assert_allclose(sent["Smooth"].iloc[2:-2], inner.iloc[2:-2], rtol=1e-9)
    np.testing.assert_allclose(sent["Smooth"].iloc[[0, -1]], sent["u"].iloc[[0, -1]], rtol=1e-12)
    seconds = (meter["time"] - pd.Timestamp(START)).dt.total_seconds()
    areas = (meter["current"] + meter["current"].shift()) / 2 * seconds.diff()
    charge = areas.where(seconds.diff() <= 1.0, 0).fillna(0).cumsum()
    np.testing.assert_allclose(meter["Charge"], charge, rtol=1e-9, atol=1e-9)


def test_each_computed_channel_is_named_with_its_unit_and_how_it_is_made(own: DatabaseClient, tmp_path: Path) -> None:
    table = export_session(own, 1, tmp_path / "run.parquet", computed=[POWER], count=50)
    facts = pq.read_schema(table).field("Power").metadata
    assert (facts[b"unit"], facts[b"source"]) == (b"W", b"computed")
    assert ComputedChannel.from_plain(json.loads(facts[b"computed"])) == POWER
    text = export_session(own, 1, tmp_path / "run.csv", computed=[POWER], count=50)
    assert text.read_text().splitlines()[0] == "time_utc,seconds,u [V],noise,current [A],Power [W]"
    sidecar = Sidecar.model_validate_json((tmp_path / "run.csv.json").read_text())
    assert ComputedChannel.from_plain(sidecar.columns[-1].computed or {}) == POWER
    assert sidecar.columns[0].computed is None
    assert verify_file(text, own).rows == 50
    hdf5 = export_session(own, 1, tmp_path / "run.h5", computed=[POWER], count=50)
    with h5py.File(hdf5) as file:
        assert file["readings/Power"].attrs["unit"] == "W"
        assert "Supply voltage" in file["readings/Power"].attrs["computed"]


def test_a_part_has_the_values_that_the_whole_session_has(own: DatabaseClient, tmp_path: Path) -> None:
    whole = pq.read_table(export_session(own, 1, tmp_path / "whole.parquet", computed=ALL[:3])).to_pandas()
    first, count = GRID_MESSAGES - 100, 400
    part = export_session(own, 1, tmp_path / "part.parquet", computed=ALL[:3], first=first, count=count, sidecar=False)
    pd.testing.assert_frame_equal(
        pq.read_table(part).to_pandas(), whole[first : first + count].reset_index(drop=True), check_exact=True
    )
    begin, end = START + timedelta(seconds=60), START + timedelta(seconds=61)
    timed = export_session(own, 1, tmp_path / "timed.parquet", computed=ALL[:3], start=begin, stop=end, sidecar=False)
    wanted = whole[(whole["time"] >= begin) & (whole["time"] < end)].reset_index(drop=True)
    assert len(wanted) > 100
    pd.testing.assert_frame_equal(pq.read_table(timed).to_pandas(), wanted, check_exact=True)


def test_a_computed_channel_alone_brings_the_rows_of_its_device(own: DatabaseClient, tmp_path: Path) -> None:
    file = export_session(own, 1, tmp_path / "power.parquet", channels=["Power"], computed=ALL, sidecar=False)
    frame = pq.read_table(file).to_pandas()
    assert list(frame.columns) == ["time", "Power"]
    assert len(frame) == (messages().source == 0).sum()
    long = export_session(own, 1, tmp_path / "long.csv", channels=["Power"], computed=ALL, layout="long", sidecar=False)
    rows = pd.read_csv(long)
    assert set(rows["channel"]) == {"Power"}
    assert set(rows["source"]) == {"computed"}
    np.testing.assert_allclose(rows["value"], frame["Power"].dropna(), rtol=1e-12)


def test_what_has_times_of_its_own_has_rows_of_its_own(own: DatabaseClient, tmp_path: Path) -> None:
    later = ComputedChannel("Later", "current", "A", steps=(Step(Translate(7.25)),))
    file = export_session(own, 1, tmp_path / "run.parquet", computed=[SECONDLY, later], sidecar=False)
    frame = pq.read_table(file).to_pandas()
    evenly = frame[frame["Secondly"].notna()]
    assert (evenly["time"].dt.microsecond == 0).all()
    assert evenly["u"].isna().all()
    np.testing.assert_allclose(evenly["Secondly"], on_lines(frame, "current", evenly["time"], 0.2), rtol=1e-9)
    meter, moved = frame[frame["current"].notna()], frame[frame["Later"].notna()]
    assert (moved["time"].to_numpy() == (meter["time"] + pd.Timedelta(seconds=7.25)).to_numpy()).all()
    assert (moved["Later"].to_numpy() == meter["current"].to_numpy()).all()
    messages_only = frame[frame["Secondly"].isna() & frame["Later"].isna()]
    assert len(messages_only) == own.session_record(1).message_count
    assert frame["time"].is_monotonic_increasing
    # Of a part, what is at its time.
    few = export_session(own, 1, tmp_path / "few.parquet", computed=[SECONDLY], first=9000, count=1000, sidecar=False)
    part = pq.read_table(few).to_pandas()
    times = part.loc[part["Secondly"].isna(), "time"]
    assert len(times) == 1000
    assert part["time"].min() >= times.min()
    assert part["time"].max() <= times.max()
    assert part["Secondly"].notna().sum() in range(5, 10)


def test_a_row_a_step_has_computed_channels_too(own: DatabaseClient, tmp_path: Path) -> None:
    file = export_session(own, 1, tmp_path / "run.csv", computed=ALL, step_s=1.0, sidecar=False)
    frame = pd.read_csv(file)
    assert frame["Secondly [A]"].notna().sum() > 100
    assert frame["Power [W]"].notna().sum() > 100
    assert (pd.to_datetime(frame["time_utc"]).diff().dropna() >= pd.Timedelta(seconds=1)).all()


def test_their_statistics_are_those_of_the_exported_values(own: DatabaseClient, tmp_path: Path) -> None:
    end = START + timedelta(seconds=90)
    found = session_statistics(own, 1, stop=end, computed=[POWER, SECONDLY])
    assert list(found) == ["u", "noise", "current", "Power", "Secondly"]
    file = export_session(own, 1, tmp_path / "run.parquet", stop=end, computed=[POWER, SECONDLY], sidecar=False)
    frame = pq.read_table(file).to_pandas()
    for label in ("u", "Power", "Secondly"):
        values = frame[label].dropna()
        got = found[label]
        assert got.count == len(values)
        expected = (values.min(), values.max(), values.mean(), values.std(), np.sqrt((values**2).mean()))
        assert (got.minimum, got.maximum, got.mean, got.standard_deviation, got.rms) == pytest.approx(
            expected, rel=1e-9
        )
    some = session_statistics(own, 1, ["Power"], first=100, count=200, computed=[POWER])["Power"]
    assert some.mean == pytest.approx(frame.loc[frame["Secondly"].isna(), "Power"].iloc[100:300].mean(), rel=1e-9)
    with pytest.raises(SeriesError, match="has times of its own"):
        session_statistics(own, 1, ["Secondly"], first=100, computed=[SECONDLY])


@pytest.mark.parametrize("begin_s", [None, 30])
def test_a_report_has_them_with_their_formulas(own: DatabaseClient, tmp_path: Path, begin_s: int | None) -> None:
    begin = None if begin_s is None else START + timedelta(seconds=begin_s)
    path, lacks = write_report(own, 1, tmp_path / "run.html", start=begin, computed=ALL, zone=UTC)
    assert lacks == ()
    text = path.read_text()
    power = session_statistics(own, 1, ["Power"], start=begin, computed=ALL)["Power"]
    for number in (power.mean, power.minimum, power.maximum, power.integral):
        assert f'<data value="{number!r}">' in text
    rows = re.findall("<tr><td>Power</td><td>W</td><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td></tr>", text)
    assert rows == [("&#39;Supply voltage&#39; * current", "", "0.5 s")]
    assert "<td>Moving average 5 readings</td>" in text
    plots = [re.sub("<[^>]*>", "", title) for title in re.findall("<title>(.*?)</title>", text)]
    assert any("Power" in title for title in plots)
    only, _ = write_report(own, 1, tmp_path / "power.html", channels=["Power"], computed=ALL, plots="none")
    assert "Smooth" not in only.read_text()


def test_a_report_says_what_it_could_not_compute(
    own: DatabaseClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_computed, "MOST_AT_ONCE", 1000)
    path, lacks = write_report(own, 1, tmp_path / "run.html", computed=[CHARGE, SMOOTH])
    assert len(lacks) == 1
    assert lacks[0].startswith("Charge is not in this report. Charge needs all readings of session 1 at once")
    assert "Moving average 5 readings" in path.read_text()


def test_scripts_get_them_as_series(own: DatabaseClient) -> None:
    series = computed_series(own, 1, ALL)
    assert list(series) == ["Power", "Smooth", "Charge", "Secondly"]
    assert series["Power"].unit == "W"
    given = own.series(1)
    whole = POWER({"Supply voltage": given["u"], "current": given["current"]})
    np.testing.assert_array_equal(series["Power"].values, whole.values)
    assert series.statistics()["Power"].count > 12_000


def test_a_session_has_only_what_fits_it(own: DatabaseClient, tmp_path: Path) -> None:
    opened = own.open_session(1)
    other = ComputedChannel("Other", "nothing * 2")
    elsewhere = ComputedChannel("Elsewhere", "current", definition="another board")
    same = ComputedChannel("noise", "noise * 2")
    found = fitting_channels([other, elsewhere, same, POWER], opened.channels, opened.sources)
    assert [each.label for each in found] == ["noise (computed)", "Power"]
    with pytest.raises(SeriesError, match="There is no channel 'Other'"):
        export_session(own, 1, tmp_path / "run.csv", channels=["Other"], computed=[other])


def test_a_session_that_is_too_long_for_a_step_is_refused_with_the_way_out(
    own: DatabaseClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_computed, "MOST_AT_ONCE", 1000)
    with pytest.raises(SeriesError, match="Charge needs all readings of session 1 at once"):
        export_session(own, 1, tmp_path / "run.csv", computed=[CHARGE])
    assert not (tmp_path / "run.csv").exists()
    export_session(own, 1, tmp_path / "run.csv", computed=[SMOOTH])  # looks at a few neighbours only


def test_a_formula_may_be_made_of_other_computed_channels(own: DatabaseClient) -> None:
    loss = ComputedChannel("Loss", "0.1 * 'ƒ Power' + Power", "W", 0.5)
    series = computed_series(own, 1, [loss, POWER])
    np.testing.assert_allclose(series["Loss"].values, 1.1 * series["Power"].values, rtol=1e-12)
    # A device's own channel counts before a computed one of its name.
    noise = ComputedChannel("noise", "current * 100")
    assert written_out(ComputedChannel("c", "noise * 2"), [noise], {"noise"}).formula == "noise * 2"


def test_computed_channels_of_each_other_are_refused() -> None:
    one, two = ComputedChannel("One", "Two + 1"), ComputedChannel("Two", "'One' * x")
    with pytest.raises(SeriesError, match="for ever: “One” of “Two” of “One”"):
        written_out(one, [one, two])
    with pytest.raises(SeriesError, match="“Self” of “Self”"):
        written_out(ComputedChannel("Self", "Self + 1"), [ComputedChannel("Self", "Self + 1")])
    with pytest.raises(SeriesError, match="“Smooth” has steps"):
        written_out(ComputedChannel("c", "Smooth * 2"), [SMOOTH])


def test_what_the_window_kept_is_there_for_all_programs(tmp_path: Path) -> None:
    assert kept_channels(tmp_path) == ()
    kept = KeptSettings(tmp_path / FILE_NAME)
    kept.keep({KEY: write_channels(ALL)})
    kept.close()
    assert kept_channels(tmp_path) == ALL
