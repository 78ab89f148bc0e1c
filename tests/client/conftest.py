from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.both import Both
from support.scripted import ScriptedServer


@pytest.fixture(params=["sync", "async"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    with Both(request.param) as made:
        yield made


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running
