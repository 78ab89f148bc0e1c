"""The vendor's SDK, as an independent client, calls every operation once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest
import valkey
from huaweicloudsdkcore.exceptions.exceptions import (
    ClientRequestException,
    ServerResponseException,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcs_sessions.emulator import Emulator
    from emulator.conftest import Connect, MakeDcs

# The SDK calls functions that newer Pythons deprecate, and leaves its connections to the garbage
# collector: its own affair.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module; it writes a file into the home directory when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        return importlib.import_module("huaweicloudsdkdcs.v2")


def _client(sdk: Any, dcs: Emulator, *, sk: str | None = None) -> Any:
    credentials: Any = importlib.import_module("huaweicloudsdkcore.auth.credentials")
    config: Any = importlib.import_module("huaweicloudsdkcore.http.http_config")
    basic = credentials.BasicCredentials(dcs.ak, sk or dcs.sk, dcs.project_id)
    builder = sdk.DcsClient.new_builder().with_credentials(basic).with_endpoint(dcs.endpoint)
    return builder.with_http_config(config.HttpConfig(ignore_ssl_verification=True)).build()


def maxclients(url: str) -> str:
    """Return the limit that the server itself reports."""
    with valkey.Valkey.from_url(url) as server:
        return str(server.config_get("maxclients")["maxclients"])


def _wait(sdk: Any, client: Any, job_id: str) -> None:
    while True:
        job = client.show_job_info(sdk.ShowJobInfoRequest(job_id=job_id))
        assert job.job_id == job_id
        if job.status == "SUCCESS":
            assert int(job.begin_time) <= int(job.end_time)
            assert job.fail_reason is None
            return
        assert job.status in ("INIT", "RUNNING")


def test_vendor_sdk_calls_every_operation(sdk: Any, fresh: Emulator, connect: Connect) -> None:
    client = _client(sdk, fresh)
    instance = {"instance_id": fresh.instance_id}
    victim = connect(fresh.redis_urls[0], "victim")
    bystander = connect(fresh.redis_urls[0], "bystander")
    subscriber = connect(fresh.redis_urls[1], "elsewhere")

    page = client.list_instances(sdk.ListInstancesRequest(name=fresh.instance_name, limit=5))
    assert [found.instance_id for found in page.instances] == [fresh.instance_id]
    shown = client.show_instance(sdk.ShowInstanceRequest(**instance))
    assert (shown.name, shown.cache_mode) == (fresh.instance_name, "cluster")
    assert shown.transparent_client_ip_enable is True
    found = client.list_configurations(sdk.ListConfigurationsRequest(**instance))
    limits = [c.param_value for c in found.redis_config if c.param_name == "maxclients"]
    assert limits == [maxclients(fresh.redis_urls[0])]

    nodes = client.show_nodes_information(sdk.ShowNodesInformationRequest(**instance))
    assert nodes.instance_id == fresh.instance_id
    assert [node.node_id for node in nodes.nodes] == list(fresh.node_ids)
    node_id = nodes.nodes[0].node_id

    body = sdk.ScanClientsRequestBody(node_id=node_id, clean_cache=True)
    scan = client.scan_clients(sdk.ScanClientsRequest(**instance, body=body))
    _wait(sdk, client, scan.body["job_id"])

    def listed(**parameters: Any) -> Any:
        request = sdk.ListClientsRequest(**instance, node_id=node_id, **parameters)
        return client.list_clients(request)

    answer = listed(sort="name", order="desc", limit=10, offset=0, addr="127.0.0.1")
    assert [c.name for c in answer.clients] == ["victim", "bystander"]
    assert answer.count == 2
    session = answer.clients[0]
    assert session.peer == victim.addr
    assert all(getattr(session, name) is not None for name in session.openapi_types)

    kill = sdk.HangUpClientsRequestBody(node_id=node_id, client_addrs=[session.peer])
    client.hang_up_clients(sdk.HangUpClientsRequest(**instance, body=kill))
    assert victim.sees_end()
    assert bystander.is_alive()

    everyone = sdk.HangUpKillAllClientsRequestBody(kill_all_nodes=True)
    answer = client.hang_up_kill_all_clients(
        sdk.HangUpKillAllClientsRequest(**instance, body=everyone)
    )
    _wait(sdk, client, answer.body["job_id"])
    assert bystander.sees_end()
    assert subscriber.sees_end()


def test_vendor_sdk_reads_errors(sdk: Any, dcs: Emulator) -> None:
    def scan(client: Any, instance_id: str = dcs.instance_id, node_id: str | None = None) -> Any:
        body = sdk.ScanClientsRequestBody(node_id=node_id or dcs.node_ids[0])
        return client.scan_clients(sdk.ScanClientsRequest(instance_id=instance_id, body=body))

    client = _client(sdk, dcs)
    cases: list[tuple[Callable[[], Any], int, str]] = [
        (lambda: scan(client, node_id="x"), 400, "DCS.3053"),
        (lambda: scan(client, instance_id="x"), 404, "DCS.3022"),
        (lambda: scan(_client(sdk, dcs, sk="wrong")), 401, "APIGW.0301"),
    ]
    for call, status, code in cases:
        with pytest.raises(ClientRequestException) as caught:
            call()
        assert (caught.value.status_code, caught.value.error_code) == (status, code)
        assert caught.value.request_id


def test_vendor_sdk_reads_the_error_of_a_list_before_any_scan(sdk: Any, make_dcs: MakeDcs) -> None:
    dcs = make_dcs()
    request = sdk.ListClientsRequest(instance_id=dcs.instance_id, node_id=dcs.node_ids[0])
    with pytest.raises(ServerResponseException) as caught:
        _client(sdk, dcs).list_clients(request)
    assert (caught.value.status_code, caught.value.error_code) == (500, "DCS.5000")
