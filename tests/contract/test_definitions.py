"""The vendor's API definitions agree with openapi.yaml, or there is a reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from contract import checks, definitions
from tools import spec

if TYPE_CHECKING:
    from pathlib import Path

VENDOR = definitions.read(definitions.SOURCE)


def test_definitions_agree_with_the_contract() -> None:
    checks.definitions_agree(spec.load())


@pytest.mark.parametrize(
    ("where", "keyword", "value"),
    [
        ("ListClients limit", "maximum", 999),
        ("ListClients answer 200.count", "format", "int64"),
        ("ShowNodesInformation answer 200.nodes[].status", "enum", ["Active"]),
        ("ShowJobInfo answer 200.job_type", "maxLength", 64),
        ("HangUpClients answer 204", "status", 200),
        ("ScanClients", "deprecated", True),
    ],
)
def test_move_of_the_vendor_is_seen(where: str, keyword: str, value: object) -> None:
    moved = {**VENDOR, where: {**VENDOR[where], keyword: value}}
    found = list(definitions.compare(moved, definitions.ours(spec.load())))
    assert definitions.unexplained(found, definitions.read(definitions.DIFFERENCES))


def test_reason_that_is_out_of_date_is_seen() -> None:
    assert definitions.unexplained([], [{"where": "x", "vendor": {}, "ours": {}}]) == [
        "x: seen 0 times, not 1"
    ]


def test_every_difference_has_its_reason() -> None:
    for difference in definitions.read(definitions.DIFFERENCES):
        keys = difference.keys()
        assert {"where", "vendor", "ours", "reason"} <= keys <= {*difference, "times"}
        assert difference["reason"].endswith("."), difference


def test_every_line_of_the_definitions_is_read(tmp_path: Path) -> None:
    field = {"type": "integer", "format": "int32", "example": 0, "maximum": 3}
    document = {
        "definitions": {"Page": {"properties": {"items": {"items": {"$ref": "#/definitions/One"},
                                                          "type": "array"}}},
                        "One": {"required": ["age"], "properties": {"age": field}}},
        "paths": {
            "/v2/things": {
                "get": {
                    "operationId": "ListClients",
                    "parameters": [{"name": "size", "in": "query", "type": "string",
                                    "required": False, "x-example": "3"}],
                    "responses": {
                        "200": {
                            "schema": {"$ref": "#/definitions/Page"},
                            # One item in place of the list.
                            "examples": {"application/json": {"items": {"age": 3}}},
                        }
                    },
                }
            }
        },
    }  # fmt: skip
    (tmp_path / "ListClients.json").write_text(json.dumps(document))
    assert definitions.vendors(tmp_path) == {
        "ListClients": {"method": "get", "path": "/v2/things"},
        "ListClients size": {"in": "query", "type": "string", "examples": ["3"]},
        "ListClients answer 200": {"status": 200, "type": "object"},
        "ListClients answer 200.items": {"type": "array"},
        "ListClients answer 200.items[]": {"type": "object"},
        "ListClients answer 200.items[].age": {
            "type": "integer",
            "format": "int32",
            "maximum": 3,
            "examples": [0],
            "shown": [3],
            "required": True,
        },
    }
