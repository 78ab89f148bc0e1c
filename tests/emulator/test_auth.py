"""Authentication and permissions of the emulator."""

from __future__ import annotations

import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from dcs_sessions import _signing
from dcs_sessions.emulator import (
    EXPIRED_TOKEN,
    INSTANCE_ID,
    OTHER_PROJECT_ID,
    OTHER_PROJECT_TOKEN,
    PROJECT_ID,
    SECURITY_TOKEN,
    TEMPORARY_ACCESS_KEY,
    TEMPORARY_SECRET_KEY,
    Credentials,
    Emulator,
    _auth,
    node_id,
)
from dcs_sessions.emulator._auth import Caller, KeyLock, Throttle, _explanation, _warn
from dcs_sessions.emulator._errors import ApiError

if TYPE_CHECKING:
    from emulator.conftest import Api, MakeApi, MakeDcs

INSTANCE = f"/v2/{PROJECT_ID}/instances/{INSTANCE_ID}"
NODE = {"node_id": node_id(0)}
# Every operation, and whether it kills.
OPERATIONS: list[tuple[str, str, dict[str, Any] | None, bool]] = [
    ("POST", f"{INSTANCE}/clients", NODE, False),
    ("GET", f"{INSTANCE}/clients?node_id={node_id(0)}", None, False),
    ("POST", f"{INSTANCE}/clients/kill", {**NODE, "client_addrs": ["1.2.3.4:5"]}, True),
    ("POST", f"{INSTANCE}/clients/kill-all", NODE, True),
    ("GET", f"{INSTANCE}/logical-nodes", None, False),
    ("GET", f"/v2/{PROJECT_ID}/jobs/{'0' * 32}", None, False),
]
every_operation = pytest.mark.parametrize(
    ("method", "target", "body", "kills"), OPERATIONS, ids=lambda value: str(value)[-30:]
)


def error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error_code"]


def ask(dcs: Emulator, method: str, target: str, **arguments: Any) -> httpx.Response:
    return httpx.request(method, dcs.endpoint + target, trust_env=False, verify=False, **arguments)


@every_operation
def test_token_is_required_valid_of_the_project_and_allowed(
    dcs: Emulator, method: str, target: str, body: dict[str, Any] | None, kills: bool
) -> None:
    def with_token(token: str | None) -> httpx.Response:
        headers = {} if token is None else {"X-Auth-Token": token}
        return ask(dcs, method, target, json=body, headers=headers)

    assert error(with_token(None)) == (401, "DCS.1003")
    assert error(with_token("")) == (401, "DCS.1003")
    assert error(with_token("wrong")) == (401, "DCS.1001")
    assert error(with_token(dcs.token + "x")) == (401, "DCS.1001")
    assert error(with_token(EXPIRED_TOKEN)) == (401, "DCS.1002")
    assert error(with_token(OTHER_PROJECT_TOKEN)) == (401, "DCS.1004")
    refused = with_token(dcs.noaccess_token)
    assert error(refused) == (403, "DCS.2007")
    assert "Policy does not allow dcs:" in refused.json()["error_msg"]
    if kills:
        readonly = with_token(dcs.readonly_token)
        assert error(readonly) == (403, "DCS.2007")
        assert "dcs:clients:kill" in readonly.json()["error_msg"]
    else:
        assert with_token(dcs.readonly_token).status_code not in (401, 403)


@every_operation
def test_token_is_refused_for_another_project_in_the_path(
    dcs: Emulator, method: str, target: str, body: dict[str, Any] | None, kills: bool
) -> None:
    target = target.replace(PROJECT_ID, OTHER_PROJECT_ID)
    headers = {"X-Auth-Token": dcs.token}
    assert error(ask(dcs, method, target, json=body, headers=headers)) == (401, "DCS.1004")


def test_project_header_must_fit(shared: Api) -> None:
    path = f"{shared.instance}/logical-nodes"
    wrong = shared.http.get(path, headers={"X-Project-Id": OTHER_PROJECT_ID})
    assert error(wrong) == (401, "DCS.1004")
    assert shared.http.get(path, headers={"X-Project-Id": PROJECT_ID}).status_code == 200


