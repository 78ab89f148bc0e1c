"""The summary as one self-contained page."""

from __future__ import annotations

import datetime
import html
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from dcs_sessions._cli._failures import what_happened
from dcs_sessions._cli._overview import version
from dcs_sessions._cli._report import percent
from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dcs_sessions._cli._reading import Lists
    from dcs_sessions._cli._report import Report
    from dcs_sessions._cli._statistics import Bars

# Maximum characters of a label. Clients choose their names, and some are long.
_LONGEST = 80


def page(lists: Lists, report: Report) -> str:
    """Return the page."""
    template = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    counts = dict(report.by_node())
    nodes = [
        (node.node_id, f"{_connections(counts.get(node.node_id, 0), report)}, list of {node.time}")
        for node in lists.nodes
    ]
    nodes += [
        (node_id or "node", f"failed: {what_happened(error)}") for node_id, error in lists.failures
    ]
    statistics = report.statistics
    return template.substitute(
        instance=_text(f"{report.name} {report.instance_id}".strip()),
        title=_text(report.title),
        remarks="".join(f"<p>{_text(remark)}</p>" for remark in report.remarks()),
        made=now,
        version=_text(version()),
        nodes="".join(f"<li><code>{_text(name)}</code> {_text(what)}</li>" for name, what in nodes),
        charts="\n".join(_chart(chart, statistics.total) for chart in statistics.charts()),
        heaviest=_table(statistics.heaviest()),
    )


def _connections(count: int, report: Report) -> str:
    limit = report.limit.node
    if limit is None:
        return f"{count:,} connections"
    return f"{count:,} of {limit:,} connections ({percent(count, limit)})"


def _text(value: object) -> str:
    """Return a value escaped for HTML. Clients choose their names."""
    return html.escape(printable(value))


def _chart(chart: Bars, total: int) -> str:
    longest = max((count for _, count in chart.bars), default=0) or 1
    rows = "".join(
        f'<tr><th scope="row">{_text(_cut(label))}</th>'
        f'<td class="bar"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{100 * count / longest:.2f}" height="10"/></svg></td>'
        f'<td class="number">{count:,}</td>'
        f'<td class="number share">{percent(count, total)}</td></tr>'
        for label, count in chart.bars
    )
    rest = f'<p class="rest">{_text(chart.rest)}</p>' if chart.rest else ""
    return f"<section><h2>{_text(chart.title)}</h2><table>{rows}</table>{rest}</section>"


def _cut(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return "<p>None.</p>"
    head = _cells("th", rows[0])
    body = "".join(f"<tr>{_cells('td', row.values())}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _cells(kind: str, values: Iterable[str]) -> str:
    return "".join(f"<{kind}>{_text(_cut(value))}</{kind}>" for value in values)
