"""Requests that the emulator refuses, and the errors that it returns."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dcs_sessions.emulator import INSTANCE_ID, PROJECT_ID, TOKEN, Emulator, node_id
from dcs_sessions.emulator._errors import _TABLE, ApiError
from dcs_sessions.emulator._validation import Query

if TYPE_CHECKING:
    import httpx

    from emulator.conftest import Api

INSTANCE = f"/v2/{PROJECT_ID}/instances/{INSTANCE_ID}"
JSON = {"Content-Type": "application/json"}
PATHS = {
    f"{INSTANCE}/clients": "GET, POST",
    f"{INSTANCE}/clients/kill": "POST",
    f"{INSTANCE}/clients/kill-all": "POST",
    f"{INSTANCE}/logical-nodes": "GET",
    f"/v2/{PROJECT_ID}/jobs/{'0' * 32}": "GET",
}


def is_error(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-Id"])
    body = response.json()
    assert body["error_code"] == code
    assert body["error_msg"]
    gateway = code.startswith("APIGW")
    assert body.keys() == {
        *("error_code", "error_msg"),
        "request_id" if gateway else "error_ext_msg",
    }


def raw(dcs: Emulator, request: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Send bytes, and return the status, headers and body of the answer."""
    parts = urlsplit(dcs.endpoint)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=20) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection, method=request.split(b" ")[0].decode())
        response.begin()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, json.loads(body) if body else {}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "method", ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "get", "BREW"]
)
def test_other_methods_are_refused_with_the_allowed_ones(
    dcs: Emulator, path: str, method: str
) -> None:
    allowed = PATHS[path]
    request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    status, headers, body = raw(dcs, request.encode())
    if method in allowed.split(", "):
        assert status == 401
    else:
        assert (status, headers["allow"]) == (405, allowed)
        assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
        assert body.get("error_code") == (None if method == "HEAD" else "DCS.5001")


@pytest.mark.parametrize(
    "target",
    [
        "//",
        "*",
        "/v2",
        f"/v1/{PROJECT_ID}/jobs/{'0' * 32}",
        f"/v2/{PROJECT_ID}/jobs",
        f"/v2/{PROJECT_ID}/jobs/",
        f"/v2/{PROJECT_ID}/jobs/x/y",
        f"/v2//jobs/{'0' * 32}",
        f"/v2/{PROJECT_ID}/instances/",
        f"{INSTANCE}/",
        f"{INSTANCE}/config",
        f"{INSTANCE}/clients/",
        f"{INSTANCE}//clients",
        f"/{INSTANCE}/clients",
        f"{INSTANCE}/./clients",
        f"{INSTANCE}/x/../clients",
        f"{INSTANCE}/clients%2Fkill",
        f"{INSTANCE}/clients%00",
        f"{INSTANCE}/clients%0A",
        f"{INSTANCE}/clients/KILL",
        f"{INSTANCE}/%63lients",
        f"/v2/{PROJECT_ID}/instance/{INSTANCE_ID}/clients",
        f"/v2%2F{PROJECT_ID}/instances/{INSTANCE_ID}/clients",
    ],
)
def test_unknown_paths_are_404(dcs: Emulator, target: str) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {TOKEN}\r\n\r\n"
    status, headers, body = raw(dcs, request.encode())
    assert (status, body["error_code"]) == (404, "APIGW.0101")
    assert body["request_id"] == headers["x-request-id"]


@pytest.mark.parametrize(
    "instance",
    [
        "00000000-0000-0000-0000-000000000000",
        INSTANCE_ID.upper().replace("B001", "b001") + "%00",
        f"x%2F{INSTANCE_ID}",
        f"{INSTANCE_ID}%2Fclients",
        "..",
        "%2e%2e",
        "%F0%9F%98%80",
        "%ff",
        "%0d%0aX-Evil:%201",
        "a" * 10_000,
    ],
)
def test_unknown_instance_is_404(shared: Api, dcs: Emulator, instance: str) -> None:
    target = f"/v2/{PROJECT_ID}/instances/{instance}/logical-nodes"
    request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {TOKEN}\r\n\r\n"
    status, _, body = raw(dcs, request.encode())
    assert (status, body["error_code"]) == (404, "DCS.3022")


def test_id_may_be_percent_encoded(dcs: Emulator) -> None:
    target = f"/v2/{PROJECT_ID}/instances/%64{INSTANCE_ID[1:]}/logical-nodes"
    request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {TOKEN}\r\n\r\n"
    assert raw(dcs, request.encode())[0] == 200


