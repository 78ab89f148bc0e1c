"""The emulator serves the contract as a file, without authentication, byte for byte."""

from __future__ import annotations

import httpx
import pytest

from dcs_sessions.emulator import Emulator
from tools import editions, spec

TYPES = {"/openapi.yaml": "application/yaml", "/openapi.json": "application/json"}


def ask(dcs: Emulator, method: str, path: str, **headers: str) -> httpx.Response:
    return httpx.request(
        method, f"{dcs.endpoint}{path}", headers=headers, trust_env=False, timeout=30
    )


@pytest.mark.parametrize("path", TYPES)
def test_file_is_that_of_the_repository_and_needs_no_login(dcs: Emulator, path: str) -> None:
    answer = ask(dcs, "GET", path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == TYPES[path]
    if path.endswith("yaml"):
        assert answer.content == spec.SPEC.read_bytes()
    else:
        assert answer.text == editions.as_json(spec.load())


@pytest.mark.parametrize("path", TYPES)
def test_head_has_the_headers_alone(dcs: Emulator, path: str) -> None:
    whole, head = ask(dcs, "GET", path), ask(dcs, "HEAD", path)
    assert head.status_code == 200
    assert head.content == b""
    for name in ("Content-Length", "Content-Type", "ETag"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_file_that_has_not_changed_is_not_sent_again(dcs: Emulator, form: str) -> None:
    etag = ask(dcs, "GET", "/openapi.yaml").headers["ETag"]
    answer = ask(dcs, "GET", "/openapi.yaml", **{"If-None-Match": form.format(etag)})
    assert answer.status_code == 304
    assert answer.headers["ETag"] == etag
    assert answer.content == b""


def test_file_that_has_changed_is_sent(dcs: Emulator) -> None:
    answer = ask(dcs, "GET", "/openapi.yaml", **{"If-None-Match": '"other"'})
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_file_is_only_read(dcs: Emulator, method: str) -> None:
    answer = ask(dcs, method, "/openapi.yaml")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path", ["/openapi.yml", "/openapi.yaml/", "/openapi%2Eyaml", "/OPENAPI.yaml"]
)
def test_no_other_path_is_the_file(dcs: Emulator, path: str) -> None:
    assert ask(dcs, "GET", path).status_code == 404


def test_web_page_of_another_host_cannot_read_it(dcs: Emulator) -> None:
    assert ask(dcs, "GET", "/openapi.yaml", Host="example.com").status_code == 400