class Signed:
    """A signed request that can be changed before it is sent."""

    def __init__(self, dcs: Emulator) -> None:
        self.dcs = dcs
        self.method = "POST"
        self.target = f"{INSTANCE}/clients"
        self.body = b'{"node_id": "%s"}' % node_id(0).encode()
        self.headers = {
            "Host": dcs.endpoint.removeprefix("http://"),
            "Content-Type": "application/json",
            "X-Project-Id": PROJECT_ID,
            "X-Sdk-Date": datetime.now(UTC).strftime(_signing.DATE_FORMAT),
        }
        self.ak, self.sk = dcs.ak, dcs.sk

    def sign(self) -> Signed:
        self.headers.pop("Authorization", None)
        self.headers["Authorization"] = _signing.sign(
            self.method,
            self.target,
            self.headers.items(),
            self.body,
            access_key=self.ak,
            secret_key=self.sk,
        )
        return self

    def send(self) -> httpx.Response:
        """Send the request, and retry while the query of an earlier test is running."""
        while True:
            response = ask(
                self.dcs, self.method, self.target, content=self.body or None, headers=self.headers
            )
            if "DCS.4957" not in response.text:
                return response
            time.sleep(0.01)


@pytest.fixture
def request_(dcs: Emulator) -> Signed:
    return Signed(dcs)


def test_valid_signature_is_accepted(request_: Signed) -> None:
    assert request_.sign().send().status_code == 200


def test_signature_over_query_without_body_is_accepted(request_: Signed) -> None:
    request_.method, request_.body = "GET", b""
    request_.target = f"{INSTANCE}/clients?node_id={node_id(1)}&addr=a%20b%2F~&limit=5&sort=name"
    response = request_.sign().send()
    assert response.status_code != 401


def test_only_the_date_need_be_signed(request_: Signed) -> None:
    authorization = _signing.sign(
        "POST",
        request_.target,
        [("X-Sdk-Date", request_.headers["X-Sdk-Date"])],
        request_.body,
        access_key=request_.ak,
        secret_key=request_.sk,
    )
    request_.headers["Authorization"] = authorization
    assert request_.send().status_code == 200


@pytest.mark.parametrize("minutes", [-14, 14])
def test_date_within_fifteen_minutes_is_accepted(request_: Signed, minutes: int) -> None:
    then = datetime.now(UTC) + timedelta(minutes=minutes)
    request_.headers["X-Sdk-Date"] = then.strftime(_signing.DATE_FORMAT)
    assert request_.sign().send().status_code == 200


@pytest.mark.parametrize("minutes", [-16, 16, -60 * 24 * 365])
def test_date_beyond_fifteen_minutes_is_refused(request_: Signed, minutes: int) -> None:
    then = datetime.now(UTC) + timedelta(minutes=minutes)
    request_.headers["X-Sdk-Date"] = then.strftime(_signing.DATE_FORMAT)
    _is_refused(request_.sign().send())


def _is_refused(response: httpx.Response) -> str:
    assert error(response) == (401, "APIGW.0301")
    body = response.json()
    assert body.keys() == {"error_code", "error_msg", "request_id"}
    assert body["error_msg"].startswith("Incorrect IAM authentication information: ")
    assert body["request_id"] == response.headers["X-Request-Id"]
    return str(body["error_msg"])


def test_changed_body_is_refused(request_: Signed) -> None:
    request_.sign().body += b" "
    _is_refused(request_.send())


def test_changed_path_is_refused(request_: Signed) -> None:
    request_.sign().target += "/kill"
    _is_refused(request_.send())


def test_changed_query_is_refused(request_: Signed) -> None:
    request_.sign().target += "?limit=1"
    _is_refused(request_.send())


def test_changed_method_is_refused(request_: Signed) -> None:
    request_.sign().method = "GET"
    _is_refused(request_.send())


def test_changed_header_is_refused(request_: Signed) -> None:
    request_.sign().headers["Content-Type"] = "application/json; charset=utf-8"
    _is_refused(request_.send())


@pytest.mark.parametrize("name", ["X-Sdk-Date", "X-Project-Id", "Content-Type"])
@pytest.mark.parametrize("before", [False, True])
def test_signed_header_that_is_sent_twice_is_refused(
    request_: Signed, name: str, before: bool
) -> None:
    sent = list(request_.sign().headers.items())
    # Even with the same value: an application may read any of them.
    sent.insert(0 if before else len(sent), (name, request_.headers[name]))
    target, body = request_.target, request_.body
    _is_refused(ask(request_.dcs, request_.method, target, content=body, headers=sent))


def test_removed_header_is_refused(request_: Signed) -> None:
    del request_.sign().headers["X-Project-Id"]
    _is_refused(request_.send())


def test_unsigned_date_is_refused(request_: Signed) -> None:
    date = request_.headers["X-Sdk-Date"]
    request_.sign()
    authorization = request_.headers["Authorization"]
    request_.headers["Authorization"] = authorization.replace(";x-sdk-date", "")
    assert request_.headers["X-Sdk-Date"] == date
    _is_refused(request_.send())


