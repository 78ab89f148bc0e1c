"""Messages are bounded and safe for terminals and logs, whatever they contain."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions._auth import TokenAuth
from dcs_sessions._endpoints import checked_origin
from dcs_sessions._errors import DcsSessionsError, error_from
from dcs_sessions._text import LONGEST, printable, shown
from dcs_sessions._wire import Reply, Request
from dcs_sessions_api.models import Job

# Surrogates, control characters and right-to-left marks included.
ANY = st.text(st.characters(exclude_categories=()), max_size=50)
LONG = ANY.map(lambda text: text * 5000)
TEXT = ANY | LONG


def assert_fit(text: str) -> None:
    assert text.isprintable(), "no control characters, no lone surrogates, no line ends"
    text.encode()
    assert len(text) <= LONGEST


def errors_of(text: str) -> list[DcsSessionsError]:
    return [
        dcs_sessions.InvalidArgumentError(text),
        dcs_sessions.ConfigurationError(text),
        dcs_sessions.ApiConnectionError(text, may_have_arrived=True),
        dcs_sessions.ApiTimeoutError(text, may_have_arrived=False),
        dcs_sessions.WaitTimeoutError(text, 3.0),
        dcs_sessions.SessionListError(text),
        dcs_sessions.SessionListChangedError(text),
        dcs_sessions.JobFailedError(Job(job_id=text, fail_reason=text, status="FAIL")),
    ]


@given(TEXT)
@example("\x1b[31m")
@example("\ud800")
@example("a" * 200_000)
def test_messages_are_fit_to_be_shown(text: str) -> None:
    for error in errors_of(text):
        assert_fit(str(error))
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


@given(st.dictionaries(st.sampled_from(["x-request-id", "retry-after", "date", "x"]), TEXT), ANY)
@example({"x-request-id": "\udce9\x1b"}, "")
@example({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, "")
@example({"retry-after": "Mon, 01 Jan 9999 99:99:99 GMT"}, "")
@example({"retry-after": "9" * 400}, "")
def test_answers_are_fit_to_be_shown(headers: dict[str, str], text: str) -> None:
    body = text.encode(errors="surrogatepass")
    for status in (400, 401, 429, 500, 418):
        reply = Reply(status, headers, body)
        error = error_from(reply)
        assert_fit(str(error))
        for part in (error.error_code, error.error_msg, error.error_ext_msg, error.request_id):
            assert_fit(part or "")
        assert_fit(reply.request_id or "")
        assert error.retry_after is None or 0 <= error.retry_after < float("inf")


@given(TEXT, TEXT, TEXT)
def test_codes_and_messages_of_the_service_are_fit_to_be_shown(
    code: str, message: str, request_id: str
) -> None:
    import json

    body = {"error_code": code, "error_msg": message, "request_id": request_id}
    error = error_from(Reply(400, {}, json.dumps(body).encode()))
    for part in (str(error), error.error_code, error.error_msg, error.request_id):
        assert_fit(part or "")


@given(TEXT, st.text(st.characters(exclude_characters=" \"'<>@\n", categories=["L", "N", "P"])))
def test_messages_show_no_login_of_an_address(before: str, password: str) -> None:
    secret = f"secret-{password}"
    assert "secret-" not in shown(f"{before[:100]} http://user:{secret}@proxy.example:1/x")


@given(TEXT)
def test_what_is_shown_stays_as_it_is_when_it_is_shown_again(text: str) -> None:
    assert shown(shown(text)) == shown(text)
    assert printable(printable(text)) == printable(text)


@given(TEXT)
def test_endpoints_are_refused_without_being_quoted(text: str) -> None:
    marked = f"{text}canary-7f3a"
    said = ""
    try:
        checked_origin("endpoint", marked, allow_http=False)
    except dcs_sessions.ConfigurationError as error:
        said = str(error)
    assert "canary-7f3a" not in said or "unencrypted" in said


@given(st.text(min_size=6, max_size=60), st.sampled_from(["X-Auth-Token", "X-Security-Token"]))
def test_no_answer_repeats_a_secret_of_the_request(secret: str, name: str) -> None:
    import json

    request = Request("GET", "https://x", "/", {name: secret})
    for body in (
        {"error_code": "DCS.1", "error_msg": f"bad token {secret}."},
        {"message": json.dumps({"token": secret})},
    ):
        for is_ascii in (True, False):
            raw = json.dumps(body, ensure_ascii=is_ascii).encode(errors="surrogatepass")
            error = error_from(Reply(401, {"x": f"<{secret}>"}, raw, request))
            visible = f"{error}{vars(error)}"
            if secret not in "401 DCS.1 bad token ***. 'status' 'headers' None {}":
                assert json.dumps(secret)[1:-1] not in visible
    with pytest.raises(DcsSessionsError):
        TokenAuth(f"{secret}\n")
