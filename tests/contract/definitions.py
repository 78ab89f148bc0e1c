"""The vendor's API definitions, and openapi.yaml, as the same flat lines.

A line is an operation with a parameter or field, such as `ListClients answer.clients[].age`, and
has the keywords that both can have. definitions.yaml has the lines of the vendor's definitions:
names, types, limits and example values, no text. They are made from its own files, one an
operation, by

    python -m contract.definitions FOLDER
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import yaml

from tools import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.spec import Node

HERE = Path(__file__).parent
SOURCE = HERE / "definitions.yaml"
DIFFERENCES = HERE / "definitions_differences.yaml"
KEYWORDS = (
    "in", "required", "type", "format", "enum", "default", "minimum", "maximum", "minLength",
    "maxLength", "minItems", "maxItems", "pattern",
)  # fmt: skip

Lines: TypeAlias = dict[str, dict[str, Any]]


def read(path: Path) -> Any:
    """Read a file of this folder."""
    return yaml.load(path.read_text(encoding="utf-8"), spec.Loader)


def left_open() -> set[str]:
    """Return the fields of answers that the contract leaves undescribed."""
    fields = read(HERE / "vendor_left_open.yaml")
    return {f"{operation} {field}" for operation, names in fields.items() for field in names}


def union(left: list[Any], right: list[Any]) -> list[Any]:
    """Return the values of both, each once. True and 1 are different values."""
    return [*left, *(v for v in right if not has(left, v))]


def has(values: list[Any], value: Any) -> bool:
    """Return whether a value of the same type is among the values."""
    return any(value == v and type(value) is type(v) for v in values)


class _Lines:
    """Collects the lines of one operation."""

    def __init__(self, operation: str) -> None:
        self.lines: Lines = {}
        self._operation = operation

    def add(self, where: str, **keywords: Any) -> None:
        line = self.lines.setdefault(f"{self._operation} {where}".strip(), {})
        for keyword, value in keywords.items():
            if value is not None and (keyword not in ("required", "deprecated") or value):
                line[keyword] = value

    def example(self, where: str, value: Any, *, kind: str = "examples") -> None:
        """Record the values of an example, each with its field."""
        if isinstance(value, dict):
            if self.lines.get(f"{self._operation} {where}", {}).get("type") == "array":
                where = f"{where}[]"  # an example that shows one item in place of a list
            for name, field in value.items():
                self.example(f"{where}.{name}", field, kind=kind)
        elif isinstance(value, list):
            for item in value:
                self.example(f"{where}[]", item, kind=kind)
        else:
            line = self.lines.setdefault(f"{self._operation} {where}", {})
            line[kind] = union(line.get(kind, []), [value])


def _keywords(schema: Node) -> dict[str, Any]:
    return {keyword: schema[keyword] for keyword in KEYWORDS if keyword in schema}


def ours(api: Node) -> Lines:
    """Return the contract, line by line."""
    lines: Lines = {}
    for name, operation in spec.operations(api).items():
        found = _Lines(name)
        found.add("", method=operation.method, path=operation.path)
        if operation.definition.get("deprecated"):
            found.add("", deprecated=True)
        for parameter in operation.parameters:
            where, schema = parameter["name"], parameter["schema"]
            found.add(
                where,
                **{**_keywords(schema), "in": parameter["in"]},
                required=parameter.get("required"),
            )
            for example in schema.get("examples", []):
                found.example(where, example)
        body = spec.resolve(api, operation.definition.get("requestBody", {}))
        if body:
            found.add("body", required=body.get("required", False))
        _message(api, found, "body", body, sent=True)
        for status, response in operation.definition["responses"].items():
            where = f"answer {status}"
            found.add(where, status=int(status))
            _message(api, found, where, spec.resolve(api, response))
        lines |= found.lines
    return lines


def _message(api: Node, found: _Lines, where: str, message: Node, *, sent: bool = False) -> None:
    for kind, media in message.get("content", {}).items():
        assert kind == "application/json", f"{where}: {kind}"
        _schema(api, found, where, media["schema"], sent=sent)
        for example in media.get("examples", {}).values():
            found.example(where, example["value"], kind="shown")


def _schema(api: Node, found: _Lines, where: str, schema: Node, *, sent: bool) -> None:
    schema = spec.resolve(api, schema)
    found.add(where, **{k: v for k, v in _keywords(schema).items() if k != "required"})
    for example in schema.get("examples", []):
        found.example(where, example)
    if "items" in schema:
        _schema(api, found, f"{where}[]", schema["items"], sent=sent)
    for name, field in schema.get("properties", {}).items():
        _schema(api, found, f"{where}.{name}", field, sent=sent)
        # The vendor marks no field of an answer as required: there is nothing to agree on.
        found.add(f"{where}.{name}", required=sent and name in schema.get("required", []))


def vendors(folder: Path) -> Lines:
    """Return the vendor's definitions, line by line."""
    lines: Lines = {}
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        ((uri, item),) = document["paths"].items()
        ((method, operation),) = item.items()
        found = _Lines(operation["operationId"])
        found.add("", method=method, path=uri, deprecated=operation.get("deprecated"))
        for parameter in operation["parameters"]:
            if parameter["in"] == "body":
                found.add("body", required=parameter["required"])
                _definition(document, found, "body", parameter["schema"])
                if "x-request-examples-1" in operation:
                    found.example("body", operation["x-request-examples-1"], kind="shown")
                continue
            found.add(parameter["name"], **_keywords(parameter))
            if "x-example" in parameter:
                found.example(parameter["name"], parameter["x-example"])
        for status, response in operation["responses"].items():
            where = f"answer {status}"
            found.add(where, status=int(status))
            if "schema" in response:
                _definition(document, found, where, response["schema"])
            for example in response.get("examples", {}).values():
                if not isinstance(example, str):  # no JSON
                    found.example(where, example, kind="shown")
        lines |= found.lines
    return {where: line for where, line in lines.items() if _is_described(where)}


