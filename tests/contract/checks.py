"""Rules of the contract. Each function checks one rule, and raises AssertionError if it is broken.

The tests call them with openapi.yaml; tests/mutation/document.py calls them with openapi.yaml and a
fault in it. They name no fault: each compares the document with a source, with facts.yaml, with
itself or with the emulator.
"""

from __future__ import annotations

import functools
import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import jsonschema
from click.testing import CliRunner
from huaweicloudsdkdcs.v2.region.dcs_region import DcsRegion
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from contract import definitions, facts, vendor
from dcs_sessions._cli.emulator import emulator as emulator_command
from dcs_sessions.emulator import _app, _errors
from tools import spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.spec import Node

FACTS = facts.facts()
ALL: list[Callable[[Node], None]] = []


def check(rule: Callable[[Node], None]) -> Callable[[Node], None]:
    """Register a rule."""
    ALL.append(rule)
    return rule


# Text


@check
def every_sentence_has_its_source(api: Node) -> None:
    """The sentences of the document are those of facts.yaml, each with a source."""
    rows = FACTS["text"]
    known = {place: [row["says"] for row in found] for place, found in rows.items()}
    found = facts.stated(api)
    assert list(found) == list(known), sorted(found.keys() ^ known.keys())
    for place, says in found.items():
        assert says == known[place], f"{place}: run `make facts`, and name the source"
    for place, found_rows in rows.items():
        for row in found_rows:
            assert row["source"] in FACTS["sources"], f"{place}: {row['says']}"


@check
def texts_stand_once(api: Node) -> None:
    """A parameter and its schema are described alike, and so is a field of both instances."""
    for path, node in spec.walk(api):
        if isinstance(node, dict) and "in" in node and "schema" in node and "value" not in path:
            assert node["schema"]["description"] == node["description"], path
    listed = spec.at(api, "components.schemas.ListedInstance.properties")
    shown = spec.at(api, "components.schemas.Instance.properties")
    for name, field in listed.items():
        assert shown[name] == field, name
    assert list(shown)[: len(listed)] == list(listed)


@check
def codes_are_those_of_the_list(api: Node) -> None:
    """Every error code in a description is in the table, with the status that belongs to it."""
    for place, text in facts.texts(api):
        for code in facts.codes(text):
            assert code in FACTS["codes"], f"{place}: {code}"
            statuses = re.findall(rf"\b([45]\d\d) (?:and|with) {re.escape(code)}", text)
            assert set(statuses) <= {str(FACTS["codes"][code][0])}, f"{place}: {code}"


@check
def names_in_text_exist(api: Node) -> None:
    """Names in backticks, and names of operations, exist in the contract."""
    operations = spec.operations(api)
    names = {*operations, "maxclients"}
    for _, node in spec.walk(api):
        if isinstance(node, dict):
            names |= node.get("properties", {}).keys()
            if "in" in node:
                names.add(node["name"])
    for place, text in facts.texts(api):
        for name in re.findall(r"`([a-z_]+)`", text):
            assert name in names, f"{place}: {name}"
        for name in re.findall(r"\b(?:List|Show|Scan|HangUp)[A-Z]\w+", text):
            assert name in operations, f"{place}: {name}"


@check
def permissions_are_those_of_the_operations(api: Node) -> None:
    """Each operation names its permission, which is the one that the emulator asks for."""
    asked = {
        operation.name: operation.action
        for methods in _app._ROUTES.values()
        for operation in methods.values()
    }
    for name, operation in spec.operations(api).items():
        permission = FACTS["operations"][name]["permission"]
        text = operation.definition["description"]
        assert re.findall(r"\bdcs:\w+:\w+", text) == ([permission] if permission else []), name
        assert ("No permission is needed." in text) == (permission is None), name
        if permission:
            assert asked[name] == permission, name


# Operations


@check
def operations_are_these(api: Node) -> None:
    """Tags, answers and pages of the operations."""
    operations = spec.operations(api)
    assert list(operations) == list(FACTS["operations"])
    assert [tag["name"] for tag in api["tags"]] == ["Instances", "Sessions", "Jobs", "Nodes"]
    for name, operation in operations.items():
        known, definition = FACTS["operations"][name], operation.definition
        assert definition["tags"] == [known["tag"]], name
        assert list(definition["responses"]) == [known["success"], *FACTS["errors"]], name
        success = definition["responses"][known["success"]]
        assert ("content" in success) == (known["success"] == "200"), name
        assert definition["externalDocs"]["url"].endswith(f"/api-dcs/{name}.html"), name


