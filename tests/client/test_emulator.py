"""The client and the emulator, which share no code, do the whole job on a real Valkey."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import valkey

import dcs_sessions
from dcs_sessions import AkSkAuth, TokenAuth
from dcs_sessions.emulator import Emulator
from support.both import AnyClient, Both


@contextlib.contextmanager
def connection(url: str, name: str) -> Iterator[valkey.Connection]:
    """A connection to a node, with a name."""
    made = valkey.ConnectionPool.from_url(url).make_connection()
    made.connect()
    made.send_command("CLIENT", "SETNAME", name)
    assert made.read_response() == b"OK"
    yield made
    made.disconnect()


def is_alive(made: valkey.Connection) -> bool:
    try:
        made.send_command("PING")
        return bool(made.read_response() == b"PONG")
    except valkey.ConnectionError:
        return False


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Emulator]:
    with Emulator(nodes=2) as dcs:
        yield dcs


@pytest.fixture(params=["token", "signature"])
def client(both: Both, two_nodes: Emulator, request: pytest.FixtureRequest) -> AnyClient:
    dcs = two_nodes
    auth = TokenAuth(dcs.token) if request.param == "token" else AkSkAuth(dcs.ak, dcs.sk)
    return both(endpoint=dcs.endpoint, project_id=dcs.project_id, auth=auth)


def test_query_kill_and_query_again(client: AnyClient, two_nodes: Emulator) -> None:
    dcs = two_nodes
    first, second = dcs.redis_urls
    with connection(first, "one") as one, connection(second, "two") as two:
        result = client.query_sessions(dcs.instance_id)
        assert [node.node_id for node in result.nodes] == list(dcs.node_ids)
        names = [{session.name for session in node.sessions} for node in result.nodes]
        assert "one" in names[0]
        assert "two" in names[1]
        assert not result.failed

        (peer,) = [str(s.peer) for s in result.nodes[0].sessions if s.name == "one"]
        client.kill_sessions(dcs.instance_id, dcs.node_ids[0], [peer, "192.0.2.1:1"])
        assert not is_alive(one)
        assert is_alive(two)

        job_id = client.kill_all_sessions(dcs.instance_id, all_nodes=True)
        assert client.wait_for_job(job_id, timeout=30).status == "SUCCESS"
        assert not is_alive(two)


def test_single_operations_work_together(client: AnyClient, two_nodes: Emulator) -> None:
    dcs = two_nodes
    node, *_ = client.list_nodes(dcs.instance_id)
    assert (node.node_id, node.node_role) == (dcs.node_ids[0], "redis-server")
    with connection(dcs.redis_urls[0], "a"), connection(dcs.redis_urls[0], "b"):
        job_id = client.scan_sessions(dcs.instance_id, node.node_id, clean_cache=True)
        assert client.wait_for_job(job_id).job_id == job_id
        page = client.list_sessions(
            dcs.instance_id, node.node_id, limit=1, sort="name", order="asc"
        )
        assert [session.name for session in page.clients] == ["a"]
        assert page.count >= 2
        every = client.iter_sessions(
            dcs.instance_id, node.node_id, page_size=1, sort="name", order="asc"
        )
        assert [session.name for session in every][:2] == ["a", "b"]


def test_odd_ids_reach_the_service_as_they_are(client: AnyClient, two_nodes: Emulator) -> None:
    """The signature covers the path, so this also shows that both sides write it alike."""
    for odd in ["a/b", "a b", "ä~!*'()", "%2F", "a?b#c", "a\nb", "..x", "+"]:
        with pytest.raises(dcs_sessions.NotFoundError, match=r"DCS\.3022"):
            client.list_nodes(odd)
        with pytest.raises(dcs_sessions.BadRequestError, match=r"DCS\.3053"):
            client.list_sessions(two_nodes.instance_id, odd, addr=odd)


def test_query_waits_for_one_that_is_running(both: Both) -> None:
    with Emulator(scan_delay=0.3) as dcs, connection(dcs.redis_urls[0], "slow"):
        client = both(endpoint=dcs.endpoint, project_id=dcs.project_id, auth=TokenAuth(dcs.token))
        client.scan_sessions(dcs.instance_id, dcs.node_ids[0], clean_cache=True)
        result = client.query_sessions(dcs.instance_id, dcs.node_ids[0])
        assert [session.name for session in result.sessions] == ["slow"]


def test_wrong_token_is_sent_once(both: Both, two_nodes: Emulator) -> None:
    dcs = two_nodes
    client = both(endpoint=dcs.endpoint, project_id=dcs.project_id, auth=TokenAuth("wrong"))
    with pytest.raises(dcs_sessions.AuthenticationError, match=r"DCS\.1001.*get a new one"):
        client.query_sessions(dcs.instance_id)
    readonly = client.with_options(auth=TokenAuth(dcs.readonly_token))
    readonly.query_sessions(dcs.instance_id)
    with pytest.raises(dcs_sessions.PermissionDeniedError, match="dcs:clients:kill"):
        readonly.kill_sessions(dcs.instance_id, dcs.node_ids[0], ["192.0.2.1:1"])


def test_throttled_call_raises_throttled_error(both: Both) -> None:
    with Emulator(rate_limit=(1, 60)) as dcs:
        client = both(
            endpoint=dcs.endpoint,
            project_id=dcs.project_id,
            auth=TokenAuth(dcs.token),
            retry=None,
        )
        client.list_nodes(dcs.instance_id)
        with pytest.raises(dcs_sessions.ThrottledError, match=r"APIGW\.0308") as caught:
            client.list_nodes(dcs.instance_id)
        assert caught.value.request_id
