"""A space of one's own, seen by people: twins as cards, their properties over time, a note, live."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .conftest import STATIC, Visitor

TANK = {
    "@context": "dtmi:dtdl:context;3",
    "@id": "dtmi:demo:Tank;1",
    "@type": "Interface",
    "contents": [
        {
            "@type": ["Telemetry", "Length"],
            "name": "level",
            "schema": "double",
            "unit": "metre",
            "displayName": "Level",
        },
        {"@type": "Telemetry", "name": "pump", "schema": "double"},
        {"@type": "Property", "name": "site", "schema": "string"},
    ],
}
TANK["@context"] = ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"]


def call(url: str, method: str, path: str, body: object) -> None:
    request = urllib.request.Request(
        url.rstrip("/") + path, json.dumps(body).encode(), {"content-type": "application/json"}, method=method
    )
    urllib.request.urlopen(request).close()


def push(url: str, sequence: int, readings: dict[int, float]) -> None:
    """Levels of tank-1 by their instants in ms."""
    rows = [{"twin": "tank-1", "property": "level", "value": v, "t": t / 1000} for t, v in readings.items()]
    call(url, "POST", f"/api/push?source=test&sequence={sequence}", rows)


@pytest.fixture(scope="module")
def plant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not STATIC.exists():
        pytest.skip("the pages are not built: pip install . builds them")
    space: Path = tmp_path_factory.mktemp("plant") / "plant.space"
    words = ["serve", str(space), "--port", "0", "--no-mqtt", "--no-estimate", "--json"]
    process = subprocess.Popen([sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()


@pytest.fixture
def open_page(browser: Browser, plant_url: str) -> Iterator:
    visitors: list[Visitor] = []

    def opened() -> Visitor:
        visitors.append(Visitor(browser, plant_url))
        return visitors[-1]

    yield opened
    for visitor in visitors:
        visitor.close()
    assert [v.errors for v in visitors if v.errors] == []
    assert [v.elsewhere for v in visitors if v.elsewhere] == []


def test_an_empty_space_says_how_to_begin_and_then_shows_what_comes(open_page, plant_url: str) -> None:
    page = open_page().page
    expect(page.get_by_text("Nothing is here yet")).to_be_visible()
    call(plant_url, "POST", "/models?api-version=2023-10-31", [TANK])
    for name in ("tank-1", "tank-2", "boiler"):
        twin = {"$metadata": {"$model": TANK["@id"]}, "site": "north"}
        call(plant_url, "PUT", f"/digitaltwins/{name}?api-version=2023-10-31", twin)
    expect(page.get_by_test_id("twin-card-tank-1")).to_contain_text("Nothing has come yet.")
    now = int(time.time() * 1000)
    push(plant_url, 1, {now - 60_000 + 1000 * k: 2 + k / 100 for k in range(60)})
    card = page.get_by_test_id("twin-card-tank-1")
    expect(card).to_contain_text("Level")
    expect(card).to_contain_text("2.590")
    expect(card).to_contain_text("m")


def test_a_few_letters_find_a_twin_and_a_click_shows_all_of_it(open_page) -> None:
    page = open_page().page
    page.get_by_role("searchbox").fill("boi")
    expect(page.get_by_test_id("twin-card-boiler")).to_be_visible()
    expect(page.get_by_test_id("twin-card-tank-1")).to_have_count(0)
    page.get_by_role("searchbox").fill("")
    page.get_by_test_id("twin-card-tank-1").click()
    panel = page.get_by_test_id("twin-panel")
    expect(panel).to_contain_text("dtmi:demo:Tank;1")
    expect(panel).to_contain_text("north")
    expect(panel.locator("figure.strip canvas")).to_have_count(1)
    expect(page).to_have_url(re.compile("#twin=tank-1"))
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("twin-panel")).to_have_count(0)


def test_what_comes_is_seen_by_all_at_once_and_a_note_is_everybodys(open_page, plant_url: str) -> None:
    ann, bob = open_page().page, open_page().page
    for page in (ann, bob):
        page.get_by_test_id("twin-card-tank-1").click()
    push(plant_url, 2, {int(time.time() * 1000): 7.77})
    for page in (ann, bob):
        expect(page.get_by_test_id("twin-panel")).to_contain_text("7.770")
    ann.get_by_test_id("note-editor").locator(".cm-content").focus()
    ann.keyboard.type("The float sticks.")
    expect(bob.get_by_test_id("note-editor")).to_contain_text("The float sticks.")
