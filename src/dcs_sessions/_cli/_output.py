"""What commands print: data on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dcs_sessions_api.types import Unset

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A pipe is read by a program or by `less -S`, and neither wants cells cut off.
_UNCUT_WIDTH = 100_000


def printable(value: object) -> str:
    """Write a value so that it cannot do anything to a terminal. Clients choose their names."""
    if isinstance(value, Unset) or value is None:
        return ""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in str(value)
    )


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on stdout, cut to the terminal if there is one."""
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(printable(value)) for value in row))
    width = None if sys.stdout.isatty() else _UNCUT_WIDTH
    Console(width=width, highlight=False).print(table)
