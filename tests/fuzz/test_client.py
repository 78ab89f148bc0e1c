"""Any arguments and any answers lead to a result, or to an error of the package.

`make fuzz` runs longer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from dcs_sessions import DcsSessionsError, InvalidArgumentError, Session
from dcs_sessions._errors import error_from
from dcs_sessions._operations import (
    Call,
    find_project,
    get_job,
    kill_all_sessions,
    kill_sessions,
    list_nodes,
    list_sessions,
    scan_sessions,
)
from dcs_sessions._transports._exchange import decode_body
from dcs_sessions._wire import Reply, Request

CALLS: list[Call[Any]] = [
    scan_sessions("p", "i", "n", clean_cache=True),
    list_sessions("p", "i", "n", offset=0, limit=1, addr=None, sort=None, order=None),
    kill_sessions("p", "i", "n", ["a"]),
    kill_all_sessions("p", "i", "n", all_nodes=False),
    get_job("p", "j"),
    list_nodes("p", "i"),
    find_project("r"),
]
NAMES = st.sampled_from(
    ["job_id", "status", "time", "count", "clients", "nodes", "node_id", "dimensions", "error"]
    + ["error_code", "error_msg", "request_id", "instance_id", "total", "projects", "id"]
    + [field.name for field in attrs.fields(Session)]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(NAMES | st.text(), inner),
    max_leaves=40,
)
STATUSES = st.sampled_from([200, 200, 200, 204, 302, 400, 401, 403, 404, 429, 500, 502, 599])
HEADERS = st.dictionaries(st.sampled_from(["x-request-id", "retry-after"]), st.text())


def answered(call: Call[Any], reply: Reply) -> None:
    """Read a reply. Its result or the package's error must be printable."""
    try:
        repr(call.response(reply))
    except DcsSessionsError as error:
        said = str(error)
    else:
        return
    assert said.isprintable()


@given(st.sampled_from(CALLS), STATUSES, HEADERS, JSON)
def test_any_json_is_read_or_raises_our_error(
    call: Call[Any], status: int, headers: dict[str, str], body: object
) -> None:
    answered(call, Reply(status, headers, json.dumps(body).encode("utf-8", "surrogatepass")))


@given(st.sampled_from(CALLS), STATUSES, HEADERS, st.binary())
@example(CALLS[0], 200, {}, b"[" * 100_000)
@example(CALLS[0], 500, {"retry-after": "Thu, 99 Foo"}, b"\xff")
def test_any_bytes_are_read_or_raise_our_error(
    call: Call[Any], status: int, headers: dict[str, str], body: bytes
) -> None:
    answered(call, Reply(status, headers, body))


@given(STATUSES, HEADERS, st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_error_body_raises_our_error(status: int, headers: dict[str, str], body: bytes) -> None:
    error = error_from(Reply(status, headers, body))
    assert error.status == status
    assert str(error).isprintable()


@given(st.sampled_from([None, "gzip", "identity", "br", ""]), st.binary())
def test_any_content_encoding_is_read_or_raises_our_error(encoding: str | None, raw: bytes) -> None:
    request = Request("GET", "https://x", "/", {})
    try:
        assert isinstance(decode_body(request, encoding, raw), bytes)
    except DcsSessionsError:
        assert encoding not in {None, "identity"}


IDS = st.text() | st.text(st.sampled_from("./%\\?#&;= \n\0é\U0001f600"))
ARGUMENTS = IDS | st.none() | st.integers() | st.booleans() | st.binary()


@given(IDS, IDS, IDS, IDS)
def test_ids_arrive_as_they_are(project: str, instance: str, node: str, addr: str) -> None:
    try:
        call = list_sessions(
            project, instance, node, offset=0, limit=1, addr=addr, sort=None, order=None
        )
    except InvalidArgumentError:
        return
    parts = urlsplit(call.target)
    assert call.target.isascii()
    assert call.target.isprintable()
    assert [unquote(part) for part in parts.path.split("/")] == [
        *("", "v2", project, "instances", instance, "clients")
    ]
    query = dict(pair.split("=") for pair in parts.query.split("&"))
    assert (unquote(query["node_id"]), unquote(query["addr"])) == (node, addr)


BUILDERS: list[Callable[[Any, Any, Any, Any], object]] = [
    lambda a, b, c, d: scan_sessions(a, b, c, clean_cache=d),
    lambda a, b, c, d: list_sessions(a, b, c, offset=d, limit=d, addr=d, sort=d, order=d),
    kill_sessions,
    lambda a, b, c, d: kill_all_sessions(a, b, c, all_nodes=d),
    lambda a, b, c, d: get_job(a, b),
    lambda a, b, c, d: list_nodes(a, b),
]


@given(st.sampled_from(BUILDERS), ARGUMENTS, ARGUMENTS, ARGUMENTS, ARGUMENTS | st.lists(ARGUMENTS))
def test_any_arguments_are_sent_or_refused(
    build: Callable[[Any, Any, Any, Any], object], a: object, b: object, c: object, d: object
) -> None:
    try:
        assert isinstance(build(a, b, c, d), Call)
    except InvalidArgumentError as error:
        said = str(error)
    else:
        return
    assert said.isprintable()
