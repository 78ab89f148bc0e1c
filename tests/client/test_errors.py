"""Failures raise errors of the package that name the problem and the fix."""

from __future__ import annotations

import contextlib
import copy
import gzip
import logging
import pickle
import re
import tracemalloc
from email.utils import formatdate
from time import time
from typing import Any

import pytest

import dcs_sessions
from dcs_sessions import ApiConnectionError, ApiError, TokenAuth, UnexpectedResponseError
from dcs_sessions._transports._exchange import decode_body
from dcs_sessions._wire import Request
from support.both import Both
from support.scripted import ScriptedServer, answer, hang_up, reset, send, silence
from support.waiting import expired

REFUSED = {"error_code": "DCS.0000", "error_msg": "No.", "error_ext_msg": None}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, dcs_sessions.BadRequestError),
        (401, dcs_sessions.AuthenticationError),
        (403, dcs_sessions.PermissionDeniedError),
        (404, dcs_sessions.NotFoundError),
        (429, dcs_sessions.ThrottledError),
        (500, dcs_sessions.ServerError),
        (503, dcs_sessions.ServerError),
        (599, dcs_sessions.ServerError),
        (201, UnexpectedResponseError),
        (204, UnexpectedResponseError),
        (299, UnexpectedResponseError),
        (301, UnexpectedResponseError),
        (302, UnexpectedResponseError),
        (405, UnexpectedResponseError),
        (418, UnexpectedResponseError),
    ],
)
def test_each_status_has_its_error_class(
    both: Both, server: ScriptedServer, status: int, kind: type[ApiError]
) -> None:
    server.steps = [
        answer(status, None if status == 204 else REFUSED, {"Location": "http://127.0.0.1:1/"})
    ]
    client = both(endpoint=server.endpoint, retry=None)
    with pytest.raises(ApiError) as caught:
        client.get_job("j")
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert len(server.received) == 1


def test_api_error_has_code_message_and_request_id(both: Both, server: ScriptedServer) -> None:
    body = {"error_code": "DCS.3053", "error_msg": "Incorrect node ID.", "error_ext_msg": "x"}
    server.steps = [answer(400, body, {"X-Request-Id": "r-1"})]
    with pytest.raises(dcs_sessions.BadRequestError) as caught:
        both(endpoint=server.endpoint).scan_sessions("i", "n")
    error = caught.value
    assert (error.error_code, error.error_msg) == ("DCS.3053", "Incorrect node ID.")
    assert (error.error_ext_msg, error.request_id) == ("x", "r-1")
    assert error.headers["x-request-id"] == "r-1"
    assert b"DCS.3053" in error.body
    assert error.advice == ("check the node ID: take it from list_nodes(), not from the console")
    assert str(error) == (
        "400 DCS.3053 Incorrect node ID. (check the node ID: take it from list_nodes(), not from "
        "the console) [request r-1]"
    )


def test_undocumented_status_is_reported_with_its_body(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(418, {"error_code": "X.1", "error_msg": "a teapot"})]
    with pytest.raises(UnexpectedResponseError, match=r"^418 unexpected status X\.1 a teapot$"):
        both(endpoint=server.endpoint).get_job("j")


