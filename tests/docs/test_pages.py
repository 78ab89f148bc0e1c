"""The pages that people read, in a real Chromium: whole, at any width, and asking nobody else.

Screenshots are left in reports/.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from dcs_sessions.emulator import Emulator
from tools import page as tools_page
from tools import spec

pytestmark = [pytest.mark.node, pytest.mark.xdist_group("browser")]

REPORTS = spec.ROOT / "reports"
WIDTHS = {"wide": 1400, "narrow": 390}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium: apt-get install chromium")
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        # As root there is no sandbox, and what Chromium asks for itself is none of the page's.
        options = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[str, str], Page]]:
    """Open a page at a width, and see in the end that it was well and kept to itself."""
    opened: list[tuple[Page, list[str], list[str]]] = []
    contexts = []

    def open_page(url: str, width: str) -> Page:
        contexts.append(
            context := browser.new_context(viewport={"width": WIDTHS[width], "height": 900})
        )
        page = context.new_page()
        problems: list[str] = []
        requests: list[str] = []

        def told(request: Request) -> None:
            if not request.url.startswith(("data:", "blob:")):
                requests.append(request.url)

        page.on("request", told)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda message: problems.append(message.text) if message.type == "error" else None,
        )
        page.goto(url)
        opened.append((page, problems, requests))
        return page

    yield open_page
    for page, problems, requests in opened:
        origin = page.evaluate("location.protocol === 'file:' ? 'file://' : location.origin")
        assert [url for url in requests if not url.startswith(origin)] == []
        assert problems == []
    for context in contexts:
        context.close()


def fits(page: Page) -> bool:
    """Whether nobody has to scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("width", WIDTHS)
def test_emulator_shows_a_page_that_works(
    width: str, visit: Callable[[str, str], Page], dcs: Emulator
) -> None:
    page = visit(f"{dcs.endpoint}/", width)
    operation = page.locator("#operations-Nodes-ShowNodesInformation")
    operation.locator(".opblock-summary-control").click()
    page.screenshot(path=REPORTS / f"emulator-{width}.png")
    with page.expect_response(lambda answer: answer.url.endswith("/logical-nodes")) as answer:
        operation.get_by_role("button", name="Execute").click()
    assert answer.value.status == 200
    body = operation.locator(".live-responses-table .highlight-code").first
    expect(body).to_contain_text(dcs.node_ids[0])
    page.screenshot(path=REPORTS / f"emulator-{width}-tried.png")
    assert fits(page)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, made as `make docs` makes it."""
    folder = tmp_path_factory.mktemp("site")
    environment = Path(sys.prefix)
    ready = ("--assume-old", f"{environment}/.ready")
    run = subprocess.run(
        ["make", *ready, f"VENV={environment}", f"SITE={folder}", "docs"],
        cwd=spec.ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["api", "index", "reference", "how-to/emulator"])
def test_documentation(
    name: str, width: str, visit: Callable[[str, str], Page], site: Path
) -> None:
    page = visit((site / f"{name}.html").as_uri(), width)
    expect(page.locator("h1").first).to_be_visible()
    page.screenshot(path=REPORTS / f"{name.replace('/', '-')}-{width}.png")
    assert fits(page)


def test_page_has_the_whole_contract() -> None:
    api = tools_page.local()
    assert api["paths"].keys() == spec.load()["paths"].keys()
    assert tools_page.PAGE.stat().st_mtime >= spec.SPEC.stat().st_mtime, "run `make docs`"