@pytest.mark.parametrize("job_id", ["x", "0" * 31, "0" * 33, "G" * 32, "%F0%9F%98%80", "a%2Fb"])
def test_malformed_job_id_is_refused(shared: Api, job_id: str) -> None:
    is_error(shared.job(job_id), 400, "DCS.4070")


def test_unknown_job_is_refused(shared: Api) -> None:
    is_error(shared.job("0" * 32), 404, "DCS.4001")


@pytest.mark.parametrize("path", [path for path, allowed in PATHS.items() if "POST" in allowed])
@pytest.mark.parametrize(
    ("content", "content_type", "code"),
    [
        (b"", "application/json", "DCS.4004"),
        (b"", None, "DCS.4004"),
        (b"  ", "application/json", "DCS.4004"),
        (b"{", "application/json", "DCS.4005"),
        (b"\xff", "application/json", "DCS.4005"),
        ("{}".encode("utf-16"), "application/json", "DCS.4005"),
        (b"[]", "application/json", "DCS.4005"),
        (b"null", "application/json", "DCS.4005"),
        (b'"x"', "application/json", "DCS.4005"),
        (b'{"a": NaN}', "application/json", "DCS.4005"),
        (b'{"a": -Infinity}', "application/json", "DCS.4005"),
        (b"[" * 100_000, "application/json", "DCS.4005"),
        (b'{"a": ' + b"9" * 5000 + b"}", "application/json", "DCS.4005"),
        (b'{"node_id": "x"}', "text/plain", "DCS.4005"),
        (b'{"node_id": "x"}', "application/jsonx", "DCS.4005"),
        (b'{"node_id": "x"}', None, "DCS.4005"),
        (b"{}", "application/json", "DCS.4800"),
    ],
    # No brackets and no backslashes: names that a command line takes.
    ids=lambda value: re.sub(r"\W+", " ", repr(value)[:24]),
)
def test_malformed_bodies_are_refused(
    shared: Api, path: str, content: bytes, content_type: str | None, code: str
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    is_error(shared.http.post(path, content=content, headers=headers), 400, code)


@pytest.mark.parametrize(
    "content_type",
    ["application/json;charset=UTF-8", "application/json; charset=utf-8", "Application/JSON"],
)
def test_content_type_may_have_parameters_and_capitals(shared: Api, content_type: str) -> None:
    content = b'{"node_id": "x", "unknown": [null], "node_id": "y"}'
    response = shared.http.post(
        f"{INSTANCE}/clients", content=content, headers={"Content-Type": content_type}
    )
    is_error(response, 400, "DCS.3053")


ADDRS = ["1.2.3.4:5"]


@pytest.mark.parametrize(
    ("operation", "body", "named"),
    [
        ("clients", {"clean_cache": True}, "node_id"),
        ("clients", {"node_id": None}, "node_id"),
        ("clients", {"node_id": 1}, "node_id"),
        ("clients", {"node_id": ["x"]}, "node_id"),
        ("clients", {"node_id": node_id(0), "clean_cache": None}, "clean_cache"),
        ("clients", {"node_id": node_id(0), "clean_cache": 1}, "clean_cache"),
        ("clients", {"node_id": node_id(0), "clean_cache": "true"}, "clean_cache"),
        ("clients/kill", {"client_addrs": ADDRS}, "node_id"),
        ("clients/kill", {"node_id": None, "client_addrs": ADDRS}, "node_id"),
        ("clients/kill", {"node_id": node_id(0)}, "client_addrs"),
        ("clients/kill", {"node_id": node_id(0), "client_addrs": None}, "client_addrs"),
        ("clients/kill", {"node_id": node_id(0), "client_addrs": "1.2.3.4:5"}, "client_addrs"),
        ("clients/kill", {"node_id": node_id(0), "client_addrs": [1]}, "client_addrs"),
        ("clients/kill", {"node_id": node_id(0), "client_addrs": [None]}, "client_addrs"),
        ("clients/kill", {"node_id": node_id(0), "client_addrs": {"a": 1}}, "client_addrs"),
        ("clients/kill-all", {}, "node_id"),
        ("clients/kill-all", {"kill_all_nodes": False}, "node_id"),
        ("clients/kill-all", {"kill_all_nodes": None}, "kill_all_nodes"),
        ("clients/kill-all", {"kill_all_nodes": 1, "node_id": "x"}, "kill_all_nodes"),
        ("clients/kill-all", {"kill_all_nodes": True, "node_id": None}, "node_id"),
        ("clients/kill-all", {"kill_all_nodes": True, "node_id": 5}, "node_id"),
    ],
)
def test_invalid_fields_are_named(
    shared: Api, operation: str, body: dict[str, Any], named: str
) -> None:
    response = shared.http.post(f"{INSTANCE}/{operation}", json=body)
    is_error(response, 400, "DCS.4800")
    assert response.json()["error_msg"] == f"Invalid {named} in the request."


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "node_id"),
        ("node_id=a&node_id=a", "node_id"),
        *(
            (f"node_id={node_id(0)}&{rest}", rest.partition("=")[0])
            for rest in (
                *("limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=1.0"),
                *("limit=+5", "limit=%D9%A5", "limit=5&limit=5", "limit=null", "limit=1e2"),
                *("offset=-1", "offset=x", "offset=2147483648", "offset=99999999999999999999"),
                *("sort=", "sort=ID", "sort=laddr", "sort=qbuf-free", "sort=id&sort=id"),
                *("order=", "order=ASC", "order=random", "order=asc&order=asc"),
                "addr=a&addr=b",
            )
        ),
    ],
)
def test_invalid_query_parameters_are_named(shared: Api, query: str, named: str) -> None:
    response = shared.http.get(f"{INSTANCE}/clients?{query}")
    is_error(response, 400, "DCS.4800")
    assert response.json()["error_msg"] == f"Invalid {named} in the request."


