"""ScanClients states every fact of the owner's document "Querying Sessions", one row each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tools import spec

if TYPE_CHECKING:
    from tools.spec import Node


class Fact(NamedTuple):
    """A fact of a source, and the place (for `spec.at`) and the value that it has in the contract.

    A pattern must match from the beginning of the text; anything else must be equal.
    """

    says: str
    at: str
    value: Any

    def __str__(self) -> str:
        return self.says


def states(api: Node, fact: Fact) -> None:
    """Fail unless the contract states the fact."""
    found = spec.at(api, fact.at)
    if isinstance(fact.value, re.Pattern):
        assert fact.value.match(found), f"{fact.at}: {found!r}"
    else:
        assert found == fact.value, fact.at
        # True is 1 for Python, but not for a reader of the contract.
        assert type(found) is type(fact.value), fact.at


def garble(node: Node) -> Node:
    """Return the same structure with every value, path and method wrong."""
    match node:
        case dict():
            return {
                _garble_key(k): v if k in ("$ref", "operationId") else garble(v)
                for k, v in node.items()
            }
        case list():
            return [garble(item) for item in node]
        case bool():
            return not node
        case str():
            return node[::-1]
        case _:
            return "something else"


def _garble_key(key: str) -> str:
    if key.startswith("/"):
        return f"{key}/not"
    return {"get": "put", "post": "patch"}.get(key, key)


P = "ScanClients.parameters"
REQUEST = "ScanClients.requestBody"
OK = "ScanClients.responses.200"

STATUS_CODES = {
    "200": "Successful",
    "400": "Invalid request.",
    "401": "Invalid authentication information.",
    "403": "Access denied.",
    "404": "The requested resource could not be found.",
    "500": "Internal service error.",
}

FACTS = [
    # Function
    Fact("the API queries sessions", "ScanClients.summary", re.compile("Query the sessions")),
    # URI
    Fact("the method is POST", "ScanClients.method", "post"),
    Fact("the URI", "ScanClients.path", "/v2/{project_id}/instances/{instance_id}/clients"),
    Fact("project_id is in the URI", f"{P}.project_id.in", "path"),
    Fact("project_id is mandatory", f"{P}.project_id.required", True),
    Fact("project_id is a string", f"{P}.project_id.schema.type", "string"),
    Fact("project_id: project ID", f"{P}.project_id.description", re.compile("ID of the project")),
    Fact("instance_id is in the URI", f"{P}.instance_id.in", "path"),
    Fact("instance_id is mandatory", f"{P}.instance_id.required", True),
    Fact("instance_id is a string", f"{P}.instance_id.schema.type", "string"),
    Fact(
        "instance_id: instance ID, viewed on the instance details page on the DCS console",
        f"{P}.instance_id.description",
        re.compile("ID of the DCS instance, .* details page of the instance on the DCS console"),
    ),
    # Request parameters
    Fact("there is a request body", f"{REQUEST}.required", True),
    Fact("the body is an object", f"{REQUEST}.body.type", "object"),
    Fact("node_id is mandatory, clean_cache is not", f"{REQUEST}.body.required", ["node_id"]),
    Fact("node_id is a string", f"{REQUEST}.body.properties.node_id.type", "string"),
    Fact(
        "node_id: node ID",
        f"{REQUEST}.body.properties.node_id.description",
        re.compile("ID of the node"),
    ),
    Fact("clean_cache is a boolean", f"{REQUEST}.body.properties.clean_cache.type", "boolean"),
    Fact("clean_cache: default false", f"{REQUEST}.body.properties.clean_cache.default", False),
    Fact(
        "clean_cache: whether to re-query and save the session list",
        f"{REQUEST}.body.properties.clean_cache.description",
        re.compile(
            "Whether to query the sessions again and save the list. "
            "True queries again and saves the new list; false does not query again"
        ),
    ),
    # Response parameters
    Fact("200 is an object", f"{OK}.body.type", "object"),
    Fact("200 job_id is a string", f"{OK}.body.properties.job_id.type", "string"),
    Fact(
        "200 job_id: ID of the task for querying the session list",
        f"{OK}.body.properties.job_id.description",
        re.compile("ID of the job that queries the sessions"),
    ),
    *(
        fact
        for status in STATUS_CODES
        if status != "200"
        for body in [f"ScanClients.responses.{status}.body.properties"]
        for fact in (
            Fact(f"{status} error_msg is a string", f"{body}.error_msg.type", "string"),
            Fact(
                f"{status} error_msg: error message",
                f"{body}.error_msg.description",
                re.compile("Error message"),
            ),
            Fact(f"{status} error_code is a string", f"{body}.error_code.type", "string"),
            Fact(
                f"{status} error_code: error code",
                f"{body}.error_code.description",
                re.compile("Error code"),
            ),
            Fact(
                # Null is the vendor's: its API definitions call the field unused.
                f"{status} error_ext_msg is a string",
                f"{body}.error_ext_msg.type",
                ["string", "null"],
            ),
            Fact(
                f"{status} error_ext_msg: error message details",
                f"{body}.error_ext_msg.description",
                re.compile("Error message details"),
            ),
        )
    ),
    # Example requests and responses
    Fact(
        "the example request",
        f"{REQUEST}.content.application/json.examples.scan.value",
        {"node_id": "8f7ee181-88e2-49b7-a4bf-81f18f93a135", "clean_cache": True},
    ),
    Fact(
        "the example response 200",
        f"{OK}.content.application/json.examples.started.value",
        {"job_id": "8abf6e1e824e204401824e3e621b0042"},
    ),
    Fact(
        "the example response 400",
        "ScanClients.responses.400.content.application/json.examples.taskState.value",
        {
            "error_code": "DCS.4957",
            "error_msg": "This operation is not allowed when the task is in the current state.",
        },
    ),
    # Status codes
    *(
        Fact(f"{status}: {meaning}", f"ScanClients.responses.{status}.description", meaning)
        for status, meaning in STATUS_CODES.items()
    ),
    # Error codes
    Fact(
        "the error codes are on a page of their own",
        "ScanClients.responses.400.body.externalDocs.url",
        "https://support.huaweicloud.com/intl/en-us/api-dcs/ErrorCode.html",
    ),
    # The document itself
    Fact("its title", "ScanClients.externalDocs.description", "Querying Sessions"),
    Fact(
        "its address",
        "ScanClients.externalDocs.url",
        "https://support.huaweicloud.com/intl/en-us/api-dcs/ScanClients.html",
    ),
]


@pytest.mark.parametrize("fact", FACTS, ids=str)
def test_contract_states_the_fact(fact: Fact) -> None:
    states(spec.load(), fact)


@pytest.mark.parametrize("fact", FACTS, ids=str)
def test_fact_is_not_stated_by_a_garbled_contract(fact: Fact) -> None:
    with pytest.raises((AssertionError, KeyError)):
        states(garble(spec.load()), fact)


def test_document_has_these_body_fields_and_no_other() -> None:
    assert set(spec.at(spec.load(), f"{REQUEST}.body.properties")) == {"node_id", "clean_cache"}
    assert set(spec.at(spec.load(), f"{OK}.body.properties")) == {"job_id"}


@pytest.mark.parametrize(
    "schema",
    [
        f"{P}.project_id.schema",
        f"{P}.instance_id.schema",
        f"{REQUEST}.body.properties.node_id",
        f"{OK}.body.properties.job_id",
    ],
)
def test_range_and_default_are_not_applicable(schema: str) -> None:
    annotations = {"type", "description", "examples", "x-source-note"}
    assert set(spec.at(spec.load(), schema)) <= annotations


def test_no_status_beyond_the_document_but_the_gateways() -> None:
    assert set(spec.at(spec.load(), "ScanClients.responses")) == {*STATUS_CODES, "429"}
