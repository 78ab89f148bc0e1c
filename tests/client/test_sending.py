"""Waits, log lines, headers and options of single calls, with a clock that only waiting moves."""

from __future__ import annotations

import json
import logging
import pickle
import platform
import types
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import InvalidArgumentError, Retry, TokenAuth
from dcs_sessions._wire import Reply, Request
from support.both import AnyClient, Both
from support.logs import messages_here

ENDPOINT = "https://dcs.example"
RETRY = Retry(attempts=4, wait_initial=1.0, wait_max=3.0, wait_jitter=0.0)
JOB = {"job_id": "j", "status": "SUCCESS"}
Answer = Reply | dcs_sessions.ApiConnectionError


def ok(body: object = JOB, status: int = 200) -> Reply:
    raw = b"" if status == 204 else json.dumps(body).encode()
    return Reply(status, {"x-request-id": "r"}, raw)


def refused(status: int, retry_after: float | None = None) -> Reply:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return Reply(status, headers, b'{"error_code": "X.1", "error_msg": "busy"}')


def lost(*, arrived: bool = True) -> dcs_sessions.ApiConnectionError:
    return dcs_sessions.ApiConnectionError("gone", may_have_arrived=arrived)


class Scene:
    """A transport that answers in turn, and a clock; the last answer stays."""

    def __init__(self, both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[Answer] = [ok()]
        self.requests: list[Request] = []
        self.timeouts: list[float] = []
        self.sleeps: list[float] = []
        # Seconds that each answer takes.
        self.takes = 0.0
        self.now = 1000.0
        self._both = both
        clock = types.SimpleNamespace(monotonic=lambda: self.now, perf_counter=lambda: self.now)
        sending = f"dcs_sessions._{both.kind}._sending"
        for module in (sending, "dcs_sessions._deadline", "dcs_sessions._retry"):
            monkeypatch.setattr(f"{module}.time", clock)
        is_async = both.kind == "async"
        monkeypatch.setattr(f"{sending}.sleep", self._sleep_async if is_async else self._sleep)
        send = self._send_async if is_async else self._send
        self._transport = types.SimpleNamespace(send=send)

    def client(self, **options: Any) -> AnyClient:
        options = {"endpoint": ENDPOINT, "retry": None, **options}
        return self._both(transport=self._transport, **options)

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(round(seconds, 6))
        self.now += seconds

    async def _sleep_async(self, seconds: float) -> None:
        self._sleep(seconds)

    def _send(self, request: Request, timeout: float) -> Reply:
        self.requests.append(request)
        self.timeouts.append(timeout)
        self.now += self.takes
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Reply):
            return found
        raise found

    async def _send_async(self, request: Request, timeout: float) -> Reply:  # noqa: ASYNC109
        return self._send(request, timeout)