def test_gateway_error_has_its_request_id_in_the_body(both: Both, server: ScriptedServer) -> None:
    body = {"error_code": "APIGW.0101", "error_msg": "API does not exist", "request_id": "r-2"}
    server.steps = [answer(404, body)]
    with pytest.raises(dcs_sessions.NotFoundError, match="check the region and the endpoint") as e:
        both(endpoint=server.endpoint).list_nodes("i")
    assert e.value.request_id == "r-2"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error_code": "A", "error_msg": "b"}, "A", "b"),
        ({"error_code": "A"}, "A", None),
        ({"error_msg": "b"}, None, "b"),
        ({"error": {"code": "111404022", "message": "gone"}}, "111404022", "gone"),
        ({"error": {"code": 404, "message": "gone"}}, "404", "gone"),
        ({"errorCode": "A", "errorMsg": "b"}, "A", "b"),
        ({"code": "A", "message": "b"}, "A", "b"),
        (
            {"error_code": None, "error_msg": ["b"]},
            None,
            '{"error_code": null, "error_msg": ["b"]}',
        ),
        ([1], None, "[1]"),
        (b"<html>\n <b>Bad   Gateway</b>\x1b[31m", None, "<html> <b>Bad Gateway</b> [31m"),
        (b"\xff\xfe", None, "\ufffd\ufffd"),
        (b"", None, None),
        (b"[" * 100_000, None, "[" * 200),
    ],
)
def test_every_form_of_an_error_body_is_read(
    both: Both, server: ScriptedServer, body: object, code: str | None, message: str | None
) -> None:
    server.steps = [answer(500, body)]
    with pytest.raises(dcs_sessions.ServerError) as caught:
        both(endpoint=server.endpoint).list_nodes("i")
    assert (caught.value.error_code, caught.value.error_msg) == (code, message)
    said = " ".join(part for part in (code, message) if part) or "empty answer"
    assert str(caught.value) == f"500 {said}"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"),
        (b'{"job_id": "j", "sta', "not JSON"),
        (b"<html>", "not JSON"),
        (b'{"job_id": NaN}', "not JSON"),
        (b'{"job_id": "\xff"}', "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b"[]", "expected an object, got list"),
        (b"null", "expected an object, got NoneType"),
        (b"{}", "field job_id is missing"),
        (b'{"job_id": null, "status": "INIT"}', "field job_id is of another type"),
        (b'{"job_id": "j", "status": 5}', "field status is of another type"),
    ],
)
def test_undocumented_success_is_an_unexpected_response(
    both: Both, server: ScriptedServer, body: bytes, problem: str
) -> None:
    server.steps = [answer(200, body)]
    with pytest.raises(UnexpectedResponseError, match=problem) as caught:
        both(endpoint=server.endpoint).get_job("j")
    assert caught.value.body == body


@pytest.mark.parametrize(
    ("method", "arguments", "body", "field"),
    [
        ("scan_sessions", ("i", "n"), {"job_id": 8}, "job_id"),
        ("kill_all_sessions", ("i", "n"), {"job_id": 8}, "job_id"),
        ("list_nodes", ("i",), {"instance_id": "i", "total": 0, "nodes": {}}, "nodes"),
        ("list_sessions", ("i", "n"), {"time": 5, "count": 0, "clients": []}, "time"),
        ("list_sessions", ("i", "n"), {"time": "t", "count": "0", "clients": []}, "count"),
    ],
)
def test_field_of_another_type_is_named(
    both: Both,
    server: ScriptedServer,
    method: str,
    arguments: tuple[str, ...],
    body: object,
    field: str,
) -> None:
    server.steps = [answer(200, body)]
    with pytest.raises(UnexpectedResponseError, match=f"field {field} is of another type"):
        getattr(both(endpoint=server.endpoint), method)(*arguments)


PROBLEM = (
    "field clients is of another type|"
    "not as the contract says: TypeError a session must be an object, not (int|str|NoneType|list)"
)


@pytest.mark.parametrize("clients", [None, {}, 5, [5], ["x" * 21], [None], [[]]])
def test_undocumented_list_is_an_unexpected_response(
    both: Both, server: ScriptedServer, clients: object
) -> None:
    server.steps = [answer(200, {"time": "t", "count": 1, "clients": clients})]
    with pytest.raises(UnexpectedResponseError, match=PROBLEM):
        both(endpoint=server.endpoint).list_sessions("i", "n")


def test_counters_beyond_32_bits_are_read(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, {"time": "t", "count": 2**40, "clients": [{"omem": 2**63 - 1}]})]
    page = both(endpoint=server.endpoint).list_sessions("i", "n")
    assert (page.count, page.clients[0].omem) == (2**40, 2**63 - 1)


@pytest.mark.parametrize("fault", [reset, hang_up, send(b"garbage\r\n\r\n", close=True)])
def test_broken_connection_is_a_connection_error(
    both: Both, server: ScriptedServer, fault: object
) -> None:
    server.steps = [fault]  # type: ignore[list-item]
    client = both(endpoint=server.endpoint, retry=None)
    with pytest.raises(ApiConnectionError) as caught:
        client.kill_sessions("i", "n", ["1.2.3.4:5"])
    assert caught.value.may_have_arrived
    assert len(server.received) == 1


