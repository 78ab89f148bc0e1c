"""Parts of errors, and their causes, for any response and any chain."""

from __future__ import annotations

import email.utils
import json
import math
import types
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import ApiError, DcsSessionsError, Reply, Request, _errors
from dcs_sessions._errors import bare, error_from, without_frames

SECRET = "canary-7f3a"
LIBRARIES = ("aiohttp", "h11", "httpcore", "httpx", "requests", "urllib3", "yarl")


def kind_of(module: str) -> type[Exception]:
    return type("FoundError", (Exception,), {"__module__": module})


KINDS = {name: kind_of(name) for name in ("ours", "httpxx", "httpx._client", *LIBRARIES)}


def raised(error: BaseException) -> BaseException:
    """Return an error that was raised in a frame with a secret."""
    secret = SECRET
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - it is returned
        assert secret
        return caught


# A link of a chain: its kind, and how it is tied to the next one.
LINKS = st.tuples(
    st.sampled_from(sorted(KINDS)), st.sampled_from(["cause", "context", "hidden context", "both"])
)


@given(chain=st.lists(LINKS, min_size=1, max_size=6), cycle=st.integers(0, 9))
@example(chain=[("ours", "cause"), ("httpx", "cause"), ("ours", "cause")], cycle=9)
@example(chain=[("httpx", "cause"), ("ours", "cause")], cycle=0)
@example(chain=[("ours", "cause"), ("httpx._client", "cause"), ("ours", "cause")], cycle=9)
@example(chain=[("ours", "hidden context"), ("ours", "cause")], cycle=9)
def test_bare_error_has_causes_without_frames_and_without_requests(
    chain: list[tuple[str, str]], cycle: int
) -> None:
    links = [raised(KINDS[kind](f"number {number}")) for number, (kind, _) in enumerate(chain)]
    for number, (link, (_, tie)) in enumerate(zip(links, chain, strict=True)):
        following = links[number + 1] if number + 1 < len(links) else None
        if following is None and cycle < len(links):
            following = links[cycle]
        link.__cause__ = following if tie in {"cause", "both"} else None
        link.__context__ = following if tie == "context" else links[0] if tie == "both" else None
        if tie == "hidden context":
            link.__context__ = following
            link.__suppress_context__ = True
        elif tie == "context":
            link.__suppress_context__ = False
    expected = [links[0]]
    for number, (_, tie) in enumerate(chain[:-1], 1):
        if tie == "hidden context":
            break
        if chain[number][0].partition(".")[0] not in LIBRARIES:
            expected.append(links[number])
    assert bare(links[0]) is links[0]
    found: list[BaseException] = []
    left: BaseException | None = links[0]
    while left is not None:
        found.append(left)
        assert left.__traceback__ is None
        assert left.__context__ is None
        left = left.__cause__
    assert found == expected


def test_error_of_a_function_that_handles_secrets_has_no_frame_of_it() -> None:
    @without_frames
    def handle(secret: str, *, more: str) -> str:
        """Handle a secret."""
        if secret == "good":
            return more
        if secret == "bug":
            raise LookupError
        raise DcsSessionsError("no") from ValueError(more)

    assert handle.__doc__ == "Handle a secret."
    assert handle("good", more="x") == "x"
    with pytest.raises(LookupError):
        handle("bug", more="x")
    with pytest.raises(DcsSessionsError) as caught:
        handle(SECRET, more="x")
    frame = caught.value.__traceback__
    while frame is not None:
        name = frame.tb_frame.f_code.co_name
        assert name != "handle"
        if name != "test_error_of_a_function_that_handles_secrets_has_no_frame_of_it":
            assert SECRET not in repr(frame.tb_frame.f_locals)
        frame = frame.tb_next
    assert caught.value.__context__ is None
    assert isinstance(caught.value.__cause__, ValueError)


CLASSES = {
    400: dcs_sessions.BadRequestError,
    401: dcs_sessions.AuthenticationError,
    403: dcs_sessions.PermissionDeniedError,
    404: dcs_sessions.NotFoundError,
    429: dcs_sessions.ThrottledError,
}


