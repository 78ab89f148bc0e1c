"""Blocks of the documentation that are run, with what they print.

`make golden` writes what they print into the pages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A command with what it prints, or a block of Python with the block of its output, if it has one.
BLOCK = re.compile(
    r"^(?P<indent> *)```console\n *\$ (?P<command>.*)\n(?P<shown>(?:.*\n)*?) *```\n"
    r'|^(?P<margin> *)```python(?: title="(?P<file>.*)")?\n(?P<code>(?:.*\n)*?) *```\n'
    r"(?:\n *```text\n(?P<printed>(?:.*\n)*?) *```\n)?",
    re.MULTILINE,
)
Shown = str | None


def run_page(path: Path, run: Callable[[re.Match[str]], Shown]) -> None:
    """Run each block of a page, and compare what it prints with what stands there.

    Args:
        path: The page.
        run: Runs a block and returns what it printed; None for a block that is not to be run now.
    """
    text = path.read_text("utf-8")

    def replaced(block: re.Match[str]) -> str:
        shown = run(block)
        if shown is None:
            return block[0]
        lines = shown.splitlines()
        if block["command"] is not None:
            lines = ["```console", f"$ {block['command']}", *lines, "```"]
            margin = block["indent"]
            return "".join(f"{margin}{line}".rstrip() + "\n" for line in lines)
        margin = block["margin"]
        code = re.sub(r"\n *```text\n[^`]*```\n\Z", "", block[0])
        if not lines:
            return code
        lines = ["```text", *lines, "```"]
        return f"{code}\n" + "".join(f"{margin}{line}".rstrip() + "\n" for line in lines)

    keep(path, BLOCK.sub(replaced, text))


def keep(path: Path, made: str) -> None:
    """Compare a file with what it should be, or write it."""
    if os.environ.get("DCS_SESSIONS_WRITE_GOLDEN"):
        path.write_text(made, "utf-8")
    assert path.read_text("utf-8") == made, f"{path} is not current: run `make golden`"


def without_chance(text: str) -> str:
    """Replace what differs from run to run: the time of lists, and ports."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "2026-11-24T03:00:00.000Z", text)
    text = re.sub(r"(127\.0\.0\.\d+):\d+", r"\1:40000", text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())
