"""`make mock` answers the generated client for every operation, from the contract alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from dcs_sessions_api import AuthenticatedClient
from dcs_sessions_api.api.jobs import show_job_info
from dcs_sessions_api.api.nodes import show_nodes_information
from dcs_sessions_api.api.sessions import (
    hang_up_clients,
    hang_up_kill_all_clients,
    list_clients,
    scan_clients,
)
from dcs_sessions_api.models import (
    ErrorBody,
    Job,
    KillAllRequest,
    KillAllStarted,
    KillRequest,
    NodeList,
    ScanRequest,
    ScanStarted,
    SessionPage,
)
from tools import spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a running mock."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        ["make", "mock", f"PORT={port}"],
        cwd=spec.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # make starts Prism in a group of its own, and both must end.
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not serves(port):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, "the mock did not start within a minute"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=10)


def serves(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def client(url: str) -> Iterator[AuthenticatedClient]:
    with AuthenticatedClient(
        base_url=url,
        token="any",
        prefix="",
        auth_header_name="X-Auth-Token",
        timeout=httpx.Timeout(30),
    ) as client:
        yield client


IDS = ("a-project", "an-instance")


@pytest.mark.parametrize(
    ("call", "status", "answer"),
    [
        pytest.param(
            lambda c: scan_clients.sync_detailed(*IDS, client=c, body=ScanRequest(node_id="n")),
            200,
            ScanStarted,
            id="ScanClients",
        ),
        pytest.param(
            lambda c: list_clients.sync_detailed(*IDS, client=c, node_id="n"),
            200,
            SessionPage,
            id="ListClients",
        ),
        pytest.param(
            lambda c: hang_up_clients.sync_detailed(
                *IDS, client=c, body=KillRequest(node_id="n", client_addrs=["127.0.0.1:1"])
            ),
            204,
            type(None),
            id="HangUpClients",
        ),
        pytest.param(
            lambda c: hang_up_kill_all_clients.sync_detailed(
                *IDS, client=c, body=KillAllRequest(kill_all_nodes=True)
            ),
            200,
            KillAllStarted,
            id="HangUpKillAllClients",
        ),
        pytest.param(
            lambda c: show_job_info.sync_detailed("a-project", "a-job", client=c),
            200,
            Job,
            id="ShowJobInfo",
        ),
        pytest.param(
            lambda c: show_nodes_information.sync_detailed(*IDS, client=c),
            200,
            NodeList,
            id="ShowNodesInformation",
        ),
    ],
)
def test_mock_answers_the_operation(
    client: AuthenticatedClient, call: Callable[[Any], Any], status: int, answer: type
) -> None:
    response = call(client)
    assert response.status_code == status
    assert isinstance(response.parsed, answer)
    assert response.headers["X-Request-Id"]


def test_request_without_a_token_is_an_error(url: str) -> None:
    with AuthenticatedClient(base_url=url, token="any", auth_header_name="X-Nothing") as client:
        response = show_nodes_information.sync_detailed(*IDS, client=client)
    assert response.status_code == 401
    assert isinstance(response.parsed, ErrorBody)


def test_limit_out_of_range_is_an_error(client: AuthenticatedClient) -> None:
    response = list_clients.sync_detailed(*IDS, client=client, node_id="n", limit=1001)
    assert response.status_code == 400
    assert isinstance(response.parsed, ErrorBody)


def test_occupied_port_is_reported_in_one_line(url: str) -> None:
    port = url.rpartition(":")[2]
    result = subprocess.run(
        ["make", "mock", f"PORT={port}"],
        cwd=spec.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert result.stderr.startswith(f"{port}: EADDRINUSE. Choose another port")