def _definition(document: Node, found: _Lines, where: str, schema: Node) -> None:
    kind = schema.get("type")
    while "$ref" in schema:
        schema = document["definitions"][schema["$ref"].rpartition("/")[2]]
    # Objects often have no type there, and some types are spelt twice.
    if "properties" in schema:
        kind = "object"
    keywords = {k: v for k, v in _keywords(schema).items() if k != "required"}
    if str(keywords.get("format", "")).lower() == "string":
        del keywords["format"]
    found.add(where, **{**keywords, "type": kind or schema.get("type")})
    if "example" in schema:
        found.example(where, schema["example"])
    if "items" in schema:
        _definition(document, found, f"{where}[]", schema["items"])
    for name, field in schema.get("properties", {}).items():
        _definition(document, found, f"{where}.{name}", field)
        found.add(f"{where}.{name}", required=name in schema.get("required", []))


def _is_described(where: str, *, fields: set[str] = left_open()) -> bool:  # noqa: B008
    plain = where.replace("answer 200", "answer")
    inside = any(field == plain or field.startswith((f"{plain}.", f"{plain}[")) for field in fields)
    # What contains both is described; what contains nothing else is not.
    return not inside or plain in _CONTAINERS


_CONTAINERS = {f"ListInstances answer{end}" for end in ("", ".instances", ".instances[]")} | {
    "ShowInstance answer"
}


class Difference(NamedTuple):
    """A line on which the two disagree, with the keywords that differ on each side."""

    where: str
    vendor: dict[str, Any]
    ours: dict[str, Any]


def compare(vendor: Lines, contract: Lines) -> Iterator[Difference]:
    """Compare the lines of both, every keyword.

    An example value of the contract must be one that the vendor has for that field, and those
    that the vendor shows in whole messages must be shown there. The examples of errors follow
    the list of error codes instead.
    """
    paths: dict[str, list[Any]] = {}
    for where, line in vendor.items():
        if line.get("in") == "path":
            name = where.split()[1]
            paths[name] = union(paths.get(name, []), line.get("examples", []))
    for where in sorted(vendor.keys() | contract.keys()):
        left, right = dict(vendor.get(where, {})), dict(contract.get(where, {}))
        known, theirs = left.pop("examples", []), left.pop("shown", [])
        values, shown = right.pop("examples", []), right.pop("shown", [])
        if right.get("in") == "path":
            known = paths.get(where.split()[1], [])
        if not re.search(r" answer [45]\d\d\.", where):
            right |= _extra("examples", values, union(known, theirs))
            # Without an example of the vendor, all values are the contract's own.
            right |= _extra("shown", shown, union(known, theirs) if theirs else [])
        left |= _extra("shown", theirs, shown)
        differing = [
            keyword
            for keyword in sorted(left.keys() | right.keys())
            if repr(left.get(keyword)) != repr(right.get(keyword))
        ]
        if differing:
            yield Difference(
                where,
                {keyword: left[keyword] for keyword in differing if keyword in left},
                {keyword: right[keyword] for keyword in differing if keyword in right},
            )


def _extra(kind: str, values: list[Any], known: list[Any]) -> dict[str, list[Any]]:
    extra = [value for value in values if not has(known, value)]
    return {kind: extra} if extra else {}


def unexplained(differences: list[Difference], reasons: list[dict[str, Any]]) -> list[str]:
    """Return the differences without a reason, and the reasons without a difference."""
    counts = [0] * len(reasons)
    sides = [(repr(reason["vendor"]), repr(reason["ours"])) for reason in reasons]
    amiss = []
    for difference in differences:
        both = (repr(difference.vendor), repr(difference.ours))
        for position, reason in enumerate(reasons):
            if sides[position] == both and re.fullmatch(reason["where"], difference.where):
                counts[position] += 1
                break
        else:
            amiss.append(
                f"{difference.where}: {difference.vendor} is {difference.ours} in openapi.yaml"
            )
    for reason, count in zip(reasons, counts, strict=True):
        if count != reason.get("times", 1):
            amiss.append(f"{reason['where']}: seen {count} times, not {reason.get('times', 1)}")
    return amiss


def main() -> None:
    """Write definitions.yaml."""
    text = yaml.safe_dump(vendors(Path(sys.argv[1])), sort_keys=True, allow_unicode=True, width=100)
    head = [line for line in SOURCE.read_text(encoding="utf-8").splitlines() if line[:1] == "#"]
    SOURCE.write_text("\n".join([*head, text]), encoding="utf-8")


if __name__ == "__main__":
    main()
