"""A plugin for pytest: the local DCS as fixtures.

pytest loads it wherever this package is installed, so nothing but pytest is imported before a
fixture is used. The fixtures need `pip install 'dcs-sessions[emulator]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcs_sessions import Client
    from dcs_sessions.emulator import Emulator


@pytest.fixture(scope="session")
def dcs_sessions_options() -> dict[str, Any]:
    """The arguments of the `Emulator`. Override it in `conftest.py`, with the scope `session`."""
    return {}


@pytest.fixture(scope="session")
def dcs_sessions_server(dcs_sessions_options: dict[str, Any]) -> Iterator[Emulator]:
    """A local DCS that all tests of the session share, one for each worker of pytest-xdist.

    What a test leaves behind is there for the next one: see `dcs_sessions_emulator`.
    """
    from dcs_sessions.emulator import Emulator

    with Emulator(**dcs_sessions_options) as emulator:
        yield emulator


@pytest.fixture
def dcs_sessions_emulator(dcs_sessions_server: Emulator) -> Emulator:
    """A local DCS without anything that other tests have left behind."""
    dcs_sessions_server.reset()
    return dcs_sessions_server


@pytest.fixture
def dcs_sessions_client(dcs_sessions_emulator: Emulator) -> Iterator[Client]:
    """A client of `dcs_sessions_emulator` that may do everything."""
    from dcs_sessions import Client, TokenAuth

    with Client(
        endpoint=dcs_sessions_emulator.endpoint,
        project_id=dcs_sessions_emulator.project_id,
        auth=TokenAuth(dcs_sessions_emulator.token),
    ) as client:
        yield client


@pytest.fixture
def dcs_sessions_environment(
    dcs_sessions_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Environment variables that lead `Client.from_env` and the command line to the emulator.

    They are set for the length of the test.
    """
    variables = {
        "DCS_SESSIONS_ENDPOINT": dcs_sessions_emulator.endpoint,
        "DCS_SESSIONS_TOKEN": dcs_sessions_emulator.token,
        "DCS_SESSIONS_INSTANCE": dcs_sessions_emulator.instance_id,
        "HUAWEICLOUD_SDK_PROJECT_ID": dcs_sessions_emulator.project_id,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables
