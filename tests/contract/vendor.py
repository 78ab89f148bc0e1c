"""The vendor's SDK and openapi.yaml, as flat lines of the same form.

A line is such as `ListClients limit` -> `query, integer`. The SDK's own classes are read, so that
the next release of the vendor is seen as it moves. `make vendor` installs the newest one and runs

    python -m contract.vendor
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from huaweicloudsdkdcs.v2 import model
from huaweicloudsdkdcs.v2.dcs_client import DcsClient

from tools import spec

if TYPE_CHECKING:
    from tools.spec import Node

TYPES = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}
# The SDK takes project_id from the credentials; the resource path still names it.
FROM_CREDENTIALS = "project_id"


@functools.cache
def differences() -> dict[str, dict[str, str | None]]:
    path = Path(__file__).with_name("vendor_differences.yaml")
    entries: dict[str, dict[str, str | None]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return entries


@functools.cache
def left_open() -> dict[str, list[str]]:
    """Return the fields of answers that the SDK has and the contract leaves undescribed."""
    path = Path(__file__).with_name("vendor_left_open.yaml")
    fields: dict[str, list[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return fields


def ours(operation: str, api: Node) -> dict[str, str]:
    """Return the lines of an operation of openapi.yaml."""
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


@functools.cache
def sdks(operation: str) -> dict[str, str]:
    """Return the lines of an operation of the vendor's SDK."""
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
    """Return the attributes that a constructor sets even without a value for them."""
    touched: set[str] = set()

    def note(self: object, name: str, value: object) -> None:
        touched.add(name)
        object.__setattr__(self, name, value)

    type("Noting", (cls,), {"__setattr__": note})()
    return touched & set(cls.attribute_map)


def disagreements(operation: str, api: Node) -> dict[str, dict[str, str | None]]:
    left, right = sdks(operation), ours(operation, api)
    return {
        f"{operation} {line}": {"sdk": left.get(line), "ours": right.get(line)}
        for line in sorted(left.keys() | right.keys())
        if left.get(line) != right.get(line)
    }


def unexplained(operation: str, api: Node) -> list[str]:
    """Return the differences without a reason, and the reasons without a difference."""
    expected = {
        where: {side: entry[side] for side in ("sdk", "ours")}
        for where, entry in differences().items()
        if where.startswith(f"{operation} ")
    }
    found = disagreements(operation, api)
    amiss = []
    for field in left_open().get(operation, []):
        where = f"{operation} {field}"
        if found.pop(where, {"ours": "?"})["ours"] is not None:
            amiss.append(f"{where}: left open, but the SDK does not have it, or the contract does")
    for where in sorted(found.keys() | expected.keys()):
        if found.get(where) != expected.get(where):
            sides = found.get(where)
            amiss.append(
                f"{where}: {sides['sdk']} in the SDK, {sides['ours']} in openapi.yaml"
                if sides
                else f"{where}: no difference any more"
            )
    return amiss


def beside(api: Node) -> list[str]:
    """Return the SDK's operations on the contract's paths that the contract does not have."""
    known = {(o.method.upper(), o.path): name for name, o in spec.operations(api).items()}
    # What changes instances is not what this contract is about.
    others = {
        "BatchDeleteInstances", "CreateInstance", "DeleteSingleInstance", "UpdateConfigurations",
        "UpdateInstance",
    }  # fmt: skip
    sessions = "/v2/{project_id}/instances/{instance_id}/clients"
    found = []
    for name, call in inspect.getmembers(DcsClient, inspect.isroutine):
        source = inspect.getsource(call) if name.endswith("_http_info") else ""
        path = re.search(r'"resource_path": "(.+)"', source)
        method = re.search(r'"method": "(.+)"', source)
        if path is None or method is None or (method[1], path[1]) in known:
            continue
        operation = name.removesuffix("_http_info").title().replace("_", "")
        paths = {path for _, path in known}
        if operation not in others and (path[1] in paths or path[1].startswith(sessions)):
            found.append(f"{operation}: {method[1]} {path[1]} is not in openapi.yaml")
    return found


def main() -> int:
    """Compare with the installed SDK; return 1 if a difference has no reason."""
    api = spec.load()
    amiss = beside(api)
    for operation in spec.operations(api):
        try:
            amiss += unexplained(operation, api)
        except AttributeError as error:
            amiss.append(f"{operation}: the SDK does not have it: {error}")
    release = version("huaweicloudsdkdcs")
    print(f"huaweicloudsdkdcs {release} and openapi.yaml: {len(amiss)} differences unexplained.")
    print(*(f"  {line}" for line in amiss), sep="\n")
    if amiss:
        print("Follow the vendor, or say why not in tests/contract/vendor_differences.yaml.")
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main())
