"""Make every edition of the contract in a release, and the files for HTTP tools.

    python -m tools.editions FOLDER

Each is made of openapi.yaml: the edition for generators by the overlay in tools/overlays/, and the
edition in OpenAPI 3.0.3 of that one. tests/contract/test_editions.py says what each must be.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import itertools
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from jsonpath_ng.ext.parser import parse

from tools import breaking, spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.spec import Node

OVERLAY = spec.ROOT / "tools" / "overlays" / "clients.yaml"
DATA = spec.ROOT / "tests" / "data"
WORKFLOWS = spec.ROOT / "dcs.arazzo.yaml"
CHECKSUMS = "SHA256SUMS"
# What a user of the requests fills in, with the defaults of `dcs-sessions emulator`.
VARIABLES = {
    "endpoint": "http://127.0.0.1:8635",
    "token": "",
    "project_id": "",
    "instance_id": "",
    "node_id": "",
    "job_id": "",
}


class Dumper(yaml.SafeDumper):
    """Writes YAML without anchors, which some readers of OpenAPI do not know."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write repeated values in full."""
        return True


def dump(api: Node, source: str) -> str:
    """Return a description as YAML that says what it was made from."""
    text = yaml.dump(api, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return f"# Made from {source}. Do not edit.\n{text}"


def overlaid(api: Node, overlay: Node) -> Node:
    """Return a copy of a description with the actions of an OpenAPI Overlay 1.0 applied.

    Raises:
        ValueError: If an action finds nothing to change.
    """
    api = copy.deepcopy(api)
    for action in overlay["actions"]:
        found = parse(action["target"]).find(api)
        if not found:
            raise ValueError(f"overlay: nothing at {action['target']}")
        # From the last to the first, so that the positions in a list stay true.
        for match in reversed(found):
            if action.get("remove"):
                path: Any = match.path
                parent: Any = match.context
                key = path.fields[0] if hasattr(path, "fields") else path.indices[0]
                del parent.value[key]
            else:
                merge(match.value, action["update"])
    return api


def merge(target: Node, update: Node) -> None:
    """Merge an update into an object, as the Overlay specification defines it."""
    for key, value in update.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        elif isinstance(value, list) and isinstance(target.get(key), list):
            target[key].extend(copy.deepcopy(value))
        else:
            target[key] = copy.deepcopy(value)


def clients(api: Node) -> Node:
    """Return the edition for generators."""
    return overlaid(api, spec.load(OVERLAY))


def older(api: Node) -> Node:
    """Return a description of OpenAPI 3.1 in OpenAPI 3.0.3."""
    api = copy.deepcopy(api)
    api["openapi"] = "3.0.3"
    del api["info"]["summary"]
    api["info"]["license"] = {
        "name": api["info"]["license"]["name"],
        "url": "https://www.apache.org/licenses/LICENSE-2.0",
    }
    for path, node in list(spec.walk(api)):
        in_example = any(
            step == "examples" and "value" in path[place + 2 : place + 3]
            for place, step in enumerate(path)
        )
        if not isinstance(node, dict) or in_example or path[-1:] == ("properties",):
            continue
        if isinstance(node.get("type"), list):
            (node["type"],) = (kind for kind in node["type"] if kind != "null")
            node["nullable"] = True
        if isinstance(node.get("examples"), list):
            node["example"] = node.pop("examples")[0]
        # OpenAPI 3.0 has no conditions; the description says what they say.
        for keyword in ("if", "then", "else"):
            node.pop(keyword, None)
    return api


def dereferenced(api: Node) -> Node:
    """Return a description in which every reference is replaced by what it refers to."""

    def follow(node: Node) -> Node:
        node = spec.resolve(api, node)
        if isinstance(node, dict):
            return {key: follow(value) for key, value in node.items()}
        if isinstance(node, list):
            return [follow(item) for item in node]
        return node

    return follow(api)


class Request(NamedTuple):
    """A request as the contract's example of it, with `{name}` for each variable."""

    operation: str
    title: str
    method: str
    path: str
    query: dict[str, str]
    body: Node


def requests(api: Node) -> Iterator[Request]:
    """Return each request that the contract has an example of."""
    for name, operation in spec.operations(api).items():
        definition = operation.definition
        query = {
            parameter["name"]: f"{{{parameter['name']}}}"
            for parameter in operation.parameters
            if parameter["in"] == "query" and parameter.get("required")
        }
        content = definition.get("requestBody", {}).get("content", {}).get("application/json", {})
        examples = content.get("examples") or {"": {"summary": definition["summary"]}}
        for example in examples.values():
            body = copy.deepcopy(example.get("value"))
            if body and "node_id" in body:
                body["node_id"] = "{node_id}"
            yield Request(
                name, example["summary"], operation.method.upper(), operation.path, query, body
            )


def filled(text: str) -> str:
    """Return a string with its variables in the tools' form, in double braces."""
    for name in VARIABLES:
        text = text.replace(f"{{{name}}}", f"{{{{{name}}}}}")
    return text


def target(request: Request) -> str:
    """Return the path and query of a request."""
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    return filled(request.path + (f"?{query}" if query else ""))


def http_file(api: Node) -> str:
    """Return the requests as a `.http` file, for editors and httpyac."""
    lines = [f"@{name} = {value}" for name, value in VARIABLES.items()]
    for request in requests(api):
        lines += ["", f"### {request.operation}: {request.title}"]
        lines += [f"{request.method} {{{{endpoint}}}}{target(request)}", "X-Auth-Token: {{token}}"]
        if request.body is not None:
            body = filled(json.dumps(request.body, indent=2))
            lines += ["Content-Type: application/json", "", body]
    return "\n".join(lines) + "\n"


def postman(api: Node) -> Node:
    """Return the requests as a collection of Postman 2.1."""
    items: Node = []
    for request in requests(api):
        path, _, query = target(request).partition("?")
        entry: Node = {
            "method": request.method,
            "header": [{"key": "X-Auth-Token", "value": "{{token}}"}],
            "url": {
                "raw": "{{endpoint}}" + target(request),
                "host": ["{{endpoint}}"],
                "path": path.split("/")[1:],
                "query": [
                    dict(zip(("key", "value"), pair.split("="), strict=True))
                    for pair in query.split("&")
                    if pair
                ],
            },
        }
        if request.body is not None:
            entry["header"].append({"key": "Content-Type", "value": "application/json"})
            raw = filled(json.dumps(request.body, indent=2))
            entry["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
        items.append({"name": f"{request.operation}: {request.title}", "request": entry})
    return {
        "info": {
            "name": f"{api['info']['title']} {api['info']['version']}",
            "description": api["info"]["description"],
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "item": items,
        # The token has no value: a collection is easily shared.
        "variable": [{"key": name, "value": value} for name, value in VARIABLES.items()],
    }


def changes(base: Node, new: Node) -> str:
    """Return what has changed between two editions, in Markdown, for users of the API."""
    versions = base["info"]["version"], new["info"]["version"]
    lines = [f"# Changes of the contract from {versions[0]} to {versions[1]}", ""]
    found = itertools.groupby(breaking.breaks(base, new), key=lambda each: (each.who, each.what))
    broken = [f"- {what} ({', '.join(b.operation for b in group)})" for (_, what), group in found]
    added = list(additions(base, new))
    lines += ["## What breaks", "", *(broken or ["Nothing."]), ""]
    lines += ["## What is new", "", *(f"- {line}" for line in added or ["Nothing."])]
    return "\n".join(lines) + "\n"


def additions(base: Node, new: Node) -> Iterator[str]:
    """Return a sentence for each operation, parameter and field that a description adds."""
    before, after = spec.operations(base), spec.operations(new)
    for name, operation in after.items():
        if name not in before:
            yield f"Operation `{name}`: {operation.definition['summary']}."
            continue
        known = {parameter["name"] for parameter in before[name].parameters}
        for parameter in operation.parameters:
            if parameter["name"] not in known:
                yield f"Parameter `{parameter['name']}` of `{name}`: {parameter['description']}"
    old = base.get("components", {}).get("schemas", {})
    for name, schema in new["components"]["schemas"].items():
        if name not in old:
            yield f"Type `{name}`: {schema['description']}"
            continue
        for field, definition in schema.get("properties", {}).items():
            if field not in old[name].get("properties", {}):
                yield f"Field `{field}` of `{name}`: {definition['description']}"


def make(folder: Path) -> None:
    """Make every edition in a folder, with their checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    api = spec.load()
    for_clients = clients(api)
    version = api["info"]["version"]
    for source in (spec.SPEC, WORKFLOWS, *sorted(DATA.glob("signing-vectors*.json"))):
        shutil.copy(source, folder)
    try:
        told = changes(breaking.read_base(breaking.last_release()), api)
    except breaking.NoBaseError:
        told = f"# Changes of the contract\n\n{version} is the first release.\n"
    texts = {
        "openapi.json": as_json(api),
        "openapi.dereferenced.json": as_json(dereferenced(api)),
        "openapi.clients.yaml": dump(for_clients, f"openapi.yaml {version} by an overlay"),
        "openapi-3.0.yaml": dump(older(for_clients), f"openapi.clients.yaml {version}"),
        "dcs.http": http_file(api),
        "dcs.postman_collection.json": as_json(postman(api)),
        "openapi-changes.md": told,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    checksums(folder)


def as_json(document: Node) -> str:
    """Return a document as JSON."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def checksums(folder: Path) -> None:
    """Write the file that `sha256sum --check` reads."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(folder.iterdir())
        if file.is_file() and file.name != CHECKSUMS
    ]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where to make them")
    parser.add_argument("--checksums", action="store_true", help="only write the checksums again")
    arguments = parser.parse_args()
    if arguments.checksums:
        checksums(arguments.folder)
    else:
        make(arguments.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
