"""Rows on stdout, as a table for people or in a format for programs.

The formats json, jsonl and csv are stable: names and order of fields do not change, and new fields
come last. The table may change.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from dcs_sessions._cli._console import reader_may_leave
from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

F = TypeVar("F", bound="Callable[..., Any]")

Row = dict[str, Any]

FORMATS = ("table", "json", "jsonl", "csv")
# Spreadsheets read a cell that starts with one of these as a formula, full-width ones included. In
# countries with a decimal comma they also split lines at ";".
_FORMULA = re.compile(r"""((?:^|;)[\s"']*)(?=[=+@\uff1d\uff0b\uff0d\uff20-])""")
_GAP = "  "
_LEAST_WIDTH = 6
# Maximum padding of a column in a pipe, where nothing is cut.
_MOST_PADDING = 60


def format_option(*forms: str) -> Callable[[F], F]:
    """Add -o with these formats."""
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(forms or FORMATS),
        default="table",
        show_default=True,
        help="Output format.",
    )


def print_rows(
    rows: Iterable[Row], form: str, columns: Sequence[Column], *, chosen: bool = False
) -> None:
    """Print rows. Line-based formats print each row as it arrives.

    Args:
        rows: Fields by name. A missing field is left out, or is an empty cell.
        form: One of `FORMATS`.
        columns: Columns of a table and of CSV.
        chosen: Whether JSON has these columns only, too.
    """
    if form in {"json", "jsonl"} and chosen:
        names = [column.name for column in columns]
        rows = ({name: row[name] for name in names if name in row} for row in rows)
    # sys.stdout is looked up at each use, since it may have been replaced.
    with reader_may_leave():
        if form == "json":
            _print_json(rows)
        elif form == "jsonl":
            for row in rows:
                sys.stdout.write(f"{to_json(row)}\n")
        elif form == "csv":
            _print_csv(rows, [column.name for column in columns])
        else:
            print_table(Table.of(rows, columns))


def to_json(row: Row) -> str:
    """Return a row as one line of ASCII JSON, since other characters could control a terminal."""
    return json.dumps(row)


def _print_json(rows: Iterable[Row]) -> None:
    before = "[\n  "
    for row in rows:
        sys.stdout.write(f"{before}{to_json(row)}")
        before = ",\n  "
    sys.stdout.write("[]\n" if before.startswith("[") else "\n]\n")


def _print_csv(rows: Iterable[Row], names: Sequence[str]) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    cells = ([_cell(row.get(name)) for name in names] for row in rows)
    # Read one row first: if reading fails, nothing has been printed.
    first = list(itertools.islice(cells, 1))
    writer.writerows([names, *first])
    writer.writerows(cells)


def _cell(value: object) -> str:
    """Return a cell on one line that no spreadsheet reads as a formula."""
    text = printable(value)
    return _FORMULA.sub(r"\1'", text) if isinstance(value, str) else text


# Tables


def _plain(value: Any) -> str:
    return printable(value)


@attrs.frozen
class Column:
    """A column.

    Attributes:
        name: Name of the field.
        title: Heading of the column; the name if empty.
        show: Formats a value for people.
        right: Whether the values are numbers.
        end: Whether to keep the end of a value, not its beginning, when it is cut.
        whole: Whether other columns are cut first.
        drop: Order in which columns are left out on a narrow terminal, the highest number first;
            0 is never left out.
    """

    name: str
    title: str = ""
    show: Callable[[Any], str] = _plain
    right: bool = False
    end: bool = False
    whole: bool = False
    drop: int = 0


