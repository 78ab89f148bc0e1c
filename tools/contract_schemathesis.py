"""Runs of schemathesis for `make contract`, and their results."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.table import Table

from tools import spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.contract_api import Seen


FOUND = "schemathesis has found faults, see above"


class Answer(NamedTuple):
    """An answer that schemathesis has seen, with the credentials and the ID of its request."""

    operation: str
    status: str
    login: str
    request_id: str


def environment(facts: Mapping[str, str], seen: Path, *, may_kill: bool) -> dict[str, str]:
    """Return the variables of schemathesis.toml and the hooks."""
    return {
        **os.environ,
        **facts,
        "DCS_SESSIONS_SEEN": str(seen),
        "DCS_SESSIONS_ALLOW_KILL": "1" if may_kill else "0",
    }


def schemathesis_run(
    endpoint: str,
    variables: Mapping[str, str],
    reports: Path,
    *options: str,
    config: Path = spec.ROOT / "schemathesis.toml",
) -> bool:
    """Run schemathesis, and return whether it has found nothing."""
    reports.mkdir(parents=True, exist_ok=True)
    line = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(config)),
        *("run", str(spec.SPEC), "--url", endpoint, "--no-color"),
        *("--report", "junit,html", "--report-junit-path", str(reports / "junit.xml")),
        *("--report-html-path", str(reports / "html")),
        *options,
    ]
    return subprocess.run(line, cwd=spec.ROOT, env=dict(variables), check=False).returncode == 0


def read(path: Path) -> list[Answer]:
    """Return the answers that schemathesis has seen."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Answer(*line.split()) for line in lines]


def counted(answers: Sequence[Answer]) -> Seen:
    """Return how often each operation has answered with each status."""
    return Counter((answer.operation, answer.status) for answer in answers)


def unidentified(answers: Sequence[Answer]) -> list[str]:
    """Return the answers without a request ID, or with that of another."""
    ids = Counter(answer.request_id for answer in answers)
    return [
        f"{answer.operation} answered {answer.status} with the request ID {answer.request_id}"
        for answer in answers
        if answer.request_id == "-" or ids[answer.request_id] > 1
    ]


def untried(answers: Sequence[Answer]) -> list[str]:
    """Return the operations that never succeeded with a token, or with a signature."""
    done = {(answer.operation, answer.login) for answer in answers if answer.status < "300"}
    return [
        f"{name} never succeeded with a {login}"
        for name in spec.operations(spec.load())
        for login in ("token", "signature")
        if (name, login) not in done
    ]


def verdict(seen: Seen, *, live: bool = False) -> list[str]:
    """Print a table of documented and seen statuses, and return the faults."""
    documented = {
        name: set(operation.definition["responses"])
        for name, operation in spec.operations(spec.load()).items()
    }
    statuses = sorted({s for each in documented.values() for s in each} | {s for _, s in seen})
    table = Table("operation", *statuses, title="Answers by status; - is not documented")
    amiss: list[str] = []
    for name, known in documented.items():
        row = [name]
        for status in statuses:
            count = seen[name, status]
            if status in known:
                row.append(str(count) if count else ("" if live else "MISSING"))
                if not count and not live:
                    amiss.append(f"{name} never answered {status}")
            else:
                row.append(f"{count}: UNDOCUMENTED" if count else "-")
                if count:
                    amiss.append(f"{name} answered {status}, which is not documented")
        table.add_row(*row)
    Console(width=100).print(table)
    return amiss
