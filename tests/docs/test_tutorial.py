"""docs/tutorial.md, followed from the first block to the last, once for each of its tabs."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.command import Cli, wait_until
from support.typed import ROOT, run_page, without_chance

PAGE = ROOT / "docs" / "tutorial.md"
PORT = "8635"


def shell_blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_install_block_installs_what_exists() -> None:
    install = shell_blocks()[0].splitlines()
    assert install[:2] == ["python3 -m venv .venv", ". .venv/bin/activate"]
    assert install[2] == "pip install 'dcs-sessions[emulator]'"
    assert "emulator" in (
        importlib.metadata.metadata("dcs-sessions").get_all("Provides-Extra") or []
    )


class Reader:
    """Follows the page in a folder, with the tab of the command line or that of Python."""

    def __init__(self, folder: Path, tab: str, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.tab = tab
        self.stack = stack
        self.cli = Cli(folder)
        self.names: dict[str, Any] = {}
        self.endpoint = ""

    def __call__(self, block: re.Match[str]) -> str | None:
        if block["file"]:
            (self.folder / block["file"]).write_text(block["code"])
            return ""
        if block["command"] is not None:
            command = shlex.split(block["command"])
            if command[:2] == ["dcs-sessions", "emulator"]:
                return self.emulator(command[1:])
            if command[0] == "python":
                return self.background([sys.executable, *command[1:]], last="connections are open")
            return self.command(command) if self.tab == "command line" else None
        return self.python(block["code"]) if self.tab == "python" else None

    def background(self, command: list[str], last: str) -> str:
        """Start a program that stays, and return what it prints until then."""
        out = self.folder / f"{len(list(self.folder.iterdir()))}.txt"
        with out.open("w") as file:
            process = subprocess.Popen(command, cwd=self.folder, env=self.cli.env, stdout=file)
        self.stack.callback(process.wait, 30)
        self.stack.callback(process.terminate)
        wait_until(lambda: last in out.read_text())
        return out.read_text()

    def emulator(self, arguments: list[str]) -> str:
        command = [sys.executable, "-m", "dcs_sessions", *arguments, "--port", "0"]
        shown = self.background(command, last="Ctrl-C ends it.")
        ready = json.loads((self.folder / "ready.json").read_text())
        self.endpoint = ready["endpoint"]
        variables = dict(re.findall(r"^export (\w+)=(.*)$", shell_blocks()[1], re.MULTILINE))
        assert variables["DCS_SESSIONS_ENDPOINT"] == f"http://127.0.0.1:{PORT}"
        self.cli = self.cli.with_env(**variables | {"DCS_SESSIONS_ENDPOINT": self.endpoint})
        for number, url in enumerate(ready["redis_urls"], 1):
            shown = shown.replace(url, f"redis://127.0.0.1:4000{number}")
        return self.named(shown)

    def named(self, shown: str) -> str:
        return shown.replace(self.endpoint, f"http://127.0.0.1:{PORT}")

    def command(self, command: list[str]) -> str:
        with self.cli.terminal(*command[1:], columns=80, rows=40) as terminal:
            return without_chance(self.named(terminal.end(0))).replace(
                "http://127.0.0.1:40000", f"http://127.0.0.1:{PORT}"
            )

    def python(self, code: str) -> str:
        printed = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
            for name in ("DCS_SESSIONS_ENDPOINT", "DCS_SESSIONS_TOKEN", "DCS_SESSIONS_INSTANCE"):
                patch.setenv(name, self.cli.env[name])
            patch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", self.cli.env["HUAWEICLOUD_SDK_PROJECT_ID"])
            exec(compile(textwrap.dedent(code), PAGE.name, "exec"), self.names)
        return without_chance(printed.getvalue())


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("tab", ["command line", "python"])
def test_each_block_prints_what_the_page_shows(
    tab: str, tmp_path: Path, stack: contextlib.ExitStack
) -> None:
    run_page(PAGE, Reader(tmp_path, tab, stack))
