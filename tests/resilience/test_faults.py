"""Every fault leads to an error of the package, in time, after the right number of attempts."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

import dcs_sessions
from dcs_sessions import Retry
from resilience.faults import FAULTS, LIMIT, OK, Fault, Outcome
from support.both import AnyClient, Both
from support.scripted import ScriptedServer, answer, reset_after

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
SECONDS = 1.5
FAST = Retry(attempts=3, wait_initial=0.01, wait_jitter=0)


def meet(client: AnyClient, expected: Outcome, *, kill: bool) -> float:
    """Make a call that meets the fault, check its result, and return its duration in seconds."""
    started = time.monotonic()
    caught: BaseException | None = None
    try:
        if kill:
            client.kill_sessions("i", "n", ["1.2.3.4:5"], timeout=SECONDS)
        else:
            client.get_job("j", timeout=SECONDS)
    except dcs_sessions.DcsSessionsError as error:
        caught = error
    assert type(caught) is (type(None) if expected is None else expected), repr(caught)
    return time.monotonic() - started


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("kill", [False, True], ids=["read", "kill"])
def test_each_fault_ends_as_documented(
    both: Both,
    server: ScriptedServer,
    fault: Fault,
    kill: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dcs_sessions._transports._exchange.MAX_BODY_BYTES", LIMIT)
    server.steps, server.unread = list(fault.steps), fault.unread
    client = both(endpoint=server.endpoint, retry=FAST)
    expected, tries = (fault.kill, fault.kill_tries) if kill else (fault.read, fault.tries)
    took = meet(client, expected, kill=kill)
    # The end of a timeout may fall into a pause between two bytes.
    assert took < SECONDS + 1
    sent = len(server.received)
    if both.kind == "async" and not kill and expected is dcs_sessions.ApiConnectionError:
        # aiohttp itself sends a GET once more when its connection was closed.
        assert tries <= sent <= 2 * tries
    else:
        assert sent == tries


@pytest.mark.parametrize("kill", [False, True], ids=["read", "kill"])
def test_reset_before_the_request_is_retried(
    both: Both, server: ScriptedServer, kill: bool
) -> None:
    server.steps, server.unread = [reset_after(0)], True
    client = both(endpoint=server.endpoint, retry=FAST)
    meet(client, dcs_sessions.ApiConnectionError, kill=kill)
    # It can come while the client connects, or writes: only then may the request have arrived.
    assert 1 <= len(server.received) <= 2 * FAST.attempts


def test_reset_in_the_middle_of_a_long_request(both: Both, server: ScriptedServer) -> None:
    server.steps, server.unread = [reset_after(100_000)], True
    client = both(endpoint=server.endpoint, retry=FAST)
    addresses = [f"10.0.0.1:{number}" for number in range(200_000)]
    with pytest.raises(dcs_sessions.ApiConnectionError) as caught:
        client.kill_sessions("i", "n", addresses)
    assert caught.value.may_have_arrived, "nobody knows"
    assert len(server.received) == 1


def test_documentation_lists_the_tested_faults() -> None:
    def cell(outcome: Outcome, tries: int) -> str:
        what = "succeeds" if outcome is None else f"`{outcome.__name__}`"
        return f"{what}, {tries} {'try' if tries == 1 else 'tries'}"

    rows = [
        f"| {fault.name} | {cell(fault.read, fault.tries)} | {cell(fault.kill, fault.kill_tries)} |"
        for fault in FAULTS
    ]
    shown = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if "tr" in line]
    assert [line for line in shown if line.startswith("| ") and "`" in line] == rows


def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    return made


def good(ca: trustme.CA) -> ssl.SSLContext:
    return context(ca.issue_cert("127.0.0.1"))


def expired(ca: trustme.CA) -> ssl.SSLContext:
    return context(ca.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1)))


def wrong_host(ca: trustme.CA) -> ssl.SSLContext:
    return context(ca.issue_cert("dcs.example"))


def unknown_issuer(_: trustme.CA) -> ssl.SSLContext:
    return context(trustme.CA().issue_cert("127.0.0.1"))


def old_protocol(ca: trustme.CA) -> ssl.SSLContext:
    made = good(ca)
    made.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        made.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1"):
        made.maximum_version = ssl.TLSVersion.TLSv1_1
    return made


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    made = ssl.create_default_context()
    ca.configure_trust(made)
    return made


@pytest.mark.parametrize("make", [expired, wrong_host, unknown_issuer, old_protocol])
def test_untrusted_tls_is_refused(
    both: Both, ca: trustme.CA, make: Callable[[trustme.CA], ssl.SSLContext]
) -> None:
    with ScriptedServer([answer(200, OK)], tls=make(ca)) as server:
        client = both(endpoint=server.endpoint, verify=trusting(ca), retry=FAST)
        with pytest.raises(dcs_sessions.ApiConnectionError) as caught:
            client.kill_sessions("i", "n", ["1.2.3.4:5"])
        assert not caught.value.may_have_arrived
        assert server.received == []


def test_trusted_tls_is_accepted(both: Both, ca: trustme.CA, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    with ScriptedServer([answer(200, OK)], tls=good(ca)) as server:
        for verify in (trusting(ca), str(bundle), False):
            client = both(endpoint=server.endpoint, verify=verify)
            assert client.get_job("j").status == "SUCCESS"


@pytest.mark.parametrize("path", ["/no/such/file", __file__])
def test_file_without_certificates_is_refused(both: Both, path: str) -> None:
    with pytest.raises(dcs_sessions.ConfigurationError, match=f"verify: {path}: "):
        both(endpoint="https://dcs.invalid", verify=path)


def test_refusing_proxy_is_reported(both: Both) -> None:
    client = both(endpoint="https://dcs.invalid", proxy="http://127.0.0.1:1", retry=FAST)
    with pytest.raises(dcs_sessions.ApiConnectionError) as caught:
        client.kill_sessions("i", "n", ["1.2.3.4:5"])
    assert not caught.value.may_have_arrived


def test_proxy_status_is_reported(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(403, b"not you")]
    client = both(endpoint="https://dcs.invalid", proxy=server.endpoint, retry=None)
    with pytest.raises(dcs_sessions.ApiConnectionError) as caught:
        client.get_job("j")
    assert not caught.value.may_have_arrived
    assert server.received[0].method == "CONNECT"
    assert "a-token" not in repr(server.received)


def test_proxy_of_the_environment_is_used(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.steps = [answer(200, OK)]
    for name in ("http_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.endpoint)
    client = both(endpoint="http://dcs.invalid", allow_http=True)
    assert client.get_job("j").status == "SUCCESS"
    assert server.received[0].target == "http://dcs.invalid/v2/a-project/jobs/j"


def test_host_that_does_not_answer_the_connection(both: Both) -> None:
    """A listener whose queue is full drops what comes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        host, port = listener.getsockname()
        client = both(endpoint=f"http://{host}:{port}", retry=None)
        assert meet(client, dcs_sessions.ApiTimeoutError, kill=True) < SECONDS + 1
        for filler in fillers:
            filler.close()


def test_no_fault_leaves_a_connection_behind(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcs_sessions._transports._exchange.MAX_BODY_BYTES", LIMIT)

    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not read

    client = both(endpoint=server.endpoint, retry=None)
    counts = []
    for _ in range(3):
        for fault in FAULTS:
            if fault.read is dcs_sessions.ApiTimeoutError:
                continue
            server.steps, server.unread = list(fault.steps), fault.unread
            meet(client, fault.read, kill=False)
        gc.collect()
        counts.append(open_files())
    # The server keeps its sockets until the end of the test; the client must not.
    assert max(counts) - min(counts) < 3 * len(FAULTS)


def test_cancelled_call_leaves_no_task_behind(server: ScriptedServer) -> None:
    from support.scripted import silence

    server.steps = [silence]

    async def cancelled() -> None:
        auth = dcs_sessions.TokenAuth("t")
        async with dcs_sessions.AsyncClient(
            endpoint=server.endpoint, project_id="p", auth=auth
        ) as client:
            task = asyncio.create_task(client.get_job("j"))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            server.steps[0] = answer(200, OK)
            assert (await client.get_job("j")).status == "SUCCESS"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(cancelled())
