"""Uses of the package for the type checkers. mypy and pyright read it; nothing runs it."""

from __future__ import annotations

from typing import assert_type

import dcs_sessions
from dcs_sessions import (
    AkSkAuth,
    ApiError,
    AsyncClient,
    Client,
    ConfigurationParameter,
    ConnectionLimit,
    EcsMetadataAuth,
    Instance,
    Job,
    ListedInstance,
    Node,
    NodeSessions,
    Outcome,
    PasswordAuth,
    QueryResult,
    Response,
    Retry,
    Session,
    SessionPage,
    TokenAuth,
    Unset,
)


async def token() -> str:
    return "token"


def sync() -> None:
    assert_type(TokenAuth(token), TokenAuth)
    assert_type(PasswordAuth("account", "user", "password"), PasswordAuth)
    auth = TokenAuth(lambda: "token")
    with Client(region="cn-north-4", auth=auth, retry=None, headers={"X-A": "b"}) as client:
        assert_type(client, Client)
        assert_type(client.list_instances("n", exact=True), list[ListedInstance])
        assert_type(client.get_instance("i"), Instance)
        assert_type(client.list_configurations("i"), list[ConfigurationParameter])
        assert_type(client.get_connection_limit("i"), ConnectionLimit)
        assert_type(client.list_nodes("i"), list[Node])
        assert_type(client.scan_sessions("i", "n", clean_cache=True), str)
        assert_type(client.get_job("j"), Job)
        assert_type(client.wait_for_job("j", timeout=5, interval=1), Job)
        assert_type(client.list_sessions("i", "n", limit=5, order="asc"), SessionPage)
        for session in client.iter_sessions("i", "n"):
            assert_type(session, Session)
            assert_type(session.idle, int | Unset)
            if not isinstance(session.name, Unset):
                assert_type(session.name, str)
        result = client.query_sessions("i", fresh=False)
        assert_type(result, QueryResult)
        assert_type(result.sessions, list[Session])
        assert_type(result.failed, list[NodeSessions])
        chosen = result.where(lambda session: session.name == "w")
        assert_type(chosen, QueryResult)
        assert_type(client.end_sessions("i", chosen, lambda session: True), list[Outcome])
        client.kill_sessions("i", "n", ["1.2.3.4:5"], timeout=3, headers={"X-A": "b"})
        assert_type(client.kill_all_sessions("i", all_nodes=True), str)
        copy = client.with_options(timeout=5, retry=Retry(attempts=2))
        assert_type(copy, Client)
        answer = copy.raw.list_sessions("i", "n")
        assert_type(answer, Response[SessionPage])
        assert_type(answer.parsed, SessionPage)
        assert_type(answer.request_id, str | None)


async def asynchronous() -> None:
    async with AsyncClient.from_env(region="cn-north-4", timeout=5) as client:
        assert_type(client, AsyncClient)
        assert_type(await client.list_nodes("i"), list[Node])
        async for session in client.iter_sessions("i", "n"):
            assert_type(session, Session)
        result = await client.query_sessions("i", "n")
        assert_type(result.nodes, list[NodeSessions])
        answer = await client.raw.get_job("j")
        assert_type(answer, Response[Job])


def errors() -> None:
    try:
        sync()
    except dcs_sessions.ThrottledError as error:
        assert_type(error.retry_after, float | None)
    except ApiError as error:
        assert_type(error.status, int)
        assert_type(error.error_code, str | None)
        assert_type(error.headers, dict[str, str])
        assert_type(error.body, bytes)
    except dcs_sessions.ApiConnectionError as error:
        assert_type(error.may_have_arrived, bool)
    except dcs_sessions.JobFailedError as error:
        assert_type(error.job, Job)
    except dcs_sessions.WaitTimeoutError as error:
        assert_type(error.job_id, str | None)


def credentials() -> list[dcs_sessions.Auth]:
    return [TokenAuth("t"), AkSkAuth("ak", "sk"), AkSkAuth("ak", "sk", "st"), EcsMetadataAuth()]
