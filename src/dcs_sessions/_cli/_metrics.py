"""A summary as metrics, for the textfile collector of node_exporter.

The format is OpenMetrics, https://prometheus.io/docs/specs/om/open_metrics_spec/. Prometheus reads
its last line as a comment.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dcs_sessions._cli._report import Report

_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def lines(report: Report, top: int) -> Iterator[str]:
    """Yield the metrics. Each group has its most frequent values, and one sample for the rest."""
    same = {"instance_id": report.instance_id, "instance_name": report.name}
    statistics = report.statistics

    yield from _family(
        "dcs_connections",
        "Connections of a node.",
        (({**same, "node": node}, count) for node, count in report.by_node()),
    )
    if report.limit.node is not None:
        yield from _family(
            "dcs_connections_limit",
            "Connections that a node accepts.",
            (({**same, "node": node}, report.limit.node) for node, _ in report.by_node()),
        )
    if report.limit.instance is not None:
        yield from _family(
            "dcs_instance_connections_limit",
            "Connections that the instance accepts.",
            [(same, report.limit.instance)],
        )
    yield from _family(
        "dcs_node_up",
        "Whether the sessions of a node could be listed.",
        [
            *(({**same, "node": node}, 1) for node in report.nodes),
            *(({**same, "node": node}, 0) for node in report.failed),
        ],
    )
    yield from _family(
        "dcs_sessions", "Sessions that match the filters.", [(same, statistics.total)]
    )
    for group in statistics.groups:
        ranked = statistics.ranked(group)
        others = ("(others)",) * len(group)
        samples = [*ranked[:top], *((others, count) for _, count in ranked[top:])]
        yield from _family(
            f"dcs_sessions_by_{'_'.join(group)}",
            f"Sessions that match the filters, by {', '.join(group)}.",
            (
                ({**same, **dict(zip(group, values, strict=True))}, count)
                for values, count in samples
            ),
        )
    yield "# EOF"


def _family(
    name: str, what: str, samples: Iterable[tuple[Mapping[str, str], int]]
) -> Iterator[str]:
    yield f"# TYPE {name} gauge"
    yield f"# HELP {name} {what}"
    # A client may have the name `(others)`, and no two samples may have the same labels.
    sums: Counter[str] = Counter()
    for labels, value in samples:
        sums[",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())] += value
    for text, value in sums.items():
        yield f"{name}{{{text}}} {value}"


def _escaped(label: str) -> str:
    """Return a label as it is written. A terminal can show it, too."""
    return "\n".join(printable(line) for line in label.split("\n")).translate(_ESCAPED)
