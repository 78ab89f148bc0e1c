"""The proxy of `make clients` passes requests on, varies the answers, and finds every leak."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from dcs_sessions.emulator import Emulator
from tools import recorder
from tools.recorder import REQUEST_ID, Recorded, Recorder, leaks


@pytest.fixture(scope="module")
def dcs() -> Iterator[Emulator]:
    with Emulator() as dcs:
        yield dcs


@pytest.fixture
def proxy(dcs: Emulator) -> Iterator[Recorder]:
    with recorder.recording(dcs.endpoint) as proxy:
        yield proxy


def call(
    dcs: Emulator, proxy: Recorder, method: str, path: str, **options: object
) -> httpx.Response:
    url = f"{proxy.endpoint}/v2/{dcs.project_id}{path}"
    headers = {"X-Auth-Token": dcs.token}
    return httpx.request(method, url, headers=headers, trust_env=False, verify=False, **options)  # type: ignore[arg-type]


def test_answers_have_fields_that_the_contract_does_not_have(
    dcs: Emulator, proxy: Recorder
) -> None:
    answer = call(dcs, proxy, "GET", f"/instances/{dcs.instance_id}/logical-nodes").json()
    assert answer["lib_name"] == answer["nodes"][0]["lib_name"] == "redis-py"
    assert answer["nodes"][0]["node_id"] == dcs.node_ids[0]


def test_job_has_an_unknown_status_when_it_is_asked_for_first(
    dcs: Emulator, proxy: Recorder
) -> None:
    body = {"node_id": dcs.node_ids[0]}
    scan = call(dcs, proxy, "POST", f"/instances/{dcs.instance_id}/clients", json=body).json()
    assert call(dcs, proxy, "GET", f"/jobs/{scan['job_id']}").json()["status"] == "QUEUED"
    deadline = time.monotonic() + 60
    while call(dcs, proxy, "GET", f"/jobs/{scan['job_id']}").json()["status"] != "SUCCESS":
        assert time.monotonic() < deadline
    assert json.loads(proxy.requests[0].body) == body


def test_body_in_chunks_is_passed_on_whole(dcs: Emulator, proxy: Recorder) -> None:
    body = b'{"node_id": "no-such-node"}'
    path = f"/instances/{dcs.instance_id}/clients"
    answer = call(dcs, proxy, "POST", path, content=iter([body[:5], body[5:]]))
    assert answer.status_code == 400
    assert proxy.requests[0].body == body


@pytest.mark.parametrize(
    ("job", "status", "code"), [("gateway", 401, "APIGW.0301"), ("throttled", 429, "APIGW.0308")]
)
def test_gateway_refuses_with_the_id_of_the_request(
    dcs: Emulator, proxy: Recorder, job: str, status: int, code: str
) -> None:
    answer = call(dcs, proxy, "GET", f"/jobs/{job}")
    assert answer.status_code == status
    assert answer.json()["error_code"] == code
    assert answer.json()["request_id"] == REQUEST_ID


def test_unavailable_service_answers_without_json(dcs: Emulator, proxy: Recorder) -> None:
    answer = call(dcs, proxy, "GET", "/jobs/unavailable")
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "text/html"


def test_refusals_of_the_service_stay_as_they_are(dcs: Emulator, proxy: Recorder) -> None:
    answer = call(dcs, proxy, "GET", "/jobs/none")
    assert answer.status_code == 400 or answer.status_code == 404
    assert "lib_name" not in answer.json()


SECRETS = {"s3cret/+": "X-Auth-Token", "sk": ""}


@pytest.mark.parametrize(
    ("target", "headers", "body", "where"),
    [
        ("/v2/p", (("X-Auth-Token", "s3cret/+"),), b"", None),
        ("/v2/p", (("x-auth-token", "s3cret/+"),), b"{}", None),
        ("/v2/p", (("Authorization", "s3cret/+"),), b"", "in the header Authorization"),
        ("/v2/p", (("X-Sdk-Date", "s3cret/+"),), b"", "in the header X-Sdk-Date"),
        ("/v2/p?token=s3cret%2F%2B", (), b"", "in the URL"),
        ("/v2/p?token=s3cret/+", (), b"", "in the URL"),
        ("/v2/p", (), b'{"token": "s3cret/+"}', "in the body"),
        ("/v2/p", (("X-Auth-Token", "sk"),), b"", "in the header X-Auth-Token"),
    ],
)
def test_leak_is_found_and_does_not_show_the_secret(
    target: str, headers: tuple[tuple[str, str], ...], body: bytes, where: str | None
) -> None:
    found = leaks([Recorded("GET", target, headers, body)], SECRETS)
    assert len(found) == (where is not None)
    for line in found:
        assert where is not None
        assert where in line
        assert "s3cret" not in line
