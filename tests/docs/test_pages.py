"""The pages in a real Chromium: complete, at any width, without requests to other hosts.

Screenshots are left in reports/.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect, sync_playwright

import dcs_sessions
from dcs_sessions import emulator
from dcs_sessions._cli import _failures, _overview
from dcs_sessions.emulator import Emulator
from tools import commands, spec
from tools import page as tools_page

pytestmark = pytest.mark.node

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
        # As root there is no sandbox, and requests of Chromium itself do not come from the page.
        options = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page at a width, and check afterwards for errors and requests to other hosts."""
    opened: list[tuple[Page, list[str], list[str]]] = []
    contexts = []

    def open_page(url: str, width: str, scheme: Literal["light", "dark"] = "light") -> Page:
        context = browser.new_context(
            viewport={"width": WIDTHS[width], "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
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
    """Return whether the page has no horizontal scroll bar."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("width", WIDTHS)
def test_emulator_shows_a_page_that_works(
    width: str, visit: Callable[..., Page], dcs: Emulator
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
def site(testrun_uid: str) -> Path:
    """The documentation, made as `make docs` makes it, by the first process that needs it.

    Zensical has one cache, which two processes at once would spoil.
    """
    import fcntl

    folder, environment = Path("build", "site-tests"), Path(sys.prefix)
    ready = ("--assume-old", f"{environment}/.ready")
    lock = spec.ROOT / "build" / "site-tests.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("a+", encoding="utf-8") as made:
        fcntl.flock(made, fcntl.LOCK_EX)
        made.seek(0)
        if made.read() != testrun_uid:
            run = subprocess.run(
                ["make", *ready, f"VENV={environment}", f"SITE={folder}", "docs"],
                cwd=spec.ROOT,
                capture_output=True,
                text=True,
            )
            assert run.returncode == 0, run.stdout + run.stderr
            made.truncate(0)
            made.write(testrun_uid)
    return spec.ROOT / folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_documentation_fits_and_loads_nothing_from_elsewhere(
    width: str, scheme: str, visit: Callable[..., Page], site: Path
) -> None:
    page = visit((site / "index.html").as_uri(), width, scheme)
    for name in (
        "index",
        "tutorial",
        "command-line",
        "reference",
        "errors",
        "how-to/emulator",
        "explanation/kills",
        *(["api"] if scheme == "light" else []),
    ):
        page.goto((site / f"{name}.html").as_uri())
        expect(page.locator("h1").first).to_be_visible()
        page.screenshot(path=REPORTS / f"{name.replace('/', '-')}-{width}-{scheme}.png")
        assert fits(page), name
        if name != "api":
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            channels = [float(each) for each in re.findall(r"[\d.]+", background)[:3]]
            assert (sum(channels) < 3 * 128) == (scheme == "dark"), background


def search(page: Page, text: str) -> Locator:
    """Search the site, and return the results."""
    page.get_by_role("button", name="Search").first.click()
    page.keyboard.type(text)
    return page.get_by_role("listbox").get_by_role("option")


def test_new_user_finds_the_way_to_an_error_code(visit: Callable[..., Page], site: Path) -> None:
    page = visit((site / "index.html").as_uri(), "wide")
    page.get_by_role("link", name="Tutorial", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Tutorial")
    page.get_by_role("article").get_by_role("link", name="Command line").last.click()
    expect(page.get_by_role("heading", name="Exit codes")).to_be_visible()
    search(page, "DCS.4957").filter(has_text="Errors").first.click()
    page.wait_for_url("**/errors.html*")
    expect(page.get_by_role("cell", name="DCS.4957")).to_be_visible()


def test_search_finds_what_users_look_for(visit: Callable[..., Page], site: Path) -> None:
    page = visit((site / "index.html").as_uri(), "wide")
    for text, title in {
        "exit code": "Command line",
        "kill-all": "Command line",
        "maxclients": "How DCS sessions work",
        "command line": "Command line",
        "AsyncClient": "Library",
    }.items():
        page.reload()
        expect(search(page, text).filter(has_text=title).first).to_be_visible()


def test_navigation_has_every_page(site: Path) -> None:
    config = (spec.ROOT / "mkdocs.yml").read_text("utf-8")
    named = set(re.findall(r": ([\w/-]+\.md)$", config, re.MULTILINE))
    docs = spec.ROOT / "docs"
    assert named == {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    assert (site / "api.html").is_file()


def test_library_page_has_every_public_name(site: Path) -> None:
    page = (site / "reference.html").read_text("utf-8")
    for module in (dcs_sessions, emulator):
        shown = set(re.findall(rf'id="{module.__name__}\.(\w+)"', page))
        named = {name for name in module.__all__ if f"<code>{name}</code>" in page}
        assert set(module.__all__) - shown - named == set()


def test_exit_codes_of_the_page_are_those_of_the_commands() -> None:
    page = (spec.ROOT / "docs" / "command-line.md").read_text("utf-8")
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert codes == {0, *(code for _, code, _ in _failures._KINDS), _failures.INTERRUPTED, 6}


def test_command_line_page_describes_every_field_and_option() -> None:
    made = commands.reference()
    assert set(commands.FIELDS) <= set(_overview.COMMANDS)
    for name, place in _overview.COMMANDS.items():
        section = made.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        assert section, place
        assert ("-o, --output" in section) == (name in commands.FIELDS), name


def test_page_has_the_whole_contract() -> None:
    api = tools_page.local()
    assert api["paths"].keys() == spec.load()["paths"].keys()
    assert tools_page.PAGE.stat().st_mtime >= spec.SPEC.stat().st_mtime, "run `make docs`"
