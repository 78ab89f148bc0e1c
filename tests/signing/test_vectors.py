"""The vendor's signer wrote these requests; ours writes the same bytes."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer import signer as vendor

from dcs_sessions import _signing

_DATA = Path(__file__).parent.parent / "data"
_FILE = json.loads((_DATA / "signing-vectors.json").read_text())
_VECTORS: list[dict[str, Any]] = _FILE["vectors"]


def test_vectors_are_what_their_schema_says() -> None:
    schema = json.loads((_DATA / "signing-vectors.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(_FILE, schema)


def test_vectors_are_many_and_each_has_its_name() -> None:
    names = [vector["name"] for vector in _VECTORS]
    assert len(names) == len(set(names)) >= 39


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: vector["name"])
def test_vector_is_what_the_signer_of_the_vendor_writes(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    headers = dict(expected["headers"])
    headers.pop("Host", None)
    request = SdkRequest(
        method=given["method"],
        schema=given["scheme"],
        host=given["host"],
        resource_path=given["path"],
        query_params=[tuple(pair) for pair in given["query"]],
        header_params=headers,
        body=None if given["body"] is None else given["body"].encode(),
    )
    signer: Any = vendor.Signer  # untyped
    signer(SimpleNamespace(ak=given["access_key"], sk=given["secret_key"])).sign(request)
    assert request.header_params["Authorization"] == expected["authorization"]
    if not vector["name"].startswith("wire_"):
        assert request.uri == expected["request_target"]


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: vector["name"])
def test_signer_reproduces_each_vector(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    body = (given["body"] or "").encode()
    target = expected["request_target"]
    headers = expected["headers"]
    signed = {name.lower(): value for name, value in headers.items() if "_" not in name}

    assert sorted(signed) == expected["signed_headers"]
    assert (
        _signing.canonical_request(given["method"], target, signed, body)
        == expected["canonical_request"]
    )
    digest = hashlib.sha256(expected["canonical_request"].encode()).hexdigest()
    assert expected["string_to_sign"].splitlines()[2] == digest
    assert (
        _signing.sign(
            given["method"],
            target,
            headers.items(),
            body,
            access_key=given["access_key"],
            secret_key=given["secret_key"],
        )
        == expected["authorization"]
    )


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_hash_in_a_header_replaces_that_of_a_body(body: bytes) -> None:
    headers = {"X-Sdk-Date": "20260102T030405Z", "X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"}
    request = SdkRequest(
        method="POST",
        schema="https",
        host="dcs.example",
        resource_path="/v2/~p/a b",
        query_params=[("b~", "~ +/é"), ("a", "")],
        header_params=dict(headers),
        body=body,
    )
    signer: Any = vendor.Signer  # untyped
    signer(SimpleNamespace(ak="my-key", sk="my-secret")).sign(request)
    signed = _signing.sign(
        "post",
        request.uri,
        [*headers.items(), ("Host", "dcs.example")],
        body,
        access_key="my-key",
        secret_key="my-secret",
    )
    assert signed == request.header_params["Authorization"]


def test_bytes_of_a_header_that_are_not_utf_8_are_signed_as_they_are() -> None:
    headers = {
        "x-sdk-date": " 20260102T030405Z ",
        "x-mine": b"\xff\xe9".decode(errors="surrogateescape"),
    }
    canonical = b"GET\n/x/\n\nx-mine:\xff\xe9\nx-sdk-date:20260102T030405Z\n\nx-mine;x-sdk-date\n"
    canonical += hashlib.sha256(b"").hexdigest().encode()
    text = f"SDK-HMAC-SHA256\n20260102T030405Z\n{hashlib.sha256(canonical).hexdigest()}"
    expected = hmac.new(b"my-secret", text.encode(), "sha256").hexdigest()
    assert _signing.signature("GET", "/x", headers, b"", secret_key="my-secret") == expected
