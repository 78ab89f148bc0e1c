"""The vendor's signer wrote these requests; ours writes the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dcs_sessions import _signing

_FILE = Path(__file__).parent.parent / "data" / "signing-vectors.json"
_VECTORS: list[dict[str, Any]] = json.loads(_FILE.read_text())["vectors"]


def test_there_are_23_vectors() -> None:
    assert len(_VECTORS) == 23


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
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
