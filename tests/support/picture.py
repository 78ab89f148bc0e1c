"""An SVG picture of a terminal with the output of a command."""

from __future__ import annotations

import io
import itertools
import re

import pyte
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

# Background, foreground, and the eight colours in the order of ANSI.
_LIGHT = ["#ffffff", "#1f2328", "#24292f", "#cf222e", "#116329", "#8a5300", "#0550ae", "#8250df"]
_DARK = ["#0d1117", "#e6edf3", "#6e7681", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff"]
_CYAN_AND_WHITE = {"light": ["#1b7c83", "#57606a"], "dark": ["#39c5cf", "#b1bac4"]}
# rich fetches its font from elsewhere; a browser has one that will do.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code, monospace", 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace'
)


def theme(name: str) -> TerminalTheme:
    """Return the colours of the light or of the dark picture."""

    def rgb(colour: str) -> tuple[int, int, int]:
        return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:], 16)

    background, foreground, *colours = map(
        rgb, (_LIGHT if name == "light" else _DARK) + _CYAN_AND_WHITE[name]
    )
    return TerminalTheme(background, foreground, colours, colours)


def lines_of(screen: pyte.Screen) -> list[Text]:
    """Return the lines of a screen with their colours, without empty lines at the end."""
    lines = []
    for y in range(screen.lines):
        line = Text()
        chars = [screen.buffer[y][x] for x in range(screen.columns)]
        for (colour, bold), same in itertools.groupby(chars, lambda char: (char.fg, char.bold)):
            known = {"default": None, "brown": "yellow"}.get(colour, colour)
            line.append("".join(char.data for char in same), Style(color=known, bold=bold))
        line.rstrip()
        lines.append(line)
    while lines and not lines[-1]:
        del lines[-1]
    return lines


def svg(lines: list[Text], name: str, columns: int) -> str:
    """Return a picture of lines, the light or the dark one."""
    console = Console(
        record=True, width=columns, file=io.StringIO(), force_terminal=True, highlight=False
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    made = console.export_svg(
        title="dcs-sessions", theme=theme(name), code_format=_FORMAT, unique_id="terminal"
    )
    made = made.replace("rgba(255,255,255,0.35)", "rgba(128,128,128,0.5)")
    return "".join(f"{line.rstrip()}\n" for line in made.strip().splitlines())
