"""A model of `end_sessions`, on top of that of queries."""

from __future__ import annotations

import asyncio
import collections
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from dcs_sessions import NodeSessions, Outcome, QueryResult, Session
from support.queries import (
    Answer,
    Draw,
    ExpectedError,
    Model,
    NodeModel,
    Row,
    Service,
    failure,
    together,
)

NAME = "worker"
# When the first of them has connected.
BORN = 900.0
NOT_YET = "stopped before its turn"
# What may have become of a session since it was chosen.
CHANGES = ("same",) * 9 + ("gone", "renamed", "taken over", "twice", "busy")
# Status and code of a request with too many addresses, and of one that may be made later.
TOO_LARGE = (
    *((413, "APIGW.0201"), (413, ""), (400, "DCS.4062"), (400, "DCS.4063"), (400, "DCS.4800")),
    (400, "APIGW.0201"),
)
WAITS = ((429, "APIGW.0308"), (400, "DCS.4957"))


class EndingService(Service):
    """Lists the sessions that were chosen, as they are, changed, or not at all."""

    def __init__(self, draw: Draw, *arguments: Any) -> None:
        self.places: int = draw(st.sampled_from((0, 1, 3, 5, 8)))
        self.most_addresses: int = draw(st.sampled_from((1, 2, 3, 1000, 1000, 1000)))
        super().__init__(draw, *arguments)

    def kill(self, seconds: float, says: str, addresses: tuple[str, ...]) -> Answer:
        if len(addresses) > self.most_addresses:
            status, code = self.draw(st.sampled_from(TOO_LARGE))
            return failure(seconds, status, code, says)
        # Such as a client that is asked to wait, again and again.
        if self.draw(st.integers(0, 9)) < self.draw(st.sampled_from((0, 0, 3))):
            status, code = self.draw(st.sampled_from(WAITS))
            return failure(seconds, status, code, says)
        return super().kill(seconds, says, addresses)

    def rows(self, node: str, number: int) -> list[Row]:
        rows: list[Row] = []
        for place in range(self.places):
            row = self.chosen_row(place)
            change = self.draw(st.sampled_from(CHANGES))
            if change == "renamed":
                row["name"] = "other"
            elif change == "taken over":
                row["id"] = f"{1000 * (number + 1) + place}"
            elif change == "busy":
                row["cmd"] = "blpop"
            rows += [row] * {"gone": 0, "twice": 2}.get(change, 1)
        return rows

    def chosen_row(self, place: int) -> Row:
        row: Row = {"id": f"{place}", "peer": f"10.0.0.1:{place}", "name": NAME, "cmd": "get"}
        return {**row, "born": BORN - place}

    def shown(self, row: Row) -> Row:
        return aged(row, self.clock.now)


def aged(row: Row, now: float) -> Row:
    """Return a row with the age of the session instead of its birth."""
    return {**{name: row[name] for name in row if name != "born"}, "age": int(now - row["born"])}


@dataclass(frozen=True)
class Report:
    """The report of a session."""

    result: str
    reason: str
    missed: bool
    error: ExpectedError | None = None

    def check(self, node: str, outcome: Outcome) -> None:
        assert outcome.node_id == node
        assert (outcome.result, outcome.missed) == (self.result, self.missed)
        if self.error is None:
            assert (outcome.reason, outcome.error) == (self.reason, None)
        else:
            assert self.error.fits(outcome.error), (self.error, outcome.error)
            assert outcome.reason == f"{self.reason}{outcome.error}"


@dataclass(eq=False)
class Choice:
    """A session that was chosen, and what the model expects to be reported of it."""

    node: str
    place: int
    session: Session
    told: list[Report] = field(default_factory=list)

    def settle(
        self, result: str, reason: str, *, missed: bool, error: ExpectedError | None = None
    ) -> None:
        self.told.append(Report(result, reason, missed, error))

    def check(self, outcome: Outcome, told: list[Outcome]) -> None:
        """Check what the client reports, in the meantime and in the end."""
        assert outcome.session is self.session
        own = [each for each in told if each.session is self.session]
        assert len(own) == len(self.told)
        for each, report in zip(own, self.told, strict=True):
            report.check(self.node, each)
        if own:
            assert own[-1] is outcome
        else:
            Report("stopped", NOT_YET, missed=True).check(self.node, outcome)


def choose(service: EndingService, nodes: list[str], at: float) -> tuple[QueryResult, list[Choice]]:
    """Choose sessions of a list that was read some time ago."""
    choices: list[Choice] = []
    lists: list[NodeSessions] = []
    for node in nodes:
        places = list(range(service.places))
        places += places[: service.draw(st.sampled_from((0, 0, 0, 1)))]
        rows = [aged(service.chosen_row(place), at) for place in places]
        sessions = [Session.from_dict(row) for row in rows]
        choices += map(Choice, [node] * len(places), places, sessions)
        lists.append(NodeSessions(node, None, "time 0", sessions, None, at, at))
    return QueryResult(lists), choices


