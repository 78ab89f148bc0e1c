"""Instances, nodes and jobs as rows, and raw responses."""

from __future__ import annotations

import datetime
import re
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dcs_sessions._cli._console import reader_may_leave
from dcs_sessions._cli._output import Column
from dcs_sessions._errors import ApiError
from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcs_sessions import Response
    from dcs_sessions._cli._output import Row
    from dcs_sessions_api.models import Job, ListedInstance, Node

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
_INSTANCE_FIELDS = (
    "name",
    "instance_id",
    "status",
    "type",
    "engine_version",
    "address",
    "size",
)
# Prefix of a specification code -> type, which ListInstances does not return.
# https://support.huaweicloud.com/intl/en-us/productdesc-dcs/dcs-pd-0522002.html
_TYPES = (
    (r"redis\.single\..*", "single"),
    (r"redis\.ha\..*\.p[0-9].*", "ha_rw_split"),
    (r"redis\.ha\..*", "ha"),
    (r"redis\.cluster\..*", "cluster"),
    (r"redis\.proxy\..*", "proxy"),
)
INSTANCE_COLUMNS = (
    Column("name"),
    Column("instance_id", title="id", whole=True),
    Column("status"),
    Column("type"),
    Column("engine_version", title="version", drop=2),
    Column("address", drop=1),
    Column("size", right=True, drop=3),
)
_JOB_FIELDS = ("job_id", "job_type", "status", "begin_time", "end_time", "fail_reason")
# Columns that a narrow terminal leaves out, the first one first. ID, name, role, status stay.
_NODE_DROPPED = ("group_name", "az_code", "node_port", "node_ip", "node_type")
NODE_COLUMNS = tuple(
    Column(
        name,
        title=name.removeprefix("node_") if name != "node_id" else "",
        whole=name == "node_id",
        drop=len(_NODE_DROPPED) - _NODE_DROPPED.index(name) if name in _NODE_DROPPED else 0,
    )
    for name in _NODE_FIELDS
)


def _moment(value: Any) -> str:
    """Return milliseconds since 1970 as a time; other values are returned unchanged."""
    text = printable(value)
    if text.isascii() and text.isdecimal() and len(text) <= 14:
        moment = datetime.datetime.fromtimestamp(int(text) / 1000, datetime.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return text


JOB_COLUMNS = tuple(
    Column(name, show=_moment) if name.endswith("_time") else Column(name) for name in _JOB_FIELDS
)


def instance_row(instance: ListedInstance) -> Row:
    """Return an instance as a row. Type, address and size are derived from other fields."""
    fields = instance.to_dict()
    code = str(fields.get("spec_code", ""))
    fields["type"] = next((name for form, name in _TYPES if re.match(form, code)), None)
    host = fields.get("ip") or fields.get("domain_name")
    port = fields.get("port")
    fields["address"] = f"{host}:{port}" if host and port and "," not in str(host) else host
    small = fields.get("capacity_minor")
    capacity = fields.get("capacity") or (f"0{small}" if str(small).startswith(".") else small)
    fields["size"] = f"{capacity} GB" if capacity else None
    return _with_first(fields, _INSTANCE_FIELDS)


def node_row(node: Node) -> Row:
    """Return a node as a row."""
    return _with_first(node.to_dict(), _NODE_FIELDS)


def job_row(job: Job) -> Row:
    """Return a job as a row."""
    return _with_first(job.to_dict(), _JOB_FIELDS)


def _with_first(fields: Row, names: tuple[str, ...]) -> Row:
    """Return a row with these fields first."""
    return {**{name: fields[name] for name in names if name in fields}, **fields}


def raw_option(command: F) -> F:
    """Add --raw."""
    option = click.option("--raw", is_flag=True, help="Print the response body unchanged.")
    return option(command)


def print_raw(call: Callable[[], Response[T]]) -> T:
    """Make a call, print the response body, error or not, and return what was read from it."""
    try:
        response = call()
    except ApiError as error:
        _write(error.body)
        raise
    _write(response.body)
    return response.parsed


def _write(body: bytes) -> None:
    """Print a body: unchanged into a pipe, escaped on a terminal."""
    with reader_may_leave():
        if sys.stdout.isatty():
            for line in body.decode(errors="backslashreplace").splitlines():
                sys.stdout.write(f"{printable(line)}\n")
        else:
            sys.stdout.buffer.write(body)
