"""Comparison of a session of a list with the one that was chosen, without a service.

Each test gives two lists, with times of its own clock, and the reason that users read.
"""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcs_sessions import (
    ApiConnectionError,
    ApiError,
    BadRequestError,
    DcsSessionsError,
    InvalidArgumentError,
    NodeSessions,
    Outcome,
    Retry,
    Session,
    ThrottledError,
    _ending,
)
from dcs_sessions_api.types import UNSET, Unset

START = datetime.datetime(2026, 3, 1, 12, 0, 0, tzinfo=datetime.UTC)
CHOSEN: dict[str, Any] = {
    "id": "7",
    "peer": "10.0.0.1:7",
    "addr": "198.19.0.1:7",
    "name": "worker",
    "user": "default",
    "age": 100,
}
# The second list is made 10 s after the first.
SAME = {**CHOSEN, "age": 110}
ANOTHER = "another session has its address now"
TOO_FEW = "the list has too few fields to be sure that it is the same session"


def listed(at: float, *, time: str | None = None, lasted: float = 0.0) -> NodeSessions:
    """Return a list that was read at a time of our clock."""
    return NodeSessions("a-node", None, time, [], None, asked_at=at - lasted, read_at=at)


def written(at: float, *, zone: bool = True) -> str:
    """Return a time in the format of the service."""
    moment = START + datetime.timedelta(seconds=at)
    return (moment if zone else moment.replace(tzinfo=None)).isoformat()


def session(fields: dict[str, Any]) -> Session:
    return Session(**{name: value for name, value in fields.items() if value is not UNSET})


def judged(
    chosen: dict[str, Any] = CHOSEN,
    *found: dict[str, Any],
    first: NodeSessions | None = None,
    second: NodeSessions | None = None,
    fits: Any = None,
) -> tuple[str, str, bool] | None:
    """Return result, reason and whether it is missed, or None if it may be ended."""
    first, second = first or listed(0.0), second or listed(10.0)
    before = session(chosen)
    outcome = _ending.judge(first, before, second, [session(one) for one in found], fits)
    if outcome is None:
        return None
    assert outcome.session is before
    assert outcome.node_id == "a-node"
    assert outcome.error is None
    assert isinstance(outcome.missed, bool)
    return outcome.result, outcome.reason, outcome.missed


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**fields, **dict.fromkeys(names, UNSET)}


def test_same_session_may_be_ended() -> None:
    assert judged(CHOSEN, SAME) is None
    assert judged(CHOSEN, SAME, fits=lambda now: now.age == 110) is None


@pytest.mark.parametrize("missing", [("peer", "addr"), ("peer",), ("addr",)], ids=str)
def test_address_is_the_peer_or_else_addr(missing: tuple[str, ...]) -> None:
    one = session(without(CHOSEN, *missing))
    expected = ""
    if "peer" not in missing or "addr" not in missing:
        expected = "198.19.0.1:7" if "peer" in missing else "10.0.0.1:7"
    assert _ending.address_of(one) == expected
    assert Outcome("a-node", one, "ended").address == expected
    assert _ending.by_address([one, one]) == {expected: [one, one]}


@pytest.mark.parametrize("empty", [UNSET, None, ""], ids=repr)
def test_session_without_an_address_is_spared(empty: str | Unset | None) -> None:
    fields = {**CHOSEN, "peer": empty, "addr": empty}
    assert judged(fields, SAME) == ("spared", "it has no address", True)


def test_session_with_an_impossible_address_is_spared() -> None:
    fields = {**CHOSEN, "peer": "9" * 1025}
    reason = "addresses has 1025 characters, the maximum is 1024"
    assert judged(fields, SAME) == ("spared", reason, True)


def test_session_that_is_not_listed_is_gone() -> None:
    assert judged(CHOSEN) == ("gone", "it is gone already", False)


def test_shared_address_spares_the_session() -> None:
    expected = ("spared", "several sessions have its address", True)
    assert judged(CHOSEN, SAME, SAME) == expected


@pytest.mark.parametrize("now", ["8", "70", "07"])
def test_another_id_is_another_session(now: str) -> None:
    assert judged(CHOSEN, {**SAME, "id": now}) == ("spared", ANOTHER, False)
    assert judged(CHOSEN, {**without(SAME, "age"), "id": now}) == ("spared", ANOTHER, False)


@pytest.mark.parametrize("name", ["name", "user"])
@pytest.mark.parametrize("now", ["other", "", UNSET], ids=repr)
def test_changed_name_or_user_spares_the_session(name: str, now: str | Unset) -> None:
    assert judged(CHOSEN, {**SAME, name: now}) == ("spared", f"its {name} has changed", False)


@pytest.mark.parametrize("name", ["name", "user"])
def test_name_or_user_that_the_first_list_lacks_is_not_compared(name: str) -> None:
    assert judged(without(CHOSEN, name), SAME) is None
    assert judged({**CHOSEN, name: ""}, without(SAME, name)) is None


@pytest.mark.parametrize(
    ("before", "now"),
    [(("age",), ()), ((), ("age",)), (("age",), ("age",)), ((), ("id",)), (("id", "age"), ())],
    ids=str,
)
def test_too_few_fields_spare_the_session(before: tuple[str, ...], now: tuple[str, ...]) -> None:
    found = without(SAME, *now)
    assert judged(without(CHOSEN, *before), found) == ("spared", TOO_FEW, True)


