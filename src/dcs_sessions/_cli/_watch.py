"""``dcs-sessions query --watch``: the list again and again, with what came and what went."""

from __future__ import annotations

import itertools
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

import attrs

from dcs_sessions._cli import _console, _failures
from dcs_sessions._cli._output import Table, to_json
from dcs_sessions._cli._printable import printable
from dcs_sessions._cli._sessions import table_columns
from dcs_sessions._errors import (
    ApiConnectionError,
    DcsSessionsError,
    JobFailedError,
    ServerError,
    ThrottledError,
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dcs_sessions._cli._output import Row
    from dcs_sessions._cli._sessions import Lists

    Read = Callable[[Callable[[str], None]], tuple[Lists, Iterable[Row]]]

# What may be over at the next look. Anything else would stay as it is.
_PASSING = (ApiConnectionError, ServerError, ThrottledError, JobFailedError, WaitTimeoutError)
_STYLES = {"+": "green", "-": "red"}


@attrs.frozen
class _Look:
    """What one look at the instance found.

    Attributes:
        lists: The lists, or None when no node answered.
        rows: The sessions that are there.
        came: Keys of those that were not there before.
        went: Those that were there before.
        first: Whether there was no look before.
        remarks: What went wrong.
    """

    lists: Lists | None
    rows: Sequence[Row]
    came: set[tuple[str, ...]]
    went: Sequence[Row]
    first: bool
    remarks: Sequence[str]


@attrs.define
class _Watcher:
    """Looks, and compares with what was there before."""

    read: Read
    _before: dict[tuple[str, ...], Row] | None = None

    def look(self) -> _Look:
        """Look once. What passes is remarked on; what would stay is raised."""
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
        answered = {node.node_id for node in lists.nodes}
        # Of a node that failed, nobody knows who came or went.
        now |= {key: row for key, row in (before or {}).items() if row["node_id"] not in answered}
        self._before = now
        if before is None:
            return _Look(lists, list(now.values()), set(), [], True, remarks)
        went = [row for key, row in before.items() if key not in now]
        return _Look(lists, list(now.values()), now.keys() - before.keys(), went, False, remarks)


def _key(row: Row) -> tuple[str, ...]:
    return tuple(printable(row.get(name)) for name in ("node_id", "id", "addr"))


def watch(
    read: Read,
    instance_id: str,
    seconds: float,
    form: str,
    columns: Sequence[str] | None,
    limit: int | None,
) -> NoReturn:
    """Look every so many seconds, until it is interrupted."""
    watcher = _Watcher(read)

    def lines(look: _Look, width: int | None) -> Iterable[tuple[str, str]]:
        """Give each line of the table with the mark of its session; the heading has none."""
        rows = [*look.went, *itertools.islice(look.rows, limit)]
        nodes = list(dict.fromkeys(row["node_id"] for row in rows))
        table = Table.of(rows, table_columns(columns, nodes))
        marks = [" ", *["-"] * len(look.went)]
        marks += ["+" if _key(row) in look.came else " " for row in rows[len(look.went) :]]
        return zip(marks, table.lines(width), strict=True)

    if form == "jsonl":
        while True:
            _print_changes(watcher.look(), columns)
            time.sleep(seconds)
    if not sys.stdout.isatty():
        while True:
            look = watcher.look()
            _say(look.remarks)
            _console.note(_head(look))
            for mark, line in lines(look, None):
                sys.stdout.write(f"{mark} {line}".rstrip() + "\n")
            sys.stdout.write("\n")
            sys.stdout.flush()
            time.sleep(seconds)
    _on_screen(watcher, instance_id, seconds, lines)


def _on_screen(
    watcher: _Watcher,
    instance_id: str,
    seconds: float,
    lines: Callable[[_Look, int | None], Iterable[tuple[str, str]]],
) -> NoReturn:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    # Ended by another way than Ctrl-C, it has to leave the terminal as it was, too.
    signal.signal(signal.SIGTERM, _on_sigterm)
    footing = f"of {printable(instance_id)}, every {seconds:g} s, Ctrl-C ends"
    console = Console(highlight=False)
    with Live(Text("Querying ..."), console=console, screen=True, auto_refresh=False) as live:
        while True:
            look = watcher.look()
            width, height = console.size
            shown = [Text(_head(look), style="bold"), Text(footing, style="dim")]
            shown += [Text(printable(remark), style="yellow") for remark in look.remarks]
            table = list(lines(look, width - 2))
            room = max(0, height - len(shown) - 1)
            for index, (mark, line) in enumerate(table[:room]):
                style = _STYLES.get(mark, "" if index else "bold")
                shown.append(Text(f"{mark} {line}", style=style))
            if len(table) > room:
                shown.append(Text(f"  ... {len(table) - room} more", style="dim"))
            for text in shown:
                text.truncate(width, overflow="ellipsis")
            live.update(Text("\n").join(shown), refresh=True)
            time.sleep(seconds)


def _on_sigterm(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def _head(look: _Look) -> str:
    when = look.lists.nodes[0].time if look.lists is not None else None
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