def test_unknown_query_parameters_are_ignored() -> None:
    query = Query(b"x=1&x=2&offset=2147483647&limit=1000&y")
    assert query.integer("offset", default=0, least=0) == 2147483647
    assert query.integer("limit", default=10, least=1, most=1000) == 1000
    assert query.text("z") is None


@pytest.mark.parametrize("node", ["", "x", node_id(9), node_id(0).upper(), "é", "\0"])
def test_unknown_node_is_refused(shared: Api, node: str) -> None:
    for response in (
        shared.http.post(f"{INSTANCE}/clients", json={"node_id": node}),
        shared.http.get(f"{INSTANCE}/clients", params={"node_id": node}),
        shared.http.post(f"{INSTANCE}/clients/kill", json={"node_id": node, "client_addrs": ADDRS}),
        shared.http.post(f"{INSTANCE}/clients/kill-all", json={"node_id": node}),
    ):
        is_error(response, 400, "DCS.3053")


MAX = 1024 * 1024


def _head(*headers: str) -> bytes:
    lines = [f"POST {INSTANCE}/clients HTTP/1.1", "Host: localhost", f"X-Auth-Token: {TOKEN}"]
    return "\r\n".join([*lines, "Content-Type: application/json", *headers, "", ""]).encode()


def test_body_of_the_largest_size_is_read(shared: Api) -> None:
    content = b'{"node_id": "x"}'.ljust(MAX)
    is_error(
        shared.http.post(f"{INSTANCE}/clients", content=content, headers=JSON), 400, "DCS.3053"
    )


def test_body_too_large_is_refused_before_it_is_sent(dcs: Emulator) -> None:
    status, headers, body = raw(dcs, _head(f"Content-Length: {MAX + 1}"))
    assert (status, body["error_code"]) == (400, "APIGW.0201")
    assert headers["connection"] == "close"


def test_body_too_large_is_refused_to_one_who_sends_it_anyhow(dcs: Emulator) -> None:
    size = 8 * MAX
    status, _, body = raw(dcs, _head(f"Content-Length: {size}") + b" " * size)
    assert (status, body["error_code"]) == (400, "APIGW.0201")


def test_chunked_body_too_large_is_refused_on_the_way(dcs: Emulator) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    # Without an end: whoever waited for it would wait for ever.
    status, _, body = raw(dcs, _head("Transfer-Encoding: chunked") + chunk * 17)
    assert (status, body["error_code"]) == (400, "APIGW.0201")


# Sizes of bodies around the limit, with the length in the head or in chunks. Where there are both,
# the chunks count: https://www.rfc-editor.org/rfc/rfc9112#section-6.3.
SIZES = st.one_of(
    st.sampled_from((MAX - 1, MAX, MAX + 1)), st.integers(MAX - 70, MAX + 70), st.just(2 * MAX)
)
CUTS = st.lists(
    st.one_of(st.integers(1, 2 * MAX), st.integers(MAX - 2, MAX + 2)), unique=True, max_size=8
)
HEADS = st.sampled_from(("length", "chunks", "chunks", "length of 1, chunks", "length MAX, chunks"))