def test_truncated_body_is_a_connection_error(both: Both, server: ScriptedServer) -> None:
    server.steps = [send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", close=True)]
    with pytest.raises(ApiConnectionError):
        both(endpoint=server.endpoint, retry=None).get_job("j")


def test_refused_connection_is_known_not_to_have_arrived(both: Both) -> None:
    with pytest.raises(ApiConnectionError, match=r"127\.0\.0\.1:1/v2/a-project/jobs/j") as caught:
        both(endpoint="http://127.0.0.1:1", retry=None).get_job("j")
    assert not caught.value.may_have_arrived


def test_unresolvable_name_is_a_connection_error(both: Both) -> None:
    with pytest.raises(ApiConnectionError) as caught:
        both(endpoint="https://no-such-host.invalid", retry=None).get_job("j")
    assert not caught.value.may_have_arrived


def test_silence_ends_at_the_timeout(both: Both, server: ScriptedServer) -> None:
    server.steps = [silence]
    client = both(endpoint=server.endpoint)
    timeouts: list[float] = []

    def get_job(seconds: float) -> None:
        timeouts.append(seconds)
        client.get_job("j", timeout=seconds)

    error = expired(dcs_sessions.ApiTimeoutError, get_job, lambda: server.received)
    said = re.fullmatch(r"GET http://.*/jobs/j: no response within ([\d.]+) s", str(error))
    assert said
    assert 0 < float(said[1]) <= round(timeouts[-1], 2), "less, if the machine was slow to begin"
    assert error.may_have_arrived
    assert isinstance(error, TimeoutError)


@pytest.mark.parametrize("encoding", ["gzip", "GZip", "identity", "Identity"])
def test_compressed_body_is_decompressed(both: Both, server: ScriptedServer, encoding: str) -> None:
    body = b'{"job_id": "j", "status": "SUCCESS"}'
    if "gz" in encoding.lower():
        body = gzip.compress(body)
    server.steps = [answer(200, body, {"Content-Encoding": encoding})]
    assert both(endpoint=server.endpoint).get_job("j").status == "SUCCESS"


@pytest.mark.parametrize(
    ("encoding", "body", "problem"),
    [
        ("gzip", b"no gzip", "broken gzip"),
        ("gzip", gzip.compress(b"{}" * 9999)[:-20], "truncated gzip"),
        ("gzip", gzip.compress(b" " * (65 * 2**20)), "larger than"),
        ("br", b"xx", "unknown content encoding 'br'"),
    ],
    ids=["broken", "truncated", "bomb", "unknown"],
)
def test_invalid_compression_is_an_error(
    both: Both, server: ScriptedServer, encoding: str, body: bytes, problem: str
) -> None:
    server.steps = [answer(200, body, {"Content-Encoding": encoding})]
    with pytest.raises(ApiConnectionError, match=problem):
        both(endpoint=server.endpoint, retry=None).get_job("j")


def test_gzip_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcs_sessions._transports._exchange.MAX_BODY_BYTES", 1000)
    request = Request("GET", "https://x", "/", {})
    assert decode_body(request, "gzip", gzip.compress(b" " * 1000)) == b" " * 1000
    bomb = gzip.compress(b" " * (64 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(ApiConnectionError, match="larger than 1000 bytes"):
            decode_body(request, "gzip", bomb)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**20


def test_huge_answer_is_not_read_to_its_end(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcs_sessions._transports._exchange.MAX_BODY_BYTES", 1000)
    server.steps = [answer(200, b" " * 2_000_000)]
    with pytest.raises(ApiConnectionError, match="larger than 1000 bytes"):
        both(endpoint=server.endpoint, retry=None).get_job("j")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("0.5", 0.5),
        ("-1", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after_in_seconds_is_read(
    both: Both, server: ScriptedServer, value: str, seconds: float | None
) -> None:
    server.steps = [answer(429, REFUSED, {"Retry-After": value})]
    with pytest.raises(dcs_sessions.ThrottledError) as caught:
        both(endpoint=server.endpoint, retry=None).get_job("j")
    assert caught.value.retry_after == seconds
    assert ("retry in" in str(caught.value)) == (seconds is not None)


def test_retry_after_as_a_date_is_read(both: Both, server: ScriptedServer) -> None:
    server.steps = [
        answer(429, REFUSED, {"Retry-After": formatdate(time() + 100, usegmt=True)}),
        answer(429, REFUSED, {"Retry-After": formatdate(time() - 100, usegmt=True)}),
    ]
    client = both(endpoint=server.endpoint, retry=None)
    for least, most in [(90, 100), (0, 0)]:
        with pytest.raises(dcs_sessions.ThrottledError) as caught:
            client.get_job("j")
        assert least <= (caught.value.retry_after or 0) <= most


def test_errors_survive_pickling(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(400, REFUSED, {"X-Request-Id": "r"})]
    with pytest.raises(ApiError) as caught:
        both(endpoint=server.endpoint).get_job("j")
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is dcs_sessions.BadRequestError
    assert (str(again), again.request_id) == (str(caught.value), "r")
    lost = pickle.loads(pickle.dumps(ApiConnectionError("x", may_have_arrived=True)))
    assert (str(lost), lost.may_have_arrived) == ("x", True)
    late = pickle.loads(pickle.dumps(dcs_sessions.WaitTimeoutError("j", 5)))
    assert (str(late), late.job_id) == ("job j did not end within 5 s", "j")


def test_every_error_derives_from_dcs_sessions_error() -> None:
    kinds = [
        value
        for name in dcs_sessions.__all__
        if isinstance(value := getattr(dcs_sessions, name), type) and issubclass(value, Exception)
    ]
    assert len(kinds) == 17
    assert all(issubclass(kind, dcs_sessions.DcsSessionsError) for kind in kinds)


def test_logs_hold_no_control_characters(
    both: Both, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "dcs_sessions")
    found = {"X-Request-Id": "a\x80\x9b31mb"}
    server.steps = [
        answer(200, {"job_id": "j", "status": "SUCCESS"}, found),
        answer(500, {"error_code": "x", "error_msg": "\x1b[31m"}, found),
    ]
    client = both(endpoint=server.endpoint, retry=None)
    for _ in range(2):
        with contextlib.suppress(dcs_sessions.DcsSessionsError):
            client.get_job("j")
    assert caplog.messages
    assert all(message.isprintable() for message in caplog.messages)


@pytest.mark.parametrize(
    "date", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "x", "-1", "9e999"]
)
def test_invalid_retry_after_is_ignored(both: Both, server: ScriptedServer, date: str) -> None:
    server.steps = [answer(429, {}, {"Retry-After": date})]
    with pytest.raises(dcs_sessions.ThrottledError) as caught:
        both(endpoint=server.endpoint, retry=None).get_job("j")
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("ahead", "advice"),
    [
        (20 * 60, "the clock of this machine is 20 minutes ahead of the service's: set it"),
        (-6 * 3600, "the clock of this machine is 360 minutes behind the service's: set it"),
        (200, "check the access key, the secret key and the clock of this machine"),
        (None, "check the access key, the secret key and the clock of this machine"),
    ],
)
def test_refused_signature_reports_the_error_of_the_clock(
    both: Both, server: ScriptedServer, ahead: float | None, advice: str
) -> None:
    headers = {} if ahead is None else {"Date": formatdate(time() - ahead, usegmt=True)}
    refused = {"error_code": "APIGW.0301", "error_msg": "verify aksk signature fail"}
    server.steps = [answer(401, refused, headers)]
    client = both(endpoint=server.endpoint, auth=dcs_sessions.AkSkAuth("ak", "sk"))
    with pytest.raises(dcs_sessions.AuthenticationError) as caught:
        client.get_job("j")
    assert caught.value.advice == advice
    assert len(server.received) == 1, "each refused signature counts towards a lock"


ERRORS = [
    kind
    for name in dcs_sessions.__all__
    if isinstance(kind := getattr(dcs_sessions, name), type) and issubclass(kind, Exception)
]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_can_be_made_for_a_test(kind: Any) -> None:
    error = kind("it broke")
    assert "it broke" in str(error)
    for again in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is kind
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__


def test_error_made_for_a_test_has_what_is_given() -> None:
    error = dcs_sessions.ThrottledError("slow down", error_code="APIGW.0308", retry_after=3.0)
    assert (error.status, error.error_code, error.retry_after) == (429, "APIGW.0308", 3.0)
    assert (error.error_msg, error.headers, error.body) == ("slow down", {}, b"")
    assert error.advice is not None
    assert dcs_sessions.ServerError("busy", status=503, request_id="r").status == 503
    assert dcs_sessions.NotFoundError("x").status == 404


def test_pickled_client_says_what_to_do_instead(both: Both) -> None:
    client = both.cls(endpoint="https://dcs.example", project_id="p", auth=TokenAuth("t"))
    for thing in (client, client.raw):
        for duplicate in (copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="make one in each process"):
                duplicate(thing)
    assert copy.copy(client).raw is not None
