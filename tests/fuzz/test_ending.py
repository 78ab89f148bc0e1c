"""No other session is ended, whatever clients and the service do between two requests.

`make fuzz` runs longer. Deliberate mistakes prove that the property finds them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dcs_sessions import DcsSessionsError, _ending
from dcs_sessions._async._ending import AsyncEnding
from support.virtual import Clock
from support.world import World

# A run is dozens of requests: `make fuzz` has time for this many. Each part has other examples.
RUNS = 400 if settings().max_examples > 1000 else 8


@pytest.mark.parametrize("part", range(25))
@settings(max_examples=RUNS)
@given(data=st.data())
def test_exactly_the_sessions_that_were_meant_are_ended(part: int, data: st.DataObject) -> None:
    World(data.draw).run()


# Mistakes. Each one is made in place of what does it right.

Mistake = Callable[[pytest.MonkeyPatch], None]
MISTAKES: list[Any] = []


def found_by(problem: str) -> Callable[[Mistake], Mistake]:
    """Register a mistake with the message of the property that finds it."""

    def note(mistake: Mistake) -> Mistake:
        MISTAKES.append(pytest.param(mistake, problem, id=mistake.__name__))
        return mistake

    return note


def _keeps_the_look(monkeypatch: pytest.MonkeyPatch, *, is_first: bool) -> None:
    look = AsyncEnding._look

    async def kept(self: Any, query: Any) -> Any:
        node_id, query.saved_at = query.node_id, math.inf
        looks = self.__dict__.setdefault("looks", {})
        if node_id not in looks:
            if is_first:
                of = [node for node, _ in self._choices if node.node_id == node_id]
                looks[node_id] = of[0]
            else:
                looks[node_id] = await look(self, query)
        return looks[node_id]

    monkeypatch.setattr(AsyncEnding, "_look", kept)


@found_by("nobody has looked|older than the wish")
def no_look_after_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    _keeps_the_look(monkeypatch, is_first=True)


@found_by("older than the last request|time has passed")
def one_look_for_all_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    _keeps_the_look(monkeypatch, is_first=False)


@found_by("older than the last request|time has passed")
def the_same_addresses_sent_again_after_429(monkeypatch: pytest.MonkeyPatch) -> None:
    run = AsyncEnding.run

    async def retrying(self: Any) -> Any:
        self._once = self._sender
        return await run(self)

    monkeypatch.setattr(AsyncEnding, "run", retrying)


@found_by("older than the last request")
def a_halved_batch_sent_without_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    send = AsyncEnding._send

    async def halving(self: Any, node_id: str, batch: Any) -> None:
        try:
            await send(self, node_id, batch)
        except DcsSessionsError as error:
            if not _ending.is_too_large(error) or len(batch) < 2:
                raise
            await halving(self, node_id, batch[: len(batch) // 2])
            await halving(self, node_id, batch[len(batch) // 2 :])

    monkeypatch.setattr(AsyncEnding, "_send", halving)


@found_by("somebody else's")
def age_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ending, "_age_fits", lambda *_: True)


@found_by("somebody else's")
def age_may_only_not_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    def falls(chosen: Any, before: Any, look: Any, now: Any) -> bool:
        return bool(now.age >= before.age)

    monkeypatch.setattr(_ending, "_age_fits", falls)


@found_by("somebody else's")
def id_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ending, "_id_changed", lambda *_: False)


@found_by("had changed")
def name_and_user_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = _ending._changed
    monkeypatch.setattr(
        _ending, "_changed", lambda before, now, name: name == "id" and changed(before, now, name)
    )


@found_by("somebody else's")
def young_sessions_without_an_id_taken_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ending, "_is_enough", lambda *_: True)


@found_by("did not fit")
def filter_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    judge: Any = _ending.judge
    monkeypatch.setattr(_ending, "judge", lambda *args: judge(*args[:-1], None))


@found_by("was seen 2 times")
def shared_addresses_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    by_address = _ending.by_address
    monkeypatch.setattr(
        _ending,
        "by_address",
        lambda sessions: {key: found[:1] for key, found in by_address(sessions).items()},
    )


@found_by("was not chosen|older than|nobody has looked|somebody else|time has passed|was seen 0")
def nodes_mixed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    send = AsyncEnding._send

    async def elsewhere(self: Any, node_id: str, batch: Any) -> None:
        await send(self, self._choices[0][0].node_id, batch)

    monkeypatch.setattr(AsyncEnding, "_send", elsewhere)


@found_by("result='refused'")
def a_lost_answer_taken_for_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ending, "is_refusal", lambda _: True)


@found_by("result='gone'")
def a_lost_answer_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ending, "seconds_until_next_look", lambda *_: 0.1)


@found_by("result='ended'")
def an_error_taken_for_success(monkeypatch: pytest.MonkeyPatch) -> None:
    send = AsyncEnding._send

    async def quiet(self: Any, node_id: str, batch: Any) -> None:
        with contextlib.suppress(Exception):
            await send(self, node_id, batch)

    monkeypatch.setattr(AsyncEnding, "_send", quiet)


@found_by("time has passed")
def a_wait_between_look_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    send = AsyncEnding._send

    async def later(self: Any, node_id: str, batch: Any) -> None:
        await asyncio.sleep(1)
        await send(self, node_id, batch)

    monkeypatch.setattr(AsyncEnding, "_send", later)


@pytest.mark.parametrize(("mistake", "problem"), MISTAKES)
def test_planted_mistake_is_found(
    mistake: Mistake, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @settings(
        max_examples=5000,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    @given(st.data())
    def find(data: st.DataObject) -> None:
        World(data.draw).run()

    mistake(monkeypatch)
    with pytest.raises(AssertionError, match=problem):
        find()


def test_virtual_time_passes_in_one_thread_only() -> None:
    before = time.monotonic()
    clock = Clock()
    seen: list[float] = []
    with mock.patch("time.monotonic", clock.monotonic):
        clock.now = before + 1e6
        other = threading.Thread(target=lambda: seen.append(time.monotonic()))
        other.start()
        other.join()
        assert time.monotonic() == clock.now
    assert before <= seen[0] <= time.monotonic()
