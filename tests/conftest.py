"""Fixtures for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from dcs_sessions.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


# How long an example takes says how busy the machine is.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")


@pytest.fixture(scope="session")
def dcs() -> Iterator[Emulator]:
    """A local DCS with two nodes, shared: for tests that do not mind what others do to it."""
    with Emulator(nodes=2) as emulator:
        yield emulator