def test_wrong_secret_key_is_refused(request_: Signed) -> None:
    request_.sk += "x"
    _is_refused(request_.sign().send())


def test_unknown_access_key_is_refused(request_: Signed) -> None:
    request_.ak = "NOBODY"
    response = request_.sign().send()
    _is_refused(response)
    assert "ak:NOBODY,err:ak not exist" in response.json()["error_msg"]


def test_payload_hash_is_computed_and_not_read_from_a_header(request_: Signed) -> None:
    request_.headers["X-Sdk-Content-Sha256"] = "UNSIGNED-PAYLOAD"
    _is_refused(request_.sign().send())


@pytest.mark.parametrize("value", ["Bearer x", "Basic eDp5", "SDK-HMAC-SHA256", "SDK-HMAC-SM3 A=1"])
def test_other_authorization_header_is_refused(request_: Signed, value: str) -> None:
    request_.headers["Authorization"] = value
    _is_refused(request_.send())


@pytest.mark.parametrize("date", ["", "yesterday", "20251023", "99999999T999999Z"])
def test_malformed_date_is_refused(request_: Signed, date: str) -> None:
    request_.headers["X-Sdk-Date"] = date
    _is_refused(request_.sign().send())


@pytest.mark.parametrize("value", ["SDK-HMAC-SM3 Access=a", "V11-HMAC-SHA256 Credential=a"])
def test_unsupported_algorithm_is_named(request_: Signed, value: str) -> None:
    request_.headers["Authorization"] = value
    message = _is_refused(request_.send())
    assert message.endswith(f"supports SDK-HMAC-SHA256, and not {value.partition(' ')[0]}")


def test_temporary_keys_need_their_security_token(request_: Signed) -> None:
    request_.ak, request_.sk = TEMPORARY_ACCESS_KEY, TEMPORARY_SECRET_KEY
    _is_refused(request_.sign().send())
    request_.headers["X-Security-Token"] = "of another pair"
    _is_refused(request_.sign().send())
    request_.headers["X-Security-Token"] = SECURITY_TOKEN
    assert request_.sign().send().status_code == 200


def test_permanent_keys_have_no_security_token(request_: Signed) -> None:
    request_.headers["X-Security-Token"] = SECURITY_TOKEN
    assert "permanent" in _is_refused(request_.sign().send())


def test_refused_signature_is_explained_by_the_text_that_was_to_be_signed(
    request_: Signed,
) -> None:
    signed = {name.lower(): value for name, value in request_.headers.items()}
    request_.sign().body = b"{}"
    response = request_.send()
    _is_refused(response)
    shown = unquote(response.headers["X-Canonical-Request"])
    assert shown == _signing.canonical_request("POST", request_.target, signed, b"{}")
    assert request_.sk not in shown


def test_explanation_of_a_refused_signature_has_no_security_token(request_: Signed) -> None:
    request_.ak, request_.sk = TEMPORARY_ACCESS_KEY, TEMPORARY_SECRET_KEY
    request_.headers["X-Security-Token"] = SECURITY_TOKEN
    request_.sign().body = b"{}"
    shown = unquote(request_.send().headers["X-Canonical-Request"])
    assert "\nx-security-token:***\n" in shown
    assert SECURITY_TOKEN not in shown


def test_accepted_signature_is_not_explained(request_: Signed) -> None:
    assert "X-Canonical-Request" not in request_.sign().send().headers


@pytest.mark.parametrize(
    ("client", "explained"),
    [(("127.0.0.1", 1), True), (("::1", 1), True), (("192.0.2.1", 1), False), (None, False)],
)
def test_refused_signature_is_explained_on_loopback_only(
    client: tuple[str, int] | None, explained: bool
) -> None:
    request = Request({"type": "http", "method": "GET", "client": client, "headers": []})
    headers = _explanation(request, "/v2/p", b"", {"x-sdk-date": "20251023T080910Z"})
    assert bool(headers) == explained


def test_more_than_five_refused_signatures_in_a_row_lock_a_key(make_dcs: MakeDcs) -> None:
    dcs = make_dcs(key_lock=300)

    def status(secret_key: str, access_key: str = dcs.ak) -> int:
        request = Signed(dcs)
        request.ak, request.sk = access_key, secret_key
        return request.sign().send().status_code

    for _ in range(5):
        assert status("wrong") == 401
    assert status(dcs.sk) == 200, "five in a row lock nothing, and a good one ends the row"
    for _ in range(6):
        assert status("wrong") == 401
    request = Signed(dcs).sign()
    assert "AK access failed to reach the limit,forbidden" in _is_refused(request.send())
    assert status("any", "another-key") == 401


