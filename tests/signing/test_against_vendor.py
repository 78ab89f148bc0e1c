"""The vendor's signer and ours write the same bytes for any request."""

from __future__ import annotations

import string
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer import signer as vendor
from hypothesis import given
from hypothesis import strategies as st

from dcs_sessions import _signing

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# Segments as a client sends them: escaped in full, or with the characters a path may hold as is.
_SEGMENT = _TEXT.map(lambda text: quote(text, safe="")) | st.text(
    string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@", max_size=12
)
_PATH = st.lists(_SEGMENT, max_size=6).map(lambda segments: "/" + "/".join(segments))
_QUERY = st.lists(st.tuples(_TEXT, _TEXT | st.integers() | st.booleans()), max_size=5)
_NAME = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12)
_HEADERS = st.dictionaries(_NAME, _TEXT, max_size=5).filter(
    lambda headers: (
        len({name.lower() for name in headers}) == len(headers)
        and not {"authorization", "host", "x-sdk-date"} & {name.lower() for name in headers}
    )
)
_METHOD = st.sampled_from(["GET", "POST", "put", "Delete"])


def _vendor_sign(request: SdkRequest, *, secret_key: str) -> None:
    signer: Any = vendor.Signer  # untyped
    signer(SimpleNamespace(ak="EXAMPLE", sk=secret_key)).sign(request)


def _comparable(query: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """One value for a name: the vendor's signer cannot order a string and a number."""
    return list(dict(query).items())


@given(_METHOD, _PATH, _QUERY.map(_comparable), _HEADERS, st.binary(max_size=40) | st.none())
def test_authorization_equals_that_of_the_vendor(
    method: str,
    path: str,
    query: list[tuple[str, Any]],
    headers: dict[str, str],
    body: bytes | None,
) -> None:
    request = SdkRequest(
        method=method,
        schema="https",
        host="dcs.example.com",
        resource_path=path,
        query_params=query,
        header_params={**headers, "X-Sdk-Date": "20251023T080910Z"},
        body=body,
    )
    _vendor_sign(request, secret_key="secret/KEY+1")
    sent: dict[str, str] = dict(request.header_params)
    expected = sent.pop("Authorization")

    # The vendor keeps header values as latin-1 views of their UTF-8 bytes: those are the wire's.
    on_the_wire = [
        (name, value.encode("latin-1").decode("utf-8", "surrogateescape"))
        for name, value in sent.items()
    ]
    actual = _signing.sign(
        method,
        request.uri,
        on_the_wire,
        body or b"",
        access_key="EXAMPLE",
        secret_key="secret/KEY+1",
    )

    assert actual == expected


@given(st.lists(st.tuples(_TEXT, _TEXT), max_size=6))
def test_repeated_names_are_sorted_by_value(query: list[tuple[str, str]]) -> None:
    request = SdkRequest(
        method="GET",
        schema="https",
        host="dcs.example.com",
        resource_path="/v2/p",
        query_params=list(query),
        header_params={"X-Sdk-Date": "20251023T080910Z"},
        body=None,
    )
    _vendor_sign(request, secret_key="secret")
    sent: dict[str, str] = dict(request.header_params)
    expected = sent.pop("Authorization")

    actual = _signing.sign(
        "GET", request.uri, sent.items(), b"", access_key="EXAMPLE", secret_key="secret"
    )

    assert actual == expected


def test_plus_on_the_wire_is_a_space() -> None:
    headers = [("X-Sdk-Date", "20251023T080910Z")]
    assert _signing.sign(
        "GET", "/v2/p?name=a+b", headers, b"", access_key="a", secret_key="s"
    ) == _signing.sign("GET", "/v2/p?name=a%20b", headers, b"", access_key="a", secret_key="s")


def test_date_is_required() -> None:
    with pytest.raises(ValueError, match="X-Sdk-Date"):
        _signing.sign("GET", "/", [("Host", "h")], b"", access_key="a", secret_key="s")


def test_authorization_is_read_as_written() -> None:
    value = _signing.sign(
        "GET", "/", [("X-Sdk-Date", "20251023T080910Z")], b"", access_key="a", secret_key="s"
    )
    assert str(_signing.Authorization.parse(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer x",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=x",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=x, Signature=zz",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=x, Signature=" + "0" * 64 + "\n",
    ],
)
def test_other_authorizations_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="SDK-HMAC-SHA256"):
        _signing.Authorization.parse(value)