@pytest.fixture
def scene(both: Both, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(both, monkeypatch)


def get(client: AnyClient, **options: Any) -> None:
    client.get_job("j", **options)


def kill(client: AnyClient, **options: Any) -> None:
    client.kill_sessions("i", "n", ["1.2.3.4:5"], **options)


Call = Callable[..., None]


@pytest.mark.parametrize(
    ("call", "answers", "sleeps"),
    [
        (get, [], []),
        (get, [refused(503), refused(502), refused(504)], [1, 2, 3]),
        (get, [lost(), refused(503)], [1, 2]),
        (get, [refused(503, 0.5), refused(503, 7.0)], [0.5, 7]),
        (get, [refused(429)], [1]),
        (get, [refused(429, 0.5)], [0.5]),
        (kill, [lost(arrived=False)], [1]),
        (kill, [refused(429), refused(429, 0.5)], [1, 0.5]),
    ],
)
def test_each_wait_is_logged(
    scene: Scene,
    caplog: pytest.LogCaptureFixture,
    call: Call,
    answers: list[Answer],
    sleeps: list[float],
) -> None:
    caplog.set_level(logging.INFO, "dcs_sessions")
    scene.answers = [*answers, ok() if call is get else ok(status=204)]
    problems = [
        f"{answer.status} X.1 busy" if isinstance(answer, Reply) else "gone" for answer in answers
    ]
    call(scene.client(retry=RETRY))
    assert scene.sleeps == sleeps
    attempts = [message for message in messages_here(caplog) if message.startswith("attempt")]
    assert len(attempts) == len(sleeps)
    for number, (message, seconds, problem) in enumerate(
        zip(attempts, sleeps, problems, strict=True), 2
    ):
        head, _, rest = message.partition(": ")
        assert head == f"attempt {number} in {seconds:.1f} s"
        assert rest.startswith(problem) or rest.endswith(problem)


@pytest.mark.parametrize(("timeout", "sleeps"), [(5.0, []), (4.0, []), (5.1, [5])])
@pytest.mark.parametrize("call", [get, kill])
def test_wait_that_leaves_no_time_is_not_begun(
    scene: Scene, call: Call, timeout: float, sleeps: list[float]
) -> None:
    scene.answers = [refused(429, 5.0)]
    with pytest.raises(dcs_sessions.ThrottledError):
        call(scene.client(retry=RETRY), timeout=timeout)
    assert scene.sleeps == sleeps
    assert len(scene.requests) == 1 + len(sleeps)


@pytest.mark.parametrize(
    ("call", "retry_after", "timeout", "sleeps"),
    [
        (get, 5.0, 60.0, [5]),
        (get, 5.0, 5.1, [5]),
        # The call cannot wait for its turn: it is sent rather than refused.
        (get, 5.0, 5.0, []),
        (get, None, 60.0, []),
        # What ends sessions is not held back: their list is from just now.
        (kill, 5.0, 60.0, []),
    ],
)
def test_call_after_a_429_waits_for_its_turn(
    scene: Scene, call: Call, retry_after: float | None, timeout: float, sleeps: list[float]
) -> None:
    client = scene.client()
    scene.answers = [refused(429, retry_after), ok() if call is get else ok(status=204)]
    with pytest.raises(dcs_sessions.ThrottledError):
        get(client)
    # Copies share the pace.
    call(client.with_options(headers={"X-Mine": "1"}), timeout=timeout)
    assert scene.sleeps == sleeps


def test_refused_credentials_are_not_expected_to_be_accepted_next_time(scene: Scene) -> None:
    client = scene.client()
    get(client)
    scene.answers = [refused(401)]
    with pytest.raises(dcs_sessions.AuthenticationError):
        get(client)
    scene.requests.clear()
    with pytest.raises(dcs_sessions.AuthenticationError):
        client.query_sessions("i", ["n1", "n2", "n3"])
    assert len(scene.requests) == 1


def test_reply_is_logged_with_its_duration_and_request_id(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "dcs_sessions")
    scene.takes = 0.25
    scene.answers = [lost(), ok()]
    get(scene.client(retry=RETRY))
    url = f"{ENDPOINT}/v2/a-project/jobs/j"
    assert messages_here(caplog) == [
        f"GET {url}: gone",
        f"attempt 2 in 1.0 s: GET {url}: gone",
        f"GET {url} -> 200 in 250 ms, request r",
    ]
    caplog.clear()
    caplog.set_level(logging.INFO, "dcs_sessions")
    get(scene.client())
    assert messages_here(caplog) == []


def test_headers_of_a_request_are_known(scene: Scene) -> None:
    scene.answers = [ok(), ok(status=204)]
    client = scene.client(headers={"X-Mine": "1", "Accept-Language": "en"})
    get(client)
    kill(client, headers={"X-Mine": "2", "User-Agent": "mine"})
    one, other = scene.requests
    version = f"dcs-sessions/{dcs_sessions.__version__} python/{platform.python_version()}"
    expected = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": version,
        "X-Mine": "1",
        "Accept-Language": "en",
        "X-Project-Id": "a-project",
        "X-Auth-Token": "a-token",
    }
    assert one.headers == expected
    more = {"X-Mine": "2", "User-Agent": "mine", "Content-Type": "application/json"}
    assert other.headers == {**expected, **more}
    assert (one.origin, other.origin) == (ENDPOINT, ENDPOINT)
    assert (one.alone, other.alone) == (False, True)
    assert one.scope is not None
    assert (one.scope.region, one.scope.project_id) == (None, "a-project")


def test_project_is_looked_up_once_and_only_for_valid_calls(scene: Scene) -> None:
    client = scene.client(region="cn-north-4")
    with pytest.raises(InvalidArgumentError, match=r"^limit "):
        client.list_sessions("i", "n", limit=0)
    assert scene.requests == []
    scene.answers = [ok({"projects": [{"id": "found"}]}), ok()]
    get(client)
    get(client)
    identity, *calls = scene.requests
    assert identity.origin != ENDPOINT
    assert identity.target == "/v3/projects?name=cn-north-4"
    assert "X-Project-Id" not in identity.headers
    assert [call.target for call in calls] == ["/v2/found/jobs/j"] * 2
    assert {call.headers["X-Project-Id"] for call in calls} == {"found"}


def test_project_that_cannot_be_looked_up_is_an_error(scene: Scene) -> None:
    client = scene.client().with_options(project_id=None)  # type: ignore[arg-type]
    with pytest.raises(dcs_sessions.ConfigurationError) as caught:
        get(client)
    assert str(caught.value) == "pass project_id=, or region= to look it up"
    assert scene.requests == []


def test_client_is_not_pickled(both: Both) -> None:
    client = both.cls(endpoint=ENDPOINT, project_id="p", auth=TokenAuth("t"))
    with pytest.raises(TypeError) as caught:
        pickle.dumps(client)
    assert str(caught.value) == "a client cannot be pickled: make one in each process"


