"""openapi.yaml keeps every rule of checks.py, and each rule can fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from contract import checks
from tools import spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.spec import Node


@pytest.mark.parametrize("check", checks.ALL, ids=lambda check: check.__name__)
def test_contract_keeps_the_rule(check: Callable[[Node], None]) -> None:
    check(spec.load())


def test_contract_means_the_same_in_yaml_1_1() -> None:
    # Those take an unquoted date for a date, and an unquoted `no` for false.
    api = spec.load()
    assert yaml.safe_load(spec.SPEC.read_text(encoding="utf-8")) == api
    keys = [key for _, node in spec.walk(api) if isinstance(node, dict) for key in node]
    assert all(isinstance(key, str) for key in keys)


def test_examples_are_found_everywhere() -> None:
    places = [where for where, *_ in checks.examples(spec.load())]
    for part in ("requestBody", "components/responses", "components/schemas", "components/headers"):
        assert any(part in place for place in places), part
    for part in ("components/parameters", "/get/parameters"):
        assert any(part in place for place in places), part
