"""``dcs-sessions summary``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcs_sessions._cli import _console
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._output import (
    Column,
    Table,
    print_table,
    print_title,
    terminal_width,
    width_of,
)
from dcs_sessions._cli._sessions import Filters, filter_options, node_options, query_lists
from dcs_sessions._cli._statistics import Statistics

if TYPE_CHECKING:
    from dcs_sessions._cli._connection import Connection
    from dcs_sessions._cli._statistics import Bars

_BAR = 40
_LEAST_BAR = 10
# What count, share and gaps take at the most.
_NUMBERS = 20


@command("summary")
@click.argument("instance_id", metavar="INSTANCE")
@node_options
@filter_options
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write a page with charts as well. It is one file and asks nothing of the network.",
)
def summary(
    connection: Connection,
    instance_id: str,
    nodes: tuple[str, ...],
    html: Path | None,
    *,
    cached: bool,
    filters: Filters,
) -> None:
    """Count the sessions of INSTANCE by client host, user, name, last command and database.

    Also how long they have been idle, and the ten with the most output memory.

    \b
    Examples:
      dcs-sessions summary INSTANCE
      dcs-sessions summary INSTANCE --min-idle 1h --html incident.html
    """  # noqa: D301 - click wants the character
    if html is not None and not html.parent.is_dir():
        msg = f"--html: {html}: there is no such folder"
        raise click.UsageError(msg)
    statistics = Statistics()
    with connection.client() as client:
        lists = query_lists(
            client,
            instance_id,
            nodes,
            fresh=not cached,
            held=False,
            seconds=connection.wait_seconds,
        )
        with _console.progress("Reading the lists"):
            statistics.add((node, session) for node, session in lists if filters(session))
    lists.describe()
    if html is not None:
        from dcs_sessions._cli._page import page

        text = page(instance_id, lists, statistics)
        try:
            html.write_text(text, "utf-8")
        except OSError as error:
            msg = f"--html: {html}: {error.strerror}"
            raise click.UsageError(msg) from None
        _console.note(f"Wrote {html}.")
    with _console.reader_may_leave():
        _print(statistics)
    lists.end()


def _print(statistics: Statistics) -> None:
    print_title(f"{statistics.total:,} sessions")
    for chart in statistics.charts():
        sys.stdout.write("\n")
        print_title(chart.title)
        _print_bars(chart, statistics.total)
    heaviest = statistics.heaviest()
    if heaviest:
        sys.stdout.write("\n")
        print_title("Most output memory")
        right = ("output memory", "idle")
        columns = [
            Column(name, right=name in right, end=name == "node", whole=name == "address")
            for name in heaviest[0]
        ]
        print_table(Table.of(heaviest, columns))


def _print_bars(chart: Bars, total: int) -> None:
    encoding = sys.stdout.encoding.lower().replace("-", "")
    block = "█" if encoding.startswith("utf") else "#"
    terminal = sys.stdout.isatty()
    longest = max((count for _, count in chart.bars), default=0) or 1
    cells = _BAR
    if terminal:
        # A bar that is cut off would say something else.
        label = min(
            max((width_of(label) for label, _ in chart.bars), default=0), terminal_width() // 2
        )
        cells = min(_BAR, max(_LEAST_BAR, terminal_width() - label - _NUMBERS))
    table = Table(
        [Column("label"), Column("count", right=True), Column("share", right=True), Column("bar")],
        [
            [
                label,
                str(count),
                f"{count / (total or 1):.0%}",
                block * _cells(count, longest, cells),
            ]
            for label, count in chart.bars
        ],
    )
    lines = table.lines(terminal_width() if terminal else None)
    next(lines)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    if chart.rest:
        sys.stdout.write(f"{chart.rest}\n")


def _cells(count: int, longest: int, cells: int) -> int:
    """Give the length of a bar. What is there at all is seen."""
    return max(1, round(cells * count / longest)) if count else 0