@pytest.mark.parametrize("body", [b"", b'{"error_code": "X.1", "error_msg": "no"}', b"<html>"])
def test_every_status_has_its_class_and_its_message(body: bytes) -> None:
    said = {b"": "", b"<html>": " <html>"}.get(body, " X.1 no")
    for status in range(100, 600):
        error = error_from(Reply(status, {}, body))
        documented = CLASSES.get(status) or (dcs_sessions.ServerError if status >= 500 else None)
        assert type(error) is (documented or dcs_sessions.UnexpectedResponseError)
        assert error.status == status
        usual = said or " empty answer"
        assert str(error) == f"{status}{usual if documented else f' unexpected status{said}'}"
        assert error.reason == str(error)
        assert error.advice is None


TEXTS = st.none() | st.sampled_from(["X.1", "no such node", "ask later"])
SPELLINGS = (
    ("error_code", "error_msg"),
    ("errorCode", "errorMsg"),
    ("code", "message"),
)


@given(
    code=TEXTS,
    message=TEXTS,
    details=TEXTS,
    in_body=TEXTS,
    in_header=TEXTS,
    spelling=st.sampled_from(SPELLINGS),
    nested=st.booleans(),
    status=st.sampled_from([400, 418, 429, 503]),
    seconds=st.none() | st.sampled_from([0, 1.5, 7]),
)
@example("X.1", "no", None, "in body", None, SPELLINGS[0], False, 400, None)
@example("X.1", "no", None, "in body", "in header", SPELLINGS[0], False, 429, 7)
def test_every_part_of_an_error_is_kept_and_in_the_message(
    code: str | None,
    message: str | None,
    details: str | None,
    in_body: str | None,
    in_header: str | None,
    spelling: tuple[str, str],
    nested: bool,
    status: int,
    seconds: float | None,
) -> None:
    fields = {spelling[0]: code, spelling[1]: message, "error_ext_msg": details}
    fields["request_id"] = in_body
    body = json.dumps({"error": fields} if nested else fields).encode()
    headers = {} if in_header is None else {"x-request-id": in_header}
    if seconds is not None:
        headers["retry-after"] = str(seconds)
    error = error_from(Reply(status, headers, body))
    if code is None and message is None:
        # Then the body itself is the message, on one line.
        message = " ".join(body.decode().split())[:200]
    assert (error.error_code, error.error_msg) == (code, message)
    assert error.error_ext_msg == details
    assert error.request_id == (in_header or in_body)
    assert error.retry_after == seconds
    assert (error.headers, error.body) == (headers, body)
    advice = None if status != 429 or seconds is None else f"retry in {seconds:g} s"
    assert error.advice == advice
    said = " ".join(part for part in (code, message) if part)
    said = f"unexpected status {said}" if status == 418 else said
    suffix = "" if error.request_id is None else f" [request {error.request_id}]"
    assert error.reason == f"{status} {said}{suffix}"
    assert str(error) == f"{status} {said}{'' if advice is None else f' ({advice})'}{suffix}"


def seconds_of(value: str | None, now: float) -> float | None:
    error = error_from(Reply(429, {} if value is None else {"retry-after": value}, b""))
    return error.retry_after


@pytest.fixture(scope="module")
def now() -> Any:
    moment = 1_780_000_000.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_errors, "time", types.SimpleNamespace(time=lambda: moment))
        yield moment


@given(offset=st.integers(-100_000, 100_000))
@example(offset=0)
def test_date_of_retry_after_is_in_seconds_from_now(now: float, offset: int) -> None:
    date = email.utils.formatdate(now + offset, usegmt=True)
    assert seconds_of(date, now) == max(0, offset)


@pytest.mark.parametrize("value", [None, "", "x", "-1", "-0.5", "nan", "inf", "-inf", "1e999"])
def test_retry_after_that_is_no_time_is_ignored(now: float, value: str | None) -> None:
    assert seconds_of(value, now) is None