@check
def errors_are_these(api: Node) -> None:
    """Every operation has the same errors, with a schema and examples that have these codes."""
    for name, operation in spec.operations(api).items():
        for status, known in FACTS["errors"].items():
            response = spec.resolve(api, operation.definition["responses"][status])
            ((kind, media),) = response["content"].items()
            assert kind == "application/json", (name, status)
            assert media["schema"] == {"$ref": f"#/components/schemas/{known['schema']}"}, name
            bodies = [example["value"] for example in media["examples"].values()]
            assert [body["error_code"] for body in bodies] == known["codes"], (name, status)


@check
def every_answer_has_the_id_of_its_request(api: Node) -> None:
    """Every answer of every status has X-Request-Id, and no other header is described."""
    for name, operation in spec.operations(api).items():
        for status, response in operation.definition["responses"].items():
            headers = spec.resolve(api, response).get("headers", {})
            assert headers == {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}, (
                name,
                status,
            )
    header = api["components"]["headers"]["RequestId"]
    assert header["required"] is True
    assert header["schema"]["type"] == "string"


@check
def parameters_of_the_path_come_first(api: Node) -> None:
    """Arguments begin with those of the path, in its order; some generators reorder others."""
    for name, (method, path, definition, _) in spec.operations(api).items():
        assert "parameters" not in api["paths"][path], method
        own = [spec.resolve(api, parameter) for parameter in definition["parameters"]]
        names = re.findall(r"{(\w+)}", path)
        assert [parameter["name"] for parameter in own[: len(names)]] == names, name
        assert {parameter["in"] for parameter in own[len(names) :]} <= {"query"}, name


@check
def parameters_of_all_operations_are_shared(api: Node) -> None:
    """project_id and instance_id are components; `name` is the name of a component in one word."""
    for operation in spec.operations(api).values():
        for parameter in operation.definition["parameters"]:
            found = spec.resolve(api, parameter)
            shared = found["name"] in ("project_id", "instance_id") and found["in"] == "path"
            assert ("$ref" in parameter) == shared, found["name"]
    for name, parameter in api["components"]["parameters"].items():
        assert name.lower() == parameter["name"].replace("_", "")


# Sources


@check
def definitions_agree(api: Node) -> None:
    """The vendor's API definitions say the same, or definitions_differences.yaml says why not."""
    found = list(definitions.compare(_definitions(), definitions.ours(api)))
    amiss = definitions.unexplained(found, _definition_differences())
    assert not amiss, "\n".join(amiss)


@functools.cache
def _definitions() -> definitions.Lines:
    lines: definitions.Lines = definitions.read(definitions.SOURCE)
    return lines


@functools.cache
def _definition_differences() -> list[dict[str, Any]]:
    reasons: list[dict[str, Any]] = definitions.read(definitions.DIFFERENCES)
    return reasons


@check
def sdk_agrees(api: Node) -> None:
    """The vendor's SDK says the same, or vendor_differences.yaml says why not."""
    for operation in spec.operations(api):
        assert not (amiss := vendor.unexplained(operation, api)), "\n".join(amiss)


@check
def regions_are_those_of_the_vendor(api: Node) -> None:
    """The regions are those of the SDK; the default is one where sessions can be managed."""
    server, _ = api["servers"]
    region = server["variables"]["region"]
    assert {name: [server["url"].replace("{region}", name)] for name in region["enum"]} == {
        known.id: known.endpoints for known in DcsRegion.static_fields.values()
    }
    assert region["enum"] == sorted(region["enum"])
    assert region["default"] == "cn-north-4"
    offered = re.findall(r"\bcn-\w+-\d+\b", server["description"])
    assert len(offered) == len(set(offered)) == 6
    assert region["default"] in offered
    assert set(offered) <= set(region["enum"])


@check
def local_server_is_the_emulator(api: Node) -> None:
    """The second server is where the emulator listens unless told otherwise."""
    (option,) = [o for o in emulator_command.params if o.name == "port"]
    _, local = api["servers"]
    assert local["url"] == "http://127.0.0.1:{port}"
    assert local["variables"]["port"]["default"] == str(option.default)
    (command,) = re.findall(r"`dcs-sessions (\w+)`", local["description"])
    assert CliRunner().invoke(emulator_command, ["--help"]).exit_code == 0
    assert emulator_command.name == command


