"""The vendor's SDK, which nobody here wrote, agrees with openapi.yaml.

Its own classes are read, so that this fails when the vendor's next release moves. Both sides are
flattened to lines such as `ListClients limit` -> `query, integer`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from huaweicloudsdkdcs.v2 import model
from huaweicloudsdkdcs.v2.dcs_client import DcsClient

from tools import spec

if TYPE_CHECKING:
    from tools.spec import Node

API = spec.load()
OPERATIONS = spec.operations(API)
TYPES = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}
# The SDK takes project_id from the credentials; the resource path still names it.
FROM_CREDENTIALS = "project_id"


def differences() -> dict[str, dict[str, str | None]]:
    path = Path(__file__).with_name("vendor_differences.yaml")
    entries: dict[str, dict[str, str | None]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return entries


def left_open() -> dict[str, list[str]]:
    """Fields of the answers that the SDK has and the contract leaves undescribed."""
    path = Path(__file__).with_name("vendor_left_open.yaml")
    fields: dict[str, list[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return fields


def ours(operation: str, api: Node = API) -> dict[str, str]:
    """An operation as openapi.yaml describes it."""
    found = spec.operations(api)[operation]
    lines = {"method": found.method.upper(), "path": found.path}
    for parameter in found.parameters:
        if parameter["name"] != FROM_CREDENTIALS:
            kind = f"{parameter['in']}, {parameter['schema']['type']}"
            lines[parameter["name"]] = kind + ", required" * parameter.get("required", False)
    if "requestBody" in found.definition:
        body = spec.at(api, f"{operation}.requestBody.body")
        lines |= our_fields(api, body, "body", required=", required")
    for status, response in found.definition["responses"].items():
        if status.startswith("2") and "content" in response:
            # The SDK marks no field of an answer as mandatory: there is nothing to agree on.
            body = spec.at(api, f"{operation}.responses.{status}.body")
            lines |= our_fields(api, body, "answer", required="")
    return lines


def our_fields(api: Node, schema: Node, where: str, *, required: str) -> dict[str, str]:
    schema = spec.resolve(api, schema)
    if "type" not in schema:
        return {where: "any"}
    if schema["type"] == "array":
        return our_fields(api, schema["items"], f"{where}[]", required=required)
    if schema["type"] != "object":
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        return {where: ", ".join(t for t in types if t != "null")}
    lines = {}
    for name, field in schema["properties"].items():
        for path, kind in our_fields(api, field, f"{where}.{name}", required=required).items():
            lines[path] = kind + required * (name in schema.get("required", []))
    return lines


def sdks(operation: str) -> dict[str, str]:
    """An operation as the vendor's SDK has it."""
    request = getattr(model, f"{operation}Request")
    call = request()
    for attribute in request.attribute_map:
        setattr(call, attribute, "a value")
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
    http: dict[str, Any] = getattr(DcsClient, f"_{name}_http_info")(call)
    places = {
        **dict.fromkeys(http["path_params"], "path"),
        **dict.fromkeys(dict(http["query_params"]), "query"),
        **dict.fromkeys(http["header_params"], "header"),
    }
    lines = {"method": http["method"], "path": http["resource_path"]}
    for attribute, wire in request.attribute_map.items():
        kind = request.openapi_types[attribute]
        if attribute == "body":
            assert http["body"] == "a value"
            lines |= sdk_fields(kind, "body")
        else:
            required = ", required" * (attribute in mandatory(request))
            lines[wire] = f"{places[wire]}, {TYPES[kind]}{required}"
    return lines | sdk_fields(http["response_type"], "answer")


def sdk_fields(kind: str, where: str) -> dict[str, str]:
    if listed := re.fullmatch(r"list\[(.+)\]", kind):
        return sdk_fields(listed[1], f"{where}[]")
    if kind in TYPES:
        return {where: TYPES[kind]}
    cls = getattr(model, kind)
    if cls.openapi_types == {"body": "object"}:
        return {where: "untyped"}
    lines = {}
    for attribute, wire in cls.attribute_map.items():
        for path, line in sdk_fields(cls.openapi_types[attribute], f"{where}.{wire}").items():
            lines[path] = line + ", required" * (attribute in mandatory(cls))
    return lines


def mandatory(cls: Any) -> set[str]:
    """The attributes that a constructor sets even where no value is given for them."""
    touched: set[str] = set()

    def note(self: object, name: str, value: object) -> None:
        touched.add(name)
        object.__setattr__(self, name, value)

    type("Noting", (cls,), {"__setattr__": note})()
    return touched & set(cls.attribute_map)


def disagreements(operation: str, api: Node = API) -> dict[str, dict[str, str | None]]:
    left, right = sdks(operation), ours(operation, api)
    return {
        f"{operation} {line}": {"sdk": left.get(line), "ours": right.get(line)}
        for line in sorted(left.keys() | right.keys())
        if left.get(line) != right.get(line)
    }


@pytest.mark.parametrize("operation", OPERATIONS)
def test_sdk_agrees(operation: str) -> None:
    expected = {
        where: {side: entry[side] for side in ("sdk", "ours")}
        for where, entry in differences().items()
        if where.startswith(f"{operation} ")
    }
    found = disagreements(operation)
    for field in left_open().get(operation, []):
        where = f"{operation} {field}"
        assert found.pop(where)["ours"] is None, where
    assert found == expected


def test_every_difference_has_its_reason_and_its_operation() -> None:
    for where, entry in differences().items():
        assert entry.keys() == {"sdk", "ours", "reason"}, where
        assert entry["reason"], where
        assert where.split()[0] in OPERATIONS, where
    assert left_open().keys() <= OPERATIONS.keys()


def test_sdk_is_read_to_the_bottom() -> None:
    assert sdks("ListClients")["limit"] == "query, integer"
    assert sdks("ListClients")["answer.clients[].qbuf_free"] == "integer"
    assert sdks("HangUpClients")["body.client_addrs[]"] == "string, required"
    assert sdks("ShowNodesInformation")["answer.nodes[].dimensions[].value"] == "string"
    assert sdks("ShowJobInfo")["job_id"] == "path, string, required"


def test_a_field_that_moves_is_seen() -> None:
    api = spec.load()
    api["components"]["schemas"]["Session"]["properties"]["db"]["type"] = "integer"
    assert disagreements("ListClients", api)["ListClients answer.clients[].db"] == {
        "sdk": "string",
        "ours": "integer",
    }
