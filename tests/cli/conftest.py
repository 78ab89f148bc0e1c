from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import valkey

from dcs_sessions.emulator import Emulator
from support.command import Cli
from support.fake import FakeDcs

Connect = Callable[..., valkey.Valkey]


@pytest.fixture(scope="module")
def own() -> Iterator[Emulator]:
    """A local DCS with two nodes, for the tests of one module."""
    with Emulator(nodes=2) as emulator:
        yield emulator


@pytest.fixture
def cli(own: Emulator, tmp_path: Path) -> Cli:
    """The command, configured for that DCS."""
    return Cli(
        tmp_path,
        DCS_SESSIONS_ENDPOINT=own.endpoint,
        DCS_SESSIONS_TOKEN=own.token,
        HUAWEICLOUD_SDK_PROJECT_ID=own.project_id,
    )


@pytest.fixture
def connect(own: Emulator) -> Iterator[Connect]:
    """A function that opens a connection and sets its name."""
    opened: list[valkey.Valkey] = []

    def make(name: str, node: int = 0, dcs: Emulator = own) -> valkey.Valkey:
        url = dcs.redis_urls[node]
        client = valkey.Valkey.from_url(url, client_name=name, single_connection_client=True)
        client.ping()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def fake() -> Iterator[FakeDcs]:
    with FakeDcs(n1=[[]]) as running:
        yield running


@pytest.fixture
def fake_cli(fake: FakeDcs, tmp_path: Path) -> Cli:
    """The command, configured for a service whose answers a test defines."""
    return Cli(
        tmp_path,
        DCS_SESSIONS_ENDPOINT=fake.endpoint,
        DCS_SESSIONS_TOKEN="a-token",
        HUAWEICLOUD_SDK_PROJECT_ID="a-project",
    )


def is_alive(client: valkey.Valkey) -> bool:
    """Return whether a connection is still open, without reconnecting."""
    assert client.connection is not None
    try:
        client.connection.send_command("PING")
        client.connection.read_response()
    except valkey.ConnectionError:
        return False
    return True
