"""`--watch`: refresh a list, marking sessions that came and went, or a summary."""

from __future__ import annotations

import itertools
import signal
import sys
import time
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeVar

import attrs
import click

from dcs_sessions._cli import _console, _failures
from dcs_sessions._cli._columns import table_columns
from dcs_sessions._cli._output import Table, to_json
from dcs_sessions._errors import (
    ApiConnectionError,
    DcsSessionsError,
    JobFailedError,
    ServerError,
    ThrottledError,
    WaitTimeoutError,
)
from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dcs_sessions._cli._output import Row
    from dcs_sessions._cli._reading import Lists
    from dcs_sessions._cli._report import Report

    Read = Callable[[Callable[[str], None]], tuple[Lists, Iterable[Row]]]

T = TypeVar("T")

# Minimum pause between two queries.
_REST_SECONDS = 0.1
_SLEEP_SECONDS = 0.2
# Errors that the next query may not have. Any other error ends the command.
_PASSING = (ApiConnectionError, ServerError, ThrottledError, JobFailedError, WaitTimeoutError)
_STYLES = {"+": "green", "-": "red"}


class Line(NamedTuple):
    """A line on the screen, and its style."""

    text: str
    style: str = ""


@attrs.frozen
class _Look:
    """Result of one query of the instance.

    Attributes:
        lists: The lists, or None if no node could be read.
        rows: The current sessions.
        came: Keys of the sessions that are new.
        went: Sessions that are gone.
        first: Whether this is the first query.
        remarks: Errors and advice.
    """

    lists: Lists | None
    rows: Sequence[Row]
    came: set[tuple[str, ...]]
    went: Sequence[Row]
    first: bool
    remarks: Sequence[str]


@attrs.define
class _Watcher:
    """Queries, and compares with the sessions of the query before."""

    read: Read
    _before: dict[tuple[str, ...], Row] | None = None

    def look(self) -> _Look:
        """Query once. Passing errors become remarks, others are raised."""
        remarks: list[str] = []
        before = self._before
        try:
            lists, found = self.read(remarks.append)
        except DcsSessionsError as error:
            if not isinstance(error, _PASSING):
                raise
            remarks += [_failures.what_happened(error), _failures.what_to_do(error)]
            return _Look(None, list((before or {}).values()), set(), [], before is None, remarks)
        now = {_key(row): row for row in found}
        # Sessions of a node that failed are kept: whether they are gone is not known. Those of a
        # node that has left the instance are gone.
        failed = {node_id for node_id, _ in lists.failures}
        now |= {key: row for key, row in (before or {}).items() if row["node_id"] in failed}
        self._before = now
        if before is None:
            return _Look(lists, list(now.values()), set(), [], True, remarks)
        went = [row for key, row in before.items() if key not in now]
        return _Look(lists, list(now.values()), now.keys() - before.keys(), went, False, remarks)


def _key(row: Row) -> tuple[str, ...]:
    return tuple(printable(row.get(name)) for name in ("node_id", "id", "addr"))


@attrs.define
class _Pace:
    """Waits for the interval between two queries, and measures it.

    Attributes:
        seconds: Interval in seconds.
        took: Measured interval in seconds, or None.
    """

    seconds: float
    took: float | None = None
    _started: float | None = None

    def start(self) -> None:
        """Note the start of a query."""
        now = time.monotonic()
        if self._started is not None:
            self.took = now - self._started
        self._started = now

    def wait(self) -> None:
        """Wait until the next query is due, at least for the minimum pause."""
        rest = time.monotonic() + min(self.seconds, _REST_SECONDS)
        until = max((self._started or 0.0) + self.seconds, rest)
        while (left := until - time.monotonic()) > 0:
            # A signal that comes right before a sleep is noticed after it: so no sleep is long.
            time.sleep(min(left, _SLEEP_SECONDS))

    def __str__(self) -> str:
        """Return the interval in words."""
        if self.took is None or self.took <= self.seconds * 1.1 + _REST_SECONDS:
            return f"every {self.seconds:g} s"
        return f"every {self.took:.1f} s, since a query takes longer than {self.seconds:g} s"


