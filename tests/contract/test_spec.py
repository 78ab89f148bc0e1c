"""openapi.yaml is valid, its examples are true, and it keeps its own house rules."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from tools import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.spec import Node

API = spec.load()
OPERATIONS = spec.operations(API)
ERRORS = {
    "400": "ErrorBody",
    "401": "ErrorBody",
    "403": "ErrorBody",
    "404": "ErrorBody",
    "429": "GatewayError",
    "500": "ErrorBody",
}


def examples(api: Node) -> Iterator[tuple[str, Node, Node]]:
    """Every example with where it stands and the schema that it stands beside."""
    for path, node in spec.walk(api):
        where = "/".join(path)
        # Inside an example, `examples` would be data.
        if not isinstance(node, dict) or "value" in path or "examples" in path:
            continue
        if "type" in node and "examples" in node:
            for example in node["examples"]:
                yield where, example, node
        elif "schema" in node:
            # A media type, a parameter or a header.
            for name, example in node.get("examples", {}).items():
                yield f"{where}/{name}", example["value"], node["schema"]
            if "example" in node:
                yield where, node["example"], node["schema"]


def conforms(api: Node, example: Node, schema: Node) -> None:
    """Fail unless an example is what its schema allows."""
    # The components come along, so that references into them lead somewhere.
    whole = {**schema, "components": api["components"]}
    jsonschema.Draft202012Validator(whole).validate(example)


def test_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(API).validate()


def test_means_the_same_to_readers_of_yaml_1_1() -> None:
    # Those take an unquoted date for a date, and an unquoted `no` for false.
    assert yaml.safe_load(spec.SPEC.read_text(encoding="utf-8")) == API
    keys = [key for _, node in spec.walk(API) if isinstance(node, dict) for key in node]
    assert all(isinstance(key, str) for key in keys)


@pytest.mark.parametrize(
    ("example", "schema"),
    [pytest.param(example, schema, id=where) for where, example, schema in examples(API)],
)
def test_example_conforms_to_its_schema(example: Node, schema: Node) -> None:
    conforms(API, example, schema)


def test_examples_are_found_everywhere() -> None:
    places = [where for where, *_ in examples(API)]
    for part in ("requestBody", "components/responses", "components/schemas", "components/headers"):
        assert any(part in place for place in places), part
    for part in ("components/parameters", "/get/parameters"):
        assert any(part in place for place in places), part


def test_a_lying_example_is_found() -> None:
    with pytest.raises(jsonschema.ValidationError):
        conforms(API, {"job_id": 8}, {"$ref": "#/components/schemas/ScanStarted"})


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_body_has_an_example(operation: str) -> None:
    definition = OPERATIONS[operation].definition
    messages = [definition.get("requestBody", {}), *definition["responses"].values()]
    for message in (spec.resolve(API, message) for message in messages):
        for media in message.get("content", {}).values():
            assert media["examples"], message["description"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_errors(operation: str) -> None:
    responses = OPERATIONS[operation].definition["responses"]
    for status, schema in ERRORS.items():
        (media,) = spec.resolve(API, responses[status])["content"].items()
        assert media[0] == "application/json"
        assert media[1]["schema"] == {"$ref": f"#/components/schemas/{schema}"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_status_that_is_not_documented_stays_so(operation: str) -> None:
    # A `default` response would make every status a documented one.
    responses = OPERATIONS[operation].definition["responses"]
    assert "default" not in responses
    assert not [status for status in responses if "X" in status.upper()]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_carries_the_id_of_the_request(operation: str) -> None:
    for status, response in OPERATIONS[operation].definition["responses"].items():
        headers = spec.resolve(API, response).get("headers", {})
        assert headers == {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}, status


def test_models_are_open() -> None:
    for path, node in spec.walk(API):
        if isinstance(node, dict):
            assert "unevaluatedProperties" not in node, path
            assert node.get("additionalProperties", True) is not False, path


def test_answers_say_that_more_fields_may_come() -> None:
    sent = {"ScanRequest", "KillRequest", "KillAllRequest"}
    for name, schema in API["components"]["schemas"].items():
        # In a request an unknown field is a misspelt one, which compilers should find.
        assert schema.get("additionalProperties") is (None if name in sent else True), name


@pytest.mark.parametrize("operation", OPERATIONS)
def test_arguments_begin_with_those_of_the_path_in_its_order(operation: str) -> None:
    # Some generators put the parameters of a path item after those of the operation.
    method, path, definition, _ = OPERATIONS[operation]
    assert "parameters" not in API["paths"][path], method
    own = [spec.resolve(API, parameter) for parameter in definition["parameters"]]
    names = re.findall(r"{(\w+)}", path)
    assert [parameter["name"] for parameter in own[: len(names)]] == names
    assert {parameter["in"] for parameter in own[len(names) :]} <= {"query"}


def test_no_schema_has_the_name_of_a_type_of_a_language() -> None:
    taken = {"Error", "Exception", "Object", "Result", "Option", "Response", "Request", "Any"}
    assert not taken & set(API["components"]["schemas"])


def test_there_are_no_limits_but_the_vendors() -> None:
    limits = {"pattern", "multipleOf", "uniqueItems"} | {
        f"{end}{what}"
        for end in ("min", "max", "exclusiveMin", "exclusiveMax")
        for what in ("imum", "Length", "Items", "Properties")
    }
    found = ["/".join(path) for path, _ in spec.walk(API) if path and path[-1] in limits]
    lists = ("", "/{instance_id}/clients")
    queries = tuple(f"paths//v2/{{project_id}}/instances{path}/get/parameters/" for path in lists)
    assert all(where.startswith(queries) for where in found), found
    # Of offset and limit, as test_siblings.py has them.
    assert [where.rpartition("/")[2] for where in found] == 2 * ["minimum", "minimum", "maximum"]


def test_only_requests_have_enums() -> None:
    # The vendor adds values to its answers without notice.
    order = spec.at(API, "ListClients.parameters.order.schema.enum")
    regions = spec.at(API, "servers.0.variables.region.enum")
    enums = [node for path, node in spec.walk(API) if path[-1:] == ("enum",)]
    assert enums == [regions, order]


@pytest.mark.parametrize("schema", API["components"]["schemas"])
def test_required_fields_exist(schema: str) -> None:
    definition = API["components"]["schemas"][schema]
    required = [*definition.get("required", []), *definition.get("else", {}).get("required", [])]
    assert set(required) <= set(definition["properties"])


def test_a_request_is_authenticated_by_a_token_or_a_signature() -> None:
    assert API["security"] == [{"token": []}, {"signature": [], "signatureDate": []}]
    schemes = API["components"]["securitySchemes"]
    assert {name: (s["type"], s["in"], s["name"]) for name, s in schemes.items()} == {
        "token": ("apiKey", "header", "X-Auth-Token"),
        "signature": ("apiKey", "header", "Authorization"),
        "signatureDate": ("apiKey", "header", "X-Sdk-Date"),
    }
    assert not [name for name, o in OPERATIONS.items() if "security" in o.definition]


def links(api: Node) -> list[tuple[str, Node]]:
    """Every link with the operation that it starts from."""
    return [
        (name, spec.resolve(api, link))
        for name, operation in spec.operations(api).items()
        for response in operation.definition["responses"].values()
        for link in spec.resolve(api, response).get("links", {}).values()
    ]


def test_links_tell_the_story() -> None:
    assert {(source, link["operationId"]) for source, link in links(API)} == {
        ("ShowNodesInformation", "ScanClients"),
        ("ScanClients", "ShowJobInfo"),
        ("ScanClients", "ListClients"),
        ("ShowJobInfo", "ListClients"),
        ("ListClients", "HangUpClients"),
        ("HangUpKillAllClients", "ShowJobInfo"),
        ("ListInstances", "ShowInstance"),
        ("ListInstances", "ShowNodesInformation"),
        ("ShowInstance", "ListConfigurations"),
    }


@pytest.mark.parametrize(
    ("source", "link"),
    [pytest.param(s, link, id=f"{s}-{link['operationId']}") for s, link in links(API)],
)
def test_link_resolves(source: str, link: Node) -> None:
    """What a link reads is there to read, and what it sets is there to set."""
    target = OPERATIONS[link["operationId"]]
    places = {f"{p['in']}.{p['name']}" for p in target.parameters}
    assert set(link.get("parameters", {})) <= places
    if "requestBody" in link:
        body = spec.at(API, f"{link['operationId']}.requestBody.body")
        assert set(body["required"]) <= set(link["requestBody"]) <= set(body["properties"])
    for _, expression in spec.walk([link.get("parameters", {}), link.get("requestBody", {})]):
        if isinstance(expression, str):
            reads(source, expression)


def reads(source: str, expression: str) -> None:
    """Fail unless an expression can read what it names from a call of the operation."""
    operation = OPERATIONS[source]
    place, _, pointer = expression.partition("#/")
    if not pointer:
        _, where, name = place.split(".")
        assert f"{where}.{name}" in {f"{p['in']}.{p['name']}" for p in operation.parameters}
        return
    if place == "$request.body":
        schema = spec.at(API, f"{source}.requestBody.body")
    else:
        assert place == "$response.body"
        schema = spec.at(API, f"{source}.responses.200.body")
    for step in pointer.split("/"):
        schema = schema["items"] if step.isdigit() else schema["properties"][step]
        schema = spec.resolve(API, schema)


def test_version_is_the_packages() -> None:
    assert API["info"]["version"] == version("dcs-sessions")


def test_the_only_extension_is_the_source_note() -> None:
    extensions = {
        key
        for path, node in spec.walk(API)
        if isinstance(node, dict) and "value" not in path
        for key in node
        if key.startswith("x-")
    }
    assert extensions == {"x-source-note"}