@given(ahead=st.integers(-100_000, 100_000))
@example(ahead=300)
@example(ahead=301)
@example(ahead=-300)
@example(ahead=-301)
@example(ahead=0)
def test_clock_that_is_wrong_is_reported_with_a_refused_signature(now: float, ahead: int) -> None:
    headers = {"date": email.utils.formatdate(now - ahead, usegmt=True)}
    for code in ("APIGW.0301", "APIGW.0303"):
        body = json.dumps({"error_code": code, "error_msg": "no"}).encode()
        advice = error_from(Reply(401, headers, body)).advice or ""
        if code == "APIGW.0301" and abs(ahead) > 300:
            way = "ahead of" if ahead > 0 else "behind"
            minutes = math.floor(abs(ahead) / 60)
            shown = [f"the clock of this machine is {minutes + more} minutes" for more in (0, 1)]
            assert advice in [f"{each} {way} the service's: set it" for each in shown]
            assert abs(float(advice.split()[6]) * 60 - abs(ahead)) <= 30
        else:
            assert advice.startswith("check the ")


@pytest.mark.parametrize("kind", [ApiError, *CLASSES.values(), dcs_sessions.ServerError])
def test_error_of_a_message_has_the_status_of_its_class(kind: Any) -> None:
    error = kind("it broke")
    statuses = {each: status for status, each in CLASSES.items()} | {ApiError: 0}
    assert error.status == statuses.get(kind, 500)
    assert (error.error_msg, error.error_ext_msg, error.request_id) == ("it broke", None, None)
    assert (error.error_code, error.retry_after, error.advice) == (None, None, None)
    assert (error.headers, error.body, error.reason) == ({}, b"", "it broke")
    other = kind("x", status=1, error_code="DCS.3002", request_id="r", retry_after=2.0)
    assert (other.status, other.request_id, other.retry_after) == (1, "r", 2.0)
    assert (other.error_code, other.advice) == ("DCS.3002", "this account may only read")


def test_messages_of_other_errors_name_what_happened() -> None:
    from dcs_sessions_api.models import Job

    job = Job("j", "FAIL", fail_reason="no memory")
    failed = dcs_sessions.JobFailedError(job)
    assert (str(failed), failed.job) == ("job j failed: no memory", job)
    assert str(dcs_sessions.JobFailedError(Job("j", "FAIL"))) == "job j failed: no reason given"
    made = dcs_sessions.JobFailedError("it broke")
    assert (made.job.job_id, made.job.status) == ("unknown", "FAIL")
    assert str(made) == "job unknown failed: it broke"
    late = dcs_sessions.WaitTimeoutError(None)
    assert str(late) == "another query of the node did not end within 300 s"
    assert (late.job_id, late.timeout) == (None, 300.0)
    lost = dcs_sessions.ApiConnectionError("x")
    assert lost.may_have_arrived, "unless it is known that it has not"
    advised = DcsSessionsError("no", advice="do this")
    assert (str(advised), advised.reason, advised.advice) == ("no: do this", "no", "do this")


@given(before=st.text(max_size=5), after=st.text(max_size=5))
def test_secrets_that_an_answer_repeats_are_masked_everywhere(before: str, after: str) -> None:
    request = Request("GET", "https://x", "/", {"X-Auth-Token": SECRET})
    text = f"{before}{SECRET}{after}"
    fields = dict.fromkeys(["error_code", "error_msg", "error_ext_msg", "request_id"], text)
    headers = {"x-request-id": text, "x-echo": text, "retry-after": SECRET, "date": SECRET}
    for raw in (
        json.dumps(fields).encode(),
        text.encode(errors="surrogatepass"),
        b"\xff" + SECRET.encode(),
    ):
        for status in (401, 418, 503):
            error = error_from(Reply(status, headers, raw, request))
            assert SECRET not in f"{error}{vars(error)}"
            assert b"***" in error.body
            assert error.headers["x-echo"] == f"{before}***{after}"
