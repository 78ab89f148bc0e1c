"""The page about signatures shows a test vector, and the examples stay short."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tools import spec

PAGE = (spec.ROOT / "docs" / "how-to" / "sign.md").read_text(encoding="utf-8")
VECTORS = json.loads((spec.ROOT / "tests" / "data" / "signing-vectors.json").read_text())["vectors"]
SIGNERS = sorted(
    path
    for pattern in ("*/sign.go", "*/sign.ts", "*/src/sign.rs", "*/src/**/Signer.java")
    for path in (spec.ROOT / "examples").glob(pattern)
)


def test_worked_example_is_a_vector() -> None:
    (vector,) = [each for each in VECTORS if each["name"] == "list_clients_sorted_query"]
    given, expected = vector["input"], vector["expected"]
    shown = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    texts = ("request_target", "canonical_request", "string_to_sign", "authorization")
    assert shown == [expected[text] for text in texts]
    table = dict(re.findall(r"^\| `?([^`|]+?)`? \| `(.+)` \|$", PAGE, re.MULTILINE))
    assert table.pop("access key") == given["access_key"]
    assert table.pop("secret key") == given["secret_key"]
    assert table == expected["headers"]


def test_number_of_vectors_is_told() -> None:
    assert f"has {len(VECTORS)} requests" in PAGE


def test_signers_are_those_that_the_page_names() -> None:
    named = re.findall(r"`(examples/[^`]+)`", PAGE)
    assert sorted(named) == [str(path.relative_to(spec.ROOT)) for path in SIGNERS]


@pytest.mark.parametrize("path", SIGNERS, ids=lambda path: path.suffix)
def test_signer_has_at_most_100_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 100