@check
def credentials_are_a_token_or_a_signature(api: Node) -> None:
    """Every request is authenticated, by headers that have these names."""
    assert api["security"] == [{"token": []}, {"signature": [], "signatureDate": []}]
    schemes = api["components"]["securitySchemes"]
    assert {name: (s["type"], s["in"], s["name"]) for name, s in schemes.items()} == {
        "token": ("apiKey", "header", "X-Auth-Token"),
        "signature": ("apiKey", "header", "Authorization"),
        "signatureDate": ("apiKey", "header", "X-Sdk-Date"),
    }
    for operation in spec.operations(api).values():
        assert "security" not in operation.definition


@check
def required_fields_are_these(api: Node) -> None:
    """Answers have the fields that facts.yaml lists; what requests need is compared elsewhere."""
    schemas = api["components"]["schemas"]
    for name, schema in schemas.items():
        assert set(schema.get("required", [])) <= schema["properties"].keys(), name
        if name in FACTS["required"]:
            assert schema.get("required", []) == FACTS["required"][name], name
    assert schemas.keys() - FACTS["required"].keys() == SENT


SENT = {"ScanRequest", "KillRequest", "KillAllRequest"}


@check
def node_or_all_nodes_is_needed(api: Node) -> None:
    """HangUpKillAllClients takes a body exactly if it names a node or means all of them."""
    body = {**spec.at(api, "HangUpKillAllClients.requestBody.body")}
    validator = jsonschema.Draft202012Validator(body)
    for sent, valid in (
        ({}, False),
        ({"kill_all_nodes": False}, False),
        ({"kill_all_nodes": True}, True),
        ({"node_id": "n"}, True),
        ({"node_id": "n", "kill_all_nodes": False}, True),
        ({"node_id": "n", "kill_all_nodes": True}, True),
    ):
        assert validator.is_valid(sent) == valid, sent
    assert set(body) == {"type", "description", "properties", "if", "else"}


# Examples


def examples(api: Node) -> Iterator[tuple[str, Node, Node]]:
    """Yield every example, with its place and the schema beside it."""
    for path, node in spec.walk(api):
        where = "/".join(path)
        # Inside an example, `examples` would be data.
        if not isinstance(node, dict) or "value" in path or "examples" in path:
            continue
        if ("type" in node or "description" in node) and isinstance(node.get("examples"), list):
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


@check
def examples_conform(api: Node) -> None:
    """Every example is what the schema beside it allows."""
    for where, example, schema in examples(api):
        try:
            conforms(api, example, schema)
        except jsonschema.ValidationError as error:
            raise AssertionError(f"{where}: {error.message}") from None


@check
def every_body_has_an_example(api: Node) -> None:
    """Requests and answers have examples of the whole body, which have no field undescribed."""
    for operation in spec.operations(api).values():
        definition = operation.definition
        messages = [definition.get("requestBody", {}), *definition["responses"].values()]
        for message in (spec.resolve(api, message) for message in messages):
            for media in message.get("content", {}).values():
                assert media["examples"]
                for example in media["examples"].values():
                    assert set(example) == {"summary", "value"}
                    described(api, example["value"], media["schema"])


def described(api: Node, value: Node, schema: Node) -> None:
    """Fail if an example has a field that its schema does not describe."""
    schema = spec.resolve(api, schema)
    if isinstance(value, dict):
        assert value.keys() <= schema["properties"].keys(), value.keys()
        for name, field in value.items():
            described(api, field, schema["properties"][name])
    elif isinstance(value, list):
        for item in value:
            described(api, item, schema["items"])


@check
def every_value_has_an_example(api: Node) -> None:
    """Each value shows one example, or two forms if the vendor has two; a default is enough."""
    for where, schema in schemas(api):
        place = where.removeprefix("/").replace("/", ".")
        kind = schema.get("type", "any")
        named = schema.keys() & {"$ref", "const"} or where.endswith(("/if", "/else"))
        if named or kind in ("object", "array"):
            assert "examples" not in schema, where
        elif schema.get("default", None) is None or "examples" in schema:
            forms = 2 if place in FACTS["two_forms"] else 1
            assert len({repr(example) for example in schema["examples"]}) == forms, where
            assert len(schema["examples"]) == forms, where


