"""The vendor's SDK agrees with openapi.yaml."""

from __future__ import annotations

import re

import pytest
from huaweicloudsdkdcs.v2 import model

from contract import vendor
from tools import spec

API = spec.load()
OPERATIONS = spec.operations(API)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_sdk_agrees(operation: str) -> None:
    assert not vendor.unexplained(operation, API)


def test_operations_of_the_same_paths_are_known() -> None:
    assert not vendor.beside(API)
    api = spec.load()
    del api["paths"]["/v2/{project_id}/instances/{instance_id}/clients"]["get"]
    assert vendor.beside(api) == [
        "ListClients: GET /v2/{project_id}/instances/{instance_id}/clients is not in openapi.yaml"
    ]


def test_every_difference_has_its_reason_and_its_operation() -> None:
    for where, entry in vendor.differences().items():
        assert entry.keys() == {"sdk", "ours", "reason"}, where
        assert entry["reason"], where
        assert where.split()[0] in OPERATIONS, where
    assert vendor.left_open().keys() <= OPERATIONS.keys()


def test_every_line_of_the_sdk_is_read() -> None:
    assert vendor.sdks("ListClients")["limit"] == "query, integer"
    assert vendor.sdks("ListClients")["answer.clients[].qbuf_free"] == "integer"
    assert vendor.sdks("HangUpClients")["body.client_addrs[]"] == "string, required"
    assert vendor.sdks("ShowNodesInformation")["answer.nodes[].dimensions[].value"] == "string"
    assert vendor.sdks("ShowJobInfo")["job_id"] == "path, string, required"


def test_field_that_moves_is_seen() -> None:
    api = spec.load()
    api["components"]["schemas"]["Session"]["properties"]["db"]["type"] = "integer"
    assert vendor.unexplained("ListClients", api) == [
        "ListClients answer.clients[].db: string in the SDK, integer in openapi.yaml"
    ]


def test_report_of_a_release_that_moves_is_readable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vendor.main() == 0
    vendor.sdks.cache_clear()
    monkeypatch.setitem(model.ClientInfo.openapi_types, "age", "str")
    monkeypatch.setitem(model.ClientInfo.openapi_types, "lib_name", "str")
    monkeypatch.setitem(model.ClientInfo.attribute_map, "lib_name", "lib_name")
    try:
        assert vendor.main() == 1
    finally:
        vendor.sdks.cache_clear()
    report = capsys.readouterr().out
    assert re.search(r"huaweicloudsdkdcs \d+\.\d+\.\d+ and openapi.yaml: 2 differences", report)
    assert "clients[].age: string in the SDK, integer in openapi.yaml" in report
    assert "clients[].lib_name: string in the SDK, None in openapi.yaml" in report
    assert "vendor_differences.yaml" in report
