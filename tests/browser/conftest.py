"""A running demo and a real browser that talks to nothing but it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

PATIENCE_MS = 60_000  # software rendering on two busy cores
expect.set_options(timeout=PATIENCE_MS)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
STATIC = Path(__file__).parents[2] / "src" / "ectype" / "server" / "static" / "index.html"
FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]


@pytest.fixture(scope="package")
def demo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a demo in a process of its own, as a newcomer would start it."""
    if not STATIC.exists():
        pytest.skip("the pages are not built: pip install . builds them")
    space = tmp_path_factory.mktemp("demo") / "farm.space"
    command = [sys.executable, "-m", "ectype.cli.main", "demo", "--space", str(space), "--no-open", "--json"]
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        assert process.wait(20) == 0, "the demo did not end cleanly"
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Headless Chromium, gone before other tests run: Playwright keeps an event loop running in this thread."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Visitor:
    """One person with a page, and what went wrong on it."""

    def __init__(self, browser: Browser, url: str, **context: object) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **context})  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        origin = url.rstrip("/")
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "request",
            lambda r: None if r.url.startswith((origin, "data:", "blob:")) else self.elsewhere.append(r.url),
        )
        self.page.goto(f"{url}?quality=low")

    def close(self) -> None:
        """Leave."""
        self.context.close()


@pytest.fixture
def visit(browser: Browser, demo_url: str) -> Iterator:
    """`visit()` opens one more page on the demo; at the end none may have complained or called elsewhere."""
    visitors: list[Visitor] = []

    def open_page(**context: object) -> Visitor:
        visitors.append(Visitor(browser, demo_url, **context))
        return visitors[-1]

    yield open_page
    for visitor in visitors:
        visitor.close()
    assert [v.errors for v in visitors if v.errors] == []
    assert [v.elsewhere for v in visitors if v.elsewhere] == []