@check
def only_requests_have_defaults(api: Node) -> None:
    """A field of an answer has no default."""
    for where, schema in schemas(api):
        sent = where.split("/")[2:3] and where.split("/")[2] in SENT and "/if" not in where
        if "default" in schema:
            assert sent or "/parameters/" in where, where


@check
def examples_of_fields_are_those_of_bodies(api: Node) -> None:
    """The first example of a field is shown in a whole body too, if the field is shown at all."""
    lines = definitions.ours(api)
    shown: dict[str, list[Any]] = {}
    for where, line in lines.items():
        name = _shared(where)
        shown[name] = definitions.union(shown.get(name, []), line.get("shown", []))
    for where, line in lines.items():
        values = shown[_shared(where)]
        own = [value for value in line.get("examples", []) if value is not None]
        if " answer " in where and values and own:
            assert definitions.has(values, own[0]), where


def _shared(where: str) -> str:
    """The name of a line, or the one that errors or instances of several operations share."""
    where = re.sub(r"^\w+ answer [45]\d\d", "error", where)
    return re.sub(
        r"^(ListInstances answer 200\.instances\[\]|ShowInstance answer 200)", "one", where
    )


NUMBERS = {"one": 1, "two": 2, "three": 3}


@check
def examples_are_consistent(api: Node) -> None:
    """Counts, order of times, codes, states and names of an example fit each other."""
    for path, node in spec.walk(api):
        if path[-1:] != ("value",) or "examples" not in path or not isinstance(node, dict):
            continue
        where = "/".join(path)
        _counts(where, node)
        for item in (node, *(i for v in node.values() if isinstance(v, list) for i in v)):
            if isinstance(item, dict):
                _fits(where, item)
        lengths = [len(items) for items in node.values() if isinstance(items, list)]
        for word in _parent(api, path)["summary"].lower().split():
            if word in NUMBERS and lengths:
                assert lengths == [NUMBERS[word]], where


def _parent(api: Node, path: tuple[str, ...]) -> Node:
    node = api
    for step in path[:-1]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def _counts(where: str, node: Node) -> None:
    for count, items in (("count", "clients"), ("total", "nodes"), ("instance_num", "instances")):
        if count in node and items in node:
            assert node[count] == len(node[items]), where
    for items in ("clients", "nodes", "instances", "client_addrs", "redis_config"):
        values = node.get(items, [])
        assert all(values.count(value) == 1 for value in values), where


def _fits(where: str, item: Node) -> None:
    if item.get("end_time") and item.get("begin_time"):
        assert int(item["begin_time"]) <= int(item["end_time"]), where
    if "idle" in item and "age" in item:
        assert item["idle"] <= item["age"], where
    if item.get("status") == "SUCCESS":
        assert item.get("fail_reason") is None, where
    if "node_ip" in item and "name" in item:
        assert item["name"] == f"({item['node_type']}){item['node_ip']}", where
    if "used_memory" in item:
        assert item["used_memory"] <= item["max_memory"], where
    if "capacity" in item:
        assert (item["capacity"] == 0) == ("capacity_minor" in item), where
    if "spec_code" in item and "cache_mode" in item:
        assert item["spec_code"].split(".")[1] == item["cache_mode"], where
    if "domain_name" in item:
        assert item["instance_id"] in item["domain_name"], where
    if "value_range" in item:
        low, high = map(int, item["value_range"].split("-"))
        assert low <= int(item["default_value"]) <= high, where
        assert low <= int(item["param_value"]) <= high, where
    names = [dimension["name"] for dimension in item.get("dimensions", [])]
    assert len(names) == len(set(names)), where
    for dimension in item.get("dimensions", []):
        ids = {"dcs_cluster_redis_node": item["logical_node_id"]}
        assert dimension["value"] == ids.get(dimension["name"], dimension["value"]), where


@check
def nodes_name_their_instance(api: Node) -> None:
    """The instance in the dimensions of a node is the one whose nodes are listed."""
    for example in spec.at(api, "ShowNodesInformation.responses.200.content.application/json")[
        "examples"
    ].values():
        for node in example["value"]["nodes"]:
            named = {d["name"]: d["value"] for d in node["dimensions"]}
            assert named["dcs_instance_id"] == example["value"]["instance_id"]


