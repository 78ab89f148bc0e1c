"""Any arguments of public classes lead to an object, or to a printable error of the package."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import AkSkAuth, DcsSessionsError, Retry, TokenAuth
from dcs_sessions.emulator import Fault

ADDRESSES = st.text() | st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https", "HTTPS", "ftp", ""]),
    st.text(st.sampled_from("ab.1:@%[]/\\ \n\0é-"), max_size=20),
    st.sampled_from(["", ":0", ":80", ":65536", ":-1", ":x"]),
    st.sampled_from(["", "/", "/v2", "?x", "#x"]),
)
NUMBERS = st.integers() | st.floats()
TEXTS = st.text() | st.text(st.sampled_from("ab \r\n\0é:-"))
ANYTHING = st.none() | st.booleans() | NUMBERS | TEXTS | st.binary() | st.lists(st.text())


def made(make: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Return an object, or None if an error of the package is raised."""
    try:
        return make(*arguments, **named)
    except DcsSessionsError as error:
        said = str(error)
    assert said.isprintable()
    return None


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "endpoint": ADDRESSES | ANYTHING,
            "region": TEXTS | ANYTHING,
            "project_id": TEXTS | ANYTHING,
            "timeout": NUMBERS | ANYTHING,
            "headers": st.dictionaries(TEXTS, TEXTS | ANYTHING) | ANYTHING,
            "allow_http": st.booleans(),
            "auth": ANYTHING,
            "verify": ANYTHING,
            "proxy": ADDRESSES | ANYTHING,
            "max_connections": ANYTHING,
            "retry": st.none(),
        },
    )
)
@example({"endpoint": "https://x", "project_id": "p", "headers": {"X": 5}})
@example({"endpoint": 5, "project_id": "p"})
def test_any_client_arguments_work_or_are_refused(arguments: dict[str, Any]) -> None:
    for kind in (dcs_sessions.Client, dcs_sessions.AsyncClient):
        client = made(kind, **{"auth": TokenAuth("t"), **arguments})
        if client is not None:
            repr(client)
            client.with_options(timeout=5)
        if isinstance(client, dcs_sessions.Client):
            client.close()


@given(ANYTHING, ANYTHING, ANYTHING)
def test_any_credentials_work_or_are_refused(a: object, b: object, c: object) -> None:
    assert "canary" not in repr(made(TokenAuth, a))
    made(AkSkAuth, a, b, c)


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
@example(3, math.nan, 1, 1)
@example("3", 0.1, 1, 1)
def test_any_retry_policy_works_or_is_refused(
    attempts: object, initial: object, most: object, jitter: object
) -> None:
    retry = made(Retry, attempts=attempts, wait_initial=initial, wait_max=most, wait_jitter=jitter)
    if retry is not None:
        assert retry.attempts >= 1
        assert min(retry.wait_initial, retry.wait_max, retry.wait_jitter) >= 0


NAMES = st.sampled_from(["latency", "status", "drop", "truncate", "operation", "probability"])
PARTS = NAMES | st.builds("{}={}".format, NAMES, NUMBERS | TEXTS) | TEXTS


@given(st.lists(PARTS, max_size=4))
def test_any_fault_works_or_is_refused(parts: list[str]) -> None:
    try:
        fault = Fault.parse(",".join(parts))
    except ValueError:
        return
    assert 0 <= fault.latency <= 3600
    assert 0 < fault.probability <= 1
