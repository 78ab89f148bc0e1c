"""`dcs-sessions summary`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcs_sessions._cli import _console
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._filters import Filters, filter_options
from dcs_sessions._cli._instance import find_instance, instance_argument
from dcs_sessions._cli._output import FORMATS, Column, format_option, print_rows
from dcs_sessions._cli._reading import node_options, query_lists
from dcs_sessions._cli._report import Report, about, print_report
from dcs_sessions._cli._statistics import FIELDS, TOP, USUAL, Statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcs_sessions._cli._connection import Connection
    from dcs_sessions._cli._reading import Lists
    from dcs_sessions._cli._statistics import Group

# Columns of CSV, in a stable order.
COLUMNS = tuple(
    Column(name)
    for name in (
        "group",
        "instance_id",
        "node_id",
        "host",
        "name",
        "cmd",
        "user",
        "db",
        "idle",
        "count",
        "limit",
        "filters",
    )
)


def _groups(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[Group, ...]:
    groups: list[Group] = []
    for value in values:
        group = tuple(name.strip() for name in value.split(","))
        unknown = [name for name in group if name not in FIELDS]
        if unknown or len(set(group)) < len(group):
            problem = f"no field {unknown[0]!r}" if unknown else "a field is repeated"
            raise click.BadParameter(f"{problem}; there are {', '.join(FIELDS)}", ctx, param)
        groups.append(group)
    return tuple(dict.fromkeys(groups)) or USUAL


@command("summary")
@instance_argument
@node_options
@filter_options
@click.option(
    "--by",
    "groups",
    multiple=True,
    metavar="A[,B...]",
    callback=_groups,
    help="Count by this field, or by several together: host, name, cmd, user, db, idle, node. "
    "Repeatable.",
)
@click.option(
    "--top",
    type=click.IntRange(1, 10**9),
    metavar="N",
    help=f"Number of values for each field.  [default: {TOP}; with -o json, jsonl, csv all]",
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path),
    help="Also write an HTML page with charts; - prints it instead. The page is one file and "
    "loads nothing from the network.",
)
@click.option(
    "--watch",
    type=_console.Seconds(0.1, 86400),
    metavar="SECONDS",
    help="Repeat the summary at this interval. Ctrl-C ends it.",
)
@format_option(*FORMATS, "openmetrics")
def summary(
    connection: Connection,
    instance_id: str,
    nodes: tuple[str, ...],
    html: Path | None,
    form: str,
    groups: tuple[Group, ...],
    top: int | None,
    watch: float | None,
    *,
    cached: bool,
    filters: Filters,
) -> None:
    """Count the sessions of INSTANCE by client host, user, name, last command and database.

    Also shows the number of connections, the connection limit and the load of each node, how long
    sessions have been idle, and the ten with the most output memory. With filters, only matching
    sessions are counted.

    The format openmetrics is for the textfile collector of node_exporter.

    \b
    Examples:
      dcs-sessions summary checkout-prod
      dcs-sessions summary INSTANCE --by host,name --top 5
      dcs-sessions summary INSTANCE --min-idle 1h --html incident.html
    """  # noqa: D301 - click wants the character
    if html is not None and str(html) != "-" and not html.parent.is_dir():
        raise click.UsageError(f"--html: {html}: no such directory")
    if html is not None and (watch is not None or form != "table"):
        raise click.UsageError("--html cannot be used with --watch or -o")
    if watch is not None and (form != "table" or cached):
        raise click.UsageError("--watch requires -o table, and no --cached")
    with connection.client() as client:
        instance_id = find_instance(client, instance_id)
        name, limit, passes_through = about(client, instance_id)

        def read(warn: Callable[[str], None] | None = None) -> tuple[Lists, Report]:
            statistics = Statistics(groups, top or TOP)
            lists = query_lists(
                client,
                instance_id,
                nodes,
                fresh=not cached,
                held=False,
                seconds=connection.wait_seconds,
                # Progress is shown here, node by node.
                warn=warn or _console.warn,
            )
            doing = f"Querying the nodes of {name or instance_id}"
            with _console.progress(doing, shown=warn is None) as say:
                known = 0
                for node, session in lists:
                    statistics.add(node, session, filters)
                    if len(lists.nodes) > known:
                        known = len(lists.nodes)
                        say(f"{doing}: {known} read, {statistics.everything:,} sessions")
            failed = list(dict.fromkeys(node_id for node_id, _ in lists.failures))
            read_nodes = [node.node_id for node in lists.nodes if node.node_id not in failed]
            report = Report(
                instance_id,
                name,
                limit,
                passes_through,
                filters,
                statistics,
                read_nodes,
                failed,
                whole=not nodes,
            )
            return lists, report

        if watch is not None:
            from dcs_sessions._cli import _watch

            _watch.watch_report(read, watch)
        lists, report = read()
    lists.describe(most=0)
    unwritten = None
    if html is not None:
        try:
            _write_page(html, lists, report)
        except OSError as error:
            unwritten = error
    if str(html) != "-":
        with _console.reader_may_leave():
            _print(report, form, top)
    if unwritten is not None:
        # Only now, for a summary that took minutes must not be lost.
        raise unwritten
    lists.end()


def _print(report: Report, form: str, top: int | None) -> None:
    if form == "openmetrics":
        from dcs_sessions._cli import _metrics

        _console.print_utf8()
        for line in _metrics.lines(report, top or TOP):
            sys.stdout.write(f"{line}\n")
    elif form == "table":
        print_report(report)
    else:
        print_rows(report.rows(top), form, COLUMNS)


def _write_page(html: Path, lists: Lists, report: Report) -> None:
    from dcs_sessions._cli._page import page

    text = page(lists, report)
    if str(html) == "-":
        _console.print_utf8()
        with _console.reader_may_leave():
            sys.stdout.write(text)
        return
    try:
        _replace(html, text)
    except OSError as error:
        raise OSError(error.errno, f"--html: {html}: {error.strerror}") from None
    _console.note(f"Wrote {html}.")


def _replace(file: Path, text: str) -> None:
    """Write a file, or leave it as it was."""
    target = file.resolve()
    is_device = target.exists() and not target.is_file()
    if is_device or not os.access(target.parent, os.W_OK):
        target.write_text(text, "utf-8")
        return
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.touch()
        if target.exists():
            part.chmod(target.stat().st_mode)
        part.write_text(text, "utf-8")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