@check
def error_examples_are_those_of_the_list(api: Node) -> None:
    """An error has the status and the message that the list has for its code."""
    bodies = [
        (int(status), example["value"])
        for operation in spec.operations(api).values()
        for status, response in operation.definition["responses"].items()
        if status in FACTS["errors"]
        for media in spec.resolve(api, response)["content"].values()
        for example in media["examples"].values()
    ]
    assert len({body["error_code"] for _, body in bodies}) >= 10
    for status, body in bodies:
        code = body["error_code"]
        assert (status, body["error_msg"]) == _listed(code), code
        assert body.get("error_ext_msg") is None, code
        gateway = {"request_id": FACTS["request_ids"][0]} if code.startswith("APIGW.") else {}
        assert {k: v for k, v in body.items() if k == "request_id"} == gateway, code
    for name in ("ErrorBody", "GatewayError"):
        fields = spec.at(api, f"components.schemas.{name}.properties")
        (code,), (message,) = fields["error_code"]["examples"], fields["error_msg"]["examples"]
        assert message == _listed(code)[1], name
        assert fields["request_id"]["examples"] == FACTS["request_ids"][:1], name
    header = api["components"]["headers"]["RequestId"]["schema"]
    assert header["examples"] == FACTS["request_ids"][1:]
    assert spec.at(api, "components.schemas.ErrorBody.properties.error_ext_msg.examples") == [None]


def _listed(code: str) -> tuple[int, str]:
    """The status and the message of a code, with what the examples fill in."""
    status, message, *filling = FACTS["codes"][code]
    return status, re.sub(r"{0?}", filling[0], message) if filling else message


@check
def emulator_has_these_errors(api: Node) -> None:
    """The emulator has the same statuses and messages for the codes."""
    assert api
    for code, (status, message, *_) in FACTS["codes"].items():
        if code in _errors._TABLE:
            known, text = _errors._TABLE[code]
            assert known == status, code
            pattern = message.replace("{0}", "{}")
            assert text == pattern or text.startswith(pattern.removesuffix("{}")), code


# Links


@check
def links_are_these(api: Node) -> None:
    """The links of the document are those of facts.yaml, value by value."""
    found = {
        f"{name} {title}": spec.resolve(api, link)
        for name, operation in spec.operations(api).items()
        for response in operation.definition["responses"].values()
        for title, link in spec.resolve(api, response).get("links", {}).items()
    }
    assert list(found) == list(FACTS["links"]) or found.keys() == FACTS["links"].keys()
    for title, link in found.items():
        row = dict(FACTS["links"][title])
        assert link["operationId"] == row.pop("calls"), title
        body = row.pop("body", None)
        project = {"path.project_id": "$request.path.project_id"}
        assert link["parameters"] == {**project, **row}, title
        assert link.get("requestBody") == body, title
        assert set(link) <= {"operationId", "description", "parameters", "requestBody"}, title


# House


SCHEMA = {
    "type", "description", "examples", "default", "format", "enum", "minimum", "maximum", "items",
    "properties", "required", "additionalProperties", "if", "else", "const", "x-source-note",
    "externalDocs", "$ref",
}  # fmt: skip
KEYS = {
    "openapi": {"openapi", "info", "servers", "security", "tags", "externalDocs", "paths",
                "components"},
    "operation": {"operationId", "tags", "summary", "description", "x-source-note", "externalDocs",
                  "parameters", "requestBody", "responses"},
    "parameter": {"name", "in", "required", "description", "x-source-note", "schema"},
    "header": {"description", "x-source-note", "required", "schema"},
    "response": {"description", "x-source-note", "headers", "content", "links"},
    "request": {"required", "content"},
    "media": {"schema", "examples"},
    "scheme": {"type", "in", "name", "description"},
}  # fmt: skip


@check
def keywords_are_few(api: Node) -> None:
    """Only these keywords are used. None of them is deprecated, readOnly or nullable."""
    assert set(api) == KEYS["openapi"]
    assert api["openapi"] == "3.1.0"
    components = api["components"]
    assert set(components) == {
        "securitySchemes", "parameters", "headers", "responses", "links", "schemas",
    }  # fmt: skip
    parameters = [*components["parameters"].values()]
    responses = [*components["responses"].values()]
    for operation in spec.operations(api).values():
        definition = operation.definition
        assert set(definition) <= KEYS["operation"], set(definition)
        parameters += [p for p in definition["parameters"] if "$ref" not in p]
        responses += [r for r in definition["responses"].values() if "$ref" not in r]
        if "requestBody" in definition:
            assert set(definition["requestBody"]) == KEYS["request"]
            assert set(definition["requestBody"]["content"]) == {"application/json"}
    for kind, nodes in (
        ("parameter", parameters),
        ("response", responses),
        ("header", components["headers"].values()),
        ("scheme", components["securitySchemes"].values()),
    ):
        for node in nodes:
            assert set(node) <= KEYS[kind], (kind, set(node))
    for response in responses:
        for kind, media in response.get("content", {}).items():
            assert (kind, set(media)) == ("application/json", KEYS["media"])
    for where, schema in schemas(api):
        assert set(schema) <= SCHEMA, (where, set(schema))
        # A `$ref` with anything beside it is read in two ways.
        assert "$ref" not in schema or len(schema) == 1, where
        assert "externalDocs" not in schema or where == "/schemas/ErrorBody", where
    for path, node in spec.walk(api):
        if path[-1:] == ("externalDocs",):
            assert set(node) == {"description", "url"}, path