@dataclass
class EndingModel(Model):
    """One call of `end_sessions`: which requests it sends when, and the outcome of each session."""

    most: int = 1000
    # Seconds that the function of the caller takes.
    slow: float = 0.0
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def end(self, choices: list[Choice]) -> None:
        by_node: dict[str, list[Choice]] = {}
        for choice in choices:
            by_node.setdefault(choice.node, []).append(choice)
        self.unfinished = len(by_node)
        if len(by_node) > 1 and self.now >= self.accepted_until:
            try:
                await self.query_of(choices[0].node).look()
            except ExpectedError as error:
                if error.is_refusal:
                    settle(choices, "stopped", "", error)
                    return
        slots = asyncio.Semaphore(1 if len(by_node) == 1 else self.settings.concurrency)

        async def one(node: str, waiting: list[Choice]) -> None:
            async with slots:
                await self.end_on(node, waiting)

        await together([one(node, waiting) for node, waiting in by_node.items()])

    def query_of(self, node: str) -> NodeModel:
        query = NodeModel(self, node)
        # It may be from before the sessions were chosen.
        query.joins = False
        return query

    async def end_on(self, node: str, waiting: list[Choice]) -> None:
        most = self.most
        failures = old = 0
        while waiting and not self.stop.is_set():
            try:
                query = self.query_of(node)
                found = await query.collect()
                if found.fault is not None:
                    raise found.fault
            except ExpectedError as error:
                self.stop_for(error)
                settle(waiting, "stopped", "its node could not be queried: ", error)
                return
            batch, waiting = self.next_batch(waiting, found.rows, most)
            if not batch or self.stop.is_set() or self.left <= 0:
                return
            settle(batch, "unknown", "no response")
            assert found.read_at is not None
            took = self.now - found.read_at
            if took > 1 and len(batch) > 1:
                # The caller's function is slow: half a second of it for each request from now on.
                most = max(1, int(len(batch) * 0.5 / took))
                settle(batch, "stopped", NOT_YET)
                waiting = [*batch, *waiting]
                continue
            # Four seconds more than the scan, the job, two lists and the other pages may take.
            if self.now - query.saved_at > 4 + query.lag * (4 + len(found.rows) // 1000):
                old += 1
                waiting = [*batch, *waiting]
                if old == 3:
                    settle(waiting, "stopped", "the list of its node was too old")
                    return
                settle(waiting, "stopped", NOT_YET)
                continue
            addresses = dict.fromkeys(f"10.0.0.1:{choice.place}" for choice in batch)
            try:
                await self.call(node, "kill", *addresses, repeatable=False, attempts=1)
            except ExpectedError as error:
                pause: float | None = 0.0
                is_too_large = error.status == 413 or (error.status, error.code) in TOO_LARGE
                if is_too_large and len(batch) > 1:
                    most = len(batch) // 2
                else:
                    failures += 1
                    pause = self.pause_before_look(error, failures)
                if pause is None or pause >= self.left:
                    self.stop_for(error)
                    settle(batch, "refused" if is_harmless(error) else "unknown", "", error)
                    return
                settle(batch, "stopped", NOT_YET)
                waiting = [*batch, *waiting]
                await asyncio.sleep(pause)
            else:
                for choice in batch:
                    choice.settle("ended", "", missed=False)
                failures = old = 0

    def stop_for(self, error: ExpectedError) -> None:
        """Five refusals lock a key, so the other nodes end nothing more either."""
        if error.is_refusal:
            self.stop.set()

    def next_batch(
        self, waiting: list[Choice], rows: list[Row], most: int
    ) -> tuple[list[Choice], list[Choice]]:
        """Return the sessions of the next request, and those that are not compared yet."""
        left = collections.deque(waiting)
        batch: list[Choice] = []
        while left and len(batch) < most:
            choice = left.popleft()
            if self.may_be_ended(choice, rows):
                batch.append(choice)
        return batch, list(left)

    def may_be_ended(self, choice: Choice, rows: list[Row]) -> bool:
        """Return whether a session is listed as it was; note why, if not."""
        found = [row for row in rows if row.get("peer") == f"10.0.0.1:{choice.place}"]
        if not found:
            choice.settle("gone", "it is gone already", missed=False)
        elif len(found) > 1:
            choice.settle("spared", "several sessions have its address", missed=True)
        elif found[0]["id"] != f"{choice.place}":
            choice.settle("spared", "another session has its address now", missed=False)
        elif found[0]["name"] != NAME:
            choice.settle("spared", "its name has changed", missed=False)
        else:
            self.service.clock.now += self.slow
            if found[0]["cmd"] == "get":
                return True
            choice.settle("spared", "it no longer matches", missed=False)
        return False

    def pause_before_look(self, error: ExpectedError, failures: int) -> float | None:
        """Return the seconds before the next list, or None to give up."""
        if error.is_busy:
            return 0.0 if failures < self.settings.retry.attempts else None
        return self.pause_after(error, failures, None, error.retry_after, repeatable=False)


def is_harmless(error: ExpectedError) -> bool:
    """Return whether the request has not been carried out."""
    if error.is_connection:
        return not error.arrived
    return error.status in {400, 401, 403, 404, 413, 429}


def settle(
    choices: list[Choice], result: str, reason: str, error: ExpectedError | None = None
) -> None:
    for choice in choices:
        choice.settle(result, reason, missed=True, error=error)
