"""Waiting before a retry, and the pace of calls after a 429, compared with a model."""

from __future__ import annotations

import types
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dcs_sessions import (
    ApiConnectionError,
    ApiTimeoutError,
    DcsSessionsError,
    InvalidArgumentError,
    Retry,
    ServerError,
    ThrottledError,
    _retry,
)
from support.pacing import Pace

SECONDS = st.floats(0.001, 1000)


class Clock:
    """A clock that moves only when told to. Nothing else in the process sees it."""

    now = 0.0


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_retry, "time", types.SimpleNamespace(monotonic=lambda: clock.now))
        yield clock


@given(
    first=SECONDS,
    most=SECONDS,
    jitter=st.floats(0, 10),
    attempt=st.one_of(st.integers(1, 12), st.integers(1, 100_000)),
)
@example(first=0.001, most=1000.0, jitter=0.0, attempt=10_000)
def test_wait_doubles_up_to_the_maximum_and_jitter_is_added(
    first: float, most: float, jitter: float, attempt: int
) -> None:
    retry = Retry(
        attempts=attempt + 1, wait_initial=first, wait_max=max(first, most), wait_jitter=jitter
    )
    least = first
    for _ in range(min(attempt - 1, 60)):
        least = min(least * 2, retry.wait_max)
    waits = [
        _retry.seconds_until_retry(retry, ServerError("", status=503), attempt, repeatable=True)
        for _ in range(30)
    ]
    assert all(wait is not None and least <= wait <= least + jitter for wait in waits)
    # Clients that failed together must not come back together.
    assert len(set(waits)) > 1 or least + jitter < least * (1 + 1e-9)


@pytest.mark.parametrize("attempts", [1, 2, 7])
def test_last_attempt_is_not_retried(attempts: int) -> None:
    retry = Retry(attempts=attempts, wait_initial=1.0, wait_jitter=0.0)
    for error in (ThrottledError("", status=429, retry_after=3.0), ServerError("", status=502)):
        waits = [
            _retry.seconds_until_retry(retry, error, attempt, repeatable=True)
            for attempt in range(1, attempts + 3)
        ]
        assert [wait is None for wait in waits] == [False] * (attempts - 1) + [True] * 3


@pytest.mark.parametrize("repeatable", [True, False])
def test_only_failures_that_pass_and_did_no_harm_are_retried(repeatable: bool) -> None:
    retry = Retry(attempts=2)
    expected: dict[DcsSessionsError, bool] = {
        ApiConnectionError("lost"): repeatable,
        ApiTimeoutError("late"): repeatable,
        ApiConnectionError("refused", may_have_arrived=False): True,
        ThrottledError("", status=429): True,
        InvalidArgumentError("empty"): False,
        DcsSessionsError("unknown"): False,
    }
    for status in range(500, 512):
        expected[ServerError("", status=status)] = repeatable and status in {502, 503, 504}
    for error, retried in expected.items():
        wait = _retry.seconds_until_retry(retry, error, 1, repeatable=repeatable)
        assert (wait is not None) == retried, error


@given(seconds=st.floats(0, 5000))
def test_wait_that_the_service_asks_for_is_kept_exactly(seconds: float) -> None:
    error = ThrottledError("", status=429, retry_after=seconds)
    retry = Retry(attempts=2, wait_max=1.0, wait_jitter=1.0)
    assert _retry.seconds_until_retry(retry, error, 1, repeatable=False) == seconds


STEPS = st.one_of(
    st.tuples(st.just("throttled"), st.sampled_from((0.0, 0.05, 0.1, 0.5, 3.0))),
    st.tuples(st.just("turn"), st.integers(1, 5)),
    st.tuples(st.just("answered"), st.integers(1, 80)),
    st.tuples(st.just("later"), st.sampled_from((0.0, 0.05, 0.1, 0.15, 1.0, 5.0))),
)


@given(steps=st.lists(STEPS, max_size=30))
@example(steps=[("turn", 3), ("throttled", 0.0), ("turn", 3), ("answered", 80), ("turn", 3)])
@example(steps=[("throttled", 0.0), ("later", 0.1)] * 8 + [("turn", 3)])
@example(steps=[("throttled", 3.0), ("throttled", 0.5), ("turn", 2), ("later", 5.0), ("turn", 2)])
def test_pace_is_that_of_the_model(clock: Clock, steps: list[tuple[str, float]]) -> None:
    pace, model = _retry.Pace(), Pace()
    for name, value in steps:
        if name == "later":
            clock.now += value
        elif name == "throttled":
            pace.throttled(value)
            model.throttled(clock.now, value)
        else:
            for _ in range(int(value)):
                if name == "answered":
                    pace.answered()
                    model.answered()
                else:
                    assert pace.turn() == pytest.approx(model.turn(clock.now))


def test_calls_are_free_again_after_enough_answers(clock: Clock) -> None:
    pace = _retry.Pace()
    pace.throttled(0.0)
    for _ in range(60):
        pace.answered()
    assert [pace.turn() for _ in range(10)] == [0.0] * 10
