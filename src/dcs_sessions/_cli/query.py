"""`dcs-sessions query`."""

from __future__ import annotations

import itertools
from operator import itemgetter
from typing import TYPE_CHECKING

import click

from dcs_sessions._cli import _completion, _console
from dcs_sessions._cli._columns import ROW_FIELDS, csv_columns, row_of, table_columns
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._filters import Filters, filter_options
from dcs_sessions._cli._instance import find_instance, instance_argument
from dcs_sessions._cli._output import format_option, print_rows
from dcs_sessions._cli._reading import node_options, query_lists
from dcs_sessions._fields import number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dcs_sessions._cli._connection import Connection
    from dcs_sessions._cli._output import Row
    from dcs_sessions._cli._reading import Lists


def _columns(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = tuple(name.strip() for name in value.split(","))
    unknown = [name for name in names if name not in ROW_FIELDS]
    if unknown:
        raise click.BadParameter(
            f"no column {unknown[0]!r}; there are {', '.join(ROW_FIELDS)}", ctx, param
        )
    return names


@command("query")
@instance_argument
@node_options
@filter_options
@click.option(
    "--columns",
    metavar="A,B,...",
    callback=_columns,
    shell_complete=_completion.columns,
    help="Print these fields only.",
)
@click.option("--sort", type=click.Choice(ROW_FIELDS), metavar="FIELD", help="Sort by this field.")
@click.option(
    "--order",
    type=click.Choice(["asc", "desc"]),
    default="desc",
    show_default=True,
    help="Ascending or descending.",
)
@click.option(
    "--limit", type=click.IntRange(0, 10**9), metavar="N", help="Print at most N sessions."
)
@click.option(
    "--watch",
    type=_console.Seconds(0.1, 86400),
    metavar="SECONDS",
    help="Repeat the query at this interval, and mark sessions that came (+) and went (-). Ctrl-C "
    "ends it. With -o jsonl, print the list once and then the changes; the field `change` is "
    "present, came or went.",
)
@format_option()
def query(
    connection: Connection,
    instance_id: str,
    nodes: tuple[str, ...],
    form: str,
    *,
    cached: bool,
    filters: Filters,
    columns: tuple[str, ...] | None,
    sort: str | None,
    order: str,
    limit: int | None,
    watch: float | None,
) -> None:
    """List the client sessions of INSTANCE, filtered and sorted.

    Queries every node that holds sessions, and waits for the lists. If some nodes fail, the command
    prints the sessions of the others, and the exit code is 6. Filters and order are applied
    locally.

    The formats json, jsonl and csv are stable: node_id, list_time (when the list was made, by the
    clock of the service), then the fields of the API unchanged. JSON leaves out missing fields.
    Without --sort, jsonl, json and csv print sessions as soon as they are read, and hold no list in
    memory.

    \b
    Examples:
      dcs-sessions query --region cn-north-4 5560df16-cebf-4473-95c4-d1b573c16e79
      dcs-sessions query INSTANCE --name 'worker-*' --min-idle 1h --sort idle
      dcs-sessions query INSTANCE -o jsonl | jq -r .addr
    """  # noqa: D301 - click wants the character
    if watch is not None:
        if form not in {"table", "jsonl"} or cached:
            raise click.UsageError("--watch requires -o table or -o jsonl, and no --cached")
        if form == "jsonl" and limit is not None:
            raise click.UsageError(
                "--limit cannot be used with --watch -o jsonl: sessions beyond it would come and go"
            )
    held = form == "table" or sort is not None or watch is not None
    with connection.client() as client:
        instance_id = find_instance(client, instance_id)

        def read(warn: Callable[[str], None] | None = None) -> tuple[Lists, Iterable[Row]]:
            lists = query_lists(
                client,
                instance_id,
                nodes,
                fresh=not cached,
                held=held,
                seconds=connection.wait_seconds,
                warn=warn,
            )
            rows: Iterable[Row] = (
                row_of(node, session) for node, session in lists if filters(session)
            )
            if sort is not None:
                rows = _sorted(rows, sort, descending=order == "desc")
            return lists, rows

        if watch is not None:
            from dcs_sessions._cli import _watch

            _watch.watch(read, instance_id, watch, form, columns, limit)
        lists, found = read()
        every = iter(found)
        rows = every if limit is None else itertools.islice(every, limit)
        if held:
            lists.describe()
        shown = (
            table_columns(columns, [node.node_id for node in lists.nodes])
            if form == "table"
            else csv_columns(columns)
        )
        print_rows(rows, form, shown, chosen=columns is not None)
        if limit is not None:
            # Held rows can be counted; streamed rows must be read first.
            more = sum(1 for _ in every) if held else int(next(every, None) is not None)
            if more:
                _console.note(f"There are {f'{more:,} ' if held else ''}more: see --limit.")
        lists.close()
        if not held:
            lists.describe()
        lists.end()


def _sorted(rows: Iterable[Row], field: str, *, descending: bool) -> Iterator[Row]:
    """Sort rows: numbers, then strings, then rows without a value, in either direction."""
    numbers: list[tuple[float, Row]] = []
    texts: list[tuple[str, Row]] = []
    others: list[Row] = []
    for row in rows:
        value = row.get(field)
        number, text = number_of(value), text_of(value)
        if number is not None:
            numbers.append((number, row))
        elif text:
            texts.append((text, row))
        else:
            others.append(row)
    for group in (numbers, texts):
        group.sort(key=itemgetter(0), reverse=descending)
    return itertools.chain((row for _, row in numbers), (row for _, row in texts), others)
