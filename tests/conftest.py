"""Fixtures for all tests."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from dcs_sessions.emulator import Emulator, EmulatorError
from dcs_sessions.emulator._valkey import NO_VALKEY
from support.both import Both
from support.scripted import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


# Where tests are started in the background, Ctrl-C is ignored, and so it would be by every command
# that they start; a signal with a handler here has its default effect there.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # So it is with SIGHUP under nohup.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long an example takes says how busy the machine is. The examples are the same each time, so
# that a change is to blame for what fails; `make fuzz` looks for new ones.
settings.register_profile(
    "here", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "long", settings.get_profile("here"), derandomize=False, max_examples=35_000
)
settings.load_profile("here")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what cannot be encoded in captured output: it would end a run in several processes."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def dcs() -> Iterator[Emulator]:
    """A local DCS with two nodes, shared by tests that do not change its state."""
    try:
        emulator = Emulator(nodes=2)
        emulator.start()
    except EmulatorError as error:
        if NO_VALKEY not in str(error):
            raise
        pytest.skip(str(error))
    try:
        yield emulator
    finally:
        emulator.stop()


@pytest.fixture(params=["sync", "async"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    """Makes clients. A test that uses it runs with the sync and with the async client."""
    with Both(request.param) as made:
        yield made


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server whose answers the test defines."""
    with ScriptedServer() as running:
        yield running
