"""The commands of README.md work."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from cli.conftest import Connect
from dcs_sessions.emulator import Emulator
from support.command import COMMAND, Cli

# Another file for the time before it is part of README.md.
README = Path(os.environ.get("DCS_SESSIONS_README", Path(__file__).parents[2] / "README.md"))


def commands() -> str:
    """Return the commands of the section, without those that install."""
    section = README.read_text("utf-8").partition("\n## Command line\n")[2].partition("\n## ")[0]
    if not section:
        section = README.read_text("utf-8") if "DCS_SESSIONS_README" in os.environ else ""
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    lines = "".join(blocks).splitlines()
    return "\n".join(line for line in lines if not line.startswith("pip install "))


def test_every_command_of_the_readme_works(
    cli: Cli, own: Emulator, connect: Connect, tmp_path: Path
) -> None:
    script = commands()
    if not script:
        pytest.skip("README.md has no section on the command line")
    connect("worker-1")
    command = tmp_path / "bin" / "dcs-sessions"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**cli.env, "PATH": f"{command.parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "worker-1" in done.stdout
    assert (tmp_path / "incident.html").stat().st_size > 1000
