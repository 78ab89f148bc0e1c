"""Endpoints: those of each region, and those to which credentials may be sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dcs_sessions import ConfigurationError
from dcs_sessions._endpoints import (
    checked_origin,
    endpoint_variable,
    identity_origin,
    service_endpoint,
    token_service_origin,
)

NOT_A_URL = "NAME must be a URL such as https://dcs.cn-north-4.myhuaweicloud.com"
LOGIN = "NAME must not contain a user or a password: use auth="
PATH = "NAME must have no path, query or fragment"
# Hosts, and whether they are this machine; None for what is not a host.
HOSTS = {
    "dcs.example": False,
    "8.8.8.8": False,
    "10.0.0.1": False,
    "[2001:db8::1]": False,
    "localhost.example": False,
    "xlocalhost": False,
    "localhost": True,
    "a.localhost": True,
    "127.0.0.1": True,
    "127.1.2.3": True,
    "[::1]": True,
    "a b": None,
    "a\x7fb": None,
    "a$b": None,
    "": None,
}


@given(
    scheme=st.sampled_from(["https", "http", "ftp", "HTTPS"]),
    login=st.sampled_from(["", "", "", "user@", "user:pass@", ":pass@", "@"]),
    host=st.sampled_from(sorted(HOSTS)),
    port=st.sampled_from(["", "", ":0", ":80", ":8443", ":99999", ":port"]),
    path=st.sampled_from(["", "", "/", "/v2", "//"]),
    more=st.sampled_from(["", "", "?a", "#b"]),
    allow_http=st.booleans(),
)
@example("https", "", "dcs.example", ":0", "/", "", False)
@example("http", "", "[2001:db8::1]", ":8443", "", "", False)
@example("http", "", "[2001:db8::1]", ":8443", "", "", True)
@example("http", "", "[::1]", ":8443", "", "", False)
@example("https", "", "dcs.example", "", "", "#b", False)
@example("https", "", "dcs.example", "", "", "?a", False)
@example("https", "", "dcs.example", "", "/v2", "", False)
def test_credentials_are_sent_to_no_other_endpoint(
    scheme: str, login: str, host: str, port: str, path: str, more: str, allow_http: bool
) -> None:
    local = HOSTS[host]
    if port in {":99999", ":port"}:
        expected = NOT_A_URL
    elif login:
        expected = LOGIN
    elif scheme.lower() not in {"http", "https"} or local is None:
        expected = NOT_A_URL
    elif path not in {"", "/"} or more:
        expected = PATH
    elif scheme == "http" and not local and not allow_http:
        expected = (
            f"NAME http://{host} would send credentials unencrypted: use https, or set "
            "allow_http=True"
        )
    else:
        expected = f"{scheme.lower()}://{host}{port}"
    try:
        found = checked_origin(
            "NAME", f"{scheme}://{login}{host}{port}{path}{more}", allow_http=allow_http
        )
    except ConfigurationError as error:
        found = str(error)
    assert found == expected


@pytest.mark.parametrize("value", [None, 5, b"https://dcs.example", ["https://dcs.example"], "x"])
def test_endpoint_that_is_not_a_url_is_named(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^endpoint {NOT_A_URL[5:]}$"):
        checked_origin("endpoint", value, allow_http=True)


REGIONS = st.lists(st.text("abyz059", min_size=1, max_size=3), min_size=1, max_size=4).map("-".join)
# Regions in which the identity service is elsewhere, by the vendor's SDK.
IDENTITY = {
    **dict.fromkeys(
        ["af-north-1", "ap-southeast-5", "cn-north-11", "cn-south-4", "cn-southwest-3"],
        "https://iam.myhuaweicloud.com",
    ),
    "ru-northwest-2": "https://iam.myhuaweicloud.com",
    "eu-west-101": "https://iam.eu-west-101.myhuaweicloud.eu",
}
TOKENS = ("cn-north-4", "cn-east-3", "tr-west-1")


@pytest.fixture(scope="module", autouse=True)
def environment() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IAM", "STS"):
            patch.delenv(f"HUAWEICLOUD_SDK_{name}_ENDPOINT", raising=False)
        yield patch


@given(region=REGIONS | st.sampled_from([*IDENTITY, *TOKENS]))
def test_each_service_of_a_region_has_its_endpoint(region: str) -> None:
    assert service_endpoint(region) == f"https://dcs.{region}.myhuaweicloud.com"
    variable = endpoint_variable(region)
    assert variable == f"HUAWEICLOUD_SDK_REGION_DCS_{region.replace('-', '_').upper()}"
    usual = f"https://iam.{region}.myhuaweicloud.com"
    assert identity_origin(region, allow_http=False) == IDENTITY.get(region, usual)
    with pytest.MonkeyPatch.context() as patch:
        for value in ("https://a.example", " https://a.example , https://b.example"):
            patch.setenv(variable, value)
            assert service_endpoint(region) == "https://a.example"
        for value in ("", " ", " , https://b.example"):
            patch.setenv(variable, value)
            assert service_endpoint(region) == f"https://dcs.{region}.myhuaweicloud.com"


def test_identity_service_without_a_region_is_the_global_one() -> None:
    assert identity_origin(None, allow_http=False) == "https://iam.myhuaweicloud.com"


@pytest.mark.parametrize(
    ("region", "where"),
    [*((each, each) for each in TOKENS), ("eu-west-101", "cn-north-4"), (None, "cn-north-4")],
)
def test_token_service_is_in_the_region_or_the_first_one(region: str | None, where: str) -> None:
    assert token_service_origin(region) == f"https://sts.{where}.myhuaweicloud.com"


@pytest.mark.parametrize("region", ["", "CN", "a_b", "a--b", "-a", "a-", "a.b", "a/b", "a\n", 5])
def test_invalid_region_is_quoted(region: Any) -> None:
    finds: tuple[Callable[[Any], str], ...] = (
        service_endpoint,
        lambda region: identity_origin(region, allow_http=False),
    )
    for find in finds:
        with pytest.raises(ConfigurationError) as caught:
            find(region)
        assert str(caught.value).startswith("region ")
        assert str(caught.value).endswith(" must be an ID such as cn-north-4")


@pytest.mark.parametrize("name", ["IAM", "STS"])
def test_variable_precedes_the_region_and_is_checked(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(region: str | None) -> str:
        if name == "STS":
            return token_service_origin(region)
        return identity_origin(region, allow_http=False)

    variable = f"HUAWEICLOUD_SDK_{name}_ENDPOINT"
    for region in ("cn-north-4", None):
        usual = find(region)
        for value, expected in ((" https://a.example ", "https://a.example"), (" ", usual)):
            monkeypatch.setenv(variable, value)
            assert find(region) == expected
        monkeypatch.delenv(variable)
    monkeypatch.setenv(variable, "http://a.example")
    with pytest.raises(ConfigurationError, match=f"^{variable} http://a.example would send cred"):
        find("cn-north-4")