@given(size=SIZES, cuts=CUTS, head=HEADS)
@example(size=MAX + 1, cuts=[], head="chunks")
@example(size=MAX + 1, cuts=[MAX], head="chunks")
@example(size=MAX + 1, cuts=[MAX], head="length MAX, chunks")
@example(size=MAX, cuts=[], head="chunks")
@example(size=MAX, cuts=[1, MAX - 1], head="length of 1, chunks")
@example(size=MAX + 1, cuts=list(range(1, MAX, 5000)), head="chunks")
def test_limit_of_bodies_depends_on_their_size_alone(
    dcs: Emulator, size: int, cuts: list[int], head: str
) -> None:
    content = b'{"node_id": "x"}'.ljust(size)
    if head == "length":
        request = _head(f"Content-Length: {size}") + content
    else:
        lie = {"length of 1": "Content-Length: 1", "length MAX": f"Content-Length: {MAX}"}
        declared = lie.get(head.partition(",")[0])
        ends = sorted({0, size, *(cut for cut in cuts if cut < size)})
        chunks = [content[start:end] for start, end in itertools.pairwise(ends)]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        headers = ["Transfer-Encoding: chunked", *([declared] if declared else [])]
        request = _head(*headers) + framed + b"0\r\n\r\n"
    status, headers_, body = raw(dcs, request)
    if size <= MAX:
        assert (status, body["error_code"]) == (400, "DCS.3053")
        assert "connection" not in headers_
    else:
        assert (status, headers_["connection"]) == (400, "close")
        assert body == {
            "error_code": "APIGW.0201",
            "error_msg": "Bad request: the request body is too large",
            "request_id": headers_["x-request-id"],
        }


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: 1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        _head("Content-Length: x"),
        _head("Content-Length: 5", "Content-Length: 6"),
    ],
)
def test_malformed_http_is_refused(dcs: Emulator, request_: bytes) -> None:
    status, headers, body = raw(dcs, request_)
    assert (status, body["error_code"]) == (400, "APIGW.0201")
    assert body["request_id"] == headers["x-request-id"]


def test_head_without_end_is_refused(dcs: Emulator) -> None:
    status, _, body = raw(dcs, b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 200_000)
    assert (status, body["error_code"]) == (400, "APIGW.0201")


def test_exception_in_the_emulator_is_answered_with_500(
    fresh: Emulator, api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from dcs_sessions.emulator import _nodes

    monkeypatch.setattr(_nodes.Node, "describe", lambda *_: 1 / 0)
    is_error(api.nodes(), 500, "DCS.5000")
    assert "ZeroDivisionError" in caplog.text
    assert TOKEN not in caplog.text


def test_checks_have_an_order(shared: Api, dcs: Emulator) -> None:
    """The order is: path, method, credentials, permission, project, instance, body, node."""
    http_ = shared.http
    nobody = {"X-Auth-Token": "nobody"}
    noaccess = {"X-Auth-Token": dcs.noaccess_token}
    wrong_project = f"/v2/x/instances/{INSTANCE_ID}/clients"
    wrong_instance = f"/v2/{PROJECT_ID}/instances/x/clients"
    is_error(http_.put("/nowhere", headers=nobody), 404, "APIGW.0101")
    is_error(http_.put(wrong_project, headers=nobody), 405, "DCS.5001")
    is_error(http_.post(wrong_project, headers=nobody), 401, "DCS.1001")
    is_error(http_.post(wrong_project, headers=noaccess), 403, "DCS.2007")
    is_error(http_.post(wrong_project), 401, "DCS.1004")
    is_error(http_.post(wrong_instance), 404, "DCS.3022")
    is_error(http_.post(f"{INSTANCE}/clients"), 400, "DCS.4004")
    is_error(
        http_.post(f"{INSTANCE}/clients", json={"node_id": "x", "clean_cache": 1}), 400, "DCS.4800"
    )


@pytest.mark.parametrize("code", _TABLE)
def test_every_code_has_an_error_status_and_a_complete_message(code: str) -> None:
    error = ApiError(code, "x")
    assert 400 <= error.status <= 599
    assert "{}" not in error.message
