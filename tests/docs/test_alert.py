"""The terminal session of docs/how-to/from-an-alert.md, typed in on a terminal 80 columns wide.

The picture of README.md is made from it.
"""

from __future__ import annotations

import re
import resource
import shlex
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import valkey
from rich.text import Text

from dcs_sessions.emulator import Emulator, Instance
from support.command import Cli
from support.picture import lines_of, svg
from support.typed import ROOT, keep, run_page, without_chance

PAGE = ROOT / "docs" / "how-to" / "from-an-alert.md"
LEAKED, OTHERS, NODES, LIMIT = 2000, 965, 16, 30_000
LEAKING_HOST = "127.0.0.66"


@pytest.fixture
def dcs() -> Iterator[Emulator]:
    """Three instances; one has 16 nodes and 2,965 sessions, of which one host leaks 2,000."""
    needed = 2 * (LEAKED + OTHERS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"needs {needed} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    further = [Instance(name="checkout-test"), Instance(name="billing-prod", cache_mode="proxy")]
    with ExitStack() as stack:
        dcs = stack.enter_context(
            Emulator(nodes=NODES, instance_name="checkout-prod", instances=further)
        )
        for url in dcs.redis_urls:
            with valkey.Valkey.from_url(url) as server:
                server.config_set("maxclients", LIMIT // NODES)
        for number in range(LEAKED + OTHERS):
            leaks = number < LEAKED
            host = LEAKING_HOST if leaks else f"127.0.0.{10 + number % 9}"
            name = "cart-worker" if leaks else ("web", "search", "reports")[number % 3]
            opened = stack.enter_context(socket.socket())
            try:
                opened.bind((host, 0))
            except OSError:
                pytest.skip("needs more than one address of loopback")
            opened.connect(("127.0.0.1", urlsplit(dcs.redis_urls[number % NODES]).port))
            opened.sendall(b"CLIENT SETNAME %s\r\n" % name.encode())
            assert opened.recv(16) == b"+OK\r\n"
        yield dcs
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_terminal_session_is_as_documented(dcs: Emulator, tmp_path: Path) -> None:
    cli = Cli(
        tmp_path,
        DCS_SESSIONS_ENDPOINT=dcs.endpoint,
        DCS_SESSIONS_TOKEN=dcs.token,
        HUAWEICLOUD_SDK_PROJECT_ID=dcs.project_id,
    )
    shown: list[str] = []
    picture: list[Text] = []

    def run(block: re.Match[str]) -> str | None:
        if block["command"] is None:
            return None
        with cli.terminal(*shlex.split(block["command"])[1:], columns=80, rows=60) as terminal:
            shown.append(without_chance(terminal.end(0)))
            if len(shown) != 2:
                picture.append(Text.assemble(("$ ", "bold green"), (block["command"], "bold")))
                picture.extend([*map(dated, lines_of(terminal.screen)), Text()])
        return shown[-1]

    run_page(PAGE, run)
    assert len(shown) == 4
    first, last = shown[0].splitlines(), shown[-1].splitlines()
    assert "2,965 of 30,000 connections (10 %)" in first
    assert any(re.match(r"127\.0\.0\.66, cart-worker +2,000 +67 %  █+$", line) for line in first)
    assert shown[2].endswith("2,000 ended, 0 gone already, 0 spared, 0 unknown\n")
    assert "965 of 30,000 connections (3 %)" in last
    assert "cart-worker" not in shown[-1]
    for theme in ("light", "dark"):
        keep(ROOT / "docs" / "assets" / f"terminal-{theme}.svg", svg(picture[:-1], theme, 80))


def dated(line: Text) -> Text:
    """Replace the times in a line, which has the same length afterwards."""
    plain = without_chance(line.plain).rstrip("\n")
    assert len(plain) == len(line.plain)
    line.plain = plain
    return line


@pytest.mark.parametrize("columns", [60, 80])
def test_answer_fits_a_narrow_terminal_and_comes_soon(
    dcs: Emulator, tmp_path: Path, columns: int
) -> None:
    cli = Cli(
        tmp_path,
        DCS_SESSIONS_ENDPOINT=dcs.endpoint,
        DCS_SESSIONS_TOKEN=dcs.token,
        HUAWEICLOUD_SDK_PROJECT_ID=dcs.project_id,
        DCS_SESSIONS_INSTANCE="checkout-prod",
    )
    start = time.monotonic()
    with cli.terminal("summary", "-q", columns=columns, rows=99) as terminal:
        lines = terminal.end(0).splitlines()
    # A twentieth of it on an idle machine.
    assert time.monotonic() - start < 30
    assert lines[0] == "2,965 of 30,000 connections (10 %)"
    assert lines[2] == "Client host"
    assert lines[3].split()[:4] == [LEAKING_HOST, "2,000", "67", "%"]
    assert max(map(len, lines)) <= columns