# Arguments of the methods

NODES = {"instance_id": "i", "total": 1, "nodes": [{"node_id": "n"}]}
PAGE = {"time": "t", "count": 1, "clients": [{"id": "7"}]}
CONFIGURATIONS = {"redis_config": [{"param_name": "maxclients", "param_value": "10"}]}
INSTANCE = {"instance_id": "i", "cache_mode": "single"}
# Method, arguments, the answer, and what is made of it.
METHODS: list[tuple[str, tuple[Any, ...], dict[str, Any], object, Callable[[Any], object]]] = [
    ("get_instance", ("i",), {}, INSTANCE, lambda found: found),
    ("list_configurations", ("i",), {}, CONFIGURATIONS, lambda found: found.redis_config),
    ("list_nodes", ("i",), {}, NODES, lambda found: found.nodes),
    ("get_job", ("j",), {}, JOB, lambda found: found),
    ("scan_sessions", ("i", "n"), {"clean_cache": True}, JOB, lambda found: found.job_id),
    (
        "list_sessions",
        ("i", "n"),
        {"offset": 3, "limit": 7, "addr": "a", "sort": "age", "order": "asc"},
        PAGE,
        lambda found: found,
    ),
    ("kill_sessions", ("i", "n", ["a", "b"]), {}, None, lambda found: found),
    ("kill_all_sessions", ("i", "n"), {}, JOB, lambda found: found.job_id),
    ("kill_all_sessions", ("i",), {"all_nodes": True}, JOB, lambda found: found.job_id),
]


@pytest.mark.parametrize("is_usual", [True, False], ids=["usual", "given"])
@pytest.mark.parametrize(
    ("method", "arguments", "options", "body", "result"),
    METHODS,
    ids=[f"{method} {' '.join(options)}".strip() for method, _, options, *_ in METHODS],
)
def test_method_sends_what_its_operation_does(
    scene: Scene,
    method: str,
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    body: object,
    result: Callable[[Any], object],
    *,
    is_usual: bool,
) -> None:
    scene.answers = [ok(body, 204 if body is None else 200)]
    if not is_usual:
        options = {**options, "timeout": 7.0, "headers": {"X-Mine": "1"}}
    elif "all_nodes" not in options:
        options = {}
    client = scene.client(timeout=12.0)
    of_raw = getattr(client.raw, method)(*arguments, **options)
    of_client = getattr(client, method)(*arguments, **options)
    assert of_client == result(of_raw.parsed)
    one, other = scene.requests
    assert (one.method, one.target, one.body) == (other.method, other.target, other.body)
    assert one.headers == other.headers
    assert one.headers.get("X-Mine") == (None if is_usual else "1")
    assert scene.timeouts == [12.0 if is_usual else 7.0] * 2


def test_connection_limit_takes_two_calls(scene: Scene) -> None:
    scene.answers = [ok(INSTANCE), ok(CONFIGURATIONS)] * 2
    client = scene.client(timeout=12.0)
    expected = dcs_sessions.ConnectionLimit(10, 10)
    assert client.get_connection_limit("i") == expected
    assert client.get_connection_limit("i", timeout=7.0, headers={"X-Mine": "1"}) == expected
    targets = [f"/v2/a-project/instances/i{end}" for end in ("", "/configs")]
    assert [request.target for request in scene.requests] == targets * 2
    assert scene.timeouts == [12.0, 12.0, 7.0, 7.0]
    assert [request.headers.get("X-Mine") for request in scene.requests] == [None, None, "1", "1"]


