"""The emulator serves the contract as a file, without authentication, byte for byte."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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


# Lists of entity tags, with the spaces that https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1
# allows around commas. `{}` stands for the tag of the file.
TAGS = st.sampled_from(("{}", "W/{}", '"other"', 'W/"other"', '""', ""))
GAPS = st.sampled_from(("", " ", "\t", "  "))


@given(st.lists(st.tuples(GAPS, TAGS, GAPS).map("".join), min_size=1, max_size=4))
@example(["{}"])
@example(['"other"', "{}", '"other"'])
@example(["{} ", ' "other"'])
def test_file_is_sent_unless_a_caller_has_it(dcs: Emulator, tags: list[str]) -> None:
    with httpx.Client(base_url=dcs.endpoint, trust_env=False, verify=False) as client:
        whole = client.get("/openapi.yaml")
        known = ",".join(tags).replace("{}", whole.headers["ETag"]).strip()
        answer = client.get("/openapi.yaml", headers={"If-None-Match": known})
    is_new = "{}" not in "".join(tags)
    assert answer.status_code == (200 if is_new else 304)
    assert answer.content == (whole.content if is_new else b"")
    for name in ("ETag", "Cache-Control"):
        assert answer.headers[name] == whole.headers[name]
    assert whole.headers["Cache-Control"] == "no-cache", "a copy is checked before each use"


def test_file_is_not_sent_to_a_caller_who_has_any(dcs: Emulator) -> None:
    answer = ask(dcs, "GET", "/openapi.yaml", **{"If-None-Match": "*"})
    assert (answer.status_code, answer.content) == (304, b"")


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


@pytest.mark.parametrize(
    ("known", "status"),
    [
        *((known, 304) for known in ("{}", "W/{}", '"x", W/{}', "{},", "*")),
        *((known, 200) for known in ("", "w/{}", "{}W/", '"x"', "**", "W/*")),
    ],
)
def test_strong_or_weak_tag_of_the_file_is_known(dcs: Emulator, known: str, status: int) -> None:
    tag = ask(dcs, "HEAD", "/openapi.yaml").headers["ETag"]
    answer = ask(dcs, "GET", "/openapi.yaml", **{"If-None-Match": known.format(tag)})
    assert answer.status_code == status