@attrs.frozen
class Table:
    """Cells formatted for a table.

    Attributes:
        columns: The columns.
        cells: The cells of each line.
    """

    columns: Sequence[Column]
    cells: Sequence[Sequence[str]]

    @classmethod
    def of(cls, rows: Iterable[Row], columns: Sequence[Column]) -> Table:
        """Return the table of some rows."""
        return cls(columns, [[c.show(row.get(c.name)) for c in columns] for row in rows])

    def lines(self, limit: int | None) -> Iterator[str]:
        """Yield the lines of the table, heading first, cut to a width if there is a limit."""
        heads = [column.title or column.name for column in self.columns]
        cells = [[width_of(line[index]) for line in self.cells] for index in range(len(heads))]
        widths = [max(width_of(head), *found, 0) for head, found in zip(heads, cells, strict=True)]
        kept = list(range(len(heads)))
        if limit is None:
            # One long value must not widen its column for all rows.
            usual = [
                max((width for width in found if width <= _MOST_PADDING), default=0)
                for found in cells
            ]
            widths = [max(width_of(head), use) for head, use in zip(heads, usual, strict=True)]
        else:
            kept = _kept(widths, self.columns, limit)
            fitted = _fitted([widths[at] for at in kept], [self.columns[at] for at in kept], limit)
            widths = [0] * len(heads)
            for at, width in zip(kept, fitted, strict=True):
                widths[at] = width
        for line in (heads, *self.cells):
            parts = [
                _padded(line[at], widths[at], self.columns[at], cut=limit is not None)
                for at in kept
            ]
            yield _GAP.join(parts).rstrip()


def print_table(table: Table) -> None:
    """Print a table, cut to the width of a terminal, whole in a pipe."""
    terminal = sys.stdout.isatty()
    lines = table.lines(terminal_width() if terminal else None)
    if terminal:
        print_title(next(lines))
    for line in lines:
        sys.stdout.write(f"{line}\n")


def print_title(text: str) -> None:
    """Print a line in bold, if standard output is a terminal."""
    from rich.console import Console
    from rich.text import Text

    if sys.stdout.isatty():
        Console(highlight=False, soft_wrap=True).print(Text(text, style="bold"))
    else:
        sys.stdout.write(f"{text}\n")


def terminal_width() -> int:
    """Return the width of the terminal, or the value of COLUMNS."""
    return shutil.get_terminal_size().columns


def width_of(text: str) -> int:
    """Return the number of terminal cells of a string."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _kept(widths: Sequence[int], columns: Sequence[Column], limit: int) -> list[int]:
    """Return the columns that fit when cells are cut as far as possible."""
    kept = list(range(len(columns)))

    def least() -> int:
        sizes = [
            widths[at] if columns[at].right or columns[at].whole else min(widths[at], _LEAST_WIDTH)
            for at in kept
        ]
        return sum(sizes) + len(_GAP) * (len(sizes) - 1)

    while least() > limit:
        at = max(kept, key=lambda at: columns[at].drop)
        if not columns[at].drop:
            break
        kept.remove(at)
    return kept


def _fitted(widths: list[int], columns: Sequence[Column], width: int) -> list[int]:
    """Return widths reduced, the widest first, until the table fits or nothing more can be cut."""
    widths = list(widths)
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    for whole in (False, True):
        texts = [
            index
            for index, column in enumerate(columns)
            if column.whole is whole and not column.right
        ]
        while excess > 0 and texts:
            widest = max(texts, key=widths.__getitem__)
            if widths[widest] <= _LEAST_WIDTH:
                break
            widths[widest] -= 1
            excess -= 1
    return widths


def _padded(text: str, width: int, column: Column, *, cut: bool) -> str:
    missing = width - width_of(text)
    if missing < 0 and not cut:
        return text
    if missing < 0:
        from rich.cells import set_cell_size

        if column.end:
            return f"…{set_cell_size(text[::-1], width - 1)[::-1]}"
        return f"{set_cell_size(text, width - 1)}…"
    blanks = " " * missing
    return f"{blanks}{text}" if column.right else f"{text}{blanks}"


# Values for people


def duration(value: Any) -> str:
    """Return seconds for people: 45s, 12m05s, 3h20m, 4d06h."""
    if type(value) is not int or value < 0:
        return printable(value)
    minutes, seconds = divmod(value, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02}h"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


_UNITS = "KMGTPE"


def size(value: Any) -> str:
    """Return bytes for people: 512B, 20.5K, 1.2M."""
    if type(value) is not int or value < 0:
        return printable(value)
    if value < 1024:
        return f"{value}B"
    power = 1
    while power < len(_UNITS) and value >= 999.95 * 1024**power:
        power += 1
    return f"{value / 1024**power:.1f}{_UNITS[power - 1]}"
