"""Facts that the contract has to state, as rows of tables, and how a row is judged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tools import spec

if TYPE_CHECKING:
    from tools.spec import Node


class Fact(NamedTuple):
    """What a source says, where the contract says it (as `spec.at` reads it), and how.

    A pattern has to match from the beginning of the text; anything else has to be equal.
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
    """The same structure with every value, path and method wrong, to see that a row can fail."""
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
