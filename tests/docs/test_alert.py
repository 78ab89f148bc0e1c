"""The terminal session of docs/how-to/from-an-alert.md, typed in on a terminal 80 columns wide.

With DCS_SESSIONS_WRITE_GOLDEN set, what it shows is written into the page.
"""

from __future__ import annotations

import os
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

from dcs_sessions.emulator import Emulator, Instance
from support.command import Cli

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "from-an-alert.md"
BLOCK = re.compile(r"(?<=```console\n\$ )(.*)\n((?:.*\n)*?)(?=```\n)")
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


def without_chance(text: str) -> str:
    """Leave out what is another each time: the time of lists, and ports."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "2026-11-24T03:00:00.000Z", text)
    text = re.sub(rf"{LEAKING_HOST}:\d+", f"{LEAKING_HOST}:40000", text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def test_session_is_as_documented(dcs: Emulator, tmp_path: Path) -> None:
    cli = Cli(
        tmp_path,
        DCS_SESSIONS_ENDPOINT=dcs.endpoint,
        DCS_SESSIONS_TOKEN=dcs.token,
        HUAWEICLOUD_SDK_PROJECT_ID=dcs.project_id,
    )
    text = PAGE.read_text("utf-8")
    shown: list[str] = []
    for command, _ in BLOCK.findall(text):
        words = shlex.split(command)[1:]
        with cli.terminal(*words, columns=80, rows=60) as terminal:
            shown.append(without_chance(terminal.end(0)))
    assert len(shown) == 4
    found = iter(shown)
    typed = BLOCK.sub(lambda block: f"{block[1]}\n{next(found)}", text)
    if os.environ.get("DCS_SESSIONS_WRITE_GOLDEN"):
        PAGE.write_text(typed, "utf-8")
    assert typed == text
    first, last = shown[0].splitlines(), shown[-1].splitlines()
    assert "2,965 of 30,000 connections (10 %)" in first
    assert any(re.match(r"127\.0\.0\.66, cart-worker +2,000 +67 %  █+$", line) for line in first)
    assert shown[2].endswith("2,000 ended, 0 gone already, 0 spared, 0 unknown\n")
    assert "965 of 30,000 connections (3 %)" in last
    assert "cart-worker" not in shown[-1]


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