def watch(
    read: Read,
    instance_id: str,
    seconds: float,
    form: str,
    columns: Sequence[str] | None,
    limit: int | None,
) -> NoReturn:
    """Query at an interval, until interrupted."""
    watcher = _Watcher(read)

    def lines(look: _Look, width: int | None) -> Iterable[tuple[str, str]]:
        """Return the lines of the table, each with the mark of its session."""
        rows = [*look.went, *itertools.islice(look.rows, limit)]
        nodes = list(dict.fromkeys(row["node_id"] for row in rows))
        table = Table.of(rows, table_columns(columns, nodes))
        marks = [" ", *["-"] * len(look.went)]
        marks += ["+" if _key(row) in look.came else " " for row in rows[len(look.went) :]]
        return zip(marks, table.lines(width), strict=True)

    def print_lines(look: _Look) -> None:
        _say(look.remarks)
        _console.note(_head(look))
        for mark, line in lines(look, None):
            sys.stdout.write(f"{mark} {line}".rstrip() + "\n")
        sys.stdout.write("\n")
        sys.stdout.flush()

    def frame(look: _Look, width: int) -> list[Line]:
        shown = [Line(_head(look), "bold")]
        shown += [Line(printable(remark), "yellow") for remark in look.remarks]
        for index, (mark, line) in enumerate(lines(look, width - 2)):
            shown.append(Line(f"{mark} {line}", _STYLES.get(mark, "" if index else "bold")))
        return shown

    if form == "jsonl":
        _in_pipe(watcher.look, seconds, lambda look: _print_changes(look, columns))
    if not sys.stdout.isatty():
        _in_pipe(watcher.look, seconds, print_lines)
    _on_screen(watcher.look, seconds, f"of {printable(instance_id)}", frame)


def watch_report(
    read: Callable[[Callable[[str], None]], tuple[Lists, Report]], seconds: float
) -> NoReturn:
    """Summarize at an interval, until interrupted."""
    from dcs_sessions._cli._report import bar_block, print_report, report_lines

    last: list[Line] = []
    block = bar_block()

    def look() -> tuple[Report | None, list[str]]:
        remarks: list[str] = []
        try:
            _, report = read(remarks.append)
        except _PASSING as error:
            return None, [_failures.what_happened(error), _failures.what_to_do(error)]
        return report, remarks

    def print_all(found: tuple[Report | None, list[str]]) -> None:
        report, remarks = found
        _say(remarks)
        if report is not None:
            print_report(report)
            sys.stdout.write("\n")
            sys.stdout.flush()

    def frame(found: tuple[Report | None, list[str]], width: int) -> list[Line]:
        report, remarks = found
        if report is not None:
            lines = report_lines(report, width, block)
            last[:] = [Line(line, "bold" if is_title else "") for line, is_title in lines]
        return [*last[:1], *(Line(printable(remark), "yellow") for remark in remarks), *last[1:]]

    if not sys.stdout.isatty():
        _in_pipe(look, seconds, print_all)
    _on_screen(look, seconds, "summary", frame)


def _in_pipe(look: Callable[[], T], seconds: float, show: Callable[[T], None]) -> NoReturn:
    """Query and print at an interval, until interrupted."""
    pace = _Pace(seconds)
    said = ""
    try:
        while True:
            pace.start()
            show(look())
            if pace.took is not None and str(pace) != said and "since" in str(pace) and not said:
                said = str(pace)
                _console.note(f"Querying {said}.")
            pace.wait()
    except KeyboardInterrupt:
        raise click.exceptions.Exit(0) from None


def _on_screen(
    look: Callable[[], T],
    seconds: float,
    subject: str,
    frame: Callable[[T, int], Sequence[Line]],
) -> NoReturn:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    # SIGTERM must restore the terminal as well.
    signal.signal(signal.SIGTERM, _on_sigterm)
    console = Console(highlight=False)
    pace = _Pace(seconds)
    last: Text | None = None
    try:
        with Live(Text("Querying ..."), console=console, screen=True, auto_refresh=False) as live:
            while True:
                pace.start()
                found = look()
                width, height = console.size
                title, *rest = frame(found, width)
                footing = Line(f"{subject}, {pace}, Ctrl-C ends", "dim")
                shown = [title, footing, *rest]
                if len(shown) > height:
                    more = len(shown) - height + 1
                    shown = [*shown[: height - 1], Line(f"  ... {more} more", "dim")]
                texts = [Text(line.text, style=line.style) for line in shown]
                for text in texts:
                    text.truncate(width, overflow="ellipsis")
                last = Text("\n").join(texts)
                live.update(last, refresh=True)
                pace.wait()
    except KeyboardInterrupt:
        if last is None:
            raise
        # The previous screen is restored; the last frame stays on it.
        console.print(last)
        raise click.exceptions.Exit(0) from None


def _on_sigterm(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def _head(look: _Look) -> str:
    when = look.lists.nodes[0].time if look.lists is not None and look.lists.nodes else None
    changes = "" if look.first else f", {len(look.came)} came, {len(look.went)} went"
    return f"{len(look.rows)} sessions{changes}, list of {printable(when) or '-'}"


def _print_changes(look: _Look, columns: Sequence[str] | None) -> None:
    _say(look.remarks)
    came = [row for row in look.rows if look.first or _key(row) in look.came]
    changes = [("went", row) for row in look.went]
    changes += [("present" if look.first else "came", row) for row in came]
    for change, row in changes:
        chosen = row if columns is None else {name: row[name] for name in columns if name in row}
        sys.stdout.write(to_json({"change": change, **chosen}) + "\n")
    sys.stdout.flush()


def _say(remarks: Iterable[str]) -> None:
    for remark in remarks:
        _console.warn(remark)
