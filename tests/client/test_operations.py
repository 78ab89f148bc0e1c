"""Operations compared with the contract: their requests, arguments and answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dcs_sessions import ConfigurationError, InvalidArgumentError, UnexpectedResponseError
from dcs_sessions import _operations as operations
from dcs_sessions._wire import Reply, Request
from support.both import AnyClient, Both
from tools import spec

CONTRACT = yaml.safe_load((spec.ROOT / "openapi.yaml").read_text(encoding="utf-8"))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
IDS = TEXTS.filter(lambda text: text not in {"", ".", ".."})


@dataclass(frozen=True)
class Operation:
    """An operation of the contract, and how the client calls it.

    Attributes:
        name: ID of the operation.
        call: Builds the call from a project ID, parameters and fields of the body, by their names.
        raw: Makes the call with a client.
        answer: Fields of the answer whose types are checked, all that the client uses.
    """

    name: str
    call: Callable[..., operations.Call[Any]]
    raw: Callable[..., Any]
    answer: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[str, str, dict[str, Any]]:
        """Path, method and description."""
        return next(
            (path, method, description)
            for path, item in CONTRACT["paths"].items()
            for method, description in item.items()
            if isinstance(description, dict) and description.get("operationId") == self.name
        )

    @property
    def query(self) -> dict[str, dict[str, Any]]:
        """The parameters of the query, with their schemas."""
        found = [each for each in self.place[2].get("parameters", ()) if each.get("in") == "query"]
        return {each["name"]: each["schema"] for each in found}

    @property
    def body(self) -> dict[str, dict[str, Any]]:
        """The fields of the body, with their schemas."""
        content = self.place[2].get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return resolved(schema)["properties"] if schema else {}

    @property
    def success(self) -> tuple[int, dict[str, Any] | None]:
        """Status of success, and the schema of its body."""
        responses = self.place[2]["responses"]
        status = next(status for status in responses if status.startswith("2"))
        content = resolved(responses[status]).get("content")
        return int(status), content and resolved(content["application/json"]["schema"])

    @property
    def ids(self) -> list[str]:
        """Names of the IDs in the path, after that of the project."""
        return [name for name in ("instance_id", "job_id") if f"{{{name}}}" in self.place[0]]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = CONTRACT
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


OPERATIONS = (
    Operation(
        "ListInstances",
        operations.list_instances,
        lambda raw, **options: raw.list_instances(**options),
        ("instances",),
    ),
    Operation(
        "ShowInstance",
        operations.get_instance,
        lambda raw, instance_id: raw.get_instance(instance_id),
        ("instance_id",),
    ),
    Operation(
        "ListConfigurations",
        operations.list_configurations,
        lambda raw, instance_id: raw.list_configurations(instance_id),
        ("redis_config",),
    ),
    Operation(
        "ScanClients",
        operations.scan_sessions,
        lambda raw, instance_id, node_id, **options: raw.scan_sessions(
            instance_id, node_id, **options
        ),
        ("job_id",),
    ),
    Operation(
        "ListClients",
        operations.list_sessions,
        lambda raw, instance_id, node_id, **options: raw.list_sessions(
            instance_id, node_id, **options
        ),
        ("time", "clients", "count"),
    ),
    Operation(
        "HangUpClients",
        lambda project_id, instance_id, node_id, client_addrs: operations.kill_sessions(
            project_id, instance_id, node_id, client_addrs
        ),
        lambda raw, instance_id, node_id, client_addrs: raw.kill_sessions(
            instance_id, node_id, client_addrs
        ),
    ),
    Operation(
        "HangUpKillAllClients",
        lambda project_id, instance_id, node_id, kill_all_nodes: operations.kill_all_sessions(
            project_id, instance_id, node_id, all_nodes=kill_all_nodes
        ),
        lambda raw, instance_id, node_id, kill_all_nodes: raw.kill_all_sessions(
            instance_id, node_id, all_nodes=kill_all_nodes
        ),
        ("job_id",),
    ),
    Operation(
        "ShowNodesInformation",
        operations.list_nodes,
        lambda raw, instance_id: raw.list_nodes(instance_id),
        ("nodes",),
    ),
    Operation(
        "ShowJobInfo",
        operations.get_job,
        lambda raw, job_id: raw.get_job(job_id),
        ("job_id", "status"),
    ),
)
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
REQUIRED = {"node_id", "client_addrs", "kill_all_nodes"}


def test_every_operation_of_the_contract_is_compared() -> None:
    found = [
        description["operationId"]
        for item in CONTRACT["paths"].values()
        for description in item.values()
        if isinstance(description, dict) and "operationId" in description
    ]
    assert sorted(found) == sorted(operation.name for operation in OPERATIONS)


def values(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return valid values of a parameter or field."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema.get("maximum", 2**31 - 1))
    if schema["type"] == "array":
        return st.lists(IDS, min_size=1, max_size=3)
    return IDS if name in REQUIRED else TEXTS


def arguments(draw: Any, operation: Operation) -> dict[str, Any]:
    """Draw arguments by their names: all that are required, and some of the others."""
    found = {name: draw(IDS) for name in operation.ids}
    for name, schema in {**operation.query, **operation.body}.items():
        if name in REQUIRED or draw(st.booleans()):
            found[name] = draw(values(name, schema))
    if found.get("kill_all_nodes"):
        found["node_id"] = None
    return found


@every_operation
@settings(max_examples=30)
@given(data=st.data(), project_id=IDS)
def test_request_is_that_of_the_contract(
    operation: Operation, data: st.DataObject, project_id: str
) -> None:
    given_ = arguments(data.draw, operation)
    call = operation.call(project_id, **given_)
    template, method, _ = operation.place
    path = template.replace("{project_id}", quote(project_id, safe="~"))
    for name in operation.ids:
        path = path.replace(f"{{{name}}}", quote(given_[name], safe="~"))
    usual = {"offset": 0, "limit": 10}
    query = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name in sorted(operation.query)
        if (value := given_.get(name, usual.get(name))) is not None
    }
    pairs = [f"{name}={quote(value, safe='~')}" for name, value in query.items()]
    assert call.target == "?".join([path, *(["&".join(pairs)] if pairs else [])])
    body = {name: given_.get(name, False) for name in operation.body}
    if body.get("node_id", "") is None:
        del body["node_id"]
    assert (json.loads(call.body) if call.body else {}) == body
    assert (call.operation, call.method) == (operation.name, method.upper())
    assert call.status == operation.success[0]
    assert call.repeatable == (not operation.name.startswith("HangUp"))
    assert call.project_id == project_id


class Recorder:
    """A transport of both clients that records requests, and answers with a reply."""

    def __init__(self, kind: str, reply: Reply) -> None:
        self.requests: list[Request] = []
        self.reply = reply
        if kind == "async":
            self.send = self._send_async  # type: ignore[method-assign,assignment]

    def send(self, request: Request, timeout: float) -> Reply:
        self.requests.append(request)
        return self.reply

    async def _send_async(self, request: Request, timeout: float) -> Reply:  # noqa: ASYNC109
        return Recorder.send(self, request, timeout)


def made(schema: dict[str, Any] | None) -> Any:
    """Return a body with the fields that are required, and one that is not known."""
    if schema is None:
        return None
    schema = resolved(schema)
    kinds = {"string": "text", "integer": 7, "boolean": True}
    kind = schema["type"]
    if kind == "array":
        return [made(schema["items"])] * 2
    if kind == "object":
        fields = {name: made(schema["properties"][name]) for name in schema.get("required", ())}
        return {**fields, "new": [1]}
    return kinds[kind]


def calling(
    both: Both, operation: Operation, body: object, status: int | None = None
) -> tuple[list[Request], operations.Call[Any], Any]:
    """Make the call of an operation; return the requests, what they should be, and the response."""
    status = status or operation.success[0]
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    recorder = Recorder(both.kind, Reply(status, {"x-request-id": "r"}, raw))
    client: AnyClient = both(endpoint="http://127.0.0.1:1", transport=recorder, retry=None)
    needed: dict[str, Any] = dict.fromkeys(operation.ids, "x")
    needed |= {name: "y" for name in {**operation.query, **operation.body} if name in REQUIRED}
    if "client_addrs" in needed:
        needed["client_addrs"] = ["a", "b"]
    if "kill_all_nodes" in needed:
        needed["kill_all_nodes"] = False
    response = operation.raw(client.raw, **needed)
    return recorder.requests, operation.call("a-project", **needed), response


@every_operation
def test_raw_sends_the_request_and_returns_the_whole_response(
    both: Both, operation: Operation
) -> None:
    status, schema = operation.success
    body = made(schema)
    (request,), call, response = calling(both, operation, body)
    assert (request.method, request.target, request.body) == (call.method, call.target, call.body)
    assert request.headers.get("Content-Type") == ("application/json" if call.body else None)
    assert request.headers["X-Project-Id"] == "a-project"
    assert request.alone == (not call.repeatable)
    assert (response.status, response.request_id) == (status, "r")
    assert response.headers == {"x-request-id": "r"}
    if body is None:
        assert (response.parsed, response.body) == (None, b"")
        return
    assert json.loads(response.body) == body
    for session in body.get("clients", ()):
        session["node_id"] = "y"
    assert response.parsed.to_dict() == body


@every_operation
@pytest.mark.parametrize("status", [200, 202, 204, 302])
def test_other_status_than_that_of_success_is_an_error(
    both: Both, operation: Operation, status: int
) -> None:
    if status == operation.success[0]:
        return
    with pytest.raises(UnexpectedResponseError, match=f"^{status} unexpected status"):
        calling(both, operation, made(operation.success[1]), status)


with_body = pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one.success[1]], ids=lambda one: one.name
)


@with_body
def test_missing_field_is_named(both: Both, operation: Operation) -> None:
    schema = operation.success[1]
    assert schema is not None
    assert set(operation.answer) <= set(schema["required"])
    for name in schema["required"]:
        body = made(schema)
        del body[name]
        problem = f"field {name} is missing"
        if name not in operation.answer:
            problem = f"not as the contract says: KeyError '{name}'"
        with pytest.raises(UnexpectedResponseError) as caught:
            calling(both, operation, body)
        assert caught.value.reason == f"200 {problem} [request r]"


@with_body
def test_field_of_another_type_is_named(both: Both, operation: Operation) -> None:
    for name in operation.answer:
        good = made(operation.success[1])
        others: tuple[object, ...] = (None, 1.5, {"a": 1}, "text", 7, [{}])
        for wrong in others:
            if type(wrong) is type(good[name]):
                continue
            with pytest.raises(UnexpectedResponseError) as caught:
                calling(both, operation, {**good, name: wrong})
            assert caught.value.reason == f"200 field {name} is of another type [request r]"


@with_body
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON: "),
        (b"{", "not JSON: "),
        (b"[]", "expected an object, got list"),
        (b'"text"', "expected an object, got str"),
        (b"null", "expected an object, got NoneType"),
    ],
    ids=str,
)
def test_body_that_is_no_object_is_an_error(
    both: Both, operation: Operation, body: bytes, problem: str
) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        calling(both, operation, body)
    assert caught.value.reason.startswith(f"200 {problem}")


@with_body
@pytest.mark.parametrize("item", [None, 7, "text", [{}]], ids=repr)
def test_item_that_is_no_object_is_an_error(both: Both, operation: Operation, item: object) -> None:
    body = made(operation.success[1])
    for name in [name for name, value in body.items() if isinstance(value, list) and name != "new"]:
        with pytest.raises(UnexpectedResponseError, match=r"^200 not as the contract says: "):
            calling(both, operation, {**body, name: [item]})


WRONG_TEXTS: list[tuple[object, str]] = [
    (7, "must be a string, not int"),
    (b"x", "must be a string, not bytes"),
    ("x" * 1025, "has 1025 characters, the maximum is 1024"),
    ("a\ud800", "'a\\ud800' cannot be encoded as UTF-8"),
]
WRONG_IDS: list[tuple[object, str]] = [
    *WRONG_TEXTS,
    (None, "must be a string, not NoneType"),
    ("", "'' is empty or a path"),
    (".", "'.' is empty or a path"),
    ("..", "'..' is empty or a path"),
]
# Names of the arguments that differ from those of the contract.
ARGUMENTS = {"client_addrs": "addresses", "kill_all_nodes": "all_nodes"}


def wrong_values(name: str, schema: dict[str, Any]) -> list[tuple[object, str]]:
    """Return invalid values of a parameter or field, with the messages."""
    if "enum" in schema:
        others = [(value, f"{value!r} must be 'asc' or 'desc'") for value in ("up", "ASC", "")]
        return [*WRONG_TEXTS, *others]
    if schema["type"] == "boolean":
        flags: tuple[object, ...] = ("no", 0, 1, None)
        return [(value, f"must be True or False, not {value!r}") for value in flags]
    if schema["type"] == "integer":
        least, most = schema["minimum"], schema.get("maximum", 2**31 - 1)
        wrong: tuple[object, ...] = (least - 1, most + 1, True, "10", 1.5, None)
        return [(value, f"{value!r} must be an integer from {least} to {most}") for value in wrong]
    if schema["type"] == "array":
        lists = ("x", b"x", None, 7)
        found: list[tuple[object, str]] = [
            (value, f"must be a list of strings, not {value!r}") for value in lists
        ]
        found.append(([], "is empty: pass the peer of each session to end"))
        return found + [([value], problem) for value, problem in WRONG_IDS]
    return WRONG_IDS if name in REQUIRED else WRONG_TEXTS


@every_operation
def test_wrong_argument_is_named(operation: Operation) -> None:
    strings: dict[str, Any] = dict.fromkeys(operation.ids, "x")
    good = {**strings, **{name: "y" for name in operation.query if name in REQUIRED}}
    good |= {name: "y" for name in operation.body if name in REQUIRED}
    if "client_addrs" in good:
        good["client_addrs"] = ["a"]
    if "kill_all_nodes" in good:
        good["kill_all_nodes"] = False
    operation.call("p", **good)
    checks = [("project_id", value, problem) for value, problem in WRONG_IDS]
    checks += [(name, *wrong) for name in operation.ids for wrong in WRONG_IDS]
    for name, schema in {**operation.query, **operation.body}.items():
        checks += [(name, *wrong) for wrong in wrong_values(name, schema)]
    for name, value, problem in checks:
        # None is not an argument then.
        if value is None and (
            name == "is_recycle" or (name == "node_id" and "kill_all_nodes" in good)
        ):
            continue
        wrong = {"project_id": "p", **good, name: value}
        with pytest.raises(InvalidArgumentError) as caught:
            operation.call(wrong.pop("project_id"), **wrong)
        assert str(caught.value) == f"{ARGUMENTS.get(name, name)} {problem}"


@pytest.mark.parametrize(
    ("node_id", "all_nodes"), [(None, False), ("n", True)], ids=["neither", "both"]
)
def test_either_one_node_is_ended_or_all(node_id: str | None, *, all_nodes: bool) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        operations.kill_all_sessions("p", "i", node_id, all_nodes=all_nodes)
    assert str(caught.value) == (
        "pass either node_id, or all_nodes=True to end the sessions of the whole instance"
    )


@pytest.mark.parametrize(
    ("call", "name", "entry"),
    [
        (operations.list_nodes("p", "i"), "nodes", {"node_id": "n"}),
        (operations.list_instances("p"), "instances", {"instance_id": "i"}),
        (operations.list_configurations("p", "i"), "redis_config", {}),
    ],
)
def test_list_with_more_entries_than_there_can_be_is_refused(
    call: operations.Call[Any], name: str, entry: dict[str, str]
) -> None:
    body = {"instance_id": "i", "total": 1, "instance_num": 1, name: [entry] * 10_001}
    with pytest.raises(UnexpectedResponseError, match=f"10001 entries in {name}"):
        call.response(Reply(200, {}, json.dumps(body).encode()))


@pytest.mark.parametrize("count", [1000, 1001])
def test_page_with_more_sessions_than_a_page_can_have_is_refused(count: int) -> None:
    call = operations.list_sessions("p", "i", "n", limit=10)
    body = {"time": "t", "count": count, "clients": [{}] * count}
    reply = Reply(200, {}, json.dumps(body).encode())
    if count == 1000:
        assert len(call.response(reply).parsed.clients) == count
        return
    with pytest.raises(UnexpectedResponseError, match="1001 sessions, more than a page can have"):
        call.response(reply)


# The project, which is an operation of the identity service


@given(region=TEXTS)
def test_project_is_looked_up_by_the_name_of_the_region(region: str) -> None:
    call = operations.find_project(region)
    assert (call.operation, call.method, call.body) == ("KeystoneListProjects", "GET", b"")
    assert call.target == f"/v3/projects?name={quote(region, safe='~')}"
    assert (call.status, call.repeatable, call.project_id) == (200, True, None)


@pytest.mark.parametrize(
    ("projects", "found"), [([], "none"), (["a", "b"], "a, b"), (["a"], None), ([5], None)], ids=str
)
def test_region_must_have_one_project(projects: list[object], found: str | None) -> None:
    body = {"projects": [{"id": one, "name": "r"} for one in projects]}
    call = operations.find_project("r")
    reply = Reply(200, {}, json.dumps(body).encode())
    if found is None:
        assert call.response(reply).parsed == str(projects[0])
        return
    with pytest.raises(ConfigurationError) as caught:
        call.response(reply)
    assert caught.value.reason == f"region r must have one project, found {found}"
    assert caught.value.advice == "pass project_id="


@pytest.mark.parametrize("body", [{}, {"projects": 7}, {"projects": [{}]}, {"projects": [7]}])
def test_answer_without_projects_is_an_error(body: object) -> None:
    with pytest.raises(UnexpectedResponseError, match=r"^200 no list of projects"):
        operations.find_project("r").response(Reply(200, {}, json.dumps(body).encode()))