def test_locks_open_again() -> None:
    lock = KeyLock(0.05)
    for _ in range(6):
        lock.count("ak", refused=True)
    with pytest.raises(ApiError):
        lock.check("ak")
    time.sleep(0.06)
    lock.check("ak")


def test_without_the_option_no_key_is_locked(request_: Signed) -> None:
    right = request_.sk
    for _ in range(7):
        request_.sk = "wrong"
        _is_refused(request_.sign().send())
    request_.sk = right
    assert request_.sign().send().status_code == 200


def test_other_credentials_replace_the_constants(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    dcs = make_dcs(credentials=Credentials(token="mine", ak="AK", sk="SK"))
    assert (dcs.token, dcs.ak, dcs.sk) == ("mine", "AK", "SK")
    assert make_api(dcs).nodes().status_code == 200
    assert make_api(dcs, Credentials().token).nodes().status_code == 401
    assert Signed(dcs).sign().send().status_code == 200
    assert "mine" not in repr(Credentials(token="mine"))


def test_requests_above_the_rate_limit_of_a_caller_get_429(
    make_dcs: MakeDcs, make_api: MakeApi
) -> None:
    dcs = make_dcs(rate_limit=(3, 3600))
    api = make_api(dcs)
    assert [api.nodes().status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    response = api.scan()
    assert response.json() == {
        "error_msg": "The throttling threshold has been reached: policy user over ratelimit,"
        "limit:3,time:3600 second",
        "error_code": "APIGW.0308",
        "request_id": response.headers["X-Request-Id"],
    }
    assert make_api(dcs, dcs.readonly_token).nodes().status_code == 200, "another caller"
    assert make_api(dcs, "wrong").nodes().status_code == 401, "who is unknown is not counted"


class Clock:
    """Stands for the module `time` in the emulator."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


# Callers, one of whom asks much more often, and the seconds until the next one asks.
ASKED = st.lists(
    st.tuples(
        st.sampled_from(("token", "token", "token", "readonly_token", "ak")),
        st.sampled_from((0.0, 0.0, 0.25, 1.0, 2.5)),
    ),
    max_size=60,
)


@given(ASKED, st.integers(1, 4), st.integers(1, 3))
def test_every_caller_has_so_many_requests_within_each_window(
    asked: list[tuple[str, float]], limit: int, seconds: int
) -> None:
    clock, throttle = Clock(), Throttle(limit, seconds)
    windows: dict[str, list[float]] = {}
    with mock.patch.object(_auth, "time", clock):
        for name, wait in asked:
            requests = windows.setdefault(name, [])
            # The first request begins a window, and the first one after its end the next.
            if requests and clock.now >= requests[0] + seconds:
                requests.clear()
            requests.append(clock.now)
            is_refused = len(requests) > limit
            with pytest.raises(ApiError) if is_refused else nullcontext():
                throttle.count(Caller(name))
            clock.now += wait


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("ak", "ak", "ak", "temporary_ak")),
            # A key is locked in most of the lists, and asked for while it is.
            st.sampled_from((*[True] * 11, False)),
            st.sampled_from((0.0, 0.0, 0.5, 1.5)),
        ),
        min_size=30,
        max_size=60,
    )
)
def test_every_key_is_locked_by_refusals_in_a_row(asked: list[tuple[str, bool, float]]) -> None:
    clock, lock = Clock(), KeyLock(2.0)
    refused: dict[str, int] = {}
    opens: dict[str, float] = {}
    with mock.patch.object(_auth, "time", clock):
        for name, is_wrong, wait in asked:
            is_locked = clock.now < opens.get(name, 0.0)
            with pytest.raises(ApiError) if is_locked else nullcontext():
                lock.check(name)
            if not is_locked:
                lock.count(name, refused=is_wrong)
                refused[name] = refused.get(name, 0) + 1 if is_wrong else 0
                if refused[name] > 5:
                    refused[name], opens[name] = 0, clock.now + 2.0
            clock.now += wait


def test_repeated_token_in_authorization_header_is_accepted_with_a_warning(
    fresh: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    _warn.cache_clear()
    headers = {"X-Auth-Token": fresh.token, "Authorization": fresh.token}
    url = f"{fresh.endpoint}/v2/{fresh.project_id}/instances"
    for _ in range(2):
        assert httpx.get(url, headers=headers, trust_env=False).status_code == 200
    (record,) = [r for r in caplog.records if r.name == "dcs_sessions.emulator._auth"]
    assert "in the header authorization;" in record.getMessage()
    assert fresh.token not in record.getMessage()
