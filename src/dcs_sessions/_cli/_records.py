"""Nodes and jobs as rows, and answers as they came."""

from __future__ import annotations

import datetime
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dcs_sessions._cli._console import reader_may_leave
from dcs_sessions._cli._output import Column
from dcs_sessions._cli._printable import printable
from dcs_sessions._errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcs_sessions import Response
    from dcs_sessions._cli._output import Row
    from dcs_sessions_api.models import Job, Node

F = TypeVar("F", bound="Callable[..., Any]")
T = TypeVar("T")

_NODE_FIELDS = (
    "node_id",
    "name",
    "node_role",
    "node_type",
    "status",
    "node_ip",
    "node_port",
    "az_code",
    "group_name",
)
_JOB_FIELDS = ("job_id", "job_type", "status", "begin_time", "end_time", "fail_reason")
NODE_COLUMNS = tuple(
    Column(name, title=name.removeprefix("node_") if name != "node_id" else "")
    for name in _NODE_FIELDS
)


def _moment(value: Any) -> str:
    """Write milliseconds since 1970 as a time; anything else stays as it is."""
    text = printable(value)
    if text.isascii() and text.isdecimal() and len(text) <= 14:
        moment = datetime.datetime.fromtimestamp(int(text) / 1000, datetime.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return text


JOB_COLUMNS = tuple(
    Column(name, show=_moment) if name.endswith("_time") else Column(name) for name in _JOB_FIELDS
)


def node_row(node: Node) -> Row:
    """Give a node as a row."""
    return _with_first(node.to_dict(), _NODE_FIELDS)


def job_row(job: Job) -> Row:
    """Give a job as a row."""
    return _with_first(job.to_dict(), _JOB_FIELDS)


def _with_first(fields: Row, names: tuple[str, ...]) -> Row:
    """Put these fields first, whatever the order of the answer."""
    return {**{name: fields[name] for name in names if name in fields}, **fields}


def raw_option(command: F) -> F:
    """Add --raw."""
    option = click.option("--raw", is_flag=True, help="Print the body of the answer as it came.")
    return option(command)


def print_raw(call: Callable[[], Response[T]]) -> None:
    """Make a call and print the body that it is answered with, be it an error or not."""
    try:
        body = call().body
    except ApiError as error:
        _write(error.body)
        raise
    _write(body)


def _write(body: bytes) -> None:
    """Write a body: to the byte into a pipe, and harmless on a terminal."""
    with reader_may_leave():
        if sys.stdout.isatty():
            for line in body.decode(errors="backslashreplace").splitlines():
                sys.stdout.write(f"{printable(line)}\n")
        else:
            sys.stdout.buffer.write(body)
