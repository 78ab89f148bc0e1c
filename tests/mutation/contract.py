"""Faults and harmless changes of the contract, from contract_faults.yaml beside this file.

They are for the test of `make breaking` and for `make contract`. The faults that the tests must
find are made by document.py.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from tools import spec
from tools.spec import METHODS, Node

SOURCE = Path(__file__).with_name("contract_faults.yaml")


@dataclass(frozen=True)
class Mutant:
    """One change of the contract; contract_faults.yaml says what its fields mean."""

    name: str
    breaks: Literal["callers", "readers"] | None = None
    set: dict[str, Node] = field(default_factory=dict)
    append: dict[str, Node] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    rename: dict[str, str] = field(default_factory=dict)

    def apply(self, api: Node) -> Node:
        """Return a changed copy of a description; raise KeyError if nothing can be changed."""
        api = copy.deepcopy(api)
        for path, value in self.append.items():
            parent, key = _place(api, path)
            parent[key].append(copy.deepcopy(value))
        for path in self.remove:
            parent, key = _place(api, path)
            del parent[key]
        for path, new in self.rename.items():
            parent, key = _place(api, path)
            # The order of the keys stays: it is the order of the generated code.
            entries = [(new if k == key else k, v) for k, v in parent.items()]
            parent.clear()
            parent.update(entries)
        for path, value in self.set.items():
            parent, key = _place(api, path, new=True)
            parent[key] = copy.deepcopy(value)
        return api


def faults() -> list[Mutant]:
    """Return the changes that must be found."""
    return [Mutant(**fault) for fault in _document()["faults"]]


def harmless() -> list[Mutant]:
    """Return the changes that must be accepted."""
    return [Mutant(**change) for change in _document()["harmless"]]


def _document() -> Node:
    return yaml.safe_load(SOURCE.read_text(encoding="utf-8"))


def _place(api: Node, path: str, *, new: bool = False) -> tuple[Node, Any]:
    """Return the container at the end of a path, and the key or position in it.

    References are not followed.
    """
    first, *steps = path.split(".")
    parent, key = api, first
    for item in api["paths"].values():
        for method in METHODS:
            if item.get(method, {}).get("operationId") == first:
                parent, key = item, method
    for step in steps:
        parent = parent[key]
        key = spec.key(parent, step)
    if not new and isinstance(parent, dict) and key not in parent:
        raise KeyError(path)
    return parent, key
