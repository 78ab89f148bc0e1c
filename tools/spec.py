"""Functions that read openapi.yaml, for all tools and tests."""

from __future__ import annotations

import copy
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
# `make mutants` tests what is in place of the contract, with a fault in it.
SPEC = Path(os.environ.get("DCS_SESSIONS_SPEC") or ROOT / "openapi.yaml")
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

# What a document is made of: dicts, lists, strings, numbers, booleans and None.
Node: TypeAlias = Any


class Operation(NamedTuple):
    """An operation, its place, and the parameters of its path and of its own."""

    method: str
    path: str
    definition: dict[str, Node]
    parameters: list[Node]


class Loader(yaml.SafeLoader):
    """Reads YAML as OpenAPI defines it: a date is a string."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load(path: Path = SPEC) -> Node:
    """Read a description; each call makes a copy that may be changed."""
    return copy.deepcopy(parse(path.read_text(encoding="utf-8")))


@functools.cache
def parse(text: str) -> Node:
    """Return the OpenAPI document in a string."""
    return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader


def resolve(api: Node, node: Node) -> Node:
    """Return the target of a reference, or the node itself if it is not a reference."""
    while isinstance(node, dict) and "$ref" in node:
        target = api
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def operations(api: Node) -> dict[str, Operation]:
    """Return all operations by their operationId."""
    return {
        definition["operationId"]: Operation(
            method,
            path,
            definition,
            [
                resolve(api, parameter)
                for parameter in (*item.get("parameters", []), *definition.get("parameters", []))
            ],
        )
        for path, item in api["paths"].items()
        for method, definition in item.items()
        if method in METHODS
    }


def at(api: Node, path: str) -> Node:
    """Return the node at a path with dots, or raise KeyError.

    References are followed. A path that starts with an operationId goes on at that operation,
    which has its `method`, its `path` and all its parameters. Items of a list are named as in
    `key`; `body` stands for the schema of the JSON body of a request or of a response.
    """
    first, *steps = path.split(".")
    operation = operations(api).get(first)
    if operation:
        node = {
            **operation.definition,
            "method": operation.method,
            "path": operation.path,
            "parameters": operation.parameters,
        }
    else:
        node = resolve(api, api[first])
    for step in steps:
        if step == "body":
            node = node["content"]["application/json"]["schema"]
        else:
            node = node[key(node, step)]
        node = resolve(api, node)
    return node


def key(container: Node, step: str) -> Any:
    """Return the key of a step of a path: items of a list are found by value, name or position."""
    if not isinstance(container, list):
        return step
    for position, item in enumerate(container):
        if item == step or (isinstance(item, dict) and item.get("name") == step):
            return position
    if not step.isdigit():
        raise KeyError(step)
    return int(step)


def walk(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Yield every node of a document with its path of keys and positions."""
    yield path, node
    if isinstance(node, dict):
        for name, value in node.items():
            yield from walk(value, (*path, str(name)))
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from walk(value, (*path, str(position)))
