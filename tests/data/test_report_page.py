"""Reports as a browser shows and prints them."""

import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
import report_session
from browser import Browser, running_browser

from blitz.data.database_client import DatabaseClient
from blitz.data.report import write_report

_WIDER = "[...document.querySelectorAll('main *')].filter(e => !e.closest('svg svg') && \
e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 90))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with DatabaseClient() as cache:
        report_session.fill(cache, 2000)
        path, _ = write_report(cache, 7, tmp_path_factory.mktemp("page") / "report.html", zone=UTC, author="Ann")
    return path


@pytest.mark.parametrize(("width", "is_dark"), [(794, False), (794, True), (420, False)])
def test_a_report_fits_its_page_and_runs_nothing(browser: Browser, report: Path, width: int, is_dark: bool) -> None:
    page = browser.open(report.as_uri(), width=width, height=1123, is_dark=is_dark)
    assert page.complaints == []
    assert page.run("document.scripts.length + document.images.length") == 0
    assert page.text("h1") == report_session.HOSTILE[0]
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), page.run(_WIDER)
    assert page.run("document.querySelectorAll('figure svg .curve').length") == 4
    paper = page.run("getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color")
    assert paper == "rgb(255, 255, 255)rgb(26, 26, 26)"


def test_it_is_printed_on_a4_with_no_drawing_cut(browser: Browser, report: Path) -> None:
    page = browser.open(report.as_uri(), width=794, height=1123)
    pdf = b64decode(page.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    boxes = [tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox \[([\d. ]+)\]", pdf)]
    assert 3 <= len(boxes) <= 7
    assert all(box[2:] == pytest.approx((595, 842), abs=1.5) for box in boxes)
    assert page.run("getComputedStyle(document.querySelector('figure')).breakInside") == "avoid"
    assert b"/Subtype /Image" not in pdf  # drawings are lines
