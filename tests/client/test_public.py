"""The public names of the package."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
import textwrap
import threading

import pytest

import dcs_sessions
from dcs_sessions import AsyncClient, Client, TokenAuth
from dcs_sessions._async._raw import AsyncRawClient
from dcs_sessions._sync._raw import RawClient
from support.both import Both
from support.logs import messages_here
from support.scripted import ScriptedServer, answer, hang_up

JOB = answer(200, {"job_id": "j", "status": "SUCCESS"}, {"X-Request-Id": "r-1"})


def test_every_public_name_is_documented() -> None:
    assert dcs_sessions.__all__ == sorted(dcs_sessions.__all__, key=lambda n: (not n.isupper(), n))
    assert set(dcs_sessions.__all__) <= set(dir(dcs_sessions))
    for name in dcs_sessions.__all__:
        value = getattr(dcs_sessions, name)
        if isinstance(value, type) and value.__module__.startswith("dcs_sessions."):
            assert value.__doc__, name
            for method_name, method in inspect.getmembers(value, inspect.isfunction):
                if not method_name.startswith("_"):
                    assert method.__doc__, f"{name}.{method_name}"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(dcs_sessions, "nothing")  # noqa: B009 - type checkers find the name, too


@pytest.mark.parametrize(
    ("sync", "asynchronous"), [(Client, AsyncClient), (RawClient, AsyncRawClient)]
)
def test_both_clients_have_the_same_methods(sync: type, asynchronous: type) -> None:
    def surface(kind: type) -> dict[str, tuple[str, str | None]]:
        return {
            name: (str(inspect.signature(member)).replace("Async", ""), member.__doc__)
            for name, member in inspect.getmembers(kind, callable)
            if not name.startswith("_")
        }

    assert surface(sync) == surface(asynchronous)


def test_client_does_not_import_the_emulator() -> None:
    code = (
        "import sys, dcs_sessions; dcs_sessions.Client; "
        "print([m for m in sys.modules if m.split('.')[0] in {'starlette', 'valkey', 'aiohttp'}])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_call_is_logged_without_a_secret(
    both: Both, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.steps = [JOB, hang_up]
    client = both(endpoint=server.endpoint, auth=TokenAuth("canary"), retry=None)
    client.get_job("j")
    with pytest.raises(dcs_sessions.ApiConnectionError):
        client.kill_sessions("i", "n", ["1.2.3.4:5"])
    messages = messages_here(caplog)
    assert messages[0].startswith(f"GET {server.endpoint}/v2/a-project/jobs/j -> 200 in ")
    assert messages[0].endswith(" ms, request r-1")
    assert messages[1].startswith(f"POST {server.endpoint}/v2/a-project/instances/i/clients/kill: ")
    assert "canary" not in caplog.text


def test_client_can_be_shared_by_threads(server: ScriptedServer) -> None:
    server.steps = [JOB]
    failures: list[BaseException] = []

    def work(client: Client) -> None:
        try:
            for _ in range(20):
                assert client.get_job("j").job_id == "j"
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test is to show it
            failures.append(error)

    with Client(endpoint=server.endpoint, project_id="p", auth=TokenAuth("t")) as client:
        threads = [threading.Thread(target=work, args=(client,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(server.received) == 320


async def _use_in_a_loop(client: AsyncClient) -> None:
    await client.get_job("j")


def test_async_client_says_that_it_belongs_to_a_loop(server: ScriptedServer) -> None:
    import asyncio

    server.steps = [JOB]
    client = AsyncClient(endpoint=server.endpoint, project_id="p", auth=TokenAuth("t"))
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(_use_in_a_loop(client))
        with pytest.raises(dcs_sessions.ConfigurationError, match="another event loop"):
            second.run(_use_in_a_loop(client))
        first.run(client.close())


def test_help_of_the_package_shows_an_example_that_is_python() -> None:
    paragraphs = (dcs_sessions.__doc__ or "").split("\n\n")
    code = [textwrap.dedent(text) for text in paragraphs if text.startswith("    ")]
    assert code, "an indented block, as help() shows it"
    for block in code:
        compile(block, "help(dcs_sessions)", "exec")
