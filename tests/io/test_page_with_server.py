"""The page for a phone in a real browser, with a real server."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from browser import Browser, Page, running_browser
from waiting import wait_until

import blitz
from blitz.data.source_config import SourceConfig
from blitz.errors import NoSession

NETWORK = "127.0.0.2"
SETTING = "one-of-16-letters-or-more"
HOSTILE = "<img src=x onerror=alert(1)>&amp;'\"</p>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def client(server: Any) -> Iterator[blitz.Client]:
    with blitz.Client(server.url) as client:
        yield client


@pytest.fixture(autouse=True)
def _stop_recording(client: blitz.Client, browser: Browser) -> Iterator[None]:
    yield
    browser.close_pages()
    with suppress(NoSession):
        running = client.status().session
        if running is not None:
            client.stop(running.id)


def token(url: str, role: str) -> str:
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        answer = http.post("/api/v1/tokens", json={"role": role, "name": f"the {role}"})
    return str(answer.raise_for_status().json()["token"])


def unheard_of(page: Page) -> list[str]:
    """What the page complained of."""
    page.run("0")  # what was said before comes first
    return page.complaints


def test_recording_is_started_marked_and_stopped(browser: Browser, server: Any, client: blitz.Client) -> None:
    page = browser.open(server.url)
    page.wait_for("#doing", "Not recording")
    page.wait_for("#boards", "ready")
    page.wait_for("#plot canvas")
    page.click("#start")
    page.wait_for("#start-dialog")
    assert not page.is_shown("#start-warning")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_…", page.run("document.querySelector('#start-name').placeholder"))
    page.write("#start-field-0", f"brass {HOSTILE}")
    assert f"_brass {HOSTILE}_…" in page.run("document.querySelector('#start-name').placeholder")
    page.write("#start-name", HOSTILE)
    page.click("#start-dialog [type=submit]")
    page.wait_for("#doing", "Recording")
    page.wait_for("#session", HOSTILE)
    running = client.status().session
    assert running is not None
    assert running.name == HOSTILE
    assert running.fields == {"sample": f"brass {HOSTILE}"}
    assert not page.is_shown("#start")
    page.wait_for("#boards", "recording")
    wait_until(lambda: re.match(r"-?[\d.]+", page.text("#values .number")))

    page.click("#mark")
    page.wait_for("#mark-dialog")
    page.write("#mark-text", f"valve {HOSTILE}")
    page.click("#mark-dialog [type=submit]")
    page.wait_for("#note-list", f"valve {HOSTILE}")
    (marker,) = client.session(running.id).markers
    assert marker.text == f"valve {HOSTILE}"

    page.click("#stop")
    page.wait_for("#stop-dialog", HOSTILE)
    page.click("#stop-dialog .close")
    assert not page.is_shown("#stop-dialog")
    assert client.status().session is not None
    page.click("#stop")
    page.click("#stop-dialog [type=submit]")
    page.wait_for("#doing", "Not recording")
    assert client.session(running.id).stopped_at is not None
    assert page.run("document.querySelectorAll('img').length") == 0
    assert unheard_of(page) == []


def test_the_plot_shows_the_chosen_channels(browser: Browser, server: Any, client: blitz.Client) -> None:
    client.start(name="plotted")
    page = browser.open(server.url)
    page.wait_for("#doing", "Recording")
    inked = """(() => {
        const canvas = document.querySelector('#plot canvas');
        if (!canvas) return false;
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true});
        copy.drawImage(canvas, 0, 0);
        const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
        for (let n = 0; n < pixels.length; n += 4)
            if (pixels[n + 3] > 200 && COLOUR.every((part, k) => Math.abs(pixels[n + k] - part) < 9)) return true;
        return false;
    })()"""
    first, third = inked.replace("COLOUR", "[0, 114, 178]"), inked.replace("COLOUR", "[0, 158, 115]")
    wait_until(lambda: page.run(first))
    assert not page.run(third)
    assert page.text("#legend").split() == ["adc_channel_one", "adc_channel_two"]
    assert page.text("#values .heading") == "sim1"
    chosen = "#values li:nth-child(4) button"  # the first is the name of the board
    assert page.run(f"document.querySelector('{chosen}').getAttribute('aria-pressed')") == "false"
    page.click(chosen)
    wait_until(lambda: page.run(third))
    assert "adc_channel_three" in page.text("#legend")
    page.click("[data-minutes='15']")
    assert "adc_channel_three over the last 15 min" in page.run("document.querySelector('#plot').ariaLabel")
    assert page.text("#plot-hint") == ""
    page.click("#values li:nth-child(9) button")  # motor_value, without a unit
    page.click("#values li:nth-child(10) button")  # set_point, in degrees
    page.wait_for("#plot-hint", "Only the shape of set_point: the plot has room for two scales.")
    page.click("#values li:nth-child(2) button")
    wait_until(lambda: not page.run(first))
    assert unheard_of(page) == []


def test_a_viewer_looks_and_a_wrong_token_sees_nothing(browser: Browser, server: Any, client: blitz.Client) -> None:
    session = client.start(name="looked at")
    given = token(server.url, "viewer")
    page = browser.open(f"{server.url}/#{given}&{'0' * 64}")
    page.wait_for("#doing", "Recording")
    page.wait_for("#only-looks", "viewer")
    assert given not in page.run("location.href")
    assert not page.is_shown("#stop")
    assert "the viewer · viewer" in page.text("#who")
    said = page.run(
        f"import('./page/server.js').then(m => m.ask('sessions/{session.id}/stop', {{method: 'POST'}}))"
        ".then(() => '', refused => refused.message)"
    )
    assert "This needs the role operator" in said
    page.reload()
    page.wait_for("#doing", "Recording")  # the tab keeps it
    with page.loading_anew():
        page.click("#leave")
    page.wait_for("#who", "without a token")

    page = browser.open(f"{server.url}/#blz_wrong")
    page.wait_for("#entry-reason", "The token is wrong, or was revoked.")
    assert not page.is_shown("#view")
    page.run("document.dispatchEvent(new Event('visibilitychange'))")  # the link was copied elsewhere
    assert page.is_shown("#entry")
    page.write("#entry-token", f"blitz://lab-pi:8999/#{token(server.url, 'operator')}&{'0' * 64}")
    page.click("#entry-keep")
    page.click("#entry-form [type=submit]")
    page.wait_for("#stop")
    assert page.run("localStorage.length") == 1
    assert page.run("sessionStorage.length") == 0


def test_over_the_network_a_server_that_goes_is_missed_and_comes_back(
    browser: Browser, run_server: Callable[..., Any], module_port: int
) -> None:
    address = ("--host", NETWORK, "--port", str(module_port), "--token", SETTING)
    server = run_server("--simulate", "1", "--durability", "none", *address)
    page = browser.open(f"{server.url}/")
    assert server.url.startswith("https:")
    page.wait_for("#entry-token")
    page.write("#entry-token", SETTING)
    page.click("#entry-form [type=submit]")
    page.click("#start")
    page.write("#start-name", "long run")
    page.click("#start-dialog [type=submit]")
    page.wait_for("#doing", "Recording")
    server.kill()
    page.wait_for("#gone", "No connection to the server")
    page.wait_for("#doing", "Last seen recording")
    assert page.run("document.querySelector('#stop').disabled")
    server.start()
    page.wait_for("#doing", "Recording")
    page.wait_for("#session", "long run")
    assert not page.is_shown("#gone")
    page.wait_for("#boards", "recording")


def test_an_alarm_is_shown_and_acknowledged(browser: Browser, server: Any) -> None:
    rule = {"name": f"Too high {HOSTILE}"[:80], "source": "sim1", "channel": "adc_channel_one", "advice": "Open it."}
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as http:
        made = http.post("/alarms/rules", json=rule | {"condition": {"kind": "level", "above": -1}})
        assert made.status_code == 201, made.text
        try:
            page = browser.open(f"{server.url}/#{token(server.url, 'operator')}")
            page.wait_for("#alarms", rule["name"])
            page.wait_for("#alarms", "Open it.")
            button = "#alarm-list button[aria-label^='Acknowledge Too high']"
            page.click(button)
            page.wait_for("#alarms", "seen by the operator")
            assert not page.is_shown(button)
            (alarm,) = [each for each in http.get("/alarms").json() if each["rule"]["name"] == rule["name"]]
            assert alarm["acknowledged_by"] == "the operator"
            assert unheard_of(page) == []
        finally:
            http.delete(f"/alarms/rules/{made.json()['id']}").raise_for_status()


def test_of_many_alarms_the_worst_is_first_and_all_are_acknowledged_at_once(browser: Browser, server: Any) -> None:
    about = {"source": "sim1", "channel": "adc_channel_one"}
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as http:
        ids = []
        try:
            for number in range(7):
                rule = about | {"name": f"Rule {number}", "condition": {"kind": "level", "above": -number - 1}}
                severity = "critical" if number == 2 else "info"
                made = http.post("/alarms/rules", json=rule | {"severity": severity}).raise_for_status()
                ids.append(made.json()["id"])
            page = browser.open(server.url)
            # Three or more: on a busy machine a board may be silent for long enough to be an alarm, too.
            wait_until(lambda: re.fullmatch(r"Show (?!2 )\d+ more", page.text("#more-alarms")))
            page.wait_for("#alarm-list li:first-child", "Rule 2")
            assert page.run("document.querySelectorAll('#alarm-list li').length") == 4
            assert not page.is_shown("#alarm-bar")
            page.run("document.querySelector('footer').scrollIntoView()")
            page.wait_for("#alarm-bar", " alarms")
            page.click("#alarm-bar")
            wait_until(lambda: not page.is_shown("#alarm-bar"))
            page.click("#more-alarms")
            page.wait_for("#alarm-list li:nth-child(7)")
            page.click("#acknowledge-all")
            wait_until(lambda: page.text("#alarm-list").count("seen by") >= 7)
            wait_until(lambda: not page.is_shown("#acknowledge-all"))
            assert unheard_of(page) == []
        finally:
            for rule_id in ids:
                http.delete(f"/alarms/rules/{rule_id}").raise_for_status()


def test_before_a_start_the_page_says_what_would_not_be_recorded(
    browser: Browser, server: Any, client: blitz.Client
) -> None:
    client.add_source(SourceConfig(name="oven", link="/dev/nothing-is-here"), later=True)
    try:
        page = browser.open(server.url)
        page.wait_for("#boards", "away")
        page.click("#start")
        page.wait_for("#start-warning", "oven: away. Nothing of it is recorded until it is ready.")
    finally:
        client.delete_source("oven")


def test_nothing_but_the_pages_own_files_may_run(browser: Browser, server: Any) -> None:
    page = browser.open(server.url)
    page.wait_for("#plot canvas")
    assert unheard_of(page) == []
    page.run("document.body.insertAdjacentHTML('beforeend', '<b id=evil onclick=\"window.wasRun = 1\">x</b>')")
    page.run("document.querySelector('#evil').click()")
    loaded = page.run(
        "new Promise(done => { const s = document.createElement('script'); s.src = 'https://example.org/x.js';"
        "s.onload = () => done(true); s.onerror = () => done(false); document.head.append(s); })"
    )
    assert loaded is False
    assert page.run("window.wasRun ?? null") is None
    refused = [said for said in unheard_of(page) if "Content Security Policy" in said]
    assert len(refused) >= 2
    asked = page.run("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(name.startswith(f"{server.url}/") for name in asked if "example.org" not in name), json.dumps(asked)


def test_what_is_touched_is_large_enough_and_has_a_name(browser: Browser, server: Any) -> None:
    page = browser.open(server.url)
    page.wait_for("#values button")
    page.wait_for("#boards", "ready")
    page.click("#start")
    small = page.run(
        "[...document.querySelectorAll('button, input:not([type=checkbox])')].filter(n => n.getClientRects().length)"
        ".filter(n => n.getBoundingClientRect().height < 44 || n.getBoundingClientRect().width < 44)"
        ".map(n => n.outerHTML)"
    )
    assert small == []
    page.call("Accessibility.enable")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    named = {"button", "textbox", "checkbox", "img", "dialog"}
    nameless = [n for n in nodes if n.get("role", {}).get("value") in named and not n.get("name", {}).get("value")]
    assert nameless == []
    assert page.run("document.documentElement.scrollWidth") <= 390
    page.click("#start-dialog .close")
    page.dress(844, 390, is_dark=True)  # on its side; the plot is seen as a whole
    wait_until(lambda: page.run("innerWidth") == 844)
    assert page.run("document.documentElement.scrollWidth") <= 844
    assert page.run("document.querySelector('#curves').getBoundingClientRect().height <= innerHeight")
