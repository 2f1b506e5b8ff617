"""Reports: their numbers compared with those of pandas on the exported data, their pages parsed."""

import hashlib
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import report_session
from report_session import HOSTILE, STARTED_NS, STARTED_S
from sqlalchemy import update

from blitz.data.blocks import GRID_MESSAGES
from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_session
from blitz.data.models import Session, StoredBlock
from blitz.data.records import Source
from blitz.data.report import write_report
from blitz.data.report_template import default_template
from blitz.errors import DownloadCancelled, ReportTemplateError, SeriesError

VOID = {"meta", "br", "img", "link", "hr", "input"}


class Page(HTMLParser):
    """A page, whose tags must be closed in the order in which they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.exact: dict[tuple[str, str], str] = {}
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "data":
            table = self.tables[-1]
            self.exact[table[-1][0], table[0][len(table[-1]) - 1]] = dict(attrs)["value"] or ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += data

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def table(self, *headings: str) -> list[list[str]]:
        """Return the rows of the table whose headings begin like this."""
        (found,) = (table[1:] for table in self.tables if table and table[0][: len(headings)] == list(headings))
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DatabaseClient, Path]]:
    """A cache with a session of several blocks, and a folder."""
    with DatabaseClient() as cache:
        report_session.fill(cache, 2 * GRID_MESSAGES + 500)
        yield cache, tmp_path_factory.mktemp("report")


def page_of(cache: DatabaseClient, folder: Path, **wanted: Any) -> tuple[Page, str]:
    path, _ = write_report(cache, 7, folder / "report.html", zone=UTC, **wanted)
    text = path.read_text("utf-8")
    return Page(text), text


def svgs(text: str) -> list[ET.Element]:
    return [ET.fromstring(found) for found in re.findall(r"(<svg xmlns.*?</svg>)\n</figure>", text, re.DOTALL)]


def test_the_numbers_are_those_of_pandas_on_the_exported_data(world: tuple[DatabaseClient, Path]) -> None:
    cache, folder = world
    page, _ = page_of(cache, folder, author="Ann")
    frame = pd.read_parquet(export_session(cache, 7, folder / "run.parquet"))
    assert len(frame.columns) == 5
    for label in frame.columns[1:]:
        unit = {"inlet": " [°C]", "outlet": " [°C]", "open": ""}.get(label, " [l/min]")
        values = frame.set_index("time")[label].dropna()
        expected = {
            "Mean": values.mean(),
            "Std. dev.": values.std(),
            "RMS": np.sqrt((values**2).mean()),
            "Minimum": values.min(),
            "Maximum": values.max(),
            "First": values.iloc[0],
            "Last": values.iloc[-1],
            "Readings/s": (len(values) - 1) / (values.index[-1] - values.index[0]).total_seconds(),
        }
        found = {name: float(page.exact[label + unit, name]) for name in expected}
        assert found == pytest.approx(expected, rel=1e-9), label
        assert int(page.exact[label + unit, "Readings"]) == len(values)
        seconds = (values.index - values.index[0]).total_seconds().to_numpy()
        slope = np.polyfit(seconds - seconds.mean(), values.to_numpy(), 1)[0]
        assert float(page.exact[label + unit, "Slope (unit/s)"]) == pytest.approx(slope, rel=1e-6, abs=1e-9)
        for name, moment in (("Minimum at", values.idxmin()), ("Maximum at", values.idxmax())):
            told = pd.Timestamp(page.exact[label + unit, name])
            assert told == moment.floor("us"), (label, name)
    in_time = int((frame["inlet"].notna() & frame[HOSTILE[3]].isna()).sum())
    assert int(page.exact[HOSTILE[3] + " [l/min]", "Without value"]) == in_time > 0


def test_a_part_has_the_numbers_of_that_part(world: tuple[DatabaseClient, Path]) -> None:
    cache, folder = world
    begin, end = STARTED_S + 30.5, STARTED_S + 62.25
    page, text = page_of(cache, folder, channels=["outlet"], start=begin, stop=end)
    frame = pd.read_parquet(
        export_session(cache, 7, folder / "part.parquet", channels=["outlet"], start=begin, stop=end)
    )
    assert float(page.exact["outlet [°C]", "Mean"]) == pytest.approx(frame["outlet"].mean(), rel=1e-12)
    assert int(page.exact["outlet [°C]", "Readings"]) == frame["outlet"].count() > 1000
    assert [row[:4] for row in page.table("No.")] == [["2", "2023-11-14 22:14:20.000", "0:01:00.000", "5.000 s"]]
    assert "22:13:50.500 to 2023-11-14 22:14:22.250; account and fingerprint are the whole session's" in page.text
    assert len(svgs(text)) == 1
    assert not any(row for table in page.tables for row in table if "set speed" in "".join(row))
    with pytest.raises(SeriesError, match="Did you mean 'inlet'"):
        page_of(cache, folder, channels=["inlett"])


def test_the_fingerprint_is_that_of_an_exports_sidecar(world: tuple[DatabaseClient, Path]) -> None:
    cache, folder = world
    page, _ = page_of(cache, folder)
    sidecar = json.loads(Path(f"{export_session(cache, 7, folder / 'all.parquet')}.json").read_text("utf-8"))
    assert sum(block["count"] for block in sidecar["raw"]) == 2 * GRID_MESSAGES + 500
    lines = "".join(f"{block['sha256']}\n" for block in sidecar["raw"])
    facts = dict(row for table in page.tables for row in table if len(row) == 2)
    assert facts["SHA-256 of the messages"] == hashlib.sha256(lines.encode()).hexdigest()
    assert facts["SHA-256 of the definitions"] == sidecar["definitions_sha256"]


def test_what_sessions_say_is_text_wherever_it_stands(world: tuple[DatabaseClient, Path]) -> None:
    cache, folder = world
    page, text = page_of(cache, folder, author=HOSTILE[0])
    assert {tag for tag, _ in page.tags} & {"script", "img", "iframe", "a", "link", "object", "form"} == set()
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    for words in (*HOSTILE[:4], HOSTILE[5]):
        assert words in page.text, words
    assert "nul \ufffd, bell \ufffd, a turned \ufffdgnp.exe" in page.text
    assert f"Made by {HOSTILE[0]} on" in page.text
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202a-\u202e]", text)
    policy = next(attributes for tag, attributes in page.tags if "http-equiv" in attributes)["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert "http" not in re.sub(r"http-equiv|http://www\.w3\.org/2000/svg", "", text)
    drawings = svgs(text)
    assert len(drawings) == 3
    titles = [drawing.findtext("{http://www.w3.org/2000/svg}title") for drawing in drawings]
    assert titles == ["inlet, outlet", HOSTILE[3], "open"]


def test_words_and_numbers_of_losses_commands_and_markers(world: tuple[DatabaseClient, Path]) -> None:
    cache, folder = world
    page, _ = page_of(cache, folder)
    assert (
        "Messages are missing in 1 gap, 15.0 s in all. 75 messages were lost, as the devices number them." in page.text
    )
    gap = ["2023-11-14 22:14:00.000", "0:00:40.000", "15.0 s", "75", "the cable was pulled", "cooler"]
    assert page.table("From") == [gap]
    assert page.exact["cooler", "Lost"] == "75"
    assert page.exact["cooler", "Discarded"] == "10"
    assert "cooler: The account balances: every byte and every message is accounted for." in page.text
    assert "door: The account does not balance: 2 bytes unaccounted for." in page.text
    assert [row[2:6] for row in page.table("When", "After", "Sent")] == [
        ["P20set speed", "ok", "cooler", "ann"],
        ["X", f"no answer: {HOSTILE[0]}", "door", ""],
    ]
    assert [(row[0], row[4]) for row in page.table("No.")] == [("1", HOSTILE[3]), ("2", "steady state")]
    conversions = [row[2] for table in page.tables for row in table[1:] if table[0][:2] == ["Channel", "Unit"]]
    assert conversions == ["(n − 100) · 0.01", "through 2 points: 0 → 0, 5000 → 50", "as sent", "1 + 2·n²"]


def points(drawing: ET.Element) -> list[list[tuple[float, float]]]:
    """Return the pieces of each curve as places in the drawing."""
    found = []
    for path in drawing.iter("{http://www.w3.org/2000/svg}path"):
        if path.get("class") == "curve":
            pieces = path.get("d", "").replace("h0", "").split("M")[1:]
            found += [[tuple(map(float, each.split())) for each in piece.split("L")] for piece in pieces]
    return found  # type: ignore[return-value]


def test_curves_reach_their_extremes_and_break_at_the_gap(world: tuple[DatabaseClient, Path]) -> None:
    cache, folder = world
    _, text = page_of(cache, folder, channels=["outlet"], plots="channel")
    (drawing,) = svgs(text)
    frame = pd.read_parquet(export_session(cache, 7, folder / "outlet.parquet", channels=["outlet"])).dropna()
    pieces = points(drawing)
    assert len(pieces) == 2
    frame_box = next(each for each in drawing.iter() if each.get("class") == "frame")
    width, height = float(frame_box.get("width", 0)), float(frame_box.get("height", 0))
    low, high = frame["outlet"].min(), frame["outlet"].max()
    room = 0.05 * (high - low)
    lowest = max(y for piece in pieces for _, y in piece)
    highest = min(y for piece in pieces for _, y in piece)
    assert lowest == pytest.approx((high + room - low) / (high - low + 2 * room) * height, abs=0.06)
    assert highest == pytest.approx(room / (high - low + 2 * room) * height, abs=0.06)
    times = (frame["time"].astype("datetime64[ns, UTC]").astype("int64") - STARTED_NS).to_numpy() / 1e9
    assert pieces[0][0][0] == pytest.approx(times[0] / 100 * width, abs=0.06)
    assert pieces[-1][-1][0] == pytest.approx(times[-1] / 100 * width, abs=0.8)
    before, behind = times[times < 41].max(), times[times > 54].min()
    assert pieces[0][-1][0] == pytest.approx(before / 100 * width, abs=0.8)
    assert pieces[1][0][0] == pytest.approx(behind / 100 * width, abs=0.8)
    gap = next(each for each in drawing.iter() if each.get("class") == "gap").get("d", "")
    left, length = re.findall(r"M([\d.]+) .*?h([\d.]+)", gap)[0]
    assert float(left) - float(frame_box.get("x", 0)) == pytest.approx(0.4 * width, abs=0.1)
    assert float(length) == pytest.approx(0.15 * width, abs=0.1)


def test_a_long_session_makes_no_larger_page_and_takes_no_more_memory(tmp_path: Path) -> None:
    import tracemalloc

    sizes, peaks = [], []
    for blocks in (1, 4):
        with DatabaseClient(path=tmp_path / f"{blocks}.db") as cache:
            report_session.fill_long(cache, blocks)
            seen: list[tuple[int, int]] = []
            tracemalloc.start()
            path, _ = write_report(
                cache,
                7,
                tmp_path / "r.html",
                zone=UTC,
                progress=lambda done, total, seen=seen: seen.append((done, total)),
            )
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            sizes.append(path.stat().st_size)
            assert seen == [(each * GRID_MESSAGES, blocks * GRID_MESSAGES) for each in range(blocks + 1)]
    assert sizes[1] < 1.1 * sizes[0] < 500_000
    assert peaks[1] < 2 * peaks[0] < 30e6


def test_a_cancelled_report_leaves_what_was_there(world: tuple[DatabaseClient, Path], tmp_path: Path) -> None:
    cache, _ = world
    (tmp_path / "r.html").write_text("old")
    calls = iter([False, True])
    with pytest.raises(DownloadCancelled, match="no file was written"):
        write_report(cache, 7, tmp_path / "r.html", is_cancelled=lambda: next(calls))
    assert [each.name for each in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").read_text() == "old"


@pytest.mark.parametrize("damaged", [[0], [1], [2], [0, 1]])
def test_a_damaged_copy_is_reported_on_and_what_is_missing_is_told(tmp_path: Path, damaged: list[int]) -> None:
    with DatabaseClient() as cache:
        count = 2 * GRID_MESSAGES + 500
        report_session.fill(cache, count, hostile=False)
        with cache._writing() as db:
            db.execute(update(StoredBlock).where(StoredBlock.grid_index.in_(damaged)).values(body=b"rubbish"))
        page, text = page_of(cache, tmp_path)
    lost = sum(min(GRID_MESSAGES, count - each * GRID_MESSAGES) for each in damaged)
    first, stop = damaged[0] * GRID_MESSAGES, min((damaged[-1] + 1) * GRID_MESSAGES, count)
    words = page.text.replace("\u202f", "")
    assert f"The report is not whole: {lost} messages cannot be read, {first} to {stop - 1}." in words
    assert "SHA-256 of the messages" not in page.text
    sources = np.concatenate([block.source for block in report_session.session_blocks(count)])
    left = np.ones(count, bool)
    left[first:stop] = False
    assert int(page.exact["inlet [°C]", "Readings"]) == int((left & (sources == 0)).sum())
    assert 'class="absent"' in text


def test_a_part_of_a_session_says_so(tmp_path: Path) -> None:
    with DatabaseClient() as cache:
        record = report_session.session_record(1000, hostile=False)
        running = record.model_copy(update={"stopped_at": None, "is_running": True, "message_count": 400})
        cache.begin_download(running)
        cache.store_block(7, report_session.session_blocks(1000)[0].between(0, 400))
        cache.finish_download(running)
        page, _ = page_of(cache, tmp_path)
    assert "The session was still running when this computer last asked" in page.text
    facts = dict(row for table in page.tables for row in table if len(row) == 2)
    assert (facts["Ended"], facts["Made of messages"]) == ("it was still running", "0 to 399")


def test_sessions_without_messages_channels_or_of_rows_have_their_report(tmp_path: Path) -> None:
    with DatabaseClient() as cache:
        report_session.fill(cache, 0)
        page, text = page_of(cache, tmp_path)
        assert text.count("no readings in this time") == 3
        assert "SHA-256 of the messages" not in page.text
    with DatabaseClient() as cache:
        cache.add(
            Session(ref_id=7, available=True, time_started=STARTED_S * 1000, time_stopped=(STARTED_S + 60) * 1000)
        )
        category = cache.get_or_create_category("rate")
        for number in range(50):
            cache.add_reading(7, STARTED_S * 1000 + number * number, category, number / 8)
        page, text = page_of(cache, tmp_path, start=STARTED_S + 0.1)
        numbers = pd.Series([number / 8 for number in range(50) if number * number >= 100])
        assert float(page.exact["rate", "Mean"]) == pytest.approx(numbers.mean(), rel=1e-12)
        assert int(page.exact["rate", "Readings"]) == len(numbers)
        assert len(points(*svgs(text))[0]) == len(numbers)
        late = cache.get_or_create_category("late")
        for at_s in (1, 30):
            cache.add_reading(7, (STARTED_S + at_s) * 1000, late, 5.0 if at_s == 30 else float("nan"))
        page, text = page_of(cache, tmp_path, stop=STARTED_S + 2)
        assert len(svgs(text)) == 1
        assert "No plot, for want of readings: late." in page.text


def test_a_template_of_ones_own_replaces_blocks(world: tuple[DatabaseClient, Path], tmp_path: Path) -> None:
    cache, _ = world
    own = tmp_path / "own"
    own.mkdir()
    (own / "logo.txt").write_text("Room 12")
    (own / "report.html").write_text(
        '{% extends "blitz.html" %}{% block head %}<h1>Flow laboratory, {% include "logo.txt" %}: '
        "{{ report.title }}</h1>{% endblock %}{% block boards %}{% endblock %}"
        "{% block foot %}{{ report.session.started_at.year }} {{ report.session.started_ms }}{% endblock %}"
    )
    page, _ = page_of(cache, tmp_path, template=own)
    assert f"Flow laboratory, Room 12: {HOSTILE[0]}" in page.text
    assert "Devices and definitions" not in page.text
    assert f"2023 {STARTED_S * 1000}" in page.text
    (tmp_path / "copy.html").write_text(default_template())
    usual, copied = (page_of(cache, tmp_path, **given)[1] for given in ({}, {"template": tmp_path / "copy.html"}))
    made = re.compile(r"Made.*?\.</p>|the usual template|template copy.html")
    assert made.sub("", usual) == made.sub("", copied)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<p>\n{% if %}", "t.html, line 2: Expected an expression, got 'end of statement block'"),
        ("<p>\n\n{{ report.titel }}", "t.html, line 3: .*Report.* has no attribute 'titel'"),
        ("{{ nothing }}", "t.html, line 1: 'nothing' is undefined"),
        ("\n{{ 1 / 0 }}", "t.html, line 2: division by zero"),
        ('{% include "away.html" %}', "t.html, line 1: there is no template 'away.html' beside it"),
        ("{% include '../secret.txt' %}", "t.html, line 1: there is no template '../secret.txt' beside it"),
        ("{{ report.session.__class__ }}", "t.html, line 1: access to attribute '__class__'"),
        ("{{ report.session.parse_file('/etc/passwd') }}", "t.html, line 1: access to attribute 'parse_file'"),
        ("{{ ''.__class__.__mro__ }}", "t.html, line 1: access to attribute '__class__'"),
        ("{{ report.fields.append(1) }}", "t.html, line 1: .*has no attribute 'append'"),
        ("<p>\n{% block a %}", "t.html, line 2: Unexpected end of template"),
    ],
)  # fmt: skip
def test_errors_in_a_template_are_told_with_file_and_line(
    world: tuple[DatabaseClient, Path], tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "t.html").write_text(content)
    with pytest.raises(ReportTemplateError, match=words):
        write_report(world[0], 7, tmp_path / "r.html", template=folder / "t.html", channels=["open"], plots="none")
    assert not (tmp_path / "r.html").exists()


def test_a_template_that_is_none_is_told(world: tuple[DatabaseClient, Path], tmp_path: Path) -> None:
    def told(place: Path) -> str:
        with pytest.raises(ReportTemplateError) as error:
            write_report(world[0], 7, tmp_path / "r.html", template=place)
        return str(error.value)

    assert told(tmp_path / "away.html") == f"There is no template {tmp_path / 'away.html'}."
    assert told(tmp_path) == f"There is no template {tmp_path / 'report.html'}."
    (tmp_path / "binary.html").write_bytes(b"\xff\xfe\x00")
    assert told(tmp_path / "binary.html") == f"{tmp_path / 'binary.html'} is no template: it is not text in UTF-8."
    (tmp_path / "blitz.html").write_text("x")
    assert "has the name of the template of Blitz" in told(tmp_path / "blitz.html")


@pytest.mark.parametrize(
    ("expires", "zero", "words"),
    [
        (None, 0.0, "in force"),
        ("2023-11-13", 0.0, "good until 2023-11-13; had expired before the session"),
        ("2024-11-13", 5.0, "good until 2024-11-13; its numbers were changed since: it does not hold any more"),
    ],
)
def test_a_calibration_is_told_as_it_held_on_the_day_of_the_session(
    tmp_path: Path, expires: str | None, zero: float, words: str
) -> None:
    made = {
        "at": "2023-01-05T10:00:00Z",
        "who": "Ann <a@b>",
        "against": "PT100, certificate 17",
        "expires": expires,
        "points": [{"reference": 0, "raw": 0}, {"reference": 10, "raw": 100, "residual": 0.02}],
    }
    channel = Channel.model_validate(
        {"name": "t", "column": 0, "unit": "°C", "scale": 0.0998, "zero": zero, "calibration": made}
    )
    definition = BoardDefinition(id="one", name="One", format=Format.COLUMNS, channels=(channel,))
    record = report_session.session_record(0).model_copy(
        update={"sources": (Source(index=0, name="one", link="", definition=definition),)}
    )
    with DatabaseClient() as cache:
        cache.begin_download(record)
        cache.finish_download(record)
        page, _ = page_of(cache, tmp_path)
    told = page.table("Channel", "Unit")[0][2]
    begin = "calibrated 2023-01-05 by Ann <a@b> against PT100, certificate 17; 2 points, largest error 0.02 °C; "
    assert told == f"{'(n − 5)' if zero else 'n'} · 0.0998{begin}{words}"