def test_session_that_no_longer_matches_is_spared() -> None:
    expected = ("spared", "it no longer matches", False)
    assert judged(CHOSEN, SAME, fits=lambda now: now.age == 100) == expected


def test_unknown_time_between_the_lists_is_not_enough() -> None:
    for first in (listed(20.0), listed(20.0, time="yesterday")):
        expected = ("spared", TOO_FEW, True)
        assert judged(CHOSEN, {**CHOSEN, "age": 100}, first=first) == expected
    # The clock does not need to move between two lists.
    same = {**CHOSEN, "age": 100}
    assert judged(CHOSEN, same, second=listed(0.0)) is None


@pytest.mark.parametrize("identified", [True, False], ids=["with an ID", "without an ID"])
@given(
    apart=st.integers(0, 400),
    off=st.integers(-6, 6),
    lasted=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    times=st.sampled_from(("both", "naive", "none", "first", "second", "mixed", "reversed")),
    ahead=st.integers(0, 30),
)
def test_age_must_grow_by_the_time_between_the_lists(
    identified: bool, apart: int, off: int, lasted: tuple[int, int], times: str, ahead: int
) -> None:
    # Our clock is `ahead` of the times of the lists, as if a list was made long before it was read.
    own = apart + ahead
    zones = {
        "both": (True, True),
        "naive": (False, False),
        "none": (None, None),
        "first": (True, None),
        "second": (None, True),
        "mixed": (True, False),
        "reversed": (False, True),
    }[times]
    first_time, second_time = (
        None if zone is None else written(at, zone=zone)
        for at, zone in zip((0, apart), zones, strict=True)
    )
    first = listed(0.0, time=first_time, lasted=lasted[0])
    second = listed(own, time=second_time, lasted=lasted[1])
    elapsed = apart if times in ("both", "naive") else own
    known = {} if identified else {"id": UNSET}
    chosen = {**CHOSEN, **known, "age": 1000}
    now = {**SAME, **known, "age": 1000 + elapsed + off}

    slack = 2 + (sum(lasted) if identified else 0)
    least = own - lasted[1]
    fits = max(elapsed, least) - slack <= elapsed + off <= elapsed + slack
    expected = None if fits else ("spared", ANOTHER, False)
    if fits and not identified and times not in ("both", "naive"):
        # Our clock does not know how old the first list was when it was read.
        expected = ("spared", TOO_FEW, True)
    assert judged(chosen, now, first=first, second=second) == expected


@given(age=st.integers(0, 20), lasted=st.tuples(st.integers(0, 5), st.integers(0, 5)))
def test_age_tells_sessions_apart_if_it_is_above_all_errors(
    age: int, lasted: tuple[int, int]
) -> None:
    chosen = without({**CHOSEN, "age": age}, "id")
    now = without({**SAME, "age": age + 10}, "id")
    first = listed(0.0, time=written(0), lasted=lasted[0])
    second = listed(10.0, time=written(10), lasted=lasted[1])
    expected = None if age > 3 + sum(lasted) else ("spared", TOO_FEW, True)
    assert judged(chosen, now, first=first, second=second) == expected


CODES = ["DCS.4062", "DCS.4063", "DCS.4800", "APIGW.0201", "DCS.4957", "DCS.5000", None]


@pytest.mark.parametrize("status", [*range(400, 432), 499, 500, 502, 503, 504])
@pytest.mark.parametrize("code", CODES)
def test_status_and_code_say_whether_sessions_may_have_ended_and_fewer_may_help(
    status: int, code: str | None
) -> None:
    error = ApiError("refused", status=status, error_code=code)
    assert _ending.is_refusal(error) == (status in {400, 401, 403, 404, 413, 429})
    fewer = status == 413 or (status == 400 and code in CODES[:4])
    assert _ending.is_too_large(error) == fewer


def test_errors_without_a_response_say_whether_the_request_may_have_arrived() -> None:
    expected: dict[DcsSessionsError, bool] = {
        ApiConnectionError("lost"): False,
        ApiConnectionError("refused", may_have_arrived=False): True,
        InvalidArgumentError("empty"): True,
        DcsSessionsError("unknown"): False,
    }
    for error, refused in expected.items():
        assert _ending.is_refusal(error) == refused
        assert not _ending.is_too_large(error)


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_busy_node_is_queried_again_at_once_as_often_as_there_are_attempts(attempts: int) -> None:
    retry = Retry(attempts=attempts, wait_initial=1.0, wait_jitter=0.0)
    busy = BadRequestError("busy", status=400, error_code="DCS.4957")
    for failures in range(1, attempts + 2):
        expected = 0.0 if failures < attempts else None
        assert _ending.seconds_until_next_look(retry, busy, failures) == expected


def test_only_a_throttled_request_to_end_sessions_waits_for_the_next_look() -> None:
    retry = Retry(attempts=3, wait_initial=1.0, wait_jitter=0.0)
    throttled = ThrottledError("slow down", status=429, retry_after=4.0)
    assert _ending.seconds_until_next_look(retry, throttled, 1) == 4.0
    for error in (
        BadRequestError("bad", status=400, error_code="DCS.4800"),
        ApiConnectionError("lost"),
        ApiError("unavailable", status=503),
        InvalidArgumentError("empty"),
    ):
        assert _ending.seconds_until_next_look(retry, error, 1) is None
    refused = ApiConnectionError("refused", may_have_arrived=False)
    assert _ending.seconds_until_next_look(retry, refused, 1) == 1.0
