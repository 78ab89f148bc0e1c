"""pytest plugin: fixtures with the emulator.

pytest loads it if this package is installed, so it imports only pytest before a fixture is used.
The fixtures need `pip install 'dcs-sessions[emulator]'`.
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
    """Return the arguments of the `Emulator`. Override it in `conftest.py`, with session scope."""
    return {}


@pytest.fixture(scope="session")
def dcs_sessions_server(dcs_sessions_options: dict[str, Any]) -> Iterator[Emulator]:
    """Yield an emulator that all tests of the session share, one for each pytest-xdist worker.

    It is not reset between tests: see `dcs_sessions_emulator`.
    """
    from dcs_sessions.emulator import Emulator

    with Emulator(**dcs_sessions_options) as emulator:
        yield emulator


@pytest.fixture
def dcs_sessions_emulator(dcs_sessions_server: Emulator) -> Emulator:
    """Return the shared emulator, reset."""
    dcs_sessions_server.reset()
    return dcs_sessions_server


@pytest.fixture
def dcs_sessions_client(dcs_sessions_emulator: Emulator) -> Iterator[Client]:
    """Yield a client of `dcs_sessions_emulator` with all permissions."""
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
    """Set the variables with which `Client.from_env` and the command line use the emulator.

    They are restored after the test.
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
