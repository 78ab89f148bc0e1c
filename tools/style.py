"""Find the phrases that the section "Style" of CONTRIBUTING.md names, in all text written by hand.

`python -m tools.style` prints `FILE:LINE: "phrase": replacement` for each.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from tools import spec

if TYPE_CHECKING:
    from pathlib import Path

STYLE = "CONTRIBUTING.md"
# Not written by hand, not in English, or the words of others.
SKIPPED = re.compile(
    r"generated/|src/dcs_sessions/_sync/|tests/data/|tools/package-lock\.json|LICENSE"
    r"|docs/assets/|.*\.(?:svg|png|sum|lock)$"
    r"|tests/docs/test_style\.py$"  # which tests this with the phrases
)
_SECTION = re.compile(r"^## Style$.*?(?=^## )", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| *(`.+`) *\| *(.+?) *\|$", re.MULTILINE)
_TAGS = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)  # in a template of Jinja
_CODE = re.compile(r"(?<!`)(`+)(?!`) ?(.+?) ?(?<!`)\1(?!`)")


def phrases(page: str) -> dict[str, tuple[re.Pattern[str], str]]:
    """Return each phrase of the page with its pattern and its replacement.

    In a phrase, `…` stands for any characters of one line, and `↵` for the end of a line. A space
    also matches the end of a line, with the marker of a comment. The first letter may be a capital.
    """
    (section,) = _SECTION.findall(page)
    found = {}
    for cell, replacement in _ROW.findall(section):
        for _, phrase in _CODE.findall(cell):
            parts = {"…": r"[^`\n]+?", "↵": r"[ \t]*$", " ": r"\s+(?:(?:#|//|\*)\s*)?"}
            body = "".join(parts.get(char) or re.escape(char) for char in phrase)
            if phrase[0].isalpha():
                body = rf"\b[{phrase[0]}{phrase[0].upper()}]{body[1:]}"
            elif phrase[0] == "`":  # not a part of a longer row of them
                body = f"(?<!`){body}(?!`)"
            end = r"\b" if phrase[-1].isalnum() else ""
            pattern = re.compile(f"{body}{end}", re.MULTILINE)
            found[phrase] = pattern, replacement
    return found


def check(name: str, text: str, named: dict[str, tuple[re.Pattern[str], str]]) -> list[str]:
    """Return a line for each phrase in the content of a file."""
    if name == STYLE:  # the section itself keeps its lines, but not its words
        text = _SECTION.sub(_blank, text)
    elif name.endswith(".jinja"):
        text = _TAGS.sub(_blank, text)
    hits = [
        (text.count("\n", 0, hit.start()) + 1, phrase, replacement)
        for phrase, (pattern, replacement) in named.items()
        for hit in pattern.finditer(text)
    ]
    return [
        f'{name}:{line}: "{phrase}": {replacement}' for line, phrase, replacement in sorted(hits)
    ]


def _blank(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def tracked(root: Path) -> list[str]:
    """Return the files that git tracks or would add."""
    run = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted({name for name in run.stdout.splitlines() if (root / name).is_file()})


def main() -> int:
    """Print each phrase that is found, and return 1 if there is any."""
    named = phrases((spec.ROOT / STYLE).read_text("utf-8"))
    found: list[str] = []
    for name in tracked(spec.ROOT):
        if SKIPPED.match(name):
            continue
        try:
            text = (spec.ROOT / name).read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += check(name, text, named)
    print(*found, sep="\n", end="\n" if found else "")
    if found:
        print(f"{len(found)} phrases to reword: see Style in {STYLE}", file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
