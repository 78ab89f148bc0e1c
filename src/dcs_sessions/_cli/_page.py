"""The summary as one self-contained page."""

from __future__ import annotations

import datetime
import html
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from dcs_sessions._cli._overview import version
from dcs_sessions._cli._printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dcs_sessions._cli._sessions import Lists
    from dcs_sessions._cli._statistics import Bars, Statistics


def page(instance_id: str, lists: Lists, statistics: Statistics) -> str:
    """Write the page."""
    template = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    nodes = [(node.node_id, f"list of {printable(node.time)}") for node in lists.nodes]
    nodes += [(node_id or "node", f"failed: {error}") for node_id, error in lists.failures]
    return template.substitute(
        instance=_text(instance_id),
        total=f"{statistics.total:,}",
        made=now,
        version=_text(version()),
        nodes="".join(f"<li><code>{_text(name)}</code> {_text(what)}</li>" for name, what in nodes),
        charts="\n".join(_chart(chart, statistics.total) for chart in statistics.charts()),
        heaviest=_table(statistics.heaviest()),
    )


def _text(value: object) -> str:
    """Write a value so that it is nothing but text. Clients choose their names."""
    return html.escape(printable(value))


def _chart(chart: Bars, total: int) -> str:
    longest = max((count for _, count in chart.bars), default=0) or 1
    rows = "".join(
        f'<tr><th scope="row">{_text(label)}</th>'
        f'<td class="bar"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{100 * count / longest:.2f}" height="10"/></svg></td>'
        f'<td class="number">{count:,}</td>'
        f'<td class="number share">{count / (total or 1):.0%}</td></tr>'
        for label, count in chart.bars
    )
    rest = f'<p class="rest">{_text(chart.rest)}</p>' if chart.rest else ""
    return f"<section><h2>{_text(chart.title)}</h2><table>{rows}</table>{rest}</section>"


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return "<p>No session has any.</p>"
    head = _cells("th", rows[0])
    body = "".join(f"<tr>{_cells('td', row.values())}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _cells(kind: str, values: Iterable[str]) -> str:
    return "".join(f"<{kind}>{_text(value)}</{kind}>" for value in values)
