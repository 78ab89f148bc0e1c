"""Any arguments of public classes lead to an object, or to a printable error of the package."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import (
    AkSkAuth,
    ConfigurationError,
    DcsSessionsError,
    InvalidArgumentError,
    NodeSessions,
    QueryResult,
    Retry,
    Session,
    TokenAuth,
)
from dcs_sessions._sync._raw import RawClient
from dcs_sessions.emulator import Fault
from dcs_sessions.testing import INSTANCE_ID, Stub

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


ROW = {"id": "7", "addr": "10.0.0.5:41000", "peer": "10.0.0.5:41000", "name": "worker", "age": 99}
CHOSEN = QueryResult([NodeSessions("n", None, None, [Session.from_dict(dict(ROW))])])
# Right values by the name of the parameter; "options" of raw calls are added below.
RIGHT: dict[str, Any] = {
    "instance_id": INSTANCE_ID,
    "node_id": "n",
    "job_id": "job",
    "addresses": ["10.0.0.5:41000"],
    "chosen": CHOSEN,
    "fits": lambda session: True,
    "on_outcome": lambda outcome: None,
    "name": "stub",
    "exact": True,
    "clean_cache": True,
    "fresh": False,
    "all_nodes": False,
    "offset": 0,
    "limit": 10,
    "page_size": 10,
    "addr": None,
    "sort": "age",
    "order": "asc",
    "timeout": 5,
    "interval": 1,
    "headers": {"X-Mine": "1"},
}
RAW = {
    "scan_sessions": {"clean_cache"},
    "list_sessions": {"offset", "limit", "addr", "sort", "order"},
    "kill_all_sessions": {"all_nodes"},
    "list_instances": {"offset", "limit", "name"},
}
# True and False are wrong for all other parameters, and nothing else is right for these.
FLAGS = {"exact", "clean_cache", "fresh", "all_nodes"}


async def is_it(_: object) -> bool:
    return False


def yields(_: object) -> Any:
    yield False


class Called:
    async def __call__(self, _: object) -> bool:
        return False


# What is never false, whatever the function means to return.
FUNCTIONS: dict[str, Any] = {
    "async function": is_it,
    "generator": yields,
    "async object": Called(),
    "function that returns a coroutine": lambda value: is_it(value),
    "function that returns a generator": lambda value: (no for no in [False]),
    "no function": "name",
}
CONDITIONS: dict[str, Any] = {
    **FUNCTIONS,
    "function that returns a method": lambda session: session.to_dict,
}
WRONG = ANYTHING | st.sampled_from(list(FUNCTIONS.values())) | st.lists(ANYTHING) | st.just({1: 2})


def methods() -> dict[str, list[str]]:
    """Return the parameters of each method that makes calls, by its name."""
    found: dict[str, list[str]] = {}
    for name, method in inspect.getmembers(dcs_sessions.Client, inspect.isfunction):
        names = list(inspect.signature(method).parameters)
        if name[0] != "_" and "timeout" in names and name != "with_options":
            found[name] = names[1:]
    for name, method in inspect.getmembers(RawClient, inspect.isfunction):
        if name[0] != "_":
            names = [*inspect.signature(method).parameters, "timeout", "headers"]
            found[f"raw.{name}"] = [*RAW.get(name, ()), *(set(names) - {"self", "options"})]
    return found


METHODS = methods()


def one_is_wrong() -> st.SearchStrategy[tuple[str, str, Any]]:
    """Return a method, the name of an argument, and a value for it."""
    places = [(method, name) for method, names in METHODS.items() for name in names]
    return st.tuples(st.sampled_from(places), WRONG).map(lambda found: (*found[0], found[1]))


def test_every_parameter_has_a_right_value() -> None:
    assert {name for names in METHODS.values() for name in names} == RIGHT.keys()
    for method in METHODS:
        assert call(method, {}) is not None


def call(method: str, changes: dict[str, Any]) -> list[Stub] | None:
    """Call a method of both clients, and return the services, or None if both have refused."""
    arguments = {name: RIGHT[name] for name in METHODS[method]} | changes
    stubs = Stub({"n": [ROW]}), Stub({"n": [ROW]})
    where, _, name = method.rpartition(".")

    def run() -> Any:
        with stubs[0].client(retry=None) as client:
            found = getattr(client.raw if where else client, name)(**arguments)
            return list(found) if inspect.isgenerator(found) else found

    async def run_async() -> Any:
        async with stubs[1].async_client(retry=None) as client:
            found = getattr(client.raw if where else client, name)(**arguments)
            return [item async for item in found] if inspect.isasyncgen(found) else await found

    refused = []
    for each in (run, lambda: asyncio.run(run_async())):
        try:
            each()
        except (InvalidArgumentError, ConfigurationError) as error:
            refused.append(str(error))
        except DcsSessionsError:
            pass  # the service has refused it
    assert len(refused) in {0, 2}
    assert len(set(refused)) < 2
    assert "".join(refused).isprintable()
    return list(stubs) if not refused else None


@given(one_is_wrong())
@example(("wait_for_job", "interval", "1"))
@example(("list_sessions", "order", []))
def test_any_arguments_of_a_method_work_or_are_refused(wrong: tuple[str, str, Any]) -> None:
    method, name, value = wrong
    answered = call(method, {name: value})
    if name in FLAGS and not isinstance(value, bool):
        assert answered is None
    if name in {"fits", "on_outcome"} and value is not None:
        assert answered is None


@pytest.mark.parametrize("fits", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_condition_that_is_never_false_chooses_and_ends_no_session(fits: Any) -> None:
    stub = Stub({"n": [ROW]})
    with stub.client() as client:
        chosen = client.query_sessions(INSTANCE_ID)
        with pytest.raises(InvalidArgumentError, match=r"^fits must "):
            client.end_sessions(INSTANCE_ID, chosen, fits)
        with pytest.raises(InvalidArgumentError, match=r"^fits must "):
            chosen.where(fits)
    assert "HangUpClients" not in stub.operations


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_report_that_would_never_be_made_ends_no_session(function: Any) -> None:
    stub = Stub({"n": [ROW]})
    with stub.client() as client:
        chosen = client.query_sessions(INSTANCE_ID)
        with pytest.raises(InvalidArgumentError, match=r"^on_outcome must "):
            client.end_sessions(INSTANCE_ID, chosen, on_outcome=function)
    assert "HangUpClients" not in stub.operations


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
