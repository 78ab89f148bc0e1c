"""Write the reference of the command line, `build/commands.md`, from the commands themselves."""

from __future__ import annotations

import importlib
import textwrap
from typing import TYPE_CHECKING

import click

from dcs_sessions._cli import _columns, _overview, _records, kill, kill_all, summary
from dcs_sessions._cli._console import CommonOption
from tools import spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGE = spec.ROOT / "build" / "commands.md"

# Command -> the fields of its formats json, jsonl and csv, and the schema that describes them.
_SESSION = (_columns.ROW_FIELDS, "Session")
FIELDS: dict[str, tuple[Iterable[str], str]] = {
    "instances": ([column.name for column in _records.INSTANCE_COLUMNS], "ListedInstance"),
    "query": _SESSION,
    "summary": ([column.name for column in summary.COLUMNS], ""),
    "kill": ([column.name for column in kill.COLUMNS], "Session"),
    "kill-all": ([column.name for column in kill_all.COLUMNS], ""),
    "nodes": ([column.name for column in _records.NODE_COLUMNS], "Node"),
    "list": _SESSION,
    "job": ([column.name for column in _records.JOB_COLUMNS], "Job"),
}
# Fields that the command line adds.
OWN = {
    "node_id": "ID of the node.",
    "list_time": "Time at which the service made the list.",
    "type": "Type of the instance, derived from `spec_code`: single, ha, ha_rw_split, cluster or "
    "proxy.",
    "address": "Address, as `host:port`.",
    "size": "Memory of the instance.",
    "result": "Result, as listed above.",
    "reason": "Reason of a result other than `ended`.",
    "sessions": "Number of sessions counted before.",
    "left": "Number of these that are still connected, if something went wrong.",
    "job_id": "ID of the job.",
    "status": "Status of the job.",
    "group": "What the row counts: `instance`, `node`, `sessions`, or the fields of `--by`.",
    "instance_id": "ID of the instance, in the row of the instance.",
    "host": "Host of the client.",
    "name": "Name that the client gave itself.",
    "cmd": "Last command.",
    "user": "User of the connection.",
    "db": "Database.",
    "idle": "Range of the idle time.",
    "count": "Number of sessions.",
    "limit": "Connection limit of the instance or the node, if it is known.",
    "filters": "Filters that were applied, in the row of the sessions.",
}


def _command(name: str) -> click.Command:
    module, _, function = _overview.COMMANDS[name].partition(":")
    command: click.Command = getattr(
        importlib.import_module(f"dcs_sessions._cli.{module}"), function
    )
    return command


def _text(command: click.Command) -> Iterator[str]:
    """Yield the paragraphs of a help text as Markdown; examples become a block."""
    for paragraph in textwrap.dedent(f"    {command.help}").split("\n\n"):
        if paragraph.startswith("\b\n"):
            _, title, *lines = paragraph.split("\n")
            yield f"{title}\n\n```text\n{textwrap.dedent(chr(10).join(lines)).strip()}\n```"
        else:
            yield " ".join(paragraph.split())


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    escaped = [(name, what.replace("|", "\\|")) for name, what in rows]
    if escaped:
        lines = [f"| {title} | |", "|---|---|"]
        lines += [f"| `{name}` | {what} |" for name, what in escaped]
        yield "\n".join(lines)


def _options(command: click.Command, *, common: bool) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=command.name)
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None and isinstance(param, click.Option):
            is_common = isinstance(param, CommonOption) or "--help" in param.opts
            if is_common == common:
                # A table splits cells at a bar, also in code.
                yield record[0].replace("|", ","), record[1]


def _fields(name: str) -> Iterator[tuple[str, str]]:
    if name not in FIELDS:
        return
    fields, schema = FIELDS[name]
    known = spec.load()["components"]["schemas"][schema]["properties"] if schema else {}
    for field in fields:
        described = known.get(field, {})
        if not schema or field not in known:
            yield field, OWN[field]
        else:
            kind = described.get("type", "any type")
            kind = kind if isinstance(kind, str) else " or ".join(kind)
            yield field, f"{kind}. {' '.join(described['description'].split())}"


def reference() -> str:
    """Return the reference of all commands, in Markdown."""
    parts: list[str] = []
    for section, commands in _overview.SECTIONS.items():
        parts.append(f"## {section}")
        for name in commands:
            command = _command(name)
            context = click.Context(command, info_name=f"dcs-sessions {name}")
            parts.append(f"### {name}")
            parts.append(f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```")
            parts += _text(command)
            parts += _table("option", _options(command, common=False))
            parts += _table("field", _fields(name))
    common = _options(_command("query"), common=True)
    parts += ["## Options of every command", *_table("option", common)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(reference(), "utf-8")


if __name__ == "__main__":
    main()