def test_copy_has_the_options_that_are_given(scene: Scene, both: Both) -> None:
    scene.answers = [ok(), ok(), refused(503), ok()]
    client = scene.client(timeout=12.0, headers={"X-One": "1", "X-Two": "1"})
    copy = client.with_options(
        timeout=7.0,
        headers={"X-Two": "2"},
        auth=TokenAuth("other"),
        project_id="other",
        retry=RETRY,
    )
    get(client)
    get(copy)
    get(copy.with_options())
    assert scene.sleeps == [1]
    assert scene.timeouts == [12.0, 7.0, 7.0, 6.0]
    one, *others = scene.requests
    assert (one.headers["X-One"], one.headers["X-Two"]) == ("1", "1")
    assert (one.headers["X-Auth-Token"], one.target) == ("a-token", "/v2/a-project/jobs/j")
    for other in others:
        assert (other.headers["X-One"], other.headers["X-Two"]) == ("1", "2")
        assert (other.headers["X-Auth-Token"], other.target) == ("other", "/v2/other/jobs/j")
    scene.answers = [refused(503)]
    with pytest.raises(dcs_sessions.ServerError):
        get(copy.with_options(retry=None))
    assert scene.sleeps == [1]
    assert repr(client) == f"<{both.cls.__name__} {ENDPOINT} project=a-project>"
    assert repr(copy) == f"<{both.cls.__name__} {ENDPOINT} project=other>"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "pass endpoint= or region="),
        ({"project_id": "p"}, "pass endpoint= or region="),
        ({"endpoint": ENDPOINT}, "pass project_id=, or region= to look it up"),
    ],
    ids=str,
)
def test_place_of_the_service_must_be_known(
    both: Both, arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(dcs_sessions.ConfigurationError) as caught:
        both.cls(auth=TokenAuth("t"), **arguments)
    assert str(caught.value) == problem


@pytest.mark.parametrize("nodes", [2, 3])
def test_credentials_that_are_not_accepted_are_sent_once(scene: Scene, nodes: int) -> None:
    scene.answers = [refused(401)]
    with pytest.raises(dcs_sessions.AuthenticationError):
        scene.client().query_sessions("i", [f"n{number}" for number in range(nodes)])
    assert len(scene.requests) == 1


def test_page_of_instances_that_takes_all_the_time_is_the_last(scene: Scene) -> None:
    rows = [{"instance_id": f"i{number}"} for number in range(10)]
    scene.answers = [ok({"instances": rows})]
    scene.takes = 5.0
    with pytest.raises(dcs_sessions.ApiTimeoutError) as caught:
        scene.client().list_instances(timeout=5.0)
    assert str(caught.value) == "ListInstances: no time left of 5 s, 10 instances read"
    assert caught.value.may_have_arrived is True


NOTHING = dcs_sessions.QueryResult([])


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        *(
            (call, "timeout 0 must be a number of seconds greater than 0")
            for call in (
                lambda client: client.wait_for_job("j", timeout=0),
                lambda client: client.query_sessions("i", timeout=0),
                lambda client: client.refresh_sessions("i", timeout=0),
                lambda client: list(client.query_pages("i", timeout=0)),
                lambda client: list(client.iter_sessions("i", "n", timeout=0)),
                lambda client: client.list_instances(timeout=0),
                lambda client: client.end_sessions("i", NOTHING, timeout=0),
                lambda client: client.with_options(timeout=0),
            )
        ),
        (
            lambda client: client.end_sessions("i", NOTHING, 7),
            "fits must be a function that is not async",
        ),
        (
            lambda client: client.end_sessions("i", NOTHING, on_outcome=7),
            "on_outcome must be a function that is not async",
        ),
        (
            lambda client: client.end_sessions("i", []),
            "chosen must be what query_sessions returned, not list",
        ),
    ],
)
def test_wrong_argument_of_a_query_is_named(
    scene: Scene, call: Callable[[Any], object], problem: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        call(scene.client())
    assert str(caught.value) == problem
    assert scene.requests == []


def test_client_of_the_environment_has_the_options_that_are_given(
    scene: Scene, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCS_SESSIONS_TOKEN", "of-the-environment")
    made: Any = both.cls.from_env(
        endpoint=ENDPOINT,
        project_id="mine",
        timeout=7.0,
        headers={"X-Mine": "1"},
        transport=scene._transport,
    )
    get(both.adopt(made))
    (request,) = scene.requests
    assert request.target == "/v2/mine/jobs/j"
    assert request.headers["X-Auth-Token"] == "of-the-environment"
    assert request.headers["X-Mine"] == "1"
    assert scene.timeouts == [7.0]


class Accounts:
    """A transport to a service where each account has a project of its own."""

    def __init__(self) -> None:
        # Account and project of each call.
        self.calls: list[tuple[str, str]] = []

    def send(self, request: Request, timeout: float) -> Reply:
        del timeout
        account = request.headers["X-Auth-Token"]
        host = urllib.parse.urlsplit(request.url).hostname or ""
        if host.startswith("iam."):
            return ok({"projects": [{"id": f"project-of-{account}"}]})
        self.calls.append((account, request.target.split("/")[2]))
        return ok()


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "account": st.sampled_from("ab"),
                "timeout": st.just(5.0),
            },
        ),
        max_size=5,
    )
)
@example([{"account": "b"}])
def test_call_of_any_copy_is_for_the_project_of_its_credentials(
    changes: list[dict[str, Any]],
) -> None:
    service = Accounts()
    auths = {name: TokenAuth(name) for name in "ab"}
    client = dcs_sessions.Client(region="cn-north-4", auth=auths["a"], transport=service)
    clients = [client]
    for change in changes:
        if "account" in change:
            change["auth"] = auths[change.pop("account")]
        clients.append(clients[-1].with_options(**change))
    for one in (*clients, *clients):
        one.get_job("j")
    assert set(service.calls) <= {(name, f"project-of-{name}") for name in "ab"}
    assert len(service.calls) == 2 * len(clients)