def schemas(api: Node) -> Iterator[tuple[str, Node]]:
    """Yield every schema with its place."""
    for name, schema in api["components"]["schemas"].items():
        yield from _subschemas(f"/schemas/{name}", schema)
    for path, node in spec.walk(api):
        if path[-1:] == ("schema",) and "value" not in path:
            yield from _subschemas("/".join(path), node)


def _subschemas(where: str, schema: Node) -> Iterator[tuple[str, Node]]:
    yield where, schema
    for name, field in schema.get("properties", {}).items():
        yield from _subschemas(f"{where}/{name}", field)
    for key in ("items", "if", "else"):
        if key in schema:
            yield from _subschemas(f"{where}/{key}", schema[key])


@check
def formats_fit_their_types(api: Node) -> None:
    """Integers have a width, and no string has a format: the vendor's are only examples."""
    for path, schema in schemas(api):
        kind = schema.get("type")
        if kind == "integer":
            assert schema["format"] in ("int32", "int64"), path
        else:
            assert "format" not in schema, path
        if "items" in schema:
            assert kind == "array", path
        if "default" in schema:
            assert "$ref" not in schema, path


@check
def answers_are_open(api: Node) -> None:
    """More fields may come in answers; in a request an unknown field is a misspelt one."""
    for name, schema in api["components"]["schemas"].items():
        assert schema["type"] == "object", name
        assert schema.get("additionalProperties") is (None if name in SENT else True), name
    for path, node in schemas(api):
        if not path.startswith("/schemas/") or path.count("/") > 2:
            assert "additionalProperties" not in node, path


@check
def only_requests_have_enums(api: Node) -> None:
    """The vendor adds values to its answers without notice."""
    order = spec.at(api, "ListClients.parameters.order.schema.enum")
    regions = spec.at(api, "servers.0.variables.region.enum")
    enums = [
        node
        for path, node in spec.walk(api)
        if path[-1:] == ("enum",) and isinstance(node, list) and "value" not in path
    ]
    assert enums == [regions, order]


@check
def no_schema_has_the_name_of_a_type_of_a_language(api: Node) -> None:
    """Generators would make a type that hides another."""
    taken = {"Error", "Exception", "Object", "Result", "Option", "Response", "Request", "Any"}
    assert not taken & set(api["components"]["schemas"])


@check
def version_is_the_packages(api: Node) -> None:
    """The contract and the package have one version."""
    assert api["info"]["version"] == version("dcs-sessions")
    assert set(api["info"]) == {
        "title", "version", "summary", "description", "contact", "license",
    }  # fmt: skip


@check
def extensions_are_source_notes(api: Node) -> None:
    """No tool needs an extension."""
    for path, node in spec.walk(api):
        if isinstance(node, dict) and "value" not in path:
            assert {key for key in node if key.startswith("x-")} <= {"x-source-note"}, path


@check
def components_are_used(api: Node) -> None:
    """Every component is referred to."""
    used = {
        node["$ref"].removeprefix("#/components/").replace("/", " ")
        for _, node in spec.walk(api)
        if isinstance(node, dict) and isinstance(node.get("$ref"), str)
    }
    for kind, components in api["components"].items():
        if kind != "securitySchemes":
            for name in components:
                assert f"{kind} {name}" in used, name


@check
def is_valid_openapi(api: Node) -> None:
    """A validator of another project accepts the contract as OpenAPI 3.1."""
    try:
        OpenAPIV31SpecValidator(api).validate()
    except OpenAPIValidationError as error:
        raise AssertionError(str(error).partition("\n")[0]) from None
